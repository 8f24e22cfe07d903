import { asMessagingError, type MessagingError } from "../../base/errors.ts";
import type { Connection } from "./connection.ts";
import type { Link } from "./link.ts";
import { call } from "./requests.ts";
import { TEMPORARY } from "./temporary-channel.ts";
import type { Topology, TopologyItem } from "./topology.ts";

/** Declares everything again on a channel of its own; what the server refuses is told, and the rest goes on. */
export async function restoreTopology(
  connection: Connection,
  topology: Topology,
  refused: (what: string, error: MessagingError) => void,
): Promise<void> {
  let link: Link | null = null;
  // Queues first get their names, then the bindings that use them are read.
  for (const bindings of [false, true]) {
    for (const item of topology.items) {
      if (item.method.method.endsWith(".bind") !== bindings) continue;
      link ??= connection.openChannel(TEMPORARY);
      try {
        await restore(connection, link, topology, item);
      } catch (error) {
        if (connection.ended) throw error;
        refused(item.what, asMessagingError(error, "ERR_CHANNEL_CLOSED"));
        link = null;
      }
    }
  }
  // The channels that are restored next may be as many as the server allows.
  if (link !== null) await connection.closeChannel(link);
}

async function restore(connection: Connection, link: Link, topology: Topology, item: TopologyItem): Promise<void> {
  const reply = await call(connection, link, item.method);
  if (item.serverName !== "" && reply.method === "queue.declare-ok") topology.renamed(item, reply.queue);
}
