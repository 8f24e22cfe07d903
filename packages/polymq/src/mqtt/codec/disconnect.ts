import type { ByteReader } from "../../bytes/reader.ts";
import { ByteWriter } from "../../bytes/writer.ts";
import { expectEnd, PacketType, readHeader, writePacket } from "./header.ts";
import type { LevelRules } from "./level-rules.ts";
import type { Disconnect } from "./packets.ts";
import { putReason, readReason } from "./reason.ts";

/*
 * DISCONNECT (MQTT 5.0 §3.14, MQTT 3.1.1 §3.14):
 *   byte    0xE0 [MQTT-3.14.1-1]
 *   varint  remaining length; 0 at level 4
 *   byte    reason code, at level 5; left out together with the properties when it is 0 and there are none (§3.14.2.1)
 *   block   properties behind their length, at level 5; left out when there are none (§3.14.2.2.1)
 */

/** Encodes a DISCONNECT in its shortest form; `ERR_INVALID_ARGUMENT` for a reason code that it may not carry, at level 4 for any but 0. */
export function encodeDisconnect(w: ByteWriter, packet: Disconnect, rules: LevelRules): void {
  const body = new ByteWriter(w.text);
  putReason(body, packet, rules);
  writePacket(w, PacketType.DISCONNECT, body);
}

/**
 * Decodes a DISCONNECT that fills the reader's window. `ERR_MALFORMED_PACKET` for reserved flags [MQTT-3.14.1-1]
 * [MQTT3-3.14.1-1] and leftovers, `ERR_PROTOCOL_VIOLATION` for a reason code that it may not carry. Who may send which code and
 * property is for the receiver to judge: `reasonSender`, [MQTT-3.14.2-2].
 */
export function decodeDisconnect(r: ByteReader, rules: LevelRules): Disconnect {
  readHeader(r, PacketType.DISCONNECT);
  const reason = readReason(r, "disconnect", rules);
  expectEnd(r, PacketType.DISCONNECT);
  return { type: "disconnect", ...reason };
}
