import { MessagingError } from "../base/errors.ts";
import type { Tell } from "./adapter.ts";

/** Whether anything may be begun. */
export interface Door {
  /** The error of everything that is begun now; null while the client is not closed. */
  error: MessagingError | null;
}

/** What a client shares with its queues and streams. */
export interface Host {
  readonly tell: Tell;
  readonly door: Door;
}

/** What a closed client answers. */
export function clientClosed(): MessagingError {
  return new MessagingError("ERR_CLIENT_CLOSED", "the client is closed");
}

/** @throws {MessagingError} ERR_CLIENT_CLOSED */
export function throwIfClosed(door: Door): void {
  if (door.error !== null) throw door.error;
}
