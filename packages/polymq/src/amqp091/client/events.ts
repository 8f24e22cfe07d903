import type { MessagingError } from "../../base/errors.ts";
import type { AmqpReturned } from "./message.ts";

/** Where a client stands; see {@link AmqpClient.state}. */
export type AmqpClientState = "disconnected" | "connecting" | "connected" | "reconnecting" | "disconnecting" | "closed";

/** What each event carries besides its `type`. */
export interface AmqpClientEvents {
  /** A connection is up, and after a loss everything is restored. */
  connect: { readonly server: string; readonly reconnected: boolean };
  /** The connection broke, or the server closed it and said why (`error.peer`); with reconnect on, `reconnecting` follows. */
  connectionLost: { readonly error: MessagingError };
  /** An attempt to come back is about to be made; `attempt` counts from 1 since the connection was lost. */
  reconnecting: { readonly attempt: number; readonly server: string };
  /** No further attempt will be made. */
  reconnectFailed: { readonly error: MessagingError };
  /** The server takes no publishes for now (`connection.blocked`); publishes wait. */
  blocked: { readonly reason: string };
  /** The server takes publishes again, or the connection on which it did not is gone. */
  unblocked: Record<never, never>;
  /** A channel was closed by the server, not by the application. */
  channelClosed: { readonly error: MessagingError };
  /** A consumer was cancelled by the server, because its queue is gone for example. */
  consumerCancelled: { readonly consumerTag: string; readonly queue: string };
  /** Something of the topology could not be restored after a reconnect. */
  recoveryFailed: { readonly what: string; readonly error: MessagingError };
  /** A message came back from a channel without confirms, where no promise can tell of it. */
  returned: { readonly message: AmqpReturned };
  /** A handler threw or rejected. */
  handlerError: { readonly error: unknown; readonly consumerTag: string };
  /** `state` has changed. */
  state: { readonly state: AmqpClientState };
  /** The client is closed for good. */
  closed: { readonly error: MessagingError | null };
}

/** One event with its `type`, as `events()` gives it. */
export type AmqpClientEvent = {
  [K in keyof AmqpClientEvents]: { readonly type: K } & AmqpClientEvents[K];
}[keyof AmqpClientEvents];
