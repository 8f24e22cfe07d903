import type { ByteReader } from "../../bytes/reader.ts";
import type { ByteWriter } from "../../bytes/writer.ts";
import { expectEnd, firstByte, PacketType, readHeader, writeHeader } from "./header.ts";
import type { Pingreq, Pingresp } from "./packets.ts";

/*
 * PINGREQ and PINGRESP (MQTT 5.0 §3.12 and §3.13, MQTT 3.1.1 §3.12 and §3.13):
 *   byte    0xC0 or 0xD0
 *   varint  remaining length, 0
 */

/** Encodes a PINGREQ or PINGRESP: two bytes. */
export function encodePing(w: ByteWriter, packet: Pingreq | Pingresp): void {
  writeHeader(w, firstByte(packet.type === "pingreq" ? PacketType.PINGREQ : PacketType.PINGRESP), 0);
}

/** Decodes a PINGREQ that fills the reader's window; anything behind its header is `ERR_MALFORMED_PACKET`. */
export function decodePingreq(r: ByteReader): Pingreq {
  readHeader(r, PacketType.PINGREQ);
  expectEnd(r, PacketType.PINGREQ);
  return { type: "pingreq" };
}

/** Decodes a PINGRESP that fills the reader's window; anything behind its header is `ERR_MALFORMED_PACKET`. */
export function decodePingresp(r: ByteReader): Pingresp {
  readHeader(r, PacketType.PINGRESP);
  expectEnd(r, PacketType.PINGRESP);
  return { type: "pingresp" };
}
