// Hot path: the loop runs per message. A closure for each confirmation is what its time costs.
import type { Clock } from "polymq/internal";
import { pause } from "../session/pause.ts";
import { PublishWindow } from "../session/publish-window.ts";
import { type BenchPlan, SIZE_MIN } from "./bench-flags.ts";
import type { Meter } from "./meter.ts";

/** What a publisher works with. */
export interface PublisherParts {
  readonly plan: BenchPlan;
  readonly meter: Meter;
  readonly clock: Clock;
  /** Fires when it is to stop. */
  readonly signal: AbortSignal;
  readonly publish: (payload: Uint8Array) => Promise<unknown>;
  /** False where a publish is not confirmed: its promise says nothing about time. */
  readonly isConfirmed: boolean;
}

/** Publishes at its share of the rate until the signal fires or the count is reached; resolves when the last one is confirmed. */
export async function runPublisher({
  plan,
  meter,
  clock,
  signal,
  publish,
  isConfirmed,
}: PublisherParts): Promise<void> {
  const payload = new Uint8Array(Math.max(SIZE_MIN, plan.size));
  const view = new DataView(payload.buffer);
  const window = new PublishWindow(plan.inflight);
  const perMs = plan.rate === null ? null : plan.rate / plan.publishers / 1_000;
  const startMs = clock.nowMs();
  for (let sent = 0; !signal.aborted && (plan.count === null || meter.published < plan.count); sent++) {
    if (perMs !== null) {
      const waitMs = startMs + sent / perMs - clock.nowMs();
      if (waitMs > 0) await pause(clock, waitMs, signal);
      if (signal.aborted) break;
    }
    const sentMs = meter.stamp(view);
    const done = publish(payload);
    await window.add(isConfirmed ? done.then(() => meter.onConfirmed(sentMs)) : done);
  }
  await window.done();
}
