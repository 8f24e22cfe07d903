import { runContest } from "../amqp/client-suite.ts";
import type { Suite } from "../harness/suite.ts";
import { AMQP091_CONTENDERS, AMQP091_RATES, AMQP091_ROWS, AMQP091_SIZES, AMQP091_WORK } from "./rows.ts";
import { AMQP091_THRESHOLDS } from "./thresholds.ts";

const PEERS = ["amqplib", "amqp-client", "rabbitmq-client"];

/** `bench amqp091 client`: our client, its peers and a raw socket, each in a fresh process against a stub server in another. */
export const amqp091ClientSuite: Suite = {
  name: "client",
  title: "AMQP 0-9-1 clients against a stub server",
  rows: AMQP091_ROWS,
  contenders: AMQP091_CONTENDERS,
  thresholds: AMQP091_THRESHOLDS,
  contest: { subject: "ours", baselines: PEERS, required: PEERS },
  shape: {
    baselines: PEERS,
    ratioTitle: "to the best peer",
    names: { ours: "polymq", "amqp-client": "amqp-client.js", raw: "raw socket" },
    rateTitle: "messages",
  },
  notes: [
    "Each measurement is a fresh client process and a fresh stub server process; contenders take turns within a run.",
    "Figures are medians over the rounds; a ratio is the median of the ratios to the best peer within each round (lowest-highest in brackets).",
    "The stub server counts the messages, compares every byte of their bodies, confirms once per chunk, and checks that acknowledgements come in order.",
    "publish: without confirms, a plain await on every call (amqplib: until publish says false, then its drain). publish-confirm: a promise per message, window 1000.",
    "receive: without acknowledgements. receive-ack: prefetch 1000, each message acknowledged by hand (rabbitmq-client: by its handler's return).",
    "Received messages: each one's length, first and last byte is checked, and every byte during the warm-up.",
    "The raw socket writes pre-encoded bytes and looks at the frames it reads: the ceiling, without any per-message API.",
  ],
  packages: ["polymq", "amqplib", "@cloudamqp/amqp-client", "rabbitmq-client"],
  versions: () => ({}),
  skips: () => [],
  run: (options) =>
    runContest(
      {
        rows: AMQP091_ROWS,
        sizes: AMQP091_SIZES,
        contenders: AMQP091_CONTENDERS,
        entries: { stub: new URL("./stub-main.js", import.meta.url), client: new URL("./main.js", import.meta.url) },
        workOf: (row) => AMQP091_WORK[row],
        rateOf: (row, contender) => AMQP091_RATES[row][contender],
      },
      options,
    ),
};
