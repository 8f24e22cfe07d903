import fc from "fast-check";
import { type BasicProperties, decodeProperties, encodeProperties, TypedField } from "polymq/amqp091/codec";
import { ByteReader, webText } from "polymq/internal";
import {
  decodePublishProperties,
  encodePublishProperties,
  PROPERTY_COUNT_MAX,
  type PublishProperties,
} from "polymq/mqtt/codec";
import { describe, expect, test } from "vitest";
import { Encoding } from "./encodings.ts";
import { PropertyTranslator, type Translated } from "./property-translator.ts";

const TEXT = webText();

function mqtt(properties: PublishProperties, expiresAtMs = Number.POSITIVE_INFINITY): Translated {
  const block = encodePublishProperties(TEXT, properties);
  return { properties: block, encoding: Encoding.Mqtt, expiresAtMs };
}

function amqp091(properties: BasicProperties): Translated {
  return {
    properties: encodeProperties(TEXT, properties),
    encoding: Encoding.Amqp091,
    expiresAtMs: Number.POSITIVE_INFINITY,
  };
}

/** As an AMQP 0-9-1 consumer reads it. */
function toAmqp091(message: Translated, epochMs = 0): BasicProperties {
  const block = new PropertyTranslator(TEXT).toAmqp091(message, true, epochMs);
  return decodeProperties(new ByteReader(TEXT, block), "typed");
}

/** As an MQTT subscriber reads it. */
function toMqtt(message: Translated): PublishProperties | null {
  const block = new PropertyTranslator(TEXT).toMqtt(message);
  return block === null ? null : decodePublishProperties(TEXT, block);
}

const bytes = (...octets: number[]): Uint8Array => Uint8Array.from(octets);
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("from MQTT to AMQP 0-9-1", () => {
  test("what both have keeps its meaning", () => {
    const properties = { contentType: "text/plain", correlationData: utf8("c-1"), responseTopic: "answers/1" };
    expect(toAmqp091(mqtt(properties, 61_500), 1_000)).toEqual({
      contentType: "text/plain",
      correlationId: "c-1",
      replyTo: "answers/1",
      headers: { "response-topic": "answers/1" },
      deliveryMode: 2,
      expiration: "60500",
    });
  });

  test("user properties are headers, and those with a property's name are that property", () => {
    const userProperties: [string, string][] = [
      ["a", "1"],
      ["type", "order"],
      ["app-id", "shop"],
      ["timestamp", "1700000000"],
      ["priority", "7"],
    ];
    expect(toAmqp091(mqtt({ userProperties }))).toEqual({
      headers: { a: "1" },
      deliveryMode: 2,
      priority: 7,
      timestamp: 1_700_000_000,
      type: "order",
      appId: "shop",
    });
  });

  test("a user property that stands twice is a list", () => {
    const userProperties: [string, string][] = [
      ["a", "1"],
      ["b", "x"],
      ["a", "2"],
    ];
    expect(toAmqp091(mqtt({ userProperties })).headers).toEqual({ a: ["1", "2"], b: "x" });
  });

  test("correlation data that is no short text is a header of bytes", () => {
    const { correlationId, headers } = toAmqp091(mqtt({ correlationData: bytes(0xff, 0) }));
    expect([correlationId, headers]).toEqual([undefined, { "correlation-data": bytes(0xff, 0) }]);
  });

  test("nobody is let pass for another user: user-id stays a header", () => {
    const { userId, headers } = toAmqp091(mqtt({ userProperties: [["user-id", "root"]] }));
    expect([userId, headers]).toEqual([undefined, { "user-id": "root" }]);
  });

  test("without properties there is the delivery mode, as the publisher's guarantee says", () => {
    const translator = new PropertyTranslator(TEXT);
    const nothing = { properties: null, encoding: Encoding.Mqtt, expiresAtMs: Number.POSITIVE_INFINITY };
    const read = (isDurable: boolean): BasicProperties =>
      decodeProperties(new ByteReader(TEXT, translator.toAmqp091(nothing, isDurable, 0)));
    expect([read(true), read(false)]).toEqual([{ deliveryMode: 2 }, { deliveryMode: 1 }]);
  });
});

