import type { Broker } from "@polymq/broker";
import type { FaultProxy } from "polymq/testing";

/** Cuts the link in the middle of the next connection's work, and resolves when it is cut. */
export async function cutInside(proxy: FaultProxy, mode: "fin" | "rst"): Promise<void> {
  const cuts = proxy.stats.cuts;
  const passed = proxy.stats.bytesToServer;
  while (proxy.stats.bytesToServer < passed + 1_500) await new Promise((resolve) => setImmediate(resolve));
  proxy.cut(mode);
  if (proxy.stats.cuts !== cuts + 1) throw new Error("there was no connection to cut");
}

/** The port of one of a broker's listeners. */
export function portOf(broker: Broker, listener: number): number {
  const address = broker.addresses[listener];
  if (address === undefined) throw new Error(`the broker has no listener ${listener}`);
  return address.port;
}
