import { type ByteReader, malformed } from "../../bytes/reader.ts";
import { decodeConnack } from "./connack.ts";
import { decodeConnect } from "./connect.ts";
import { decodeDisconnect } from "./disconnect.ts";
import { PacketType } from "./header.ts";
import { rulesOf } from "./level-5.ts";
import type { Packet, ProtocolLevel } from "./packets.ts";
import { decodePingreq, decodePingresp } from "./ping.ts";
import { decodePublishAck } from "./publish-ack.ts";
import { decodePublish } from "./publish-packet.ts";
import { decodeSuback } from "./suback.ts";
import { decodeSubscribe } from "./subscribe.ts";
import { decodeUnsuback } from "./unsuback.ts";
import { decodeUnsubscribe } from "./unsubscribe.ts";

/**
 * Decodes the one packet that fills the reader's window, fixed header included, as `Splitter` with `measurePacket` hands it
 * over. Bytes in the packet are views of the reader's buffer: whoever keeps them past the turn copies. What the
 * specification forbids is refused: `ERR_MALFORMED_PACKET`, `ERR_PROTOCOL_VIOLATION`, `ERR_TOPIC_ALIAS_INVALID` or, for a CONNECT of
 * another protocol or level, `ERR_INVALID_PROTOCOL`; `reasonCodeOf` gives the reason code to answer with.
 *
 * @param level what the connection speaks; a CONNECT is decoded at the level it names itself
 */
export function decodePacket(r: ByteReader, level: ProtocolLevel): Packet {
  const rules = rulesOf(level);
  if (r.left === 0) throw malformed("an empty packet");
  switch ((r.buffer[r.at] as number) >> 4) {
    case PacketType.CONNECT:
      return decodeConnect(r, rulesOf);
    case PacketType.CONNACK:
      return decodeConnack(r, rules);
    case PacketType.PUBLISH:
      return decodePublish(r, level);
    case PacketType.PUBACK:
    case PacketType.PUBREC:
    case PacketType.PUBREL:
    case PacketType.PUBCOMP:
      return decodePublishAck(r, rules);
    case PacketType.SUBSCRIBE:
      return decodeSubscribe(r, rules);
    case PacketType.SUBACK:
      return decodeSuback(r, rules);
    case PacketType.UNSUBSCRIBE:
      return decodeUnsubscribe(r, rules);
    case PacketType.UNSUBACK:
      return decodeUnsuback(r, rules);
    case PacketType.PINGREQ:
      return decodePingreq(r);
    case PacketType.PINGRESP:
      return decodePingresp(r);
    case PacketType.DISCONNECT:
      return decodeDisconnect(r, rules);
    case PacketType.AUTH:
      return rules.decodeAuth(r);
    default:
      throw malformed("packet type 0 is reserved");
  }
}
