import type { Method } from "polymq/amqp091/codec";
import type { ConnectionAccess } from "../../auth/connection-access.ts";
import type { Decision } from "../../auth/decision-cache.ts";
import type { QueueOwner, VirtualHost } from "../../core/topology/topology-port.ts";

/** What methods that declare, bind and delete work with: a channel. */
export interface MethodScene {
  readonly host: VirtualHost;
  /** To whom exclusive queues belong: the connection. */
  readonly owner: QueueOwner;
  readonly access: ConnectionAccess;
  readonly nowMs: number;
  /** The queue that was declared last on this channel, or "". */
  lastQueue: string;
  /**
   * Goes on with `action` once it is known that the client may do something, which keeps the order of all that comes.
   * A refusal ends the channel with 403; what `action` throws ends it as the {@link ReplyError} says.
   * @param what names it for people, such as `queue 'q'`
   */
  whenAllowed(decision: Decision, what: string, method: Method, action: () => void): void;
  /** Whether somebody waits for answers over direct reply-to at this address. */
  awaitsReplies(key: string): boolean;
  /** Sends an answer once everything changed so far is durable, behind all answers before it. */
  answer(method: Method): void;
}
