import { runInterleaved } from "../harness/interleave.ts";
import type { Cell, Metrics } from "../harness/metrics.ts";
import { type BenchOptions, pick } from "../harness/options.ts";
import type { Suite } from "../harness/suite.ts";
import { measureUnified } from "./measure.ts";
import { LAYERS, type Layer, UNIFIED_ROWS, unifiedPlan } from "./rows.ts";
import { UNIFIED_THRESHOLDS } from "./thresholds.ts";

/** `bench unified`: the unified client beside the protocols' clients beneath it, against our broker. */
export const unifiedSuite: Suite = {
  name: "layer",
  title: "The unified client beside the protocols' own",
  rows: UNIFIED_ROWS,
  contenders: LAYERS,
  thresholds: UNIFIED_THRESHOLDS,
  contest: { subject: "unified", baselines: ["native"], required: ["native"] },
  shape: {
    baselines: ["native"],
    ratioTitle: "to the protocol's client",
    names: { unified: "polymq", native: "the protocol's client" },
    rateTitle: "messages",
  },
  notes: [
    "Each measurement is a fresh client process and a fresh broker of ours in memory in another; the two take turns within a run. What counts is the client's CPU: rates are the broker's.",
    "publish: to a topic, acknowledged, a promise per message, window 1000. queue-publish: the same into a queue. queue-consume: a full queue, one member of a group that may hold 1000, a handler that returns at once.",
  ],
  packages: ["polymq"],
  versions: () => ({}),
  skips: () => [],
  run: runUnified,
};

async function runUnified(options: BenchOptions): Promise<Cell[]> {
  const cells: Cell[] = [];
  const contenders = pick(LAYERS, options.only);
  for (const row of pick(UNIFIED_ROWS, options.rows)) {
    for (const size of options.sizes ?? [256]) {
      const measure = (layer: Layer): Promise<Metrics> =>
        measureUnified(unifiedPlan(row, layer, size, options.seconds));
      cells.push(...(await runInterleaved({ row, size, contenders, repeat: options.repeat, measure })));
    }
  }
  return cells;
}
