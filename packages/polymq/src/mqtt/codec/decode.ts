import { type ByteReader, malformed } from "../../bytes/reader.ts";
import { decodeAuth } from "./auth.ts";
import { decodeConnack } from "./connack.ts";
import { decodeConnect } from "./connect.ts";
import { decodeDisconnect } from "./disconnect.ts";
import { PacketType } from "./header.ts";
import type { Packet, ProtocolLevel } from "./packets.ts";
import { decodePingreq, decodePingresp } from "./ping.ts";
import { decodePublish } from "./publish.ts";
import { decodePublishAck } from "./publish-ack.ts";
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
  if (r.left === 0) throw malformed("an empty packet");
  switch ((r.buffer[r.at] as number) >> 4) {
    case PacketType.CONNECT:
      return decodeConnect(r);
    case PacketType.CONNACK:
      return decodeConnack(r, level);
    case PacketType.PUBLISH:
      return decodePublish(r, level);
    case PacketType.PUBACK:
    case PacketType.PUBREC:
    case PacketType.PUBREL:
    case PacketType.PUBCOMP:
      return decodePublishAck(r, level);
    case PacketType.SUBSCRIBE:
      return decodeSubscribe(r, level);
    case PacketType.SUBACK:
      return decodeSuback(r, level);
    case PacketType.UNSUBSCRIBE:
      return decodeUnsubscribe(r, level);
    case PacketType.UNSUBACK:
      return decodeUnsuback(r, level);
    case PacketType.PINGREQ:
      return decodePingreq(r, level);
    case PacketType.PINGRESP:
      return decodePingresp(r, level);
    case PacketType.DISCONNECT:
      return decodeDisconnect(r, level);
    case PacketType.AUTH:
      return decodeAuth(r, level);
    default:
      throw malformed("packet type 0 is reserved");
  }
}
