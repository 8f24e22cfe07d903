import type { Threshold } from "../harness/thresholds.ts";
import { MILLION_ROW } from "./rows.ts";

/**
 * What our queues promise: with `fsync` beside RabbitMQ's quorum queue in the same run; memory in KiB, start in ms. With one message outstanding, a
 * message costs one sync of the device and the way there and back: the bound leaves a fifth for that.
 */
export const QUEUE_THRESHOLDS: readonly Threshold[] = [
  { row: "publish-w1000", size: 256, metric: "rate", of: "ratio", bound: "atLeast", limit: 4, aim: 6 },
  {
    row: "publish-w1000",
    size: 256,
    metric: "rate",
    of: "ratio",
    bound: "atLeast",
    limit: 4,
    aim: 6,
    subject: "ours-amqp091",
  },
  { row: "publish-w1", size: 256, metric: "rate", of: "ratio", bound: "atLeast", limit: 0.8, against: "device" },
  { row: MILLION_ROW, size: 256, metric: "memory", of: "value", bound: "atMost", limit: 400 * 1024 },
  { row: MILLION_ROW, size: 256, metric: "startup", of: "value", bound: "atMost", limit: 3_000 },
];
