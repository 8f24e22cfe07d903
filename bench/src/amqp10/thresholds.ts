import type { Threshold } from "../harness/thresholds.ts";
import { AMQP10_ROWS, type Amqp10Row } from "./rows.ts";

/** What our client promises at 256 B, in ratios to rhea in the same run; and where go-amqp could be had, to be ahead of it on every row. */
export const AMQP10_THRESHOLDS: readonly Threshold[] = [
  rate("send-settled", 35, 45),
  rate("send", 30, 45),
  rate("receive", 6, 8),
  rate("receive-accept", 6, 8),
  ...AMQP10_ROWS.map(aheadOfGo),
];

function rate(row: string, limit: number, aim: number): Threshold {
  return { row, size: 256, metric: "rate", of: "ratio", bound: "atLeast", limit, aim };
}

function aheadOfGo(row: Amqp10Row): Threshold {
  return {
    row,
    size: 256,
    metric: "rate",
    of: "ratio",
    bound: "atLeast",
    limit: 1,
    against: "go-amqp",
    isOptional: true,
  };
}
