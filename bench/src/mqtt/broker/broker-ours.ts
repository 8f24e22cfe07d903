import { startBroker } from "@polymq/broker";
import type { RunningBroker } from "./host.ts";

/** Starts polymq's broker with default options on a free port. */
export async function startOurs(): Promise<RunningBroker> {
  const broker = await startBroker({ port: 0 });
  return { port: broker.port, close: () => broker.close() };
}
