import fc from "fast-check";
import {
  AmqpMap,
  type AmqpValue,
  encodeMessage,
  type MessageInput,
  MessageView,
  symbol,
  typed,
  uuid,
} from "polymq/amqp10/codec";
import { type BasicProperties, decodeProperties, encodeProperties, TypedField } from "polymq/amqp091/codec";
import { ByteReader, webText } from "polymq/internal";
import { decodePublishProperties, encodePublishProperties, type PublishProperties } from "polymq/mqtt/codec";
import { describe, expect, test } from "vitest";
import { Encoding } from "./encodings.ts";
import { PropertyTranslator, type Translated } from "./property-translator.ts";

const TEXT = webText();
const EMPTY_DATA = Uint8Array.of(0x00, 0x53, 0x75, 0xa0, 0x00);

type Sections = Omit<MessageInput, "body">;

const bytes = (...octets: number[]): Uint8Array => Uint8Array.from(octets);
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

function translated(properties: Uint8Array | null, encoding: number): Translated {
  return { properties, encoding, expiresAtMs: Number.POSITIVE_INFINITY };
}

/** As a broker keeps a message whose body is one data section. */
function amqp10(sections: Sections): Translated {
  const whole = encodeMessage(TEXT, { ...sections, body: { type: "data", data: new Uint8Array(0) } });
  const at = Buffer.from(whole).lastIndexOf(EMPTY_DATA);
  return translated(
    Uint8Array.of(...whole.subarray(0, at), ...whole.subarray(at + EMPTY_DATA.length)),
    Encoding.Amqp10,
  );
}

/** As a broker keeps a message with another body. */
function amqp10Body(body: MessageInput["body"], sections: Sections = {}): Translated {
  return translated(encodeMessage(TEXT, { ...sections, body }), Encoding.Amqp10);
}

const mqtt = (properties: PublishProperties): Translated =>
  translated(encodePublishProperties(TEXT, properties), Encoding.Mqtt);
const amqp091 = (properties: BasicProperties): Translated =>
  translated(encodeProperties(TEXT, properties), Encoding.Amqp091);

function toMqttBlock(message: Translated): Translated {
  return translated(new PropertyTranslator(TEXT).toMqtt(message), Encoding.Mqtt);
}
function toAmqp091Block(message: Translated): Translated {
  return translated(new PropertyTranslator(TEXT).toAmqp091(message, true, 0), Encoding.Amqp091);
}
function toAmqp10Block(message: Translated): Translated {
  return translated(new PropertyTranslator(TEXT).toAmqp10(message, true), Encoding.Amqp10);
}

function readMqtt({ properties }: Translated): PublishProperties {
  return properties === null ? {} : (decodePublishProperties(TEXT, properties) ?? {});
}
function readAmqp091({ properties }: Translated): BasicProperties {
  return decodeProperties(new ByteReader(TEXT, properties ?? bytes(0, 0)), "typed");
}
function readAmqp10({ properties }: Translated): MessageView {
  const view = new MessageView(TEXT, properties ?? new Uint8Array(0));
  view.check();
  return view;
}

/** The fields that are set. */
function set(fields: object | null): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields ?? {}).filter(([name, value]) => name !== "type" && value !== null && value !== undefined),
  );
}

function entries(map: AmqpMap | null): Record<string, unknown> {
  return Object.fromEntries([...(map ?? [])].map(([key, value]) => [String(key), value]));
}

