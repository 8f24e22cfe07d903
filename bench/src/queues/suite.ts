import { runInterleaved } from "../harness/interleave.ts";
import type { Cell, Metrics } from "../harness/metrics.ts";
import { type BenchOptions, pick } from "../harness/options.ts";
import type { Suite } from "../harness/suite.ts";
import { measureDevice, measureMillion, measureOurs, measureRabbitmq } from "./measure.ts";
import { type Rabbitmq, rabbitmqVersion, startRabbitmq } from "./rabbitmq.ts";
import {
  DEVICE,
  DEVICE_ROW,
  MILLION_ROW,
  QUEUE_CONTENDERS,
  QUEUE_ROWS,
  QUEUE_SIZES,
  type QueueContender,
  queueLoad,
} from "./rows.ts";
import { QUEUE_THRESHOLDS } from "./thresholds.ts";

/** `bench queues`: our durable queues over MQTT beside RabbitMQ's over AMQP 0-9-1, each under a raw generator. */
export const queueSuite: Suite = {
  name: "durable",
  title: "Durable queues: confirmed publishes, and consuming with acknowledgements",
  rows: QUEUE_ROWS,
  contenders: QUEUE_CONTENDERS,
  thresholds: QUEUE_THRESHOLDS,
  contest: { subject: "ours-fsync", baselines: ["rabbitmq-quorum"], required: ["rabbitmq-quorum"] },
  shape: {
    baselines: ["rabbitmq-quorum"],
    ratioTitle: "to RabbitMQ's quorum queue",
    names: {
      "ours-fsync": "polymq, fsync",
      "ours-buffered": "polymq, buffered",
      "ours-amqp091": "polymq, fsync, AMQP 0-9-1",
      "rabbitmq-quorum": "RabbitMQ, quorum",
      "rabbitmq-classic": "RabbitMQ, classic",
      device: "the device alone",
    },
    rateTitle: "messages",
  },
  notes: [
    "publish: one connection, w messages unconfirmed; MQTT 3.1.1 QoS 1 into a classic queue, and AMQP 0-9-1 with confirms, durable messages.",
    "consume: a full queue, one consumer that may hold w messages, each delivery compared and acknowledged.",
    "All generators are raw sockets with everything encoded beforehand, in processes of their own; contenders take turns within a run.",
    "Ours is a fresh process and data directory per measurement, with default options but for the window and maxDepth; RabbitMQ is one node with default settings and a fresh queue each.",
    "the device alone: a server that does nothing for a message but one synced write into a file that is there already, and then acknowledges it.",
    "million: anonymous memory (RssAnon) with 1,000,000 messages of 256 B queued and synced, and the time of startBroker over them after a SIGKILL.",
  ],
  packages: ["@polymq/broker"],
  versions: () => ({ rabbitmq: rabbitmqVersion() ?? "not installed" }),
  skips: (options) =>
    wantsRabbitmq(options) && rabbitmqVersion() === null
      ? ["RabbitMQ is not installed (Debian: apt-get install rabbitmq-server); there are no ratios"]
      : [],
  run: runQueues,
};

function wantsRabbitmq(options: BenchOptions): boolean {
  return pick(QUEUE_CONTENDERS, options.only).some((name) => name.startsWith("rabbitmq"));
}

async function runQueues(options: BenchOptions): Promise<Cell[]> {
  const node = wantsRabbitmq(options) && rabbitmqVersion() !== null ? await startRabbitmq() : null;
  try {
    return await runRows(options, node);
  } finally {
    node?.stop();
  }
}

async function runRows(options: BenchOptions, node: Rabbitmq | null): Promise<Cell[]> {
  const cells: Cell[] = [];
  const { repeat, seconds } = options;
  const wanted = pick(QUEUE_CONTENDERS, options.only);
  const present = wanted.filter((name) => node !== null || !name.startsWith("rabbitmq"));
  for (const row of pick(QUEUE_ROWS, options.rows)) {
    if (row === MILLION_ROW) {
      if (!wanted.includes("ours-fsync")) continue;
      cells.push(
        ...(await runInterleaved({ row, size: 256, contenders: ["ours-fsync"], repeat, measure: measureMillion })),
      );
      continue;
    }
    const contenders = present.filter((name) => name !== DEVICE || row === DEVICE_ROW);
    for (const size of options.sizes ?? QUEUE_SIZES) {
      const measure = (contender: QueueContender): Promise<Metrics> => {
        const load = queueLoad(row, contender, size, seconds);
        if (contender === DEVICE) return measureDevice(load);
        if (contender === "ours-fsync" || contender === "ours-amqp091") return measureOurs("fsync", load);
        if (contender === "ours-buffered") return measureOurs("buffered", load);
        return node === null ? Promise.reject(new Error("there is no RabbitMQ")) : measureRabbitmq(node, load);
      };
      cells.push(...(await runInterleaved({ row, size, contenders, repeat, measure })));
    }
  }
  return cells;
}
