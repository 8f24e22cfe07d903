import { ByteReader, webText } from "polymq/internal";
import { decodePublishProperties, encodePublishProperties, PROPERTY_COUNT_MAX } from "polymq/mqtt/codec";
import { expect, test } from "vitest";
import { QueueMessage, type QueueMessageParts } from "../../core/queues/queue-message.ts";
import type { QueueDelivery } from "../../core/queues/queue-port.ts";
import { MQTT_ENCODING } from "./property-block.ts";
import { deliveredTopic, QueueBlockWriter } from "./queue-block.ts";
import { QueuePropertyReader } from "./queue-properties.ts";

const TEXT = webText();

/** The block of user properties. */
function block(pairs: readonly (readonly [string, string])[]): Uint8Array {
  return encodePublishProperties(TEXT, { userProperties: pairs });
}

function message(pairs: readonly (readonly [string, string])[], parts: Partial<QueueMessageParts> = {}): QueueMessage {
  const record = block(pairs);
  return new QueueMessage({
    offset: 7,
    topic: "$queue/q/k",
    exchange: null,
    routingKey: "",
    keyStart: 9,
    priority: 0,
    encoding: MQTT_ENCODING,
    publisherId: "",
    origin: "",
    externalId: "",
    createdAtMs: 1,
    expiresAtMs: Number.POSITIVE_INFINITY,
    endBytes: 0,
    deadLetter: null,
    record,
    propertiesStart: 0,
    payloadStart: record.length,
    ...parts,
  });
}

function delivery(of: QueueMessage, given: Partial<QueueDelivery> = {}): QueueDelivery {
  return {
    queue: "q",
    group: "g",
    offset: of.offset,
    message: of,
    ticket: 1,
    deliveryCount: 2,
    stream: null,
    note: null,
    ...given,
  };
}

const OWN = [
  ["message-id", "q:7"],
  ["group-id", "g"],
  ["queue", "q"],
  ["offset", "7"],
  ["x-source-topic", "$queue/q/k"],
] as const;

test("a message with a key that no topic can hold is delivered on its queue's address", () => {
  expect(deliveredTopic(message([], { topic: "a/+", keyStart: 0 }), "m")).toBe("$queue/m");
  expect(deliveredTopic(message([], { topic: "a/b", keyStart: 0 }), "m")).toBe("$queue/m/a/b");
});

test("a text that no MQTT client takes is told without what it cannot hold, such as a routing key with U+0000", () => {
  const deadLetter = { reason: "rejected", queue: "p", group: "g", offset: 1, count: 1, firstDeathMs: 5 } as const;
  const odd = message([], {
    topic: "a\0b",
    publisherId: "p\0",
    externalId: "\0e",
    deadLetter: { ...deadLetter, detail: "no\0", isReplayed: false, deaths: [] },
  });
  const written = new QueueBlockWriter(TEXT).write(delivery(odd), 0, 0);
  expect(decodePublishProperties(TEXT, written)?.userProperties).toEqual(
    expect.arrayContaining([
      ["x-source-topic", "a\ufffdb"],
      ["client_id", "p\ufffd"],
      ["external_id", "\ufffde"],
      ["x-dead-letter-detail", "no\ufffd"],
    ]),
  );
});

test("a delivery says what it is, after the publisher's own properties and in place of those of the same names", () => {
  const mine = [
    ["mine", "1"],
    ["queue", "forged"],
    ["_flux.x", "1"],
    ["_flux", "kept"],
    ["external_id", "forged"],
  ] as const;
  const written = new QueueBlockWriter(TEXT).write(delivery(message(mine, { publisherId: "p", origin: "mqtt" })), 0, 0);
  expect(decodePublishProperties(TEXT, written)?.userProperties).toEqual([
    ["mine", "1"],
    ["_flux", "kept"],
    ...OWN,
    ["delivery-count", "2"],
    ["client_id", "p"],
    ["protocol", "mqtt"],
  ]);
});

test("a delivery carries what is left of its lifetime, and the subscription's identifier", () => {
  const written = new QueueBlockWriter(TEXT).write(delivery(message([], { expiresAtMs: 5_500 })), 300, 1_000);
  const expected = { messageExpirySeconds: 5, subscriptionIdentifiers: [300] };
  expect(decodePublishProperties(TEXT, written)).toMatchObject(expected);
});

test("a stream's delivery says where it is and what the primary group has settled", () => {
  const stream = { timestampMs: 9, work: { group: "w", committed: 8 } };
  const written = new QueueBlockWriter(TEXT).write(delivery(message([["delivery-count", "4"]]), { stream }), 0, 0);
  expect(decodePublishProperties(TEXT, written)?.userProperties).toEqual([
    ...OWN,
    ["delivery-count", "2"],
    ["x-stream-offset", "7"],
    ["x-stream-timestamp", "9"],
    ["x-work-committed-offset", "8"],
    ["x-work-acked", "true"],
    ["x-work-group", "w"],
  ]);
});

test("more properties than a packet may have are refused", () => {
  const many = Array.from({ length: PROPERTY_COUNT_MAX }, () => ["a", ""] as const);
  const write = (): unknown => new QueueBlockWriter(TEXT).write(delivery(message(many)), 0, 0);
  expect(write).toThrow(expect.objectContaining({ code: "ERR_PACKET_TOO_LARGE" }));
});

test("a settlement needs message id and group; of the id the digits after the last colon count", () => {
  const reader = new QueuePropertyReader(new ByteReader(TEXT));
  const read = (verb: "ack" | "nack" | "reject", ...pairs: (readonly [string, string])[]): unknown =>
    reader.settlement(verb, { ...message([]), encoding: MQTT_ENCODING, properties: block(pairs) } as never);
  const group = ["group-id", "g"] as const;
  const named = ["message-id", "a:b:12"] as const;
  expect(read("ack", named, group)).toEqual({ offset: 12, group: "g", deliveryCount: null, outcome: { is: "ack" } });
  expect(read("ack", ["message-id", "3"], group)).toMatchObject({ offset: 3 });
  expect(read("nack", named, group, ["delivery-count", "2"])).toMatchObject({ deliveryCount: 2 });
  expect(read("nack", named, group)).toMatchObject({ outcome: { is: "nack" } });
  expect(read("nack", named, group, ["delay-ms", "250"])).toMatchObject({ outcome: { is: "nack", delayMs: 250 } });
  expect(read("reject", named, group, ["reason", "ü"])).toMatchObject({ outcome: { is: "reject", detail: "ü" } });
  for (const id of ["", "q:", "q:x", "q:-1", "q:1.5", "q:99999999999999999"])
    expect(read("ack", ["message-id", id], group)).toBeNull();
  expect(read("ack", named)).toBeNull();
  expect(read("ack", group)).toBeNull();
});
