/** Large messages: of the size where frames begin to be cut, and one that takes hundreds of them. */
export const LOOP_SIZES: readonly number[] = [65_536, 50_000_000];

/** Whose event loop is looked at. */
export const LOOP_SIDES = ["client", "broker"] as const;
export type LoopSide = (typeof LOOP_SIDES)[number];

/** The topic that the messages go through. */
export const TOPIC = "bench/loop";

/** Bytes without an outcome that may be on their way. */
export const WINDOW_BYTES = 3_200_000;

/** Bytes of one measurement. */
const MEASURED_BYTES = 100_000_000;

/** What the client's process is to do. */
export interface LoopPlan {
  readonly port: number;
  readonly size: number;
  readonly count: number;
}

/** Messages of one measurement. */
export function loopCount(size: number): number {
  return Math.max(2, Math.ceil(MEASURED_BYTES / size));
}
