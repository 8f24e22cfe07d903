import type { Threshold } from "../harness/thresholds.ts";

/** What our client promises at 256 B, in ratios to rhea in the same run. */
export const AMQP10_THRESHOLDS: readonly Threshold[] = [
  rate("send-settled", 35, 45),
  rate("send", 30, 45),
  rate("receive", 6, 8),
  rate("receive-accept", 6, 8),
];

function rate(row: string, limit: number, aim: number): Threshold {
  return { row, size: 256, metric: "rate", of: "ratio", bound: "atLeast", limit, aim };
}
