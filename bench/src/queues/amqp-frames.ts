import { makePayloads, PAYLOAD_CYCLE } from "../mqtt/wire/payloads.ts";
import type { PublishRing } from "../mqtt/wire/publish-ring.ts";

/*
 * As much of AMQP 0-9-1 as the generator says. A frame: kind u8 · channel u16 · size u32 · payload · CE. A method's payload: class u16 · method u16 ·
 * arguments; a content header's: class u16 · weight u16 · body size u64 · flags u16 · properties.
 */

export const FRAME_HEAD_BYTES = 7;
const FRAME_END = 0xce;

/** The payload of a method: numbers are class and method. */
export function method(channel: number, ids: readonly [number, number], ...args: readonly Uint8Array[]): Buffer {
  return frame(1, channel, Buffer.concat([u16(ids[0]), u16(ids[1]), ...args]));
}

export function u8(value: number): Buffer {
  return Buffer.of(value);
}

export function u16(value: number): Buffer {
  return Buffer.of(value >> 8, value & 0xff);
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

export function short(text: string): Buffer {
  return Buffer.concat([u8(text.length), Buffer.from(text)]);
}

export function long(text: string): Buffer {
  return Buffer.concat([u32(text.length), Buffer.from(text)]);
}

/** A table of texts. */
export function table(entries: Readonly<Record<string, string>>): Buffer {
  const body = Buffer.concat(
    Object.entries(entries).map(([key, text]) => Buffer.concat([short(key), Buffer.from("S"), long(text)])),
  );
  return Buffer.concat([u32(body.length), body]);
}

/** Durable messages to a queue through the default exchange, one behind the other, all of one length. */
export function publishRing(queue: string, size: number): PublishRing {
  const frames = makePayloads(size).map((payload) =>
    Buffer.concat([
      method(1, [60, 40], u16(0), short(""), short(queue), u8(0)),
      frame(2, 1, Buffer.concat([u16(60), u16(0), u64(size), u16(0x1000), u8(2)])),
      frame(3, 1, payload),
    ]),
  );
  const repeats = Math.max(1, Math.floor(131_072 / (PAYLOAD_CYCLE * (frames[0]?.length ?? 1))));
  const bytes = Buffer.concat(Array.from({ length: repeats }, () => Buffer.concat(frames)));
  const frameBytes = frames[0]?.length ?? 0;
  return { bytes, frames: bytes.length / frameBytes, frameBytes, firstByte: 1, qos: 0, idOffset: 0 };
}

function frame(kind: number, channel: number, payload: Uint8Array): Buffer {
  return Buffer.concat([u8(kind), u16(channel), u32(payload.length), payload, u8(FRAME_END)]);
}
