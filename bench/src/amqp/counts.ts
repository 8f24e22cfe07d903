import type { Counts } from "../mqtt/client/rows.ts";
import { WINDOW, type Work } from "./plan.ts";

const BYTES_PER_SECOND = 1.2e9;
const TAIL_BYTES = 256 * 1024;

/** The fixed number of messages that takes about `seconds` at `rate` messages/s, a third of it again for the warm-up. */
export function countsAt(rate: number, work: Work, size: number, seconds: number): Counts {
  const measured = Math.max(100, Math.round(Math.min(rate, BYTES_PER_SECOND / size) * seconds));
  const hasTail = work.is === "publish" || (work.is === "receive" && work.isAnswered);
  const tail = Math.min(measured, Math.max(WINDOW, Math.ceil(TAIL_BYTES / size)));
  return { measured, warmup: Math.ceil(measured / 3), tail: hasTail ? tail : 0 };
}
