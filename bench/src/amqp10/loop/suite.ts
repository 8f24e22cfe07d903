import { Child } from "../../harness/child.ts";
import { runInterleaved } from "../../harness/interleave.ts";
import type { Cell, Metrics } from "../../harness/metrics.ts";
import { type BenchOptions, pick } from "../../harness/options.ts";
import type { Suite } from "../../harness/suite.ts";
import { LOOP_SIDES, LOOP_SIZES, type LoopPlan, type LoopSide, loopCount } from "./plan.ts";

const ROW = "loop";

/** `bench amqp10 loop`: how long large messages hold the event loops of our client and our broker up. */
export const amqp10LoopSuite: Suite = {
  name: "loop",
  title: "Large messages over AMQP 1.0: the longest delay of an event loop",
  rows: [ROW],
  contenders: LOOP_SIDES,
  thresholds: LOOP_SIZES.flatMap((size) =>
    LOOP_SIDES.map((subject) => {
      return { row: ROW, size, subject, metric: "delay", of: "value", bound: "atMost", limit: 20 } as const;
    }),
  ),
  contest: { subject: "client", baselines: [], required: [] },
  shape: { baselines: [], ratioTitle: "", names: {}, rateTitle: "messages" },
  notes: [
    "Each measurement is a fresh client process and a fresh broker of ours in memory: 100 MB go to a topic and back to the same process on another connection, after as many for warming up.",
    "The delay is the longest that `monitorEventLoopDelay` saw in that process; work of others on the machine counts in it.",
  ],
  packages: ["polymq"],
  versions: () => ({}),
  skips: () => [],
  run: runLoop,
};

async function runLoop(options: BenchOptions): Promise<Cell[]> {
  const cells: Cell[] = [];
  const contenders = pick(LOOP_SIDES, options.only);
  const sizes = options.sizes === null ? LOOP_SIZES : LOOP_SIZES.filter((size) => options.sizes?.includes(size));
  for (const size of sizes) {
    const measure = (side: LoopSide): Promise<Metrics> => measureLoop(side, size);
    cells.push(...(await runInterleaved({ row: ROW, size, contenders, repeat: options.repeat, measure })));
  }
  return cells;
}

/** Takes one measurement of one side: a fresh broker and a fresh client, which both end with it. */
async function measureLoop(side: LoopSide, size: number): Promise<Metrics> {
  const broker = Child.start(new URL("./broker-main.js", import.meta.url), {});
  let client: Child | null = null;
  try {
    const port = await broker.next<number>("listening");
    const plan: LoopPlan = { port, size, count: loopCount(size) };
    client = Child.start(new URL("./client-main.js", import.meta.url), plan);
    client.relayTo(broker);
    const result = await client.next<Metrics>("result", [broker]);
    broker.send({ type: "finish" });
    const delay = await broker.next<number>("final");
    return side === "client" ? result : { ...result, delay };
  } finally {
    await Promise.all([client?.stop(), broker.stop()]);
  }
}
