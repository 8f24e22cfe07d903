import type { MemoryBroker } from "@polymq/broker/testing";
import type { Publish } from "polymq/mqtt/codec";
import { PacketTap } from "../world/packet-tap.ts";
import type { PlantedFault } from "../world/planted-fault.ts";

/** A QoS 2 message whose PUBREL comes a second time, because its PUBCOMP got lost, is published a second time. */
export function pubrelTwice(): PlantedFault {
  const running: { broker: MemoryBroker | null } = { broker: null };
  const messages = new Map<string, { readonly topic: string; readonly payload: Uint8Array; released: boolean }>();
  const onRelease = (key: string): void => {
    const message = messages.get(key);
    if (message === undefined) return;
    const { topic, payload, released } = message;
    message.released = true;
    const hub = running.broker?.hub;
    if (released) hub?.publish(hub.makeMessage({ topic, payload, guarantee: 2, publisherId: "twice" }));
  };
  return {
    name: "PUBREL handled twice",
    broker: (broker) => {
      running.broker = broker;
      messages.clear();
    },
    connection: (attach) => (handler) => {
      const topics = new Map<number, string>();
      let clientId = "";
      let isMqtt: boolean | null = null;
      const tap = new PacketTap((packet) => {
        if (packet.type === "connect") clientId = packet.clientId;
        else if (packet.type === "pubrel") onRelease(`${clientId} ${packet.packetId}`);
        else if (packet.type === "publish" && packet.qos === 2) {
          const topic = topicOf(packet, topics);
          messages.set(`${clientId} ${packet.packetId}`, { topic, payload: packet.payload.slice(), released: false });
        } else if (packet.type === "publish") topicOf(packet, topics);
      });
      return attach({
        onBytes: (chunk) => {
          handler.onBytes(chunk);
          isMqtt ??= chunk[0] === CONNECT;
          if (isMqtt) tap.push("broker", chunk);
        },
        onDrain: () => handler.onDrain(),
        onClosed: (error) => handler.onClosed(error),
      });
    },
  };
}

/** First byte of a connection that speaks MQTT. */
const CONNECT = 0x10;

/** The topic of a message, under its alias where it has one. */
function topicOf(packet: Publish, topics: Map<number, string>): string {
  const alias = packet.properties?.topicAlias ?? 0;
  if (packet.topic !== "") topics.set(alias, packet.topic);
  return packet.topic === "" ? (topics.get(alias) ?? "") : packet.topic;
}