describe("from AMQP 1.0 to AMQP 0-9-1", () => {
  test("what both have keeps its meaning", () => {
    const message = amqp10({
      header: { durable: true, priority: 7 },
      properties: {
        messageId: "m",
        correlationId: "c",
        replyTo: "answers",
        subject: "order",
        contentType: "text/plain",
        contentEncoding: "gzip",
        creationTime: 1_700_000_000_000,
      },
    });
    expect(readAmqp091(toAmqp091Block(message))).toEqual({
      messageId: "m",
      correlationId: "c",
      replyTo: "answers",
      type: "order",
      contentType: "text/plain",
      contentEncoding: "gzip",
      timestamp: 1_700_000_000,
      deliveryMode: 2,
      priority: 7,
    });
  });

  test("what a header says is durable or not counts; without a word the sender's guarantee does", () => {
    const mode = (sections: Sections): number | undefined => readAmqp091(toAmqp091Block(amqp10(sections))).deliveryMode;
    expect([mode({ header: { durable: false, priority: 1 } }), mode({ properties: { subject: "x" } })]).toEqual([1, 2]);
  });

  test("application properties keep their types", () => {
    const applicationProperties = new AmqpMap([
      ["text", "x"],
      ["yes", true],
      ["int", -5],
      ["ulong", typed("ulong", 5)],
      ["huge", typed("ulong", 2n ** 64n - 1n)],
      ["ubyte", typed("ubyte", 200)],
      ["float", typed("float", 1.5)],
      ["double", 0.5],
      ["when", typed("timestamp", 1_700_000_000_000)],
      ["before", typed("timestamp", -1)],
      ["raw", bytes(1, 2)],
      ["none", null],
      ["id", uuid("00112233-4455-6677-8899-aabbccddeeff")],
      ["letter", typed("char", 0x1f600)],
      ["word", symbol("s")],
    ]);
    expect(readAmqp091(toAmqp091Block(amqp10({ applicationProperties }))).headers).toEqual({
      text: "x",
      yes: true,
      int: new TypedField("I", -5),
      ulong: 5,
      huge: "18446744073709551615",
      ubyte: new TypedField("B", 200),
      float: new TypedField("f", 1.5),
      double: 0.5,
      when: new TypedField("T", 1_700_000_000),
      before: "1969-12-31T23:59:59.999Z",
      raw: bytes(1, 2),
      none: null,
      id: "00112233-4455-6677-8899-aabbccddeeff",
      letter: "😀",
      word: "s",
    });
  });

  test("what only AMQP 1.0 says are headers with its prefix", () => {
    const message = amqp10({
      messageAnnotations: { "x-opt-a": 1 },
      properties: {
        to: "here",
        userId: utf8("root"),
        groupId: "g",
        groupSequence: 3,
        replyToGroupId: "r",
        absoluteExpiryTime: 1_700_000_000_123,
        messageId: typed("ulong", 9),
      },
      footer: { "x-opt-f": "z" },
    });
    const { headers, userId, messageId } = readAmqp091(toAmqp091Block(message));
    expect([userId, messageId]).toEqual([undefined, "9"]);
    expect(headers).toEqual({
      "amqp10.message-id-type": "ulong",
      "amqp10.to": "here",
      "amqp10.user-id": "root",
      "amqp10.group-id": "g",
      "amqp10.group-sequence": new TypedField("i", 3),
      "amqp10.reply-to-group-id": "r",
      "amqp10.absolute-expiry-time": 1_700_000_000_123,
      "amqp10.annotation.x-opt-a": new TypedField("I", 1),
      "amqp10.footer.x-opt-f": "z",
    });
  });
});

describe("bodies of AMQP 1.0", () => {
  test("a text is marked as UTF-8", () => {
    const message = amqp10Body({ type: "value", value: "hello" });
    expect(readMqtt(toMqttBlock(message))).toEqual({ payloadFormat: 1 });
  });

  test("a list, a map and sequences are JSON to others, unless the sender named a type", () => {
    const map = amqp10Body({ type: "value", value: { a: 1 } });
    const sequences = amqp10Body({ type: "sequence", sequences: [[1], [2]] });
    const named = amqp10Body({ type: "value", value: [1] }, { properties: { contentType: "x/y" } });
    const types = [map, sequences, named].map((message) => readMqtt(toMqttBlock(message)).contentType);
    expect(types).toEqual(["application/json", "application/json", "x/y"]);
  });

  test("data in several sections, binary values and nothing are bytes like any", () => {
    for (const body of [
      { type: "data", data: [bytes(1), bytes(2)] },
      { type: "value", value: bytes(1) },
      { type: "value", value: null },
    ] as const) {
      expect(toMqttBlock(amqp10Body(body)).properties).toBeNull();
    }
  });
});

