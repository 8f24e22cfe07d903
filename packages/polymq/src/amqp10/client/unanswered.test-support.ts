/** A server that falls silent. */

import type { Clock } from "../../base/clock.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import { type LabServer, labPlatform } from "./client-lab.test-support.ts";
import { connectOver } from "./connect.ts";
import type { AmqpConnection } from "./connection.ts";

/** A client and its server. */
export interface Ending {
  readonly connection: AmqpConnection;
  readonly server: LabServer;
  readonly time: VirtualClock;
}

/** A client whose timers move by hand, and a server that calls itself so. */
export async function ending(product: string, version: string, connectTimeoutMs?: number): Promise<Ending> {
  const servers: LabServer[] = [];
  const open = { containerId: "x", properties: { product, version } };
  const platform = labPlatform({ open }, (server) => void servers.push(server));
  const time = new VirtualClock();
  const clock: Clock = {
    nowMs: () => time.nowMs(),
    epochMs: () => time.epochMs(),
    setTimer: (delayMs, fn) => time.setTimer(delayMs, fn),
    nextTurn: (fn) => platform.clock.nextTurn(fn),
  };
  const connection = await connectOver({ ...platform, clock }, "amqp://h", {
    reconnect: false,
    idleTimeoutMs: 0,
    ...(connectTimeoutMs === undefined ? {} : { connectTimeoutMs }),
  });
  return { connection, server: servers[0] as LabServer, time };
}

/** What the server writes from now on is kept back; the returned function lets it go. */
export function silence(server: LabServer): () => void {
  const kept: Uint8Array[] = [];
  server.push = () => void kept.push(server.take());
  return () => {
    Reflect.deleteProperty(server, "push");
    for (const bytes of kept) server.transport.write(bytes);
  };
}
