import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isMessagingError } from "../../base/errors.ts";
import { ByteReader } from "../../bytes/reader.ts";
import { ByteWriter } from "../../bytes/writer.ts";
import { AckReader } from "./ack-reader.ts";
import {
  anyMethod,
  anyProperties,
  frameOf,
  hex,
  joined,
  methodFrame,
  mutated,
  TEXT,
} from "./amqp091-arbitraries.test-support.ts";
import { Content } from "./content.ts";
import { ContentWriter, PublishFlag } from "./content-writer.ts";
import { decodeMethod } from "./method-codec.ts";
import type { Method, MethodOf } from "./method-types.ts";
import { encodeProperties, NO_PROPERTIES } from "./properties.ts";
import { RouteDecoder } from "./route-decoder.ts";
import { RouteEncoder } from "./route-encoder.ts";
import { shortStringBytes } from "./strings.ts";

function content(): Content<string, string> {
  return new Content({ text: TEXT, routes: new RouteDecoder(TEXT) });
}

function shortString(text: string): Uint8Array {
  return shortStringBytes(TEXT, text, "text");
}

/** A message as the method table and plain arithmetic give it. */
function expectedMessage(
  channel: number,
  method: Method,
  block: Uint8Array,
  body: Uint8Array,
  frameMax: number,
): Uint8Array {
  const size = Uint8Array.of(0, 0, 0, 0, body.length >>> 24, body.length >>> 16, body.length >>> 8, body.length);
  const bodies: Uint8Array[] = [];
  for (let at = 0; at < body.length; at += frameMax - 8)
    bodies.push(frameOf(3, channel, body.slice(at, at + frameMax - 8)));
  return joined(methodFrame(method, channel), frameOf(2, channel, joined(hex("003c 0000"), size, block)), ...bodies);
}

function written(frameMax: number, write: (writer: ContentWriter) => number | undefined): Uint8Array {
  const w = new ByteWriter(TEXT, 16);
  const bytes = write(new ContentWriter(w, frameMax));
  if (bytes !== undefined) expect(bytes).toBe(w.at);
  return w.copyFrom(0);
}

const body = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.constantFrom(4087, 4088, 4089, 8176, 8177, 20_000).map((length) => new Uint8Array(length).fill(7)),
);

