import { runInterleaved } from "../../harness/interleave.ts";
import type { Cell, Metrics } from "../../harness/metrics.ts";
import { type BenchOptions, pick } from "../../harness/options.ts";
import type { Suite } from "../../harness/suite.ts";
import { measureBroker } from "./measure.ts";
import { mosquittoVersion } from "./mosquitto.ts";
import { BROKER_CONTENDERS, BROKER_ROWS, BROKER_SIZE, type BrokerName, loadFor, STARTUP_ROW } from "./rows.ts";
import { measureStartup } from "./startup.ts";
import { BROKER_THRESHOLDS } from "./thresholds.ts";

/** `bench mqtt broker`: our broker, aedes and Mosquitto, each in a fresh process, under one raw load generator in another. */
export const brokerSuite: Suite = {
  name: "broker",
  title: "MQTT brokers under one raw load generator",
  rows: BROKER_ROWS,
  contenders: BROKER_CONTENDERS,
  thresholds: BROKER_THRESHOLDS,
  contest: { subject: "ours", baselines: ["aedes", "mosquitto"], required: ["aedes", "mosquitto"] },
  shape: {
    baselines: ["aedes", "mosquitto"],
    ratioTitle: "to the better of aedes and Mosquitto",
    names: { ours: "polymq", aedes: "aedes", mosquitto: "Mosquitto" },
    rateTitle: "delivered",
  },
  notes: [
    "Each measurement is a fresh broker process and a fresh generator process; contenders take turns within a run.",
    "Figures are medians over the rounds; a ratio is the median of the ratios within each round (lowest-highest in brackets).",
    "Closed loop of 1000 outstanding messages, MQTT 3.1.1; at QoS 1 both the broker's and the subscribers' acknowledgements are part of the loop.",
    "The generator counts the deliveries and compares every byte; CPU is the broker's per delivered message.",
    "broker-startup is startBroker in process: the median of 20, and the first, cold one.",
  ],
  packages: ["@polymq/broker", "aedes"],
  versions: () => ({ mosquitto: mosquittoVersion() ?? "not installed" }),
  skips: skipsFor,
  run: runBrokers,
};

function skipsFor(options: BenchOptions): string[] {
  const isWanted = pick(BROKER_CONTENDERS, options.only).includes("mosquitto");
  if (!isWanted || mosquittoVersion() !== null) return [];
  return [
    "Mosquitto is not installed (Debian: apt-get install mosquitto); ratios are to aedes alone and judge nothing",
  ];
}

async function runBrokers(options: BenchOptions): Promise<Cell[]> {
  const cells: Cell[] = [];
  const wanted = pick(BROKER_CONTENDERS, options.only);
  const present = wanted.filter((name) => name !== "mosquitto" || mosquittoVersion() !== null);
  for (const row of pick(BROKER_ROWS, options.rows)) {
    if (row === STARTUP_ROW) {
      if (wanted.includes("ours")) cells.push(...(await runStartup(options.repeat)));
      continue;
    }
    for (const size of options.sizes ?? [BROKER_SIZE]) {
      const measure = (broker: BrokerName): Promise<Metrics> =>
        measureBroker(broker, loadFor(row, broker, size, options.seconds));
      cells.push(...(await runInterleaved({ row, size, contenders: present, repeat: options.repeat, measure })));
    }
  }
  return cells;
}

function runStartup(repeat: number): Promise<Cell[]> {
  return runInterleaved({ row: STARTUP_ROW, size: 0, contenders: ["ours"], repeat, measure: measureStartup });
}
