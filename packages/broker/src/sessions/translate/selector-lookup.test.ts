import { symbol, typed, writeComposite, writeMap } from "polymq/amqp10/codec";
import { encodeProperties, TypedField } from "polymq/amqp091/codec";
import { ByteWriter, webText } from "polymq/internal";
import { encodePublishProperties } from "polymq/mqtt/codec";
import { expect, test } from "vitest";
import { Selector } from "../../core/selector/selector.ts";
import { Encoding } from "./encodings.ts";
import { PropertyTranslator, type Translated } from "./property-translator.ts";
import { SelectorLookup } from "./selector-lookup.ts";

const TEXT = webText();

/** The same message in all three protocols. */
function messages(): Translated[] {
  const w = new ByteWriter(TEXT, 512);
  writeComposite(w, { type: "header", durable: true, priority: 7 });
  writeComposite(w, { type: "properties", messageId: "m", subject: "order", creationTime: 1_700_000_000_000 });
  w.bytes(Uint8Array.of(0x00, 0x53, 0x74));
  writeMap(w, { colour: "red", size: 5, shape: symbol("round"), weight: typed("ulong", 2n ** 60n) }, "as they are");
  const headers = { colour: "red", size: new TypedField("I", 5), shape: "round", weight: 2n ** 60n };
  return [
    { properties: w.copyFrom(0), encoding: Encoding.Amqp10, expiresAtMs: Number.POSITIVE_INFINITY },
    {
      properties: encodeProperties(TEXT, {
        headers,
        deliveryMode: 2,
        priority: 7,
        messageId: "m",
        type: "order",
        timestamp: 1_700_000_000,
      }),
      encoding: Encoding.Amqp091,
      expiresAtMs: Number.POSITIVE_INFINITY,
    },
  ];
}

const userProperties: [string, string][] = [
  ["colour", "red"],
  ["size", "5"],
  ["type", "order"],
  ["priority", "7"],
  ["message-id", "m"],
];
const BY_MQTT: Translated = {
  properties: encodePublishProperties(TEXT, { userProperties, contentType: "a/b" }),
  encoding: Encoding.Mqtt,
  expiresAtMs: 5_000,
};

function selects(selector: string, message: Translated): boolean {
  return new SelectorLookup(new PropertyTranslator(TEXT)).selects(new Selector(selector), message);
}

test.each([
  "colour = 'red' AND size = 5 AND shape = 'round'",
  "weight = 1152921504606846976",
  "JMSPriority = 7 AND amqp.priority > 6",
  "JMSDeliveryMode = 'PERSISTENT'",
  "JMSType = 'order' AND amqp.subject LIKE 'or%' AND type = 'order'",
  "JMSMessageID = 'm' AND amqp.message_id = 'm'",
  "JMSTimestamp = 1700000000000 AND timestamp = 1700000000",
  "JMSExpiration IS NULL AND JMSReplyTo IS NULL AND __proto__ IS NULL AND constructor IS NULL",
])("messages of both AMQPs are found by %s", (selector) => {
  expect(messages().map((message) => selects(selector, message))).toEqual([true, true]);
});

test("user properties of MQTT are texts, and fields by their names", () => {
  const selector = "colour = 'red' AND size = '5' AND JMSType = 'order' AND JMSPriority = 7 AND \"message-id\" = 'm'";
  expect(selects(`${selector} AND amqp.content_type = 'a/b' AND JMSExpiration = 5000`, BY_MQTT)).toBe(true);
});

test("a message without properties has the default priority, and nothing else", () => {
  const bare = { properties: null, encoding: Encoding.Amqp10, expiresAtMs: Number.POSITIVE_INFINITY };
  expect(selects("JMSPriority = 4 AND colour IS NULL AND JMSType IS NULL", bare)).toBe(true);
});

test("one lookup serves messages in turn", () => {
  const lookup = new SelectorLookup(new PropertyTranslator(TEXT));
  const red = new Selector("colour = 'red'");
  const typeless = new Selector("JMSType IS NULL");
  const [amqp] = messages();
  if (amqp === undefined) throw new Error("no message");
  const bare = { properties: null, encoding: Encoding.Amqp10, expiresAtMs: Number.POSITIVE_INFINITY };
  const found = [amqp, bare, amqp, BY_MQTT].map((message) => [
    lookup.selects(red, message),
    lookup.selects(typeless, message),
  ]);
  expect(found).toEqual([
    [true, false],
    [false, true],
    [true, false],
    [true, false],
  ]);
});
