// Hot path: runs per frame. No closure, promise, spread, iterator or regex here.
import { MessagingError } from "../../base/errors.ts";
import { malformed } from "../../bytes/reader.ts";
import { type ByteWriter, put32 } from "../../bytes/writer.ts";
import { decodeComposite, writeComposite } from "./composite.ts";
import type { Performative, PerformativeInput, SaslFrame, SaslFrameInput } from "./tables.ts";
import type { ValueReader } from "./value-reader.ts";

/*
 * A frame (§2.3):
 *   u32  bytes of the whole frame
 *   u8   data offset in words of 4 bytes, 2 at least; what lies between byte 8 and there is skipped
 *   u8   type: 0 AMQP, 1 SASL
 *   u16  channel of an AMQP frame
 *        body: a performative and, behind a transfer, payload; empty for a heartbeat
 */

/** Bytes of a frame's header without an extension. */
export const FRAME_HEADER_BYTES = 8;

/** The smallest maximum frame size that a peer may ask for (§2.7.1), and the largest SASL frame (§5.3.1). */
export const FRAME_SIZE_LEAST = 512;

/** Frame types (§2.3.1). */
export const FrameType = { amqp: 0, sasl: 1 } as const;

/** Protocol ids in a protocol header (§2.2, §5.2.1, §5.3.2). */
export const ProtocolId = { amqp: 0, tls: 2, sasl: 3 } as const;

/** Bytes of a protocol header. */
export const PROTOCOL_HEADER_BYTES = 8;

/** The header of version 1.0.0 of a protocol: `AMQP`, id, 1, 0, 0. */
export function protocolHeader(id: number): Uint8Array {
  return Uint8Array.of(0x41, 0x4d, 0x51, 0x50, id, 1, 0, 0);
}

/** The protocol id of a header of version 1.0.0, or -1 for anything else. */
export function readProtocolHeader(buffer: Uint8Array, at: number): number {
  const id = buffer[at + 4] as number;
  const known = protocolHeader(id);
  for (let i = 0; i < PROTOCOL_HEADER_BYTES; i++) if (buffer[at + i] !== known[i]) return -1;
  return id;
}

/**
 * Bytes of the frame at `at`, or 0 while its size is incomplete. @throws {MessagingError} ERR_MALFORMED_PACKET below 8 bytes,
 * ERR_PACKET_TOO_LARGE above `maxFrameSize`, both before anything of the frame is held
 */
export function measureFrame(buffer: Uint8Array, at: number, end: number, maxFrameSize: number): number {
  if (end - at < 4) return 0;
  const size =
    ((buffer[at] as number) * 0x1000000 +
      (((buffer[at + 1] as number) << 16) | ((buffer[at + 2] as number) << 8) | (buffer[at + 3] as number))) >>>
    0;
  if (size < FRAME_HEADER_BYTES) throw malformed(`a frame of ${size} bytes`);
  if (size > maxFrameSize) {
    throw new MessagingError("ERR_PACKET_TOO_LARGE", `a frame of ${size} bytes, the limit is ${maxFrameSize}`);
  }
  return size;
}

/** Where the body of a frame at [start, end) begins; refuses a data offset below 2 words or behind the frame's end. */
export function frameBody(buffer: Uint8Array, start: number, end: number): number {
  const words = buffer[start + 4] as number;
  if (words < 2) throw malformed(`a frame with a data offset of ${words}`);
  const body = start + 4 * words;
  if (body > end) throw malformed(`a frame whose data offset of ${words} lies behind its end`);
  return body;
}

/** The type byte of a frame. */
export function frameType(buffer: Uint8Array, start: number): number {
  return buffer[start + 5] as number;
}

/** The channel of an AMQP frame. */
export function frameChannel(buffer: Uint8Array, start: number): number {
  return ((buffer[start + 6] as number) << 8) | (buffer[start + 7] as number);
}

/** Writes a frame's header with its size open; the caller has reserved room. Returns where the frame starts. */
export function beginFrame(w: ByteWriter, type: number, channel: number): number {
  const { at, buffer } = w;
  buffer[at + 4] = 2;
  buffer[at + 5] = type;
  buffer[at + 6] = channel >>> 8;
  buffer[at + 7] = channel;
  w.at = at + FRAME_HEADER_BYTES;
  return at;
}

/** Fills in the size of the frame that began at `start`. */
export function endFrame(w: ByteWriter, start: number): void {
  put32(w.buffer, start, w.at - start);
}

/**
 * Writes a frame with a performative into a writer that grows. @throws {MessagingError} ERR_INVALID_ARGUMENT for a value that its field
 * cannot hold; the writer is then where it was
 */
export function writeFrame(w: ByteWriter, channel: number, performative: PerformativeInput): void {
  writeAny(w, FrameType.amqp, channel, performative);
}

/** Writes a SASL frame; see {@link writeFrame}. */
export function writeSaslFrame(w: ByteWriter, body: SaslFrameInput): void {
  writeAny(w, FrameType.sasl, 0, body);
}

function writeAny(w: ByteWriter, type: number, channel: number, body: PerformativeInput | SaslFrameInput): void {
  const before = w.at;
  w.reserve(FRAME_HEADER_BYTES);
  const start = beginFrame(w, type, channel);
  try {
    writeComposite(w, body);
  } catch (error) {
    w.at = before;
    throw error;
  }
  endFrame(w, start);
}

/** Writes an empty frame, the heartbeat (§2.4.5). */
export function writeEmptyFrame(w: ByteWriter): void {
  w.reserve(FRAME_HEADER_BYTES);
  endFrame(w, beginFrame(w, FrameType.amqp, 0));
}

/** Reads the performative at the start of the reader's window; what is behind it is a transfer's payload. */
export function readPerformative(r: ValueReader): Performative {
  return decodeComposite(r, PERFORMATIVE_NAMES);
}

/** Reads the body of a SASL frame, which fills the reader's window. */
export function readSaslFrame(r: ValueReader): SaslFrame {
  const frame = decodeComposite(r, SASL_FRAME_NAMES);
  if (r.left > 0) throw malformed(`${r.left} bytes behind ${frame.type}`);
  return frame;
}

const PERFORMATIVE_NAMES: readonly Performative["type"][] = [
  "open",
  "begin",
  "attach",
  "flow",
  "transfer",
  "disposition",
  "detach",
  "end",
  "close",
];

const SASL_FRAME_NAMES: readonly SaslFrame["type"][] = [
  "saslMechanisms",
  "saslInit",
  "saslChallenge",
  "saslResponse",
  "saslOutcome",
];
