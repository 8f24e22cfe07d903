// Hot path: `measureFrame` runs per frame. No closure, promise, spread, iterator or regex here.
import type { FrameMeasure } from "../../bytes/splitter.ts";
import type { ByteWriter } from "../../bytes/writer.ts";
import { frameError } from "./failures.ts";

/*
 * A frame (AMQP 0-9-1 §4.2.3):
 *   u8      type
 *   u16     channel
 *   u32     payload bytes
 *   bytes   payload
 *   u8      0xce
 */

/** Frame types (§4.2.3). */
export const FrameType = { Method: 1, Header: 2, Body: 3, Heartbeat: 8 } as const;

/** The octet that ends each frame (§4.2.3). */
export const FRAME_END = 0xce;

/** Bytes of a frame besides its payload. */
export const FRAME_OVERHEAD_BYTES = 8;

/** Where a frame's payload starts. */
export const FRAME_HEAD_BYTES = 7;

/** The largest frame that every peer must take, and the most before `connection.tune` (§1.2, §4.2.3). */
export const FRAME_BYTES_MIN = 4_096;

/** First bytes of a connection: `AMQP` 0 0 9 1 (§4.2.2). A copy each time. */
export function protocolHeader(): Uint8Array {
  return Uint8Array.of(0x41, 0x4d, 0x51, 0x50, 0, 0, 9, 1);
}

/** Bytes of a protocol header of any AMQP version. */
export const PROTOCOL_HEADER_BYTES = 8;

/** First byte of a protocol header, which is no frame type. */
export const PROTOCOL_HEADER_START = 0x41;

/** What the eight bytes at `start` say as a protocol header (§4.2.2). */
export function checkProtocolHeader(buffer: Uint8Array, start: number): "0-9-1" | "another version" | "not amqp" {
  const ours = protocolHeader();
  for (let i = 0; i < PROTOCOL_HEADER_BYTES; i++) {
    if (buffer[start + i] !== ours[i]) return i < 4 ? "not amqp" : "another version";
  }
  return "0-9-1";
}

/** The largest frame taken now; negotiation changes it (§4.2.3). */
export interface FrameLimit {
  /** Bytes of a whole frame, head and end included. */
  frameBytesMax: number;
}

/**
 * Makes the measure that a `Splitter` cuts a connection into frames with; a protocol header counts as one frame of eight bytes.
 * A frame that claims more than `limit.frameBytesMax`, or is of no known type, is `ERR_FRAME_ERROR` (501) as soon as its head is
 * there, before anything of it is held.
 */
export function measureFrame(limit: FrameLimit): FrameMeasure {
  return (buffer, at, end) => {
    const type = buffer[at] as number;
    if (type === PROTOCOL_HEADER_START) return PROTOCOL_HEADER_BYTES;
    if (!((type >= FrameType.Method && type <= FrameType.Body) || type === FrameType.Heartbeat)) {
      throw frameError(`a frame of the unknown type ${type}`);
    }
    if (end - at < FRAME_HEAD_BYTES) return 0;
    const total = (buffer[at + 3] as number) * 0x1000000 + readU24(buffer, at + 4) + FRAME_OVERHEAD_BYTES;
    if (total > limit.frameBytesMax) throw frameError(`a frame of ${total} bytes, the limit is ${limit.frameBytesMax}`);
    return total;
  };
}

function readU24(buffer: Uint8Array, at: number): number {
  return ((buffer[at] as number) << 16) | ((buffer[at + 1] as number) << 8) | (buffer[at + 2] as number);
}

/** Writes a frame's head; the caller has made room for all of it. */
export function writeFrameHead(w: ByteWriter, type: number, channel: number, payloadBytes: number): void {
  w.u8(type);
  w.u16(channel);
  w.u32(payloadBytes);
}

/** Writes a heartbeat frame (§4.2.7). */
export function writeHeartbeat(w: ByteWriter): void {
  w.reserve(FRAME_OVERHEAD_BYTES);
  writeFrameHead(w, FrameType.Heartbeat, 0, 0);
  w.u8(FRAME_END);
}
