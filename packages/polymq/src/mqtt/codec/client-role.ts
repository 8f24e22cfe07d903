import { MessagingError } from "../../base/errors.ts";
import { type ByteReader, malformed } from "../../bytes/reader.ts";
import type { ByteWriter } from "../../bytes/writer.ts";
import { decodeConnack } from "./connack.ts";
import { encodeConnect } from "./connect.ts";
import { PacketType, packetName } from "./header.ts";
import type { LevelRules } from "./level-rules.ts";
import type {
  Auth,
  Connack,
  Connect,
  Disconnect,
  Pingreq,
  Pingresp,
  PublishAck,
  Suback,
  Subscribe,
  Unsuback,
  Unsubscribe,
} from "./packets.ts";
import { decodePingresp, encodePing } from "./ping.ts";
import type { RequestCodec } from "./request-codec.ts";

/*
 * What a client decodes and encodes beside PUBLISH: `decodePacket` and `encodePacket` without the server's half, which would
 * be a tenth of what a browser loads.
 */

/** What else a client needs that differs between the levels: at level 4 acknowledgements have four bytes, and DISCONNECT two. */
export interface ClientRules extends LevelRules {
  /** PUBACK, PUBREC, PUBREL or PUBCOMP that `readBareAck` did not take. */
  decodeAck(r: ByteReader): PublishAck;
  /** One that `writeAck` cannot write. */
  encodeAck(w: ByteWriter, packet: PublishAck): void;
  /** See `disconnect.ts`; at level 4 refused. */
  decodeDisconnect(r: ByteReader): Disconnect;
  /** See `disconnect.ts`; at level 4 without reason and properties. */
  encodeDisconnect(w: ByteWriter, packet: Disconnect): void;
}

/** A packet that a server sends, other than PUBLISH. */
export type PacketFromServer = Auth | Connack | Disconnect | Pingresp | PublishAck | Suback | Unsuback;
/** A packet that a client sends, other than PUBLISH. */
export type PacketFromClient = Auth | Connect | Disconnect | Pingreq | PublishAck | Subscribe | Unsubscribe;

const decodeAck: Decoder = (r, rules) => rules.decodeAck(r);

type Decoder = (r: ByteReader, rules: ClientRules, requests: RequestCodec | null) => PacketFromServer | undefined;

const DECODERS: Readonly<Record<number, Decoder>> = {
  [PacketType.CONNACK]: decodeConnack,
  [PacketType.PUBACK]: decodeAck,
  [PacketType.PUBREC]: decodeAck,
  [PacketType.PUBREL]: decodeAck,
  [PacketType.PUBCOMP]: decodeAck,
  [PacketType.SUBACK]: (r, rules, requests) => requests?.decodeSuback(r, rules),
  [PacketType.UNSUBACK]: (r, rules, requests) => requests?.decodeUnsuback(r, rules),
  [PacketType.PINGRESP]: decodePingresp,
  [PacketType.DISCONNECT]: (r, rules) => rules.decodeDisconnect(r),
  [PacketType.AUTH]: (r, rules) => rules.decodeAuth(r),
};

/**
 * As `decodePacket`; `ERR_UNEXPECTED_PACKET` for a packet that is not a server's to send, a PUBLISH, and an answer to what cannot have been asked
 * without `requests`.
 */
export function decodeFromServer(r: ByteReader, rules: ClientRules, requests: RequestCodec | null): PacketFromServer {
  const type = (r.buffer[r.at] ?? 0) >> 4;
  if (type === 0) throw malformed("packet type 0 is reserved");
  const packet = DECODERS[type]?.(r, rules, requests);
  if (packet === undefined) throw unexpected(packetName(type));
  return packet;
}

/** A packet that has no place here or now. */
export function unexpected(packet: string): MessagingError {
  return new MessagingError("ERR_UNEXPECTED_PACKET", `${packet.toUpperCase()} is not for a client to receive now`);
}

/** As `encodePacket`; a SUBSCRIBE or UNSUBSCRIBE needs `requests`. */
export function encodeFromClient(
  w: ByteWriter,
  packet: PacketFromClient,
  rules: ClientRules,
  requests: RequestCodec | null,
): void {
  switch (packet.type) {
    case "connect":
      return encodeConnect(w, packet, rules);
    case "subscribe":
    case "unsubscribe":
      return requests?.encode(w, packet, rules);
    case "pingreq":
      return encodePing(w, packet);
    case "disconnect":
      return rules.encodeDisconnect(w, packet);
    case "auth":
      return rules.encodeAuth(w, packet);
    default:
      return rules.encodeAck(w, packet);
  }
}
