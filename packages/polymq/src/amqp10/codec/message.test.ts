/** Messages by their sections (§3.2): golden bytes, round trips, order, limits. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ChunkPool, Outbox } from "../../transport/outbox.ts";
import { anyValue, bytes, codeFrom, hex, ofType, readerOf, text } from "./codec.test-support.ts";
import { encodeMessage, type MessageInput, messageBytesMax, writeMessage } from "./message.ts";
import { MessageView } from "./message-view.ts";
import { AmqpMap, symbol, Typed, typed } from "./values.ts";

const FULL: MessageInput = {
  header: { durable: true, priority: 4, ttl: 5_000 },
  deliveryAnnotations: { "x-a": 1 },
  messageAnnotations: { "x-b": "two" },
  properties: { messageId: typed("ulong", 7), to: "q", contentType: "text/plain", creationTime: 1 },
  applicationProperties: { key: true },
  body: { type: "data", data: Uint8Array.of(1, 2, 3) },
  footer: { "x-c": null },
};

function viewOf(message: MessageInput): MessageView {
  return new MessageView(text, encodeMessage(text, message));
}

describe("a message", () => {
  test("is encoded as its sections in their order", () => {
    const wanted = [
      "00 53 70 c0 09 03 41 50 04 70 00001388",
      "00 53 71 c1 08 02 a3 03 'x-a' 54 01",
      "00 53 72 c1 0b 02 a3 03 'x-b' a1 03 'two'",
      "00 53 73 c0 21 0a 53 07 40 a1 01 'q' 40 40 40 a3 0a 'text/plain' 40 40 83 0000000000000001",
      "00 53 74 c1 07 02 a1 03 'key' 41",
      "00 53 75 a0 03 010203",
      "00 53 78 c1 07 02 a3 03 'x-c' 40",
    ];
    expect(hex(encodeMessage(text, FULL))).toBe(hex(bytes(wanted.join(" "))));
  });

  test("is read by its sections, each when it is asked for", () => {
    const view = viewOf(FULL);
    expect(view.header).toMatchObject({
      durable: true,
      priority: 4,
      ttl: 5_000,
      firstAcquirer: null,
      deliveryCount: null,
    });
    expect(view.deliveryAnnotations?.get("x-a")).toBe(1);
    expect(view.messageAnnotations?.get(symbol("x-b"))).toBe("two");
    expect(view.properties).toMatchObject({ messageId: new Typed("ulong", 7), to: "q", contentType: "text/plain" });
    expect(view.applicationProperties?.get("key")).toBe(true);
    expect(view.body).toEqual({ type: "data", data: [Uint8Array.of(1, 2, 3)] });
    expect(view.data).toEqual(Uint8Array.of(1, 2, 3));
    expect(view.footer?.has("x-c")).toBe(true);
    view.check();
  });

  test("of data alone gives a view of the received bytes", () => {
    for (const length of [0, 5, 255, 256, 70_000]) {
      const payload = encodeMessage(text, { body: { type: "data", data: new Uint8Array(length).fill(7) } });
      const data = new MessageView(text, payload).data;
      const behind = viewOf({ header: {}, body: { type: "data", data: new Uint8Array(length).fill(7) } });
      expect(behind.data).toEqual(data);
      expect(data?.length).toBe(length);
      expect(data?.buffer).toBe(payload.buffer);
    }
  });

  test("in several frames is joined when it is asked for, wherever it was cut", () => {
    const whole = encodeMessage(text, FULL);
    for (let cut = 0; cut <= whole.length; cut++) {
      const view = new MessageView(text, [whole.subarray(0, cut), whole.subarray(cut)]);
      expect(view.data).toEqual(Uint8Array.of(1, 2, 3));
      expect(view.properties?.to).toBe("q");
    }
  });

  test("keeps the bytes of the bare message, that may be forwarded unchanged (C8)", () => {
    const bare = { properties: FULL.properties, applicationProperties: FULL.applicationProperties, body: FULL.body };
    expect(hex(viewOf(FULL).bare)).toBe(hex(encodeMessage(text, bare)));
    expect(hex(new MessageView(text, new Uint8Array(0)).bare)).toBe("");
  });

  test("with several data sections, sequences or a value gives them back", () => {
    const data = [Uint8Array.of(1), new Uint8Array(300)];
    expect(viewOf({ body: { type: "data", data } }).body).toEqual({ type: "data", data });
    expect(viewOf({ body: { type: "data", data }, footer: {} }).data).toBeNull();
    const sequences = [[1, "a"], [], [null]];
    expect(viewOf({ body: { type: "sequence", sequences } }).body).toEqual({ type: "sequence", sequences });
    expect(viewOf({ body: { type: "value", value: null } }).body).toEqual({ type: "value", value: null });
  });

  test("to a coordinator carries a composite", () => {
    const view = viewOf({
      body: { type: "composite", composite: { type: "discharge", txnId: Uint8Array.of(1), fail: true } },
    });
    expect(view.bodyComposite).toEqual({ type: "discharge", txnId: Uint8Array.of(1), fail: true });
    expect(viewOf({ body: { type: "value", value: 1 } }).bodyComposite).toBeNull();
  });

  test("without any section has no body", () => {
    const view = new MessageView(text, new Uint8Array(0));
    expect([view.body, view.data, view.header, view.properties]).toEqual([null, null, null, null]);
  });

  const keys = fc.array(fc.tuple(ofType.symbol, anyValue), { maxLength: 3 }).map((entries) => new AmqpMap(entries));
  const messages: fc.Arbitrary<MessageInput> = fc.record({
    header: fc.option(fc.record({ durable: fc.option(fc.boolean()), ttl: fc.option(fc.nat()) })),
    deliveryAnnotations: fc.option(keys),
    messageAnnotations: fc.option(keys),
    properties: fc.option(
      fc.record({
        messageId: fc.option(fc.oneof(ofType.ulong, ofType.uuid, ofType.binary, ofType.string)),
        userId: fc.option(ofType.binary as fc.Arbitrary<Uint8Array>),
        subject: fc.option(ofType.string as fc.Arbitrary<string>),
        groupSequence: fc.option(fc.nat()),
      }),
    ),
    applicationProperties: fc.option(
      fc.array(fc.tuple(ofType.string, anyValue), { maxLength: 3 }).map((each) => new AmqpMap(each)),
    ),
    body: fc.oneof(
      fc.uint8Array({ maxLength: 300 }).map((data) => ({ type: "data", data }) as const),
      fc
        .array(fc.array(anyValue, { maxLength: 3 }), { minLength: 1, maxLength: 3 })
        .map((sequences) => ({ type: "sequence", sequences }) as const),
      anyValue.map((value) => ({ type: "value", value }) as const),
    ),
    footer: fc.option(keys),
  });

  test("fits its bound in an outbox and reads back as it was", () => {
    fc.assert(
      fc.property(messages, (message) => {
        const outbox = new Outbox({ pool: new ChunkPool(), text, armFlush: () => {}, highWaterBytes: 1e9 });
        const bound = messageBytesMax(message);
        outbox.reserve(bound);
        writeMessage(outbox, message);
        expect(outbox.at).toBeLessThanOrEqual(bound);
        const payload = outbox.copyFrom(0);
        expect(hex(payload)).toBe(hex(encodeMessage(text, message)));
        const view = new MessageView(text, payload);
        if (message.properties) expect(view.properties).toMatchObject(message.properties);
        expect(view.messageAnnotations).toEqual(message.messageAnnotations ?? null);
        expect(view.applicationProperties).toEqual(message.applicationProperties ?? null);
        expect(view.footer).toEqual(message.footer ?? null);
        const body = message.body.type === "data" ? { type: "data", data: [message.body.data] } : message.body;
        expect(view.body).toEqual(body);
      }),
      { numRuns: 500 },
    );
  });

  test("that cannot be encoded leaves the writer where it was", () => {
    const outbox = new Outbox({ pool: new ChunkPool(), text, armFlush: () => {}, highWaterBytes: 1e9 });
    outbox.reserve(100);
    outbox.u8(1);
    for (const message of [
      { ...FULL, footer: { x: "\ud800" } },
      { body: { type: "data", data: [] } },
      { body: { type: "no" } },
    ]) {
      expect(codeFrom(() => writeMessage(outbox, message as MessageInput))).toBe("ERR_INVALID_ARGUMENT");
      expect(outbox.at).toBe(1);
    }
  });
});

describe("a malformed message is refused", () => {
  test.each([
    ["a section that is not described", "a0 00"],
    ["an unknown section", "00 53 79 45"],
    ["a symbolic descriptor that is unknown", "00 a3 01 'x' 45"],
    ["a header behind the properties", "00 53 73 45 00 53 70 45"],
    ["two headers", "00 53 70 45 00 53 70 45"],
    ["two values", "00 53 77 40 00 53 77 40"],
    ["data and a value", "00 53 75 a0 00 00 53 77 40"],
    ["data that is text", "00 53 75 a1 00"],
    ["annotations that are a list", "00 53 72 45"],
    ["properties that are a map", "00 53 73 c1 01 00"],
    ["data that ends behind the message", "00 53 75 a0 05 00"],
    ["a sequence that is a map", "00 53 76 c1 01 00"],
  ])("%s", (_, form) => {
    expect(codeFrom(() => new MessageView(text, bytes(form)).check())).toBe("ERR_MALFORMED_PACKET");
  });

  test("sections beyond their number", () => {
    const sections = new Uint8Array(70_000 * 5);
    for (let at = 0; at < sections.length; at += 5) sections.set(bytes("00 53 75 a0 00"), at);
    expect(codeFrom(() => new MessageView(text, sections).check())).toBe("ERR_MALFORMED_PACKET");
  });

  test("sections may have symbolic descriptors and eight-byte ones", () => {
    const view = new MessageView(text, bytes("00 a3 10 'amqp:header:list' 45 00 80 0000000000000075 a0 01 09"));
    expect(view.header?.type).toBe("header");
    expect(view.data).toEqual(Uint8Array.of(9));
  });

  test("bytes at random end in a message or in ERR_MALFORMED_PACKET", () => {
    const mutated = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })).map(([at, byte]) => {
      const whole = encodeMessage(text, FULL);
      whole[at % whole.length] = byte;
      return whole;
    });
    fc.assert(
      fc.property(fc.oneof(mutated, fc.uint8Array()), (input) => {
        expect([null, "ERR_MALFORMED_PACKET"]).toContain(codeFrom(() => new MessageView(text, input).check()));
        void readerOf(input);
      }),
      { numRuns: 3_000 },
    );
  });
});
