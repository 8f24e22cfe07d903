import type { Threshold } from "../../harness/thresholds.ts";

const SIZE = 256;

/** What our client promises at 256 B, in ratios to MQTT.js in the same run. */
export const CLIENT_THRESHOLDS: readonly Threshold[] = [
  rate("publish-qos0", 7, 10),
  rate("publish-qos1", 18, 25),
  rate("receive-qos0", 5, 7),
  rate("receive-qos1", 12, 18),
  memory("publish-qos0"),
  memory("publish-qos1"),
  memory("receive-qos0"),
  memory("receive-qos1"),
  latency("p50"),
  latency("p99"),
];

function rate(row: string, limit: number, aim: number): Threshold {
  return { row, size: SIZE, metric: "rate", of: "ratio", bound: "atLeast", limit, aim };
}

function memory(row: string): Threshold {
  return { row, size: SIZE, metric: "memory", of: "ratio", bound: "atMost", limit: 0.75 };
}

function latency(metric: "p50" | "p99"): Threshold {
  return { row: "round-trip", size: SIZE, metric, of: "ratio", bound: "atMost", limit: 1 };
}
