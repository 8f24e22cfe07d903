import type { Auth, Connack, Disconnect, Packet, PublishAck, Suback, Unsuback } from "../codec/packets.ts";

/** Packets whose reason string and user properties may be left out. */
type Explained = Auth | Connack | Disconnect | PublishAck | Suback | Unsuback;

/**
 * The packet with less in it, for a peer that it is too large for: without its reason string or, when it has none, without
 * its user properties (MQTT 5.0 §3.2.2.3.9, §3.2.2.3.10 and alike for the other packets); null when nothing may be left out.
 */
export function lighten(packet: Packet): Explained | null {
  if (!isExplained(packet) || packet.properties === null) return null;
  const { reasonString, userProperties, ...rest } = packet.properties;
  if (reasonString === undefined && userProperties === undefined) return null;
  const properties = reasonString === undefined || userProperties === undefined ? rest : { ...rest, userProperties };
  return { ...packet, properties: Object.keys(properties).length === 0 ? null : properties } as Explained;
}

/** The packet without reason string and user properties, for a client that asked for none (MQTT 5.0 §3.1.2.11.7). */
export function withoutReasons(packet: Explained): Explained {
  const lighter = lighten(packet);
  return lighter === null ? packet : withoutReasons(lighter);
}

function isExplained(packet: Packet): packet is Explained {
  switch (packet.type) {
    case "connack":
    case "puback":
    case "pubrec":
    case "pubrel":
    case "pubcomp":
    case "suback":
    case "unsuback":
    case "disconnect":
    case "auth":
      return true;
    default:
      return false;
  }
}
