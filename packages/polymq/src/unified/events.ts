import type { MessagingError } from "../base/errors.ts";
import type { Message } from "./message.ts";

/** Where a client stands; `disconnected`: it has given up coming back. */
export type ClientState = "connected" | "reconnecting" | "disconnected" | "closing" | "closed";

/** Where a client of MQTT or AMQP 0-9-1 stands, in our words. */
export function clientState(native: Exclude<ClientState, "closing"> | "connecting" | "disconnecting"): ClientState {
  // A first connect is over before there is a client of ours.
  if (native === "connecting") return "reconnecting";
  return native === "disconnecting" ? "closing" : native;
}

/** What each event carries besides its `type`; every protocol tells these. The protocol client beneath tells more. */
export interface ClientEvents {
  /** The connection is back, with all that was on it. */
  reconnected: { readonly server: string };
  /** The connection broke; `reconnecting` follows unless that is off. */
  connectionLost: { readonly error: MessagingError };
  /** An attempt to come back is about to be made; `attempt` counts from 1 since the connection was lost. */
  reconnecting: { readonly attempt: number; readonly server: string };
  /** No further attempt will be made. */
  reconnectFailed: { readonly error: MessagingError };
  /** A handler threw or rejected; what happens to its message says `whenHandlerFails`. */
  handlerError: { readonly error: unknown };
  /** A message was not what its codec wants; what happens to it says `onInvalid`. */
  invalidMessage: { readonly message: Message<unknown>; readonly error: MessagingError };
  /** Something failed that no caller waits for. */
  backgroundError: { readonly error: MessagingError };
  /** The client is closed for good. */
  closed: { readonly error: MessagingError | null };
}

/** One event with its `type`, as `events()` gives it. */
export type ClientEvent = { [K in keyof ClientEvents]: { readonly type: K } & ClientEvents[K] }[keyof ClientEvents];
