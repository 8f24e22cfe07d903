import { type BenchFlags, type BenchPlan, benchOptions, benchPlan } from "../bench/bench-flags.ts";
import { benchJson, benchText, progressLine } from "../bench/bench-report.ts";
import { type BenchResult, runBench } from "../bench/run-bench.ts";
import type { CommandDefinition } from "../command.ts";
import type { Environment } from "../environment.ts";
import { ExitCode } from "../exit-code.ts";
import { addressOf, clientOptions, connectionOptions } from "../options/connection.ts";
import { StopRequests } from "../stop-requests.ts";

/** `polymq bench`: how fast messages go through a server, and how long they take. */
export const BENCH_COMMAND: CommandDefinition<BenchFlags> = {
  name: "bench",
  summary: "measure how many messages a second go through a server, and how long they take",
  options: [...benchOptions(), ...connectionOptions()],
  examples: [
    ["", "a topic over MQTT, 5 seconds"],
    ["--all -p 1883 --json", "every protocol on one port, one after the other"],
    ["--queue jobs -L amqp://localhost:5672 --subscribers 4", "a queue over AMQP 0-9-1"],
    ["--rate 1000 --duration 60 -q 0", "how long messages take at a given rate"],
  ],
  notes: `Publishers and subscribers share this process: where it uses a whole processor, the figures are about it as well.
Exits with 1 when messages of QoS 1 and 2, or of a queue, did not arrive.`,
  run: async ({ flags, env }) => {
    const plan = benchPlan(flags);
    const stop = new StopRequests(env, "output");
    let isComplete = true;
    try {
      for (const each of variantsOf(flags)) {
        const result = await measure(plan, each, { env, stop });
        env.out(flags.json === true ? `${JSON.stringify(benchJson(plan, result))}\n` : benchText(plan, result));
        if (stop.signal.aborted) return ExitCode.interrupted;
        if (result.lost > 0 && (plan.qos > 0 || "queue" in plan.target)) isComplete = false;
      }
      return isComplete ? ExitCode.ok : ExitCode.failed;
    } catch (error) {
      if (stop.signal.aborted) return ExitCode.interrupted;
      throw error;
    } finally {
      stop.forget();
    }
  },
};

/** The flags of each protocol to be measured. */
function variantsOf(flags: BenchFlags): readonly BenchFlags[] {
  if (flags.all !== true) return [flags];
  return (["mqtt", "amqp091", "amqp10"] as const).map((protocol) => ({ ...flags, protocol, all: false }));
}

async function measure(
  plan: BenchPlan,
  flags: BenchFlags,
  { env, stop }: { readonly env: Environment; readonly stop: StopRequests },
): Promise<BenchResult> {
  const { url } = addressOf(flags);
  const options = await clientOptions(flags, env.readFile);
  const showProgress = flags.quiet !== true;
  let connections = 0;
  const result = await runBench({
    plan,
    env,
    stop,
    connect: () => {
      // Names of connections have to differ.
      const own = flags.id === undefined ? {} : { clientId: `${flags.id}-${++connections}` };
      return env.connect(url, { ...options, ...own, signal: stop.signal });
    },
    onProgress: (meter) => {
      if (showProgress) env.err(env.isTerminal ? `\r\u001B[K${progressLine(meter)}` : `${progressLine(meter)}\n`);
    },
  });
  if (showProgress && env.isTerminal) env.err("\r\u001B[K");
  return result;
}
