import type { Threshold } from "../../harness/thresholds.ts";
import { BROKER_SIZE, LOAD_ROWS, STARTUP_ROW } from "./rows.ts";

/** What our broker promises at 256 B: ratios to the better of aedes and Mosquitto in the same run, and its start-up in ms. */
export const BROKER_THRESHOLDS: readonly Threshold[] = [
  ...LOAD_ROWS.map(
    (row): Threshold => ({ row, size: BROKER_SIZE, metric: "rate", of: "ratio", bound: "atLeast", limit: 8, aim: 12 }),
  ),
  { row: STARTUP_ROW, size: 0, metric: "startup", of: "value", bound: "atMost", limit: 100 },
];
