import { runContest } from "../amqp/client-suite.ts";
import type { Cell } from "../harness/metrics.ts";
import { type BenchOptions, pick } from "../harness/options.ts";
import type { Suite } from "../harness/suite.ts";
import type { GoProgram } from "./go-program.ts";
import { AMQP10_CONTENDERS, AMQP10_RATES, AMQP10_ROWS, AMQP10_SIZES, AMQP10_WORK } from "./rows.ts";
import { AMQP10_THRESHOLDS } from "./thresholds.ts";

const GO_AMQP = "go-amqp";

/** `bench amqp10 client`: our client, its peers and a raw socket, each in a fresh process against a stub server in another; go-amqp where it can be had. */
export function amqp10ClientSuite(go: GoProgram): Suite {
  return {
    ...CLIENT_SUITE,
    versions: () => go.versions,
    skips: (options) => {
      const skip = pick(AMQP10_CONTENDERS, options.only).includes(GO_AMQP) ? go.build() : null;
      return skip === null ? [] : [`go-amqp is left out: ${skip}`];
    },
    run: (options) => runClients(options, go.path),
  };
}

function runClients(options: BenchOptions, goPath: string | null): Promise<Cell[]> {
  return runContest(
    {
      rows: AMQP10_ROWS,
      sizes: AMQP10_SIZES,
      contenders: AMQP10_CONTENDERS.filter((name) => name !== GO_AMQP || goPath !== null),
      entries: {
        stub: new URL("./stub-main.js", import.meta.url),
        client: new URL("./main.js", import.meta.url),
        programs: goPath === null ? {} : { [GO_AMQP]: goPath },
      },
      workOf: (row) => AMQP10_WORK[row],
      rateOf: (row, contender) => AMQP10_RATES[row][contender],
    },
    options,
  );
}

const CLIENT_SUITE: Omit<Suite, "versions" | "skips" | "run"> = {
  name: "client",
  title: "AMQP 1.0 clients against a stub server",
  rows: AMQP10_ROWS,
  contenders: AMQP10_CONTENDERS,
  thresholds: AMQP10_THRESHOLDS,
  contest: { subject: "ours", baselines: ["rhea"], required: ["rhea"] },
  shape: {
    baselines: ["rhea"],
    ratioTitle: "to rhea",
    names: { ours: "polymq", raw: "raw socket" },
    rateTitle: "messages",
  },
  notes: [
    "Each measurement is a fresh client process and a fresh stub server process; contenders take turns within a run.",
    "Figures are medians over the rounds; a ratio is the median of the ratios within each round (lowest-highest in brackets).",
    "The stub server counts the messages, compares every byte of their bodies, accepts once per chunk, and obeys credit and window.",
    "send-settled: a plain await on every call (rhea: until sendable() says false, then its event). send: a promise per message that settles with the outcome, window 1000 (go-amqp: SendWithReceipt, each receipt waited for in a second goroutine).",
    "receive and receive-accept: credit 1000, settled by the sender and accepted one by one (rhea: autoaccept).",
    "Received messages: each one's length, first and last byte is checked, and every byte during the warm-up.",
    "The raw socket writes pre-encoded transfers and looks at the frames it reads: the ceiling, without any per-message API.",
  ],
  packages: ["polymq", "rhea", "rhea-promise"],
};