describe("to AMQP 1.0", () => {
  test("MQTT properties keep their meaning", () => {
    const view = readAmqp10(
      toAmqp10Block(
        mqtt({
          contentType: "text/plain",
          correlationData: utf8("c"),
          responseTopic: "answers/1",
          payloadFormat: 1,
          userProperties: [
            ["a", "1"],
            ["type", "order"],
            ["priority", "7"],
            ["timestamp", "1700000000"],
            ["user-id", "root"],
          ],
        }),
      ),
    );
    expect(set(view.header)).toEqual({ durable: true, priority: 7 });
    expect(set(view.properties)).toEqual({
      contentType: "text/plain",
      correlationId: "c",
      replyTo: "answers/1",
      subject: "order",
      creationTime: 1_700_000_000_000,
    });
    expect(entries(view.applicationProperties)).toEqual({
      "response-topic": "answers/1",
      "payload-format": "1",
      a: "1",
      "user-id": "root",
    });
  });

  test("correlation data that is no text is binary", () => {
    const { properties } = readAmqp10(toAmqp10Block(mqtt({ correlationData: bytes(0xff, 0) })));
    expect(properties?.correlationId).toEqual(bytes(0xff, 0));
  });

  test("AMQP 0-9-1 headers keep their types", () => {
    const headers = {
      text: "x",
      yes: true,
      long: -5,
      ratio: 0.5,
      whole: new TypedField("d", 3),
      int: new TypedField("I", 7),
      when: new TypedField("T", 1_700_000_000),
      raw: bytes(1),
      none: null,
      price: new TypedField("D", { scale: 2, unscaled: 1999 }),
    };
    const { applicationProperties } = readAmqp10(toAmqp10Block(amqp091({ headers, userId: "u" })));
    expect(entries(applicationProperties)).toEqual({
      text: "x",
      yes: true,
      long: typed("long", -5),
      ratio: 0.5,
      whole: typed("double", 3),
      int: 7,
      when: typed("timestamp", 1_700_000_000_000),
      raw: bytes(1),
      none: null,
      price: typed("decimal64", bytes(0x31, 0x80, 0, 0, 0, 0, 0x07, 0xcf)),
    });
  });

  test("application properties are simple values (§3.2.5): lists and tables are text there, and whole in an annotation", () => {
    const view = readAmqp10(toAmqp10Block(amqp091({ headers: { list: [1, "a"], table: { k: true } } })));
    expect(entries(view.applicationProperties)).toEqual({ list: '[1,"a"]', table: '{"k":true}' });
    const held = view.messageAnnotations?.get(symbol("x-opt-headers"));
    expect(held).toEqual(
      new AmqpMap([
        ["list", [typed("long", 1), "a"]],
        ["table", new AmqpMap([["k", true]])],
      ]),
    );
  });

  test("without properties there is the guarantee alone", () => {
    const translator = new PropertyTranslator(TEXT);
    const nothing = translated(null, Encoding.Mqtt);
    expect(set(readAmqp10(translated(translator.toAmqp10(nothing, true), Encoding.Amqp10)).header)).toEqual({
      durable: true,
    });
    expect(translator.toAmqp10(nothing, false)).toBeNull();
  });

  test("all subscribers of one message get the same block, by the guarantee", () => {
    const translator = new PropertyTranslator(TEXT);
    const message = mqtt({ contentType: "a" });
    const first = translator.toAmqp10(message, true);
    expect(translator.toAmqp10({ ...message }, true)).toBe(first);
    expect(translator.toAmqp10(message, false)).not.toEqual(first);
  });

  test("a message of AMQP 1.0 stays as it is", () => {
    const message = amqp10({ properties: { subject: "x" } });
    expect(new PropertyTranslator(TEXT).toAmqp10(message, true)).toBe(message.properties);
  });
});

