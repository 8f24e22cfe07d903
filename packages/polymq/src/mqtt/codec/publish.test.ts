import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ByteReader } from "../../bytes/reader.ts";
import { ByteWriter } from "../../bytes/writer.ts";
import { codeFrom, encodeBytes, readerOf, text } from "./codec.test-support.ts";
import { NO_PROPERTIES } from "./no-properties.ts";
import { publish } from "./packet-arbitraries.test-support.ts";
import { packetBytes } from "./packet-bytes.test-support.ts";
import type { Publish } from "./packets.ts";
import { type PublishFields, publishBytes, writePublish } from "./publish.ts";
import { PublishHead } from "./publish-head.ts";
import { readPublishHead } from "./publish-packet.ts";
import { encodePublishProperties } from "./publish-properties.ts";

const TOPIC = packetBytes("'a/b'");
const PAYLOAD = packetBytes("'hi'");
const QOS_0: PublishFields = { qos: 0, retain: false, dup: false, packetId: 0 };

function written(fields: PublishFields, properties: Uint8Array | null): Uint8Array {
  const w = new ByteWriter(text, 0);
  const bytes = writePublish(w, fields, TOPIC, PAYLOAD, properties);
  expect(w.at).toBe(bytes);
  return w.copyFrom(0);
}

describe("readPublishHead", () => {
  test("finds topic, properties and payload in place", () => {
    const r = readerOf("ff 33 [ ('a/b') 000a [ 01 01 ] 'hi' ] ff");
    const head = new PublishHead();
    r.reset(r.buffer, 1, r.buffer.length - 1);
    readPublishHead(r, 5, head);
    expect(head).toMatchObject({ qos: 1, retain: true, dup: false, packetId: 10 });
    expect(r.buffer.subarray(head.topicStart, head.topicEnd)).toEqual(TOPIC);
    expect(r.buffer.subarray(head.propertiesStart, head.propertiesEnd)).toEqual(packetBytes("01 01"));
    expect(r.buffer.subarray(head.payloadStart, head.payloadEnd)).toEqual(PAYLOAD);
  });

  test("has no packet id at QoS 0 [MQTT-2.2.1-2] [MQTT3-2.3.1-5]", () => {
    const head = new PublishHead();
    const r = readerOf("30 [ ('a/b') 000a ]");
    readPublishHead(r, 4, head);
    expect(head.packetId).toBe(0);
    expect([...r.buffer.subarray(head.payloadStart, head.payloadEnd)]).toEqual([0, 10]);
  });

  test("takes what looks like a property length as payload at level 4", () => {
    const head = new PublishHead();
    readPublishHead(readerOf("30 [ ('t') 05 01 ]"), 4, head);
    expect(head.payloadEnd - head.payloadStart).toBe(2);
    expect(head.propertiesEnd).toBe(head.propertiesStart);
  });

  test("an empty payload is a payload", () => {
    const head = new PublishHead();
    readPublishHead(readerOf("31 [ ('t') [] ]"), 5, head);
    expect(head.payloadEnd).toBe(head.payloadStart);
    expect(head.retain).toBe(true);
  });

  test("keeps nothing of the message before", () => {
    const head = new PublishHead();
    readPublishHead(readerOf("3d [ ('t') 0001 [ 23 0001 02 00000001 0b 01 ] 'x' ]"), 5, head);
    readPublishHead(readerOf("30 [ ('a/b') [] 'hi' ]"), 5, head);
    const fresh = new PublishHead();
    readPublishHead(readerOf("30 [ ('a/b') [] 'hi' ]"), 5, fresh);
    expect(head).toEqual(fresh);
  });

  test("refuses another packet type", () => {
    expect(codeFrom(() => readPublishHead(readerOf("40 02 0001"), 5, new PublishHead()))).toBe("ERR_MALFORMED_PACKET");
  });

  test("an empty topic stands where a topic alias does [MQTT-4.7.3-1]", () => {
    const head = new PublishHead();
    readPublishHead(readerOf("30 [ () [ 23 0009 ] ]"), 5, head);
    expect([head.topicEnd - head.topicStart, head.topicAlias]).toEqual([0, 9]);
  });
});

