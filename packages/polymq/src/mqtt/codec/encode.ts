import { unreachable } from "../../base/assert.ts";
import type { ByteWriter } from "../../bytes/writer.ts";
import { encodeConnack } from "./connack.ts";
import { encodeConnect } from "./connect.ts";
import { encodeDisconnect } from "./disconnect.ts";
import { rulesOf } from "./level-5.ts";
import type { Packet, ProtocolLevel } from "./packets.ts";
import { encodePing } from "./ping.ts";
import { encodePublishAck } from "./publish-ack.ts";
import { encodePublish } from "./publish-packet.ts";
import { encodeSuback } from "./suback.ts";
import { encodeSubscribe } from "./subscribe.ts";
import { encodeUnsuback } from "./unsuback.ts";
import { encodeUnsubscribe } from "./unsubscribe.ts";

/**
 * Encodes a packet behind `w.at`, making room for it first. What its decoder would refuse is thrown to the caller, with the
 * writer as it was: a packet is written whole or not at all.
 *
 * @param level what the connection speaks; a CONNECT is encoded at the level it names itself
 */
export function encodePacket(w: ByteWriter, packet: Packet, level: ProtocolLevel): void {
  const rules = rulesOf(level);
  switch (packet.type) {
    case "connect":
      encodeConnect(w, packet, rulesOf(packet.level));
      return;
    case "connack":
      encodeConnack(w, packet, rules);
      return;
    case "publish":
      encodePublish(w, packet, level);
      return;
    case "puback":
    case "pubrec":
    case "pubrel":
    case "pubcomp":
      encodePublishAck(w, packet, rules);
      return;
    case "subscribe":
      encodeSubscribe(w, packet, rules);
      return;
    case "suback":
      encodeSuback(w, packet, rules);
      return;
    case "unsubscribe":
      encodeUnsubscribe(w, packet, rules);
      return;
    case "unsuback":
      encodeUnsuback(w, packet, rules);
      return;
    case "pingreq":
    case "pingresp":
      encodePing(w, packet);
      return;
    case "disconnect":
      encodeDisconnect(w, packet, rules);
      return;
    case "auth":
      rules.encodeAuth(w, packet);
      return;
    default:
      unreachable(packet);
  }
}
