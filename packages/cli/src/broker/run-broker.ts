import type { BrokerOptions } from "@polymq/broker";
import type { Environment, RunningBroker } from "../environment.ts";
import { StopRequests } from "../stop-requests.ts";
import { banner, readyLine } from "./banner.ts";
import { type BrokerFlags, brokerOptions } from "./broker-flags.ts";

/**
 * Runs a broker until it is asked to stop. The first request drains it, a second one ends the process at once with code 1.
 * @throws what reading the certificates or starting the broker threw, and the error that ended the broker
 */
export async function runBroker(flags: BrokerFlags, env: Environment): Promise<void> {
  const stop = new StopRequests(env);
  try {
    // Flags win over the file.
    const configured = flags.config === undefined ? {} : await env.readConfig(flags.config);
    const options: BrokerOptions = { ...configured, ...(await brokerOptions(flags, env.readFile)) };
    const broker = await env.startBroker(options);
    if (flags.json === true) env.out(readyLine(env.version, broker));
    else if (flags.quiet !== true) env.out(banner(env.version, broker, { ...flags, ...kept(options) }));
    await untilOver(broker, stop.first);
  } finally {
    stop.forget();
  }
}

/** Where the broker keeps what it keeps, whoever said so. */
function kept({ dataDir, durability }: BrokerOptions): Pick<BrokerFlags, "data" | "durability"> {
  return {
    ...(dataDir === undefined ? {} : { data: dataDir }),
    ...(durability === undefined ? {} : { durability }),
  };
}

async function untilOver(broker: RunningBroker, stopped: Promise<"stop">): Promise<void> {
  const over = await Promise.race([stopped, broker.closed]);
  if (over === "stop") await broker.close();
  else if (over !== null) throw over;
}