describe("writePublish", () => {
  test("has no property block at level 4, and one at level 5", () => {
    expect(written(QOS_0, null)).toEqual(packetBytes("30 07 0003 'a/b' 'hi'"));
    expect(written(QOS_0, NO_PROPERTIES)).toEqual(packetBytes("30 08 0003 'a/b' 00 'hi'"));
    expect(written(QOS_0, packetBytes("01 01"))).toEqual(packetBytes("30 0a 0003 'a/b' 02 0101 'hi'"));
  });

  test("says DUP, QoS and RETAIN in its first byte", () => {
    const first = (fields: PublishFields): number | undefined => written(fields, null)[0];
    expect(first({ qos: 0, retain: true, dup: false, packetId: 0 })).toBe(0x31);
    expect(first({ qos: 1, retain: false, dup: false, packetId: 1 })).toBe(0x32);
    expect(first({ qos: 1, retain: false, dup: true, packetId: 1 })).toBe(0x3a);
    expect(first({ qos: 2, retain: true, dup: true, packetId: 1 })).toBe(0x3d);
  });

  test.each([
    ["QoS 0 with a packet id [MQTT-2.2.1-2] [MQTT3-2.3.1-5]", { ...QOS_0, packetId: 1 }],
    ["QoS 0 with DUP [MQTT-3.3.1-2] [MQTT3-3.3.1-2]", { ...QOS_0, dup: true }],
    ["QoS 1 without a packet id [MQTT-2.2.1-3] [MQTT-2.2.1-4] [MQTT3-2.3.1-1]", { ...QOS_0, qos: 1 as const }],
    ["QoS 2 with packet id 65,536", { ...QOS_0, qos: 2 as const, packetId: 65_536 }],
  ])("refuses %s, with the writer as it was", (_, fields) => {
    const w = new ByteWriter(text, 0);
    w.reserve(1);
    w.u8(1);
    expect(codeFrom(() => writePublish(w, fields, TOPIC, PAYLOAD, null))).toBe("ERR_INVALID_ARGUMENT");
    expect(w.at).toBe(1);
  });

  test("refuses a topic of more than 65,535 bytes [MQTT-4.7.3-3] [MQTT3-4.7.3-3]", () => {
    const w = new ByteWriter(text, 0);
    const write = (): unknown => writePublish(w, QOS_0, new Uint8Array(65_536), PAYLOAD, null);
    expect(codeFrom(write)).toBe("ERR_INVALID_ARGUMENT");
  });

  test("refuses a packet of more than 256 MiB before it makes room", () => {
    const w = new ByteWriter(text, 0);
    // Claims to be that long without being it: the refusal must come from the length alone.
    const huge = Object.create(Uint8Array.prototype, { length: { value: 268_435_456 } }) as Uint8Array;
    expect(codeFrom(() => writePublish(w, QOS_0, TOPIC, huge, null))).toBe("ERR_PACKET_TOO_LARGE");
    expect([w.at, w.buffer.length]).toEqual([0, 0]);
  });

  test("measures beforehand what it will write", () => {
    const lengths = fc.constantFrom(0, 1, 118, 119, 120, 121, 122, 16_370, 16_376, 16_380, 2_097_140);
    fc.assert(
      fc.property(lengths, fc.constantFrom(0 as const, 1 as const), fc.boolean(), (length, qos, level5) => {
        const payload = new Uint8Array(length);
        const properties = level5 ? NO_PROPERTIES : null;
        const w = new ByteWriter(text, 0);
        const bytes = writePublish(w, { ...QOS_0, qos, packetId: qos }, TOPIC, payload, properties);
        expect(publishBytes(qos, TOPIC, payload, properties)).toBe(bytes);
        expect(w.at).toBe(bytes);
      }),
    );
  });

  test("writes what encodePacket writes", () => {
    for (const level of [4, 5] as const) {
      fc.assert(
        fc.property(publish(level), (packet) => {
          const properties = level === 4 ? null : encodePublishProperties(text, packet.properties);
          const w = new ByteWriter(text, 0);
          writePublish(w, packet, new TextEncoder().encode(packet.topic), packet.payload, properties);
          expect(w.copyFrom(0)).toEqual(encodeBytes(packet, level));
        }),
      );
    }
  });

  test("a PUBLISH that was read can be written again from its parts", () => {
    fc.assert(
      fc.property(publish(5), (packet: Publish) => {
        const r = new ByteReader(text, encodeBytes(packet, 5));
        const head = new PublishHead();
        readPublishHead(r, 5, head);
        const part = (start: number, end: number): Uint8Array => r.buffer.subarray(start, end);
        const w = new ByteWriter(text, 0);
        const topic = part(head.topicStart, head.topicEnd);
        const payload = part(head.payloadStart, head.payloadEnd);
        writePublish(w, head, topic, payload, part(head.propertiesStart, head.propertiesEnd));
        expect(w.copyFrom(0)).toEqual(r.buffer);
      }),
    );
  });
});
