// Hot path: `writeAck` and `readBareAck` run per message. No closure, promise, spread, iterator or regex here.
import type { ByteWriter } from "../../bytes/writer.ts";
import { PacketType } from "./header.ts";

/* An acknowledgement without reason code and properties; `publish-ack.ts` has the whole layout. */

/** The packet types that answer a PUBLISH or one another. */
export type AckType =
  | typeof PacketType.PUBACK
  | typeof PacketType.PUBREC
  | typeof PacketType.PUBREL
  | typeof PacketType.PUBCOMP;

/** Bytes of an acknowledgement without reason code and properties. */
export const BARE_ACK_BYTES = 4;

/** Writes an acknowledgement that says success and nothing else: four bytes, at both levels. The caller knows that the packet id is valid. */
export function writeAck(w: ByteWriter, type: AckType, packetId: number): void {
  w.reserve(BARE_ACK_BYTES);
  const at = w.at;
  const buffer = w.buffer;
  buffer[at] = type === PacketType.PUBREL ? 0x62 : type << 4;
  buffer[at + 1] = 2;
  buffer[at + 2] = packetId >>> 8;
  buffer[at + 3] = packetId;
  w.at = at + BARE_ACK_BYTES;
}

/**
 * Reads an acknowledgement of four bytes in the frame at `start` up to `end`: its packet id, or 0 when it is longer or
 * wrong in any way; `decodePublishAck` then reads it or says what is wrong. The type is the upper half of its first byte.
 */
export function readBareAck(buffer: Uint8Array, start: number, end: number): number {
  if (end - start !== BARE_ACK_BYTES || buffer[start + 1] !== 2) return 0;
  const byte = buffer[start] as number;
  if (byte !== 0x40 && byte !== 0x50 && byte !== 0x62 && byte !== 0x70) return 0;
  return ((buffer[start + 2] as number) << 8) | (buffer[start + 3] as number);
}
