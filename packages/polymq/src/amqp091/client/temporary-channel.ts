import { noop } from "../../base/noop.ts";
import type { Method, MethodOf, SyncMethodName } from "../codec/method-types.ts";
import type { CloseReason } from "../engine/endpoint-options.ts";
import type { Connection } from "./connection.ts";
import { closedError } from "./failures.ts";
import type { ChannelOwner, Link } from "./link.ts";
import { call, failRequests } from "./requests.ts";

/** A channel that only declares: requests are all that it has. */
export const TEMPORARY: ChannelOwner = {
  awaitsMessages: false,
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

/** One request on a channel of its own, which a refusal ends and nothing else. */
export async function askOnce(connection: Connection, method: MethodOf<SyncMethodName>): Promise<Method> {
  const link = connection.openChannel(TEMPORARY);
  try {
    return await call(connection, link, method);
  } finally {
    connection.engine.closeChannel(link);
  }
}
