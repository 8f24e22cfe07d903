import { ByteReader, Splitter, webText } from "polymq/internal";
import { decodePacket, measurePacket, type Packet, ReasonCode } from "polymq/mqtt/codec";

/** No packet of a simulation is larger. */
const PACKET_BYTES_MAX = 1_048_576;

/** Reads the packets that go over one link, in both directions. */
export class PacketTap {
  readonly #onPacket: (packet: Packet, towards: "broker" | "client") => void;
  readonly #splitters: Readonly<Record<"broker" | "client", Splitter>>;
  #level: 4 | 5 = 5;

  constructor(onPacket: (packet: Packet, towards: "broker" | "client") => void) {
    this.#onPacket = onPacket;
    this.#splitters = { broker: this.#splitter("broker"), client: this.#splitter("client") };
  }

  /** Bytes that arrive there. */
  push(towards: "broker" | "client", chunk: Uint8Array): void {
    this.#splitters[towards].push(chunk.slice());
  }

  #splitter(towards: "broker" | "client"): Splitter {
    return new Splitter(measurePacket(PACKET_BYTES_MAX), (buffer, start, end) => {
      const packet = decodePacket(new ByteReader(webText(), buffer.slice(start, end)), this.#level);
      if (packet.type === "connect") this.#level = packet.level;
      this.#onPacket(packet, towards);
      return true;
    });
  }
}

/** A packet in a few words. */
export function describePacket(packet: Packet): string {
  switch (packet.type) {
    case "publish": {
      const text = new TextDecoder().decode(packet.payload.subarray(0, 24));
      const alias = packet.properties?.topicAlias;
      const topic = `"${packet.topic}"${alias === undefined ? "" : ` alias ${alias}`}`;
      return `publish qos ${packet.qos} id ${packet.packetId}${packet.dup ? " dup" : ""} ${topic} ${text}`;
    }
    case "puback":
    case "pubrec":
    case "pubrel":
    case "pubcomp":
      return `${packet.type} id ${packet.packetId}${packet.reasonCode === ReasonCode.Success ? "" : ` reason 0x${packet.reasonCode.toString(16)}`}`;
    case "connack":
      return `connack ${packet.reasonCode}${packet.sessionPresent ? ", session present" : ""}`;
    case "connect":
      return `connect ${packet.clientId}${packet.cleanStart ? ", clean" : ""}`;
    default:
      return packet.type;
  }
}
