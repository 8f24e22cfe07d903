/** PUBLISH as a value, and its head with all properties checked; `publish.ts` has the layout. */
import { type ByteReader, malformed } from "../../bytes/reader.ts";
import type { ByteWriter } from "../../bytes/writer.ts";
import { checkInteger, checkNoProperties, checkQoS, checkTopic, invalid } from "./arguments.ts";
import type { ProtocolLevel, Publish } from "./packets.ts";
import { writePublish } from "./publish.ts";
import { PublishHead, readPublish } from "./publish-head.ts";
import { encodePublishProperties, readPublishProperties } from "./publish-properties.ts";
import { scanPublishProperties } from "./publish-property-scan.ts";
import { validateTopicName } from "./topic.ts";

/**
 * As `readPublish`, with all properties checked and none built: `readPublishProperties` does when somebody wants them. Errors of properties as
 * `decodeProperties`.
 */
export function readPublishHead(r: ByteReader, level: ProtocolLevel, out: PublishHead): void {
  readPublish(r, level, out, scanPublishProperties);
}

/** Encodes a PUBLISH given as a value; refusals as {@link writePublish}, and a topic or property that may not be sent. */
export function encodePublish(w: ByteWriter, packet: Publish, level: ProtocolLevel): void {
  checkQoS(packet.qos);
  checkInteger(packet.packetId, "packetId", 0, 0xffff);
  if (typeof packet.topic !== "string") throw invalid("topic must be a string");
  if (!(packet.payload instanceof Uint8Array)) throw invalid("payload must be a Uint8Array");
  if (level === 4) checkNoProperties(packet.properties, "PUBLISH");
  if (packet.topic !== "" || packet.properties?.topicAlias === undefined) {
    checkTopic(validateTopicName(packet.topic));
  }
  const properties = level === 4 ? null : encodePublishProperties(w.text, packet.properties);
  const topic = new Uint8Array(w.text.byteLength(packet.topic));
  w.text.write(topic, 0, packet.topic);
  writePublish(w, packet, topic, packet.payload, properties);
}

/** Decodes a PUBLISH that fills the reader's window; payload and correlation data are views. Errors as {@link readPublishHead}. */
export function decodePublish(r: ByteReader, level: ProtocolLevel): Publish {
  const head = new PublishHead();
  readPublishHead(r, level, head);
  const end = r.end;
  r.at = head.topicStart;
  const topic = r.utf8(head.topicEnd - head.topicStart);
  r.at = end;
  const wrong = topic === "" ? null : validateTopicName(topic);
  if (wrong !== null) throw malformed(wrong);
  return {
    type: "publish",
    topic,
    payload: r.buffer.subarray(head.payloadStart, head.payloadEnd),
    qos: head.qos,
    retain: head.retain,
    dup: head.dup,
    packetId: head.packetId,
    properties: readPublishProperties(r, head),
  };
}