describe("from AMQP 0-9-1 to MQTT", () => {
  test("what both have keeps its meaning", () => {
    const properties = { contentType: "text/plain", correlationId: "c-1", replyTo: "rpc.answers", messageId: "m" };
    expect(toMqtt(amqp091(properties))).toEqual({
      contentType: "text/plain",
      correlationData: utf8("c-1"),
      userProperties: [
        ["reply-to", "rpc.answers"],
        ["message-id", "m"],
      ],
    });
  });

  test("headers are user properties, as text", () => {
    const headers = {
      text: "x",
      yes: true,
      count: -5,
      big: new TypedField("l", 2n ** 60n),
      ratio: 0.5,
      nothing: null,
      raw: bytes(1, 2, 3),
      when: new TypedField("T", 1_700_000_000),
      price: new TypedField("D", { scale: 2, unscaled: 1999 }),
      list: [1, "a"],
      table: { a: { b: 1 } },
    };
    expect(toMqtt(amqp091({ headers }))?.userProperties).toEqual([
      ["text", "x"],
      ["yes", "true"],
      ["count", "-5"],
      ["big", "1152921504606846976"],
      ["ratio", "0.5"],
      ["nothing", ""],
      ["raw", "AQID"],
      ["when", "2023-11-14T22:13:20.000Z"],
      ["price", "19.99"],
      ["list", '[1,"a"]'],
      ["table", '{"a":{"b":1}}'],
    ]);
  });

  test("a response topic that is no topic is a user property", () => {
    expect(toMqtt(amqp091({ headers: { "response-topic": "a/#" } }))).toEqual({
      userProperties: [["response-topic", "a/#"]],
    });
  });

  test("what MQTT cannot hold is left out", () => {
    const headers = { long: "x".repeat(65_536), zero: "a\0b", fine: "y" };
    expect(toMqtt(amqp091({ headers }))?.userProperties).toEqual([["fine", "y"]]);
  });

  test("the delivery mode alone says nothing that MQTT says with a property", () => {
    expect(toMqtt(amqp091({ deliveryMode: 2 }))).toBeNull();
  });

  test("more headers than a packet may have properties are refused", () => {
    const headers = Object.fromEntries(Array.from({ length: PROPERTY_COUNT_MAX }, (_, i) => [`h${i}`, "x"]));
    expect(() => toMqtt(amqp091({ headers }))).toThrowError(expect.objectContaining({ code: "ERR_PACKET_TOO_LARGE" }));
  });
});

describe("there and back", () => {
  const value = fc.string({ unit: "grapheme", maxLength: 40 }).filter((text) => !text.includes("\0"));
  const name = fc.constantFrom("a", "b", "type", "reply-to", "message-id", "timestamp", "x y");

  test.each([
    ["AMQP 0-9-1", Encoding.Amqp091],
    ["AMQP 1.0", Encoding.Amqp10],
  ])("an MQTT message has its properties again through %s, user properties by name", (_, encoding) => {
    const properties = fc.record(
      {
        payloadFormat: fc.constantFrom<0 | 1>(0, 1),
        contentType: value,
        responseTopic: fc.constantFrom("a", "answers/1", "x".repeat(300)),
        correlationData: fc.uint8Array({ maxLength: 300 }),
        userProperties: fc.array(fc.tuple(name, value), { minLength: 1, maxLength: 6 }),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(properties, (given) => {
        const translator = new PropertyTranslator(TEXT);
        const message = mqtt(given as PublishProperties);
        const isAmqp10 = encoding === Encoding.Amqp10;
        const there = isAmqp10 ? translator.toAmqp10(message, true) : translator.toAmqp091(message, true, 0);
        const back = toMqtt({ properties: there, encoding, expiresAtMs: Number.POSITIVE_INFINITY });
        expect(byName(back)).toEqual(byName(toPlain(given as PublishProperties)));
      }),
      {
        examples: [
          [
            {
              responseTopic: "a",
              userProperties: [
                ["reply-to", "a"],
                ["a", ""],
              ],
            },
          ],
        ],
      },
    );
  });

  test("an AMQP 0-9-1 message whose headers are texts has its properties again", () => {
    const given: BasicProperties = {
      contentType: "a/b",
      contentEncoding: "gzip",
      headers: { x: "1", y: "2" },
      priority: 3,
      correlationId: "c",
      replyTo: "r",
      messageId: "m",
      timestamp: 1_700_000_000,
      type: "t",
      appId: "app",
      clusterId: "cl",
    };
    const block = new PropertyTranslator(TEXT).toMqtt(amqp091(given));
    const back = { properties: block, encoding: Encoding.Mqtt, expiresAtMs: Number.POSITIVE_INFINITY };
    expect(toAmqp091(back)).toEqual({ ...given, deliveryMode: 2 });
  });
});

describe("one translator", () => {
  test("gives the same block to all subscribers of one message", () => {
    const translator = new PropertyTranslator(TEXT);
    const message = amqp091({ contentType: "a" });
    const first = translator.toMqtt(message);
    expect(translator.toMqtt({ ...message })).toBe(first);
    expect(translator.toMqtt(amqp091({ contentType: "b" }))).not.toBe(first);
  });

  test("leaves a message of the same protocol as it is", () => {
    const translator = new PropertyTranslator(TEXT);
    const [a, b] = [mqtt({ contentType: "x" }), amqp091({ contentType: "x" })];
    expect(translator.toMqtt(a)).toBe(a.properties);
    expect(translator.toAmqp091(b, false, 0)).toBe(b.properties);
  });
});

/** As the codec hands it out. */
function toPlain(properties: PublishProperties): PublishProperties | null {
  return toMqtt(mqtt(properties));
}

/** User properties of different names have no order over AMQP. */
function byName(properties: PublishProperties | null): unknown {
  if (properties === null) return {};
  const { userProperties = [], ...rest } = properties;
  const names: Record<string, string[]> = {};
  for (const [key, text] of userProperties) names[key] = [...(names[key] ?? []), text].sort();
  return { ...rest, names };
}
