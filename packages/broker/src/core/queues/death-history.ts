import type { DeadLetterReason, DeathCount } from "./queue-message.ts";

/** Deaths that are told of one message; one that died in more queues is not sent on. */
export const DEATHS_MAX = 64;

/** Where a message died, and where it had been published. */
export interface DeathPlace {
  /** The queue's name in its virtual host. */
  readonly queue: string;
  readonly reason: DeadLetterReason;
  readonly timeMs: number;
  readonly exchange: string;
  readonly key: string;
}

/** The deaths of a message after one more, the last one first: one in the same queue for the same reason counts up. */
export function withDeath(deaths: readonly DeathCount[], place: DeathPlace): DeathCount[] {
  const { queue, reason, timeMs, exchange, key } = place;
  const others = deaths.filter((one) => one.queue !== queue || one.reason !== reason);
  const same = deaths.find((one) => one.queue === queue && one.reason === reason);
  if (same !== undefined) return [{ ...same, count: Math.min(same.count + 1, COUNT_MAX) }, ...others];
  return [{ queue, reason, count: 1, timeMs, exchange, keys: [key] }, ...others];
}

/** True when a message with these deaths, the last one first, came round to `queue` without anybody having rejected it on the way. */
export function isCycle(deaths: readonly DeathCount[], queue: string): boolean {
  const at = deaths.findIndex((one) => one.queue === queue);
  return at >= 0 && deaths.slice(0, at + 1).every((one) => one.reason !== "rejected");
}

const COUNT_MAX = 0xffff_ffff;
