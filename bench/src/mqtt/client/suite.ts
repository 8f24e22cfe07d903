import { runInterleaved } from "../../harness/interleave.ts";
import type { Cell, Metrics } from "../../harness/metrics.ts";
import { type BenchOptions, pick } from "../../harness/options.ts";
import type { Suite } from "../../harness/suite.ts";
import { measureClient } from "./measure.ts";
import {
  CLIENT_LIBRARIES,
  CLIENT_ROWS,
  CLIENT_SIZES,
  type ClientContenderName,
  contendersOf,
  countsFor,
} from "./rows.ts";
import { CLIENT_THRESHOLDS } from "./thresholds.ts";

/** `bench mqtt client`: our client, MQTT.js and a raw socket, each in a fresh process against a stub server in another. */
export const clientSuite: Suite = {
  name: "client",
  title: "MQTT clients against a stub server",
  rows: CLIENT_ROWS,
  contenders: CLIENT_LIBRARIES,
  thresholds: CLIENT_THRESHOLDS,
  // A promise per message is held against a promise per message; the batch has callbacks.
  contest: { subject: "ours", baselines: ["mqttjs"], required: ["mqttjs"] },
  shape: {
    baselines: ["mqttjs"],
    ratioTitle: "to MQTT.js",
    names: { ours: "polymq", mqttjs: "MQTT.js", "mqttjs-batch": "MQTT.js (batch)", raw: "raw socket" },
    rateTitle: "messages",
  },
  notes: [
    "Each measurement is a fresh client process and a fresh stub server process; contenders take turns within a run.",
    "Figures are medians over the rounds; a ratio is the median of the ratios within each round (lowest-highest in brackets).",
    "The stub server counts the messages and compares every byte it receives; packet ids are checked as they come.",
    "polymq publishes QoS 0 with a plain await on every call and QoS 1 and 2 with a promise per message, window 1000.",
    "MQTT.js publishes both as promises (QoS 0: await publishAsync on every call; QoS 1 and 2: a window of 1000 promises) and, as batch, as 1000 publish calls with callbacks at a time; ratios are to the first, which is used as polymq is, and the batch has its own.",
    "Received messages: each one's length, first and last byte is checked, and every byte during the warm-up.",
    "The raw socket sends and compares pre-encoded bytes: the ceiling, without any per-message API.",
  ],
  packages: ["polymq", "mqtt"],
  versions: () => ({}),
  skips: () => [],
  run: runClients,
};

async function runClients(options: BenchOptions): Promise<Cell[]> {
  const rows = pick(CLIENT_ROWS, options.rows);
  const libraries = pick(CLIENT_LIBRARIES, options.only);
  const { repeat, seconds, protocolVersion: level } = options;
  const cells: Cell[] = [];
  for (const row of rows) {
    const contenders = contendersOf(row, libraries);
    for (const size of options.sizes ?? CLIENT_SIZES) {
      const measure = (contender: ClientContenderName): Promise<Metrics> =>
        measureClient({ row, contender, size, level, counts: countsFor(row, contender, size, seconds) });
      cells.push(...(await runInterleaved({ row, size, contenders, repeat, measure })));
    }
  }
  return cells;
}