describe("there and back", () => {
  const word = fc.string({ unit: "grapheme", maxLength: 40 }).filter((text) => !text.includes("\0"));
  const long = fc.constantFrom("x".repeat(256), "y".repeat(1000));
  const ascii = fc.stringMatching(/^[a-z/+.]{0,20}$/);
  const id: fc.Arbitrary<AmqpValue> = fc.oneof(
    word,
    long,
    fc.bigInt(0n, 2n ** 64n - 1n).map((n) => typed("ulong", n <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(n) : n)),
    fc.uint8Array({ minLength: 16, maxLength: 16 }).map((b) => typed("uuid", b)),
    fc.uint8Array({ maxLength: 40 }),
  );
  const time = fc.integer({ min: -1_000, max: 2 ** 45 });
  const properties = fc.record(
    {
      messageId: id,
      userId: fc.oneof(fc.uint8Array({ maxLength: 20 }), fc.constant(utf8("guest"))),
      to: word,
      subject: fc.oneof(word, long),
      replyTo: fc.oneof(word, long),
      correlationId: id,
      contentType: ascii,
      contentEncoding: fc.oneof(ascii, long),
      absoluteExpiryTime: time,
      creationTime: time,
      groupId: word,
      groupSequence: fc.integer({ min: 0, max: 0xffff_ffff }),
      replyToGroupId: word,
    },
    { requiredKeys: [] },
  );
  const key = fc.constantFrom("a", "b", "group-id", "queue", "user-id", "x y", "é", "__proto__", "constructor");
  const simple = (value: fc.Arbitrary<AmqpValue>): fc.Arbitrary<AmqpMap> =>
    fc.uniqueArray(fc.tuple(key, value), { selector: ([name]) => name, maxLength: 5 }).map((all) => new AmqpMap(all));
  const typedValue: fc.Arbitrary<AmqpValue> = fc.oneof(
    word,
    fc.boolean(),
    fc.constant(null),
    fc.uint8Array({ maxLength: 8 }),
    fc.integer(),
    fc.integer({ min: 0, max: 255 }).map((n) => typed("ubyte", n)),
    fc.integer({ min: -128, max: 127 }).map((n) => typed("byte", n)),
    fc.integer({ min: 0, max: 65_535 }).map((n) => typed("ushort", n)),
    fc.integer({ min: -32_768, max: 32_767 }).map((n) => typed("short", n)),
    fc.integer({ min: 0, max: 0xffff_ffff }).map((n) => typed("uint", n)),
    fc.maxSafeInteger().map((n) => typed("long", n)),
    fc.float({ noNaN: true }).map((n) => typed("float", n)),
    fc.double({ noNaN: true }).map((n) => (Number.isInteger(n) ? typed("double", n) : n)),
    fc.integer({ min: 0, max: 2 ** 32 }).map((n) => typed("timestamp", n * 1000)),
  );
  const annotations = (value: fc.Arbitrary<AmqpValue>): fc.Arbitrary<AmqpMap> =>
    fc
      .uniqueArray(fc.tuple(fc.constantFrom("x-opt-a", "x-b", "kind"), value), { selector: ([name]) => name })
      .map((all) => new AmqpMap(all.map(([name, each]) => [symbol(name), each] as const)));
  const header = fc.record({ priority: fc.integer({ min: 0, max: 255 }) }, { requiredKeys: [] });
  const messages = (value: fc.Arbitrary<AmqpValue>): fc.Arbitrary<Sections> =>
    fc.record(
      {
        header,
        properties,
        applicationProperties: simple(value),
        messageAnnotations: annotations(value),
        footer: annotations(value),
      },
      { requiredKeys: [] },
    );

  function told(message: Translated): unknown {
    const view = readAmqp10(message);
    const sorted = (map: AmqpMap | null): unknown[] =>
      [...(map ?? [])]
        .map(([name, value]) => [String(name), value])
        .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));
    return {
      priority: view.header?.priority ?? null,
      properties: set(view.properties),
      application: sorted(view.applicationProperties),
      annotations: sorted(view.messageAnnotations),
      footer: sorted(view.footer),
    };
  }

  test("an AMQP 1.0 message has its sections again after AMQP 0-9-1, with their types", () => {
    fc.assert(
      fc.property(messages(typedValue), (sections) => {
        const given = amqp10(sections);
        expect(told(toAmqp10Block(toAmqp091Block(given)))).toEqual(told(given));
      }),
    );
  });

  test("an AMQP 1.0 message whose values are texts has its sections again after MQTT", () => {
    fc.assert(
      fc.property(messages(word), (sections) => {
        const given = amqp10(sections);
        expect(told(toAmqp10Block(toMqttBlock(given)))).toEqual(told(given));
      }),
    );
  });

  test("an MQTT message has its properties again, user properties by name", () => {
    const name = fc.constantFrom("a", "b", "type", "reply-to", "message-id", "group-id", "timestamp", "x y");
    const value = fc.oneof(word, fc.constantFrom("1700000000", "x".repeat(300)));
    const given = fc.record(
      {
        payloadFormat: fc.constantFrom<0 | 1>(0, 1),
        contentType: word,
        responseTopic: fc.constantFrom("a", "answers/1", "x".repeat(300)),
        correlationData: fc.uint8Array({ maxLength: 300 }),
        userProperties: fc.array(fc.tuple(name, value), { minLength: 1, maxLength: 6 }),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(given, (properties) => {
        const message = mqtt(properties as PublishProperties);
        expect(byName(toMqttBlock(toAmqp10Block(message)))).toEqual(byName(message));
      }),
    );
  });

  test("an AMQP 0-9-1 message has its properties again, with tables, lists and decimals", () => {
    const given: BasicProperties = {
      contentType: "a/b",
      contentEncoding: "gzip",
      headers: {
        x: "1",
        n: 5,
        i: new TypedField("I", 5),
        price: new TypedField("D", { scale: 2, unscaled: 1999 }),
        list: [1, "a", { deep: [null] }],
        table: { k: true },
      },
      deliveryMode: 2,
      priority: 3,
      correlationId: "c",
      replyTo: "r",
      messageId: "m",
      timestamp: 1_700_000_000,
      type: "t",
      userId: "u",
      appId: "app",
      clusterId: "cl",
    };
    const { userId, ...rest } = given;
    const back = readAmqp091(toAmqp091Block(toAmqp10Block(amqp091(given))));
    // Nobody passes for another user: the property becomes a header on its way back.
    expect(back).toEqual({ ...rest, headers: { ...rest.headers, "amqp10.user-id": userId } });
  });
});

/** User properties of different names have no order over AMQP. */
function byName(message: Translated): unknown {
  const { userProperties = [], ...rest } = readMqtt(message);
  const names = new Map<string, string[]>();
  for (const [key, text] of userProperties) names.set(key, [...(names.get(key) ?? []), text].sort());
  return { ...rest, names };
}
