import type { FaultProxy } from "polymq/testing";
import type { CommandCall, CommandDefinition } from "../command.ts";
import type { Environment } from "../environment.ts";
import { ExitCode } from "../exit-code.ts";
import { describeFailure } from "../failure.ts";
import { linesOf } from "../input/lines.ts";
import { CONTROL_HELP, ProxyControl } from "../proxy/proxy-control.ts";
import { cutRuleOf, faultsOf, type ProxyFlags, proxyOptions } from "../proxy/proxy-flags.ts";
import { untilAborted } from "../session/until-aborted.ts";
import { StopRequests } from "../stop-requests.ts";

/** `polymq proxy`: a TCP proxy that treats badly what passes. */
export const PROXY_COMMAND: CommandDefinition<ProxyFlags> = {
  name: "proxy",
  summary:
    "pass connections on to a server, and treat badly what passes: delays, pieces, cuts, half closes, little throughput",
  options: proxyOptions(),
  examples: [
    ["--to localhost:1883 --listen 1884 --delay 50-200", "a slow network"],
    ["--to localhost:5672 --cut-every 30 --cut-mode fin", "connections that do not last"],
    ["--to localhost:1883 --pieces 1 --throughput 2000", "byte by byte"],
  ],
  notes: CONTROL_HELP,
  run: async (call) => {
    const stop = new StopRequests(call.env, "output");
    try {
      const { faultProxy } = await import("polymq/testing");
      const { to, listen, seed } = call.flags;
      const options = {
        target: to,
        faults: faultsOf(call.flags),
        ...(listen === undefined ? {} : { listen }),
        ...(seed === undefined ? {} : { seed }),
      };
      const proxy = await faultProxy(options);
      try {
        await serve(call, proxy, stop);
      } finally {
        await proxy.close();
      }
      if (call.flags.quiet !== true) tell(call, { event: "closed", ...proxy.stats });
      return ExitCode.ok;
    } finally {
      stop.forget();
    }
  },
};

async function serve(call: CommandCall<ProxyFlags>, proxy: FaultProxy, stop: StopRequests): Promise<void> {
  const { flags, env } = call;
  const { cutMode = "rst", halfCloseDirection = "toClient", halfCloseAfter, cutEvery } = flags;
  const rule = cutRuleOf(flags);
  if (rule !== null) proxy.cutAfter(rule);
  const halfClose =
    halfCloseAfter === undefined ? null : env.clock.setTimer(halfCloseAfter, () => proxy.halfClose(halfCloseDirection));
  const stopCutting = repeat(env, cutEvery, () => proxy.cut(cutMode));
  const { host, port } = flags.to;
  tell(call, { event: "ready", listen: `${proxy.host}:${proxy.port}`, to: `${host}:${port}` });
  try {
    await control(call, new ProxyControl(proxy, faultsOf(flags)), stop);
    await stop.first;
  } finally {
    halfClose?.cancel();
    stopCutting();
  }
}

/** Does what standard input says until that ends; then it goes on without. */
async function control(call: CommandCall<ProxyFlags>, commands: ProxyControl, stop: StopRequests): Promise<void> {
  for await (const line of untilAborted(linesOf(call.env.stdin, LINE_BYTES_MAX), stop.signal)) {
    try {
      const said = await commands.run(Buffer.from(line).toString("utf8"));
      if (said !== null) tell(call, said);
    } catch (error) {
      call.env.err(`polymq: ${describeFailure(error)}\n`);
    }
  }
}

const LINE_BYTES_MAX = 1_024;

function repeat(env: Environment, everyMs: number | undefined, fn: () => void): () => void {
  if (everyMs === undefined) return () => {};
  const arm = (): void => {
    timer = env.clock.setTimer(everyMs, () => {
      fn();
      arm();
    });
  };
  let timer = env.clock.setTimer(everyMs, () => {
    fn();
    arm();
  });
  return () => timer.cancel();
}

/** One line of what is known: JSON, or names with their values. */
function tell({ flags, env }: CommandCall<ProxyFlags>, facts: object): void {
  const text = Object.entries(facts).map(([name, value]) =>
    name === "event" ? String(value) : `${name} ${String(value)}`,
  );
  env.out(`${flags.json === true ? JSON.stringify(facts) : text.join("  ") || "no faults"}\n`);
}
