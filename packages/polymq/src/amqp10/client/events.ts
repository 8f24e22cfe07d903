import type { MessagingError } from "../../base/errors.ts";
import type { AmqpReceiver } from "./receiver.ts";
import type { AmqpSender } from "./sender.ts";
import type { AmqpSession } from "./session.ts";

/** What a connection tells its listeners. `error` is null after an orderly end of ours. */
export type AmqpConnectionEvent =
  /** The connection is over for good. */
  | { readonly type: "close"; readonly error: MessagingError | null }
  | { readonly type: "sessionClose"; readonly session: AmqpSession; readonly error: MessagingError | null }
  | { readonly type: "linkClose"; readonly link: AmqpSender | AmqpReceiver; readonly error: MessagingError | null }
  /** The connection broke, or the server closed it; attempts to make it again follow. */
  | { readonly type: "connectionLost"; readonly error: MessagingError }
  /** An attempt to come back is about to be made; `attempt` counts from 1 since the connection was lost. */
  | { readonly type: "reconnecting"; readonly attempt: number; readonly server: string }
  /** The connection is back with its sessions and links; those that the server refused were told before. */
  | { readonly type: "reconnected"; readonly server: string }
  /** The handler of a subscription to a queue threw or rejected. */
  | { readonly type: "handlerError"; readonly error: unknown; readonly queue: string; readonly group: string }
  /** A link to a dynamic node came back to another one: whoever was told the old address must be told the new one. */
  | { readonly type: "addressChanged"; readonly link: AmqpSender | AmqpReceiver; readonly address: string | null };
