import type { Threshold } from "../harness/thresholds.ts";
import { UNIFIED_ROWS } from "./rows.ts";

/** What the unified client promises: CPU per message of at most 15 % above the protocol's client, on every row. */
export const UNIFIED_THRESHOLDS: readonly Threshold[] = UNIFIED_ROWS.map((row) => {
  return { row, size: 256, metric: "cpu", of: "ratio", bound: "atMost", limit: 1.15 };
});
