import { ByteWriter, encodeMethod, FRAME_END, type Method, webText } from "polymq/amqp091/codec";

/** Largest frame of both sides: what servers propose. */
export const FRAME_MAX = 131_072;

/** Bytes of a frame around its payload: kind u8, channel u16, size u32, and the end octet. */
export const FRAME_BYTES = 8;

/** A method as a frame. */
export function methodFrame(channel: number, method: Method): Buffer {
  const writer = new ByteWriter(webText(), 512);
  encodeMethod(writer, channel, method, FRAME_MAX);
  return Buffer.from(writer.buffer.slice(0, writer.at));
}

/** A content of method, header without properties, and body, split into frames where it has to be. */
export function contentFrames(channel: number, method: Method, body: Uint8Array): Buffer {
  const header = Buffer.alloc(14);
  header.writeUInt16BE(60, 0);
  header.writeBigUInt64BE(BigInt(body.length), 4);
  const parts = [methodFrame(channel, method), frame(2, channel, header)];
  for (let at = 0; at < body.length; at += FRAME_MAX - FRAME_BYTES) {
    parts.push(frame(3, channel, body.subarray(at, at + FRAME_MAX - FRAME_BYTES)));
  }
  return Buffer.concat(parts);
}

function frame(kind: number, channel: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.alloc(payload.length + FRAME_BYTES);
  bytes[0] = kind;
  bytes.writeUInt16BE(channel, 1);
  bytes.writeUInt32BE(payload.length, 3);
  bytes.set(payload, 7);
  bytes[bytes.length - 1] = FRAME_END;
  return bytes;
}
