import fc from "fast-check";
import { isMessagingError, webText } from "polymq/internal";
import { describe, expect, test } from "vitest";
import { type Guarantee, Message } from "./message.ts";
import { firstNumber, KIND, RecordCodec, recordKeyOf, secondNumber } from "./records.ts";

const codec = new RecordCodec(webText());
const text = fc.string({ unit: "grapheme", maxLength: 80 });
const guarantees = fc.constantFrom<Guarantee>(0, 1, 2);
const times = fc.oneof(fc.maxSafeNat(), fc.constant(Number.POSITIVE_INFINITY));
const bytes = fc.uint8Array({ maxLength: 3000 });

const BY_TOPIC = { exchange: null, routingKey: "" };

const messages = fc
  .record({
    topic: text,
    payload: bytes,
    guarantee: guarantees,
    retain: fc.boolean(),
    properties: fc.option(bytes, { nil: null }),
    encoding: fc.nat(0xffff_ffff),
    publisherId: text,
    origin: text,
    externalId: text,
    expiresAtMs: times,
  })
  .map((parts) => new Message({ ...parts, ...BY_TOPIC }, 1_700_000_000_000, 9));

describe("records read back as they were written", () => {
  test("messages", () => {
    fc.assert(
      fc.property(messages, (message) => {
        expect(codec.decodeMessage(9, codec.encodeMessage(message))).toEqual(message);
      }),
    );
  });

  test("a message larger than any before", () => {
    const parts = { topic: "t".repeat(65_535), payload: new Uint8Array(1 << 20).fill(7) };
    const rest = {
      guarantee: 2,
      retain: false,
      encoding: 5,
      publisherId: "",
      origin: "",
      externalId: "",
      expiresAtMs: 1,
      ...BY_TOPIC,
    } as const;
    const message = new Message({ ...parts, ...rest, properties: new Uint8Array(70_000).fill(3) }, 1, 2);
    const read = codec.decodeMessage(2, codec.encodeMessage(message));
    expect([read.topic.length, read.payload.length, read.properties?.length]).toEqual([65_535, 1 << 20, 70_000]);
    expect([read.payload.every((one) => one === 7), read.properties?.every((one) => one === 3)]).toEqual([true, true]);
  });

  test("sessions", () => {
    fc.assert(
      fc.property(fc.record({ id: text, expiryMs: times, endsAtMs: times, state: bytes }), (record) => {
        expect(codec.decodeSession(codec.encodeSession(record))).toEqual(record);
      }),
    );
  });

  test("subscriptions", () => {
    const terms = fc.record({
      filter: text,
      group: fc.option(text, { nil: null }),
      guaranteeMax: guarantees,
      noLocal: fc.boolean(),
      retainAsPublished: fc.boolean(),
      identifier: fc.nat(268_435_455),
    });
    fc.assert(
      fc.property(terms, (one) => {
        expect(codec.decodeSubscription(codec.encodeSubscription(one))).toEqual(one);
      }),
    );
  });

  test("deliveries", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), bytes, (sequence, record) => {
        expect(codec.decodeDelivery(codec.encodeDelivery(sequence, record))).toEqual({ sequence, record });
      }),
    );
  });

  test("delayed publications", () => {
    fc.assert(
      fc.property(fc.record({ owner: text, dueAtMs: times, sequence: fc.maxSafeNat() }), (record) => {
        expect(codec.decodeDelayed(codec.encodeDelayed(record))).toEqual(record);
      }),
    );
  });
});

describe("keys", () => {
  test("their order is that of their numbers", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.maxSafeNat(), (a, b) => {
        const [x, y] = [recordKeyOf(KIND.delivery, 1, a), recordKeyOf(KIND.delivery, 1, b)];
        expect(Math.sign(Buffer.compare(x, y))).toBe(Math.sign(a - b));
        expect([firstNumber(x), secondNumber(x)]).toEqual([1, a]);
      }),
    );
  });
});

describe("a value that does not read back", () => {
  test("is ERR_STORE_CORRUPT wherever it is cut", () => {
    const message = new Message(
      {
        topic: "a/b",
        ...BY_TOPIC,
        payload: new Uint8Array(0),
        guarantee: 1,
        retain: true,
        properties: new Uint8Array(3),
        encoding: 1,
        publisherId: "p",
        origin: "o",
        externalId: "e",
        expiresAtMs: 5,
      },
      1,
      1,
    );
    const whole = codec.encodeMessage(message);
    for (let length = 0; length < whole.length; length++) {
      expect(codeOf(() => codec.decodeMessage(1, whole.subarray(0, length)))).toBe("ERR_STORE_CORRUPT");
    }
    expect(codeOf(() => codec.decodeDelivery(new Uint8Array(7)))).toBe("ERR_STORE_CORRUPT");
    expect(codeOf(() => codec.decodeSession(Uint8Array.of(1)))).toBe("ERR_STORE_CORRUPT");
  });

  test("an impossible guarantee is ERR_STORE_CORRUPT", () => {
    const value = codec.encodeSubscription({
      filter: "a",
      group: null,
      guaranteeMax: 2,
      noLocal: false,
      retainAsPublished: false,
      identifier: 0,
    });
    value[0] = 3;
    expect(codeOf(() => codec.decodeSubscription(value))).toBe("ERR_STORE_CORRUPT");
  });
});

function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return isMessagingError(error) ? error.code : String(error);
  }
  return "no error";
}
