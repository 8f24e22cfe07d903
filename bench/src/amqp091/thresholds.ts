import type { Threshold } from "../harness/thresholds.ts";

/** What our client promises at 256 B, in ratios to the best peer in the same run. */
export const AMQP091_THRESHOLDS: readonly Threshold[] = [
  rate("publish", 6, 8),
  rate("publish-confirm", 7, 10),
  rate("receive", 2.5, 4),
  rate("receive-ack", 7, 9),
];

function rate(row: string, limit: number, aim: number): Threshold {
  return { row, size: 256, metric: "rate", of: "ratio", bound: "atLeast", limit, aim };
}
