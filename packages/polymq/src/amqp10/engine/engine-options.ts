import type { Outbox } from "../../transport/outbox.ts";
import type { CompositeInput } from "../codec/tables.ts";
import type { EngineHandler, Owners } from "./handler.ts";
import type { SessionOptions } from "./session-options.ts";

/** Largest frame that we take where nothing else was said, in bytes. */
export const FRAME_BYTES_MAX = 65_536;

/** Sessions that a peer may have at one time where nothing else was said, less one. */
export const CHANNEL_MAX = 255;

/** Bytes held back while the owner decides on a SASL step. */
export const HELD_BYTES_MAX = 65_536;

/** Settings of an `Engine`. */
export interface EngineOptions<O extends Owners> {
  readonly role: "client" | "server";
  readonly outbox: Outbox;
  readonly handler: EngineHandler<O>;
  readonly nowMs: number;
  /** What our open says, limits and idle timeout aside. */
  readonly open: Omit<CompositeInput<"open">, "type" | "maxFrameSize" | "channelMax" | "idleTimeOut">;
  /** Client: `required` authenticates first. Server: whether clients may or must. Default `none`. */
  readonly sasl?: "none" | "optional" | "required";
  /** Server: mechanisms offered. */
  readonly saslMechanisms?: readonly string[];
  /** Largest frame taken, at least 512. Default {@link FRAME_BYTES_MAX}. */
  readonly maxFrameSize?: number;
  /** Largest channel number taken. Default {@link CHANNEL_MAX}. */
  readonly channelMax?: number;
  /** The connection ends when the peer says nothing for so long; half of it is told to the peer. 0 for never. Default 60,000. */
  readonly idleTimeoutMs?: number;
  /** Time until the peer's open has come, and for its close after ours. Default 10,000. */
  readonly handshakeTimeoutMs?: number;
  /** For sessions that the peer begins. */
  readonly session?: SessionOptions;
}
