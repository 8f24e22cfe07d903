import fc from "fast-check";
import { isMessagingError, webText } from "polymq/internal";
import { describe, expect, test } from "vitest";
import type { DeadLetterFacts } from "./queue-message.ts";
import { QueueRecordCodec } from "./queue-record.ts";

const text = fc.string({ unit: "grapheme", maxLength: 60 });
const bytes = fc.uint8Array({ maxLength: 200 });
const number = fc.nat({ max: 2 ** 31 - 1 }).map((value) => value * 2 ** 20);

const reasons = fc.constantFrom("rejected", "expired", "delivery-limit", "maxlen");

const letters: fc.Arbitrary<DeadLetterFacts> = fc.record({
  reason: reasons,
  queue: text,
  offset: number,
  group: text,
  count: fc.nat(),
  firstDeathMs: number,
  detail: text,
  isReplayed: fc.boolean(),
  deaths: fc.array(
    fc.record({
      queue: text,
      reason: reasons,
      count: fc.nat(),
      timeMs: number,
      exchange: text,
      keys: fc.array(text, { maxLength: 3 }),
    }),
    { maxLength: 4 },
  ),
});

const messages = fc
  .record({
    topic: text,
    exchange: fc.option(text, { nil: null }),
    routingKey: text,
    payload: bytes,
    properties: fc.option(bytes, { nil: null }),
    encoding: fc.nat(),
    publisherId: text,
    origin: text,
    externalId: text,
  })
  .map((one) => (one.exchange === null ? { ...one, routingKey: "" } : one));

const places = fc.record({
  offset: number,
  startBytes: number,
  keyStart: fc.nat({ max: 60 }),
  priority: fc.nat({ max: 255 }),
  createdAtMs: number,
  expiresAtMs: fc.option(number, { nil: Number.POSITIVE_INFINITY }),
  deadLetter: fc.option(letters, { nil: null }),
});

const BY_TOPIC = { exchange: null, routingKey: "" };

/** Everything that a message says, its views copied. */
function said(message: ReturnType<QueueRecordCodec["decode"]>): object {
  const { record, ...rest } = message;
  const { payload, properties, key } = message;
  return {
    ...rest,
    key,
    record: record.slice(),
    payload: payload.slice(),
    properties: properties?.slice() ?? null,
  };
}

describe("the record of a queued message", () => {
  test("reads back as it was written, and says how far the log goes", () => {
    const codec = new QueueRecordCodec(webText());
    fc.assert(
      fc.property(messages, places, (message, place) => {
        const read = codec.decode(place.offset, codec.encode(message, place).slice());
        expect(read.endBytes).toBe(place.startBytes + read.record.length);
        expect(said(read)).toMatchObject({
          ...message,
          properties: message.properties?.length ? message.properties : null,
        });
        const { startBytes, ...stays } = place;
        expect(read).toMatchObject(stays);
        // Once more, with the texts of the message before.
        expect(said(codec.decode(place.offset, codec.encode(message, place)))).toEqual(said(read));
      }),
    );
  });

  test("is not touched by what is written afterwards, large or small", () => {
    const codec = new QueueRecordCodec(webText());
    const place = {
      offset: 0,
      startBytes: 0,
      keyStart: 0,
      priority: 0,
      createdAtMs: 1,
      expiresAtMs: 2,
      deadLetter: null,
    };
    const rest = { properties: null, encoding: 0, publisherId: "", origin: "", externalId: "", ...BY_TOPIC };
    const written = Array.from({ length: 300 }, (_, i) => {
      const payload = new Uint8Array(i % 50 === 0 ? 20_000 : 100).fill(i);
      return codec.encode({ topic: `t/${i}`, payload, ...rest }, place);
    });
    for (const [i, record] of written.entries()) {
      const one = codec.decode(0, record);
      expect([one.topic, one.payload.every((byte) => byte === i % 256)]).toEqual([`t/${i}`, true]);
    }
  });

  test("of a dead letter reads back without the list of its deaths, as older versions stored it", () => {
    const codec = new QueueRecordCodec(webText());
    const facts = { reason: "expired", queue: "q", offset: 1, group: "", count: 0, firstDeathMs: 2 } as const;
    const deadLetter = { ...facts, detail: "", isReplayed: false, deaths: [] };
    const place = { offset: 0, startBytes: 0, keyStart: 0, priority: 0, createdAtMs: 1, expiresAtMs: 2, deadLetter };
    const rest = { properties: null, encoding: 0, publisherId: "", origin: "", externalId: "", ...BY_TOPIC };
    const record = codec.encode({ topic: "t", payload: Uint8Array.of(7), ...rest }, place);
    const older = Uint8Array.from([...record.subarray(0, -2), 7]); // without the count of deaths
    older[0] = (older[0] as number) & ~16;
    expect(codec.decode(0, older)).toMatchObject({ deadLetter, payload: Uint8Array.of(7) });
  });

  test("is ERR_STORE_CORRUPT wherever its head is cut", () => {
    const codec = new QueueRecordCodec(webText());
    const deadLetter = {
      reason: "expired",
      queue: "q",
      offset: 1,
      group: "g",
      count: 1,
      firstDeathMs: 2,
      detail: "d",
      isReplayed: true,
      deaths: [{ queue: "q", reason: "expired", count: 1, timeMs: 2, exchange: "e", keys: ["k"] }],
    } as const;
    const place = { offset: 0, startBytes: 0, keyStart: 0, priority: 0, createdAtMs: 1, expiresAtMs: 2, deadLetter };
    const names = { publisherId: "p", origin: "o", externalId: "e", exchange: "x", routingKey: "k" };
    const rest = { properties: new Uint8Array(3), encoding: 0, ...names };
    const record = codec.encode({ topic: "topic", payload: new Uint8Array(0), ...rest }, place);
    for (let length = 0; length < record.length; length++) {
      try {
        codec.decode(0, record.subarray(0, length));
        expect.unreachable(`${length} bytes were enough`);
      } catch (error) {
        expect(isMessagingError(error) && error.code).toBe("ERR_STORE_CORRUPT");
      }
    }
  });
});
