import { asMessagingError, type MessagingError } from "../../base/errors.ts";
import { noop } from "../../base/noop.ts";
import type { CloseReason } from "../engine/endpoint-options.ts";
import type { Connection } from "./connection.ts";
import { closedError } from "./failures.ts";
import type { ChannelOwner, Link } from "./link.ts";
import { call, failRequests } from "./requests.ts";
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
  if (link !== null) connection.engine.closeChannel(link);
}

async function restore(connection: Connection, link: Link, topology: Topology, item: TopologyItem): Promise<void> {
  const reply = await call(connection, link, item.method);
  if (item.serverName !== "" && reply.method === "queue.declare-ok") topology.renamed(item, reply.queue);
}

/** The channel that declares: requests are all that it has. */
const TEMPORARY: ChannelOwner = {
  onDeliver: noop,
  onReturn: noop,
  onConfirm: noop,
  onCancel: noop,
  onFlow: noop,
  onRoom: noop,
  onClosed: (link: Link, reason: CloseReason | null) => {
    if (reason !== null) failRequests(link, closedError("ERR_CHANNEL_CLOSED", "the server closed the channel", reason));
  },
};