describe("messages written in one go are what the method table writes", () => {
  test("basic.publish", () => {
    const publish = anyMethod("basic.publish") as fc.Arbitrary<MethodOf<"basic.publish">>;
    fc.assert(
      fc.property(publish, anyProperties(), body, fc.nat(65_535), (method, properties, bytes, channel) => {
        const block = encodeProperties(TEXT, properties);
        const route = new RouteEncoder(TEXT).encode(method.exchange, method.routingKey);
        const flags = (method.mandatory ? PublishFlag.Mandatory : 0) | (method.immediate ? PublishFlag.Immediate : 0);
        const out = written(4096, (w) => w.publish(channel, route, flags, block, bytes));
        expect(Buffer.compare(out, expectedMessage(channel, method, block, bytes, 4096))).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  test("basic.deliver", () => {
    const deliver = anyMethod("basic.deliver") as fc.Arbitrary<MethodOf<"basic.deliver">>;
    fc.assert(
      fc.property(deliver, body, (method, bytes) => {
        const route = new RouteEncoder(TEXT).encode(method.exchange, method.routingKey);
        const tag = shortString(method.consumerTag);
        const out = written(5000, (w) =>
          w.deliver(9, tag, method.deliveryTag, method.redelivered, route, NO_PROPERTIES, bytes),
        );
        expect(Buffer.compare(out, expectedMessage(9, method, NO_PROPERTIES, bytes, 5000))).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  test("basic.get-ok and basic.return", () => {
    const methods = fc.tuple(anyMethod("basic.get-ok"), anyMethod("basic.return"), body);
    fc.assert(
      fc.property(methods, ([get, back, bytes]) => {
        const got = get as MethodOf<"basic.get-ok">;
        const returned = back as MethodOf<"basic.return">;
        const routes = new RouteEncoder(TEXT);
        const getOk = written(4096, (w) =>
          w.getOk(1, got, routes.encode(got.exchange, got.routingKey), NO_PROPERTIES, bytes),
        );
        expect(Buffer.compare(getOk, expectedMessage(1, got, NO_PROPERTIES, bytes, 4096))).toBe(0);
        const reply = { replyCode: returned.replyCode, replyText: shortString(returned.replyText) };
        const route = routes.encode(returned.exchange, returned.routingKey);
        const out = written(4096, (w) => w.returned(1, reply, route, NO_PROPERTIES, bytes));
        expect(Buffer.compare(out, expectedMessage(1, returned, NO_PROPERTIES, bytes, 4096))).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  test("basic.ack and basic.nack", () => {
    const methods = fc.tuple(anyMethod("basic.ack"), anyMethod("basic.nack"));
    fc.assert(
      fc.property(methods, ([first, second]) => {
        const ack = first as MethodOf<"basic.ack">;
        const nack = second as MethodOf<"basic.nack">;
        expect(written(4096, (w) => void w.ack(2, ack.deliveryTag, ack.multiple))).toEqual(methodFrame(ack, 2));
        const out = written(4096, (w) => void w.nack(2, nack.deliveryTag, nack.multiple, nack.requeue));
        expect(out).toEqual(methodFrame(nack, 2));
      }),
    );
  });

  test("properties that need a larger frame than the peer takes write nothing", () => {
    const w = new ByteWriter(TEXT, 16);
    const block = encodeProperties(TEXT, { headers: { big: "x".repeat(4096) } });
    expect(() => new ContentWriter(w, 4096).publish(1, hex("0000"), 0, block, hex("01"))).toThrow(
      expect.objectContaining({ code: "ERR_PACKET_TOO_LARGE" }),
    );
    expect(w.at).toBe(0);
  });
});

/** The fields of a content method, or the error's code. */
function readInPlace(payload: Uint8Array): unknown {
  const out = content();
  try {
    if (!out.readMethod(payload, 0, payload.length)) return "not content";
  } catch (error) {
    return isMessagingError(error) ? error.code : String(error);
  }
  const {
    kind,
    route,
    consumerTag,
    deliveryTag,
    redelivered,
    messageCount,
    mandatory,
    immediate,
    replyCode,
    replyText,
  } = out;
  const names = { exchange: route.exchange, routingKey: route.routingKey };
  switch (kind) {
    case "basic.deliver":
      return { method: kind, consumerTag: consumerTag.name, deliveryTag, redelivered, ...names };
    case "basic.publish":
      return { method: kind, ...names, mandatory, immediate };
    case "basic.get-ok":
      return { method: kind, deliveryTag, redelivered, ...names, messageCount };
    default:
      return { method: kind, replyCode, replyText, ...names };
  }
}

function decodedByTable(payload: Uint8Array): unknown {
  try {
    return decodeMethod(new ByteReader(TEXT, payload));
  } catch (error) {
    return isMessagingError(error) ? error.code : String(error);
  }
}

describe("methods read in place are what the method table reads", () => {
  test.each(["basic.publish", "basic.deliver", "basic.get-ok", "basic.return"] as const)("%s", (name) => {
    const payload = anyMethod(name).chain((method) => {
      const bytes = methodFrame(method).slice(7, -1);
      return fc.oneof(fc.constant(bytes), mutated(bytes));
    });
    fc.assert(
      fc.property(payload, (bytes) => {
        const found = readInPlace(bytes);
        if (found !== "not content") expect(found).toEqual(decodedByTable(bytes));
      }),
      { numRuns: 300 },
    );
  });

  test.each(["basic.ack", "basic.nack", "basic.reject"] as const)("%s", (name) => {
    const reader = new AckReader();
    fc.assert(
      fc.property(anyMethod(name), (method) => {
        const payload = methodFrame(method).slice(7, -1);
        expect(reader.read(payload, 0, payload.length)).toBe(true);
        const { settlement, deliveryTag, multiple, requeue } = reader;
        expect({ method: `basic.${settlement}`, deliveryTag, multiple, requeue }).toEqual({
          multiple: false,
          requeue: false,
          ...method,
        });
      }),
    );
  });

  test("an acknowledgement of another length is left to the table", () => {
    expect(new AckReader().read(hex("003c 0050 0000000000000001 00 00"), 0, 14)).toBe(false);
    expect(new AckReader().read(hex("003c 0051 0000000000000001 00"), 0, 13)).toBe(false);
  });

  test("names seen before are the same entries", () => {
    const out = content();
    const payload = hex("003c 003c 01 'c' 0000000000000001 00 01 'x' 01 'k'");
    out.readMethod(payload, 0, payload.length);
    const { route, consumerTag } = out;
    route.value = "r";
    consumerTag.value = "c";
    out.readMethod(payload.slice(), 0, payload.length);
    expect([out.route === route, out.consumerTag === consumerTag]).toEqual([true, true]);
    expect(route.bytes).toEqual(hex("01 'x' 01 'k'"));
  });

  test("a route whose bytes another split of names shares is told apart", () => {
    const routes = new RouteDecoder(TEXT);
    const first = routes.decode(hex("01 'a' 02 'bc'"), 0, 5);
    const second = routes.decode(hex("02 'ab' 01 'c'"), 0, 5);
    expect([first.exchange, first.routingKey, second.exchange, second.routingKey]).toEqual(["a", "bc", "ab", "c"]);
  });
});

describe("a content header", () => {
  test("tells the body's size and where the properties stand", () => {
    const out = content();
    out.readHeader(hex("003c 0000 0000000000000102 1000 02"), 0, 15);
    expect([out.bodyBytes, out.propertiesStart, out.propertiesEnd]).toEqual([258, 12, 15]);
  });

  test.each([
    ["003d 0000 0000000000000000 0000", "ERR_FRAME_ERROR", "another class"],
    ["003c 0001 0000000000000000 0000", "ERR_FRAME_ERROR", "a weight"],
    ["003c 0000 ffffffffffffffff 0000", "ERR_MALFORMED_PACKET", "a body of 2^64 - 1 bytes"],
    ["003c 0000 0000000000000000", "ERR_MALFORMED_PACKET", "no flags"],
  ])("%s ends in %s: %s", (notation, code) => {
    const bytes = hex(notation);
    expect(() => content().readHeader(bytes, 0, bytes.length)).toThrow(expect.objectContaining({ code }));
  });
});

describe("the route encoder", () => {
  test("gives shared bytes for a route seen before, under any exchange", () => {
    const routes = new RouteEncoder(TEXT, 4);
    const first = routes.encode("x", "k");
    expect(first).toEqual(hex("01 'x' 01 'k'"));
    routes.encode("y", "l");
    expect(routes.encode("x", "k")).toBe(first);
    expect(routes.encode("z", "k")).toEqual(hex("01 'z' 01 'k'"));
    expect(routes.encode("x", "k")).toEqual(first);
  });

  test("keeps no more routes than allowed", () => {
    const routes = new RouteEncoder(TEXT, 8);
    for (let i = 0; i < 100; i++) routes.encode("x", `key-${i}`);
    expect(routes.size).toBeLessThanOrEqual(8);
  });

  test.each([
    ["x".repeat(256), "k"],
    ["x", "k".repeat(256)],
    ["x", "\0"],
    ["x", "\udc00"],
  ])("refuses names that no short string can hold", (exchange, key) => {
    expect(() => new RouteEncoder(TEXT).encode(exchange, key)).toThrow(
      expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }),
    );
  });
});

test("what is published one after the other is written as if each message were the first", () => {
  const routes = [hex("0000"), hex("0000"), hex("01610162")];
  const blocks = [NO_PROPERTIES, encodeProperties(TEXT, { type: "t" }), encodeProperties(TEXT, { type: "u" })];
  const message = fc.record({
    channel: fc.constantFrom(1, 300),
    route: fc.constantFrom(...routes),
    flags: fc.constantFrom(0, PublishFlag.Mandatory),
    block: fc.constantFrom(...blocks),
    body: fc.constantFrom(hex(""), hex("01"), new Uint8Array(5_000).fill(7)),
    times: fc.integer({ min: 1, max: 4 }),
  });
  fc.assert(
    fc.property(fc.array(message, { maxLength: 12 }), (messages) => {
      const w = new ByteWriter(TEXT, 16);
      const writer = new ContentWriter(w, 4_096);
      const alone: Uint8Array[] = [];
      for (const { channel, route, flags, block, body, times } of messages) {
        for (let i = 0; i < times; i++) {
          writer.publish(channel, route, flags, block, body);
          alone.push(written(4_096, (fresh) => fresh.publish(channel, route, flags, block, body)));
        }
      }
      expect(w.copyFrom(0)).toEqual(joined(...alone));
    }),
  );
});
