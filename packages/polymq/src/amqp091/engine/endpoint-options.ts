import type { MessagingError } from "../../base/errors.ts";
import type { Outbox } from "../../transport/outbox.ts";
import type { RouteDecoder } from "../codec/route-decoder.ts";
import type { EngineTypes } from "./channel.ts";
import type { Tuning } from "./tuning.ts";

/** Why a channel or connection was closed, as the closing side says it (AMQP 0-9-1 §1.4.2.9, §1.5.2.5). */
export interface CloseReason {
  readonly replyCode: number;
  readonly replyText: string;
  /** The method that failed, or 0 and 0. */
  readonly classId: number;
  readonly methodId: number;
}

/** What an engine of either role tells its owner. None of these may throw. */
export interface EndpointHandler<C> {
  /**
   * A channel is over: by the peer's close, or by a close of ours with a code other than 200 (`reason`), or because we asked and it was
   * answered (null). What it still holds (requests, messages) is the owner's to take out. Not called when the connection ends: then
   * all channels are over.
   */
  onChannelClosed(channel: C, reason: CloseReason | null): void;
  /** The peer asks to stop or go on sending content on a channel (`channel.flow`); it has been answered. */
  onFlow(channel: C, active: boolean): void;
  /** The connection is over: by the peer's `connection.close` (`reason`), or ours was answered or waited for too long (null). */
  onClosed(reason: CloseReason | null): void;
  /** The engine is over because of `error`; what the peer should know is in the outbox, to be flushed before the transport ends. */
  onFailed(error: MessagingError): void;
}

/** What both roles need. */
export interface EndpointOptions<T extends EngineTypes> {
  readonly outbox: Outbox;
  /** May serve many connections. */
  readonly routes: RouteDecoder<T["route"]>;
  /** What we propose or would accept. */
  readonly tuning: Tuning;
  /** Largest body taken, in bytes; a larger one closes its channel with 311. */
  readonly bodyBytesMax: number;
  /** Bytes of bodies that are still incomplete, over all channels, above which the connection is closed with 506. */
  readonly assemblyBytesMax: number;
  /** From the first byte until the connection is open. */
  readonly handshakeTimeoutMs: number;
  /** From our `connection.close` until it is answered. */
  readonly closeTimeoutMs: number;
  readonly nowMs: number;
}
