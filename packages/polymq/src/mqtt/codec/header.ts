// Hot path: `measurePacket` runs per packet. No closure, promise, spread, iterator or regex here.
import { MessagingError } from "../../base/errors.ts";
import { type ByteReader, malformed } from "../../bytes/reader.ts";
import type { FrameMeasure } from "../../bytes/splitter.ts";
import { type ByteWriter, VARINT_MAX, varintBytes } from "../../bytes/writer.ts";
import { checkInteger } from "./arguments.ts";

/*
 * Fixed header (MQTT 5.0 §2.1.1, 3.1.1 §2.2):
 *   bits 7-4  packet type
 *   bits 3-0  flags: DUP, QoS, RETAIN of a PUBLISH; a fixed value for every other type
 *   varint    remaining length: the bytes behind this field
 */

/** Packet types by name (MQTT 5.0 §2.1.2). */
export const PacketType = {
  CONNECT: 1,
  CONNACK: 2,
  PUBLISH: 3,
  PUBACK: 4,
  PUBREC: 5,
  PUBREL: 6,
  PUBCOMP: 7,
  SUBSCRIBE: 8,
  SUBACK: 9,
  UNSUBSCRIBE: 10,
  UNSUBACK: 11,
  PINGREQ: 12,
  PINGRESP: 13,
  DISCONNECT: 14,
  AUTH: 15,
} as const;

/** A packet type's number; see {@link PacketType}. */
export type PacketTypeNumber = (typeof PacketType)[keyof typeof PacketType];

const NAMES: readonly string[] = ["packet of the reserved type 0", ...Object.keys(PacketType)];

/** The name of a packet type as the specification writes it. */
export function packetName(type: number): string {
  return NAMES[type] ?? `packet of type ${type}`;
}

/** First byte of a packet of this type, other than PUBLISH: PUBREL, SUBSCRIBE and UNSUBSCRIBE carry flags 0010 (MQTT 5.0 §2.1.3). */
export function firstByte(type: PacketTypeNumber): number {
  return (type << 4) | fixedFlags(type);
}

function fixedFlags(type: number): number {
  return type === PacketType.PUBREL || type === PacketType.SUBSCRIBE || type === PacketType.UNSUBSCRIBE ? 2 : 0;
}

/**
 * Makes the measure that a `Splitter` cuts MQTT packets with. It throws `ERR_PACKET_TOO_LARGE` as soon as a header claims
 * more than `maximumPacketSize` bytes in all, before anything of the packet is held, and `ERR_MALFORMED_PACKET` for a
 * remaining length that has more than four bytes or is not in its shortest form [MQTT-1.5.5-1]; at both levels, for
 * table 2.4 of MQTT 3.1.1 gives each value one form, too.
 *
 * @param maximumPacketSize largest packet taken, in bytes with its fixed header (MQTT 5.0 §3.1.2.11.4)
 */
export function measurePacket(maximumPacketSize: number): FrameMeasure {
  return (buffer, at, end) => {
    if (end - at < 2) return 0;
    const first = buffer[at + 1] as number;
    const total = first < 0x80 ? first + 2 : measureLong(buffer, at, end);
    if (total > maximumPacketSize) throw tooLarge(total, maximumPacketSize);
    return total;
  };
}

/** A remaining length of two to four bytes; 0 while it is incomplete. */
function measureLong(buffer: Uint8Array, at: number, end: number): number {
  let value = 0;
  for (let i = 0; i < 4; i++) {
    if (at + 1 + i >= end) return 0;
    const byte = buffer[at + 1 + i] as number;
    value |= (byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      if (byte === 0) throw malformed("remaining length is longer than needed");
      return value + 2 + i;
    }
  }
  throw malformed("remaining length of more than 4 bytes");
}

function tooLarge(total: number, limit: number): MessagingError {
  return new MessagingError("ERR_PACKET_TOO_LARGE", `a packet of ${total} bytes, the limit is ${limit}`);
}

/**
 * Reads the fixed header of a packet that fills the reader's window and leaves the reader behind it. Refuses wrong flags
 * [MQTT-2.1.3-1] [MQTT3-2.2.2-2], type 0 and a remaining length that is not what the window holds, all
 * with `ERR_MALFORMED_PACKET`. PUBLISH has its own reader.
 */
export function readHeader(r: ByteReader, type: PacketTypeNumber): void {
  const byte = r.u8();
  if (byte >> 4 !== type) throw malformed(`${packetName(byte >> 4)} where ${packetName(type)} was to be decoded`);
  if ((byte & 0x0f) !== fixedFlags(type)) throw malformed(`${packetName(type)} with reserved flags ${byte & 0x0f}`);
  readRemainingLength(r);
}

/** Reads the remaining length and checks that the reader's window ends where it says. */
export function readRemainingLength(r: ByteReader): void {
  const length = r.varint();
  if (length !== r.left) throw malformed(`remaining length is ${length}, the packet has ${r.left} bytes more`);
}

/** To be called when a packet was read: bytes behind its last field are `ERR_MALFORMED_PACKET`. */
export function expectEnd(r: ByteReader, type: PacketTypeNumber): void {
  if (r.at < r.end) throw malformed(`${r.left} bytes too many in ${packetName(type)}`);
}

/** Reads a packet identifier; 0 is `ERR_MALFORMED_PACKET` [MQTT-2.2.1-3] [MQTT-2.2.1-4] [MQTT3-2.3.1-1]. */
export function readPacketId(r: ByteReader, type: PacketTypeNumber): number {
  const packetId = r.u16();
  if (packetId === 0) throw malformed(`${packetName(type)} with packet id 0`);
  return packetId;
}

/**
 * Reserves room for a whole packet and writes its fixed header. A remaining length above 268,435,455 is
 * `ERR_PACKET_TOO_LARGE` before anything is reserved.
 *
 * @param lentBytes bytes of the packet's end that need no room
 */
export function writeHeader(w: ByteWriter, byte: number, remainingLength: number, lentBytes = 0): void {
  if (remainingLength > VARINT_MAX) throw tooLarge(remainingLength, VARINT_MAX);
  w.reserve(1 + varintBytes(remainingLength) + remainingLength - lentBytes);
  const buffer = w.buffer;
  let at = w.at;
  buffer[at++] = byte;
  let rest = remainingLength;
  while (rest > 127) {
    buffer[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  buffer[at++] = rest;
  w.at = at;
}

/** Writes a packet whose part behind the fixed header stands in a writer of its own: whole, or with an error not at all. */
export function writePacket(w: ByteWriter, type: PacketTypeNumber, body: ByteWriter): void {
  writeHeader(w, firstByte(type), body.at);
  w.bytes(body.buffer.subarray(0, body.at));
}

/** Refuses, for an encoder, a packet id outside 1 to 65,535 with `ERR_INVALID_ARGUMENT`. */
export function checkPacketId(packetId: number): void {
  checkInteger(packetId, "packet id", 1, 0xffff);
}
