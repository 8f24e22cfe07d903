import type { ByteWriter } from "../../bytes/writer.ts";
import type { Outbox } from "../../transport/outbox.ts";
import type { PerformativeInput } from "../codec/tables.ts";
import type { RareTransferFields, TransferFields } from "../codec/transfer.ts";
import type { MapInput } from "../codec/values.ts";
import type { EngineHandler, Owners } from "./handler.ts";
import type { Session } from "./session.ts";

/** Transfers that may come before we answer with a flow; half of it brings the next. */
export const INCOMING_WINDOW = 2_048;

/** Largest handle that a peer may use on a session of ours where nothing else was said. */
export const HANDLE_MAX = 4_095;

/** Settings of a session. */
export interface SessionOptions {
  /** Transfers that may come before we answer. Default {@link INCOMING_WINDOW}. */
  readonly incomingWindow?: number;
  /** Told to the peer. Default 2^31 - 1. */
  readonly outgoingWindow?: number;
  /** Largest handle that the peer may use. Default {@link HANDLE_MAX}. */
  readonly handleMax?: number;
  /** First transfer and delivery number. Default 0. */
  readonly nextOutgoingId?: number;
  /** Told to the peer. */
  readonly properties?: MapInput | null;
  readonly offeredCapabilities?: readonly string[];
  readonly desiredCapabilities?: readonly string[];
}

/** What a session needs of its connection. */
export interface SessionPort<O extends Owners> {
  readonly outbox: Outbox;
  readonly handler: EngineHandler<O>;
  /** Largest frame that the peer takes, in bytes. */
  readonly peerFrameBytesMax: number;
  /** Encodes a whole frame. */
  sendFrame(channel: number, performative: PerformativeInput): void;
  /** Encodes a frame with a transfer that has rare fields; returns how much of the payload it carries. */
  sendRare(fields: TransferFields, rare: RareTransferFields, payload: Uint8Array): number;
  /** An empty writer that grows, for frames that cannot go straight into the outbox. */
  scratch(): ByteWriter;
  /** Something is to be written at the end of the turn. */
  sessionDue(session: Session<O>): void;
  /** A link has work: the session is to be pumped when the outbox has room again. */
  sessionReady(session: Session<O>): void;
  /** Nobody waits for the end of this session any more. */
  sessionUnanswered(session: Session<O>): void;
}
