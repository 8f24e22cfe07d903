import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isMessagingError } from "../../base/errors.ts";
import { ByteReader } from "../../bytes/reader.ts";
import { ByteWriter } from "../../bytes/writer.ts";
import { anyMethod, hex, METHOD_NAMES, methodFrame, mutated, TEXT } from "./amqp091-arbitraries.test-support.ts";
import { decodeMethod, encodeMethod, methodName, methodRow, peekMethodName } from "./method-codec.ts";
import type { Method } from "./method-types.ts";

function decodedFrame(frame: Uint8Array): Method {
  const r = new ByteReader(TEXT);
  r.reset(frame, 7, frame.length - 1);
  return decodeMethod(r);
}

const EMPTY = "00000000";

/** Methods beside the payload that the specification gives them. */
const GOLDEN: readonly (readonly [payload: string, method: Method])[] = [
  [
    `000a 000a 00 09 00000010 07 'product' 'S' 00000003 'abc' 0000000e 'PLAIN AMQPLAIN' 00000005 'en_US'`,
    {
      method: "connection.start",
      versionMajor: 0,
      versionMinor: 9,
      serverProperties: { product: "abc" },
      mechanisms: "PLAIN AMQPLAIN",
      locales: "en_US",
    },
  ],
  [
    `000a 000b ${EMPTY} 05 'PLAIN' 00000004 00 'a' 00 'b' 05 'en_US'`,
    {
      method: "connection.start-ok",
      clientProperties: {},
      mechanism: "PLAIN",
      response: hex("00 'a' 00 'b'"),
      locale: "en_US",
    },
  ],
  ["000a 001e 07ff 00020000 003c", { method: "connection.tune", channelMax: 2047, frameMax: 131_072, heartbeat: 60 }],
  ["000a 0028 01 '/' 00 00", { method: "connection.open", virtualHost: "/" }],
  [
    "000a 0032 00c8 03 'bye' 003c 0028",
    { method: "connection.close", replyCode: 200, replyText: "bye", classId: 60, methodId: 40 },
  ],
  ["000a 003c 03 'mem'", { method: "connection.blocked", reason: "mem" }],
  ["000a 003d", { method: "connection.unblocked" }],
  ["000a 0046 00000002 01ff 01 'r'", { method: "connection.update-secret", newSecret: hex("01ff"), reason: "r" }],
  ["000a 0047", { method: "connection.update-secret-ok" }],
  ["0014 000a 00", { method: "channel.open" }],
  ["0014 000b 00000000", { method: "channel.open-ok" }],
  ["0014 0014 01", { method: "channel.flow", active: true }],
  [
    `0028 000a 0000 01 'x' 05 'topic' 1a ${EMPTY}`,
    {
      method: "exchange.declare",
      exchange: "x",
      type: "topic",
      passive: false,
      durable: true,
      autoDelete: false,
      internal: true,
      noWait: true,
      arguments: {},
    },
  ],
  [
    `0028 001e 0000 01 'd' 01 's' 01 'k' 00 ${EMPTY}`,
    { method: "exchange.bind", destination: "d", source: "s", routingKey: "k", noWait: false, arguments: {} },
  ],
  [
    `0032 000a 0000 01 'q' 0d ${EMPTY}`,
    {
      method: "queue.declare",
      queue: "q",
      passive: true,
      durable: false,
      exclusive: true,
      autoDelete: true,
      noWait: false,
      arguments: {},
    },
  ],
  [
    "0032 000b 01 'q' 00000007 ffffffff",
    { method: "queue.declare-ok", queue: "q", messageCount: 7, consumerCount: 4_294_967_295 },
  ],
  ["003c 000a 00000000 0020 01", { method: "basic.qos", prefetchSize: 0, prefetchCount: 32, global: true }],
  [
    "003c 003c 02 'c1' 0000000100000002 01 01 'x' 01 'k'",
    {
      method: "basic.deliver",
      consumerTag: "c1",
      deliveryTag: 4_294_967_298,
      redelivered: true,
      exchange: "x",
      routingKey: "k",
    },
  ],
  [
    "003c 0028 0000 00 01 'q' 01",
    { method: "basic.publish", exchange: "", routingKey: "q", mandatory: true, immediate: false },
  ],
  ["003c 0078 0000000000000005 03", { method: "basic.nack", deliveryTag: 5, multiple: true, requeue: true }],
  ["0055 000a 01", { method: "confirm.select", noWait: true }],
  ["005a 0014", { method: "tx.commit" }],
];

describe("a method", () => {
  test.each(GOLDEN)("%s is written and read (§1.8)", (payload, method) => {
    const body = hex(payload);
    const frame = methodFrame(method, 3);
    expect(frame).toEqual(Uint8Array.of(1, 0, 3, 0, 0, body.length >> 8, body.length & 255, ...body, 0xce));
    expect(decodedFrame(frame)).toEqual(method);
  });

  test.each(METHOD_NAMES)("%s comes back with any arguments", (name) => {
    fc.assert(
      fc.property(anyMethod(name), (method) => {
        expect(decodedFrame(methodFrame(method))).toEqual(method);
      }),
      { numRuns: 40 },
    );
  });

  test("is found by its numbers, which no other has", () => {
    const ids = METHOD_NAMES.map((name) => methodRow(name).id);
    expect(ids.map(([classId, methodId]) => methodName(classId, methodId))).toEqual(METHOD_NAMES);
    expect(methodName(60, 99)).toBeUndefined();
    expect(peekMethodName(hex("003c 0028"), 0, 4)).toBe("basic.publish");
    expect(peekMethodName(hex("003c 00"), 0, 3)).toBeUndefined();
  });

  test("has replies that the other side may send", () => {
    for (const name of METHOD_NAMES) {
      for (const reply of methodRow(name).replies) {
        const [from, back] = [methodRow(name).from, methodRow(reply).from];
        expect([name, reply, from === "both" || back === "both" || from !== back]).toEqual([name, reply, true]);
      }
    }
  });
});

describe("a malformed method", () => {
  test.each([
    ["003c 0063", "ERR_UNKNOWN_METHOD", "an unknown method"],
    ["0063 000a", "ERR_UNKNOWN_METHOD", "an unknown class"],
    ["003c", "ERR_MALFORMED_PACKET", "a class without a method"],
    ["003c 0050 00", "ERR_MALFORMED_PACKET", "a delivery tag cut short"],
    ["003c 0050 0000000000000001", "ERR_MALFORMED_PACKET", "bits that are missing"],
    ["003c 0050 0000000000000001 00 00", "ERR_MALFORMED_PACKET", "a byte too many"],
    ["003c 0050 ffffffffffffffff 00", "ERR_MALFORMED_PACKET", "a delivery tag above 2^53 - 1"],
    ["003c 003c ff 'c'", "ERR_MALFORMED_PACKET", "a short string longer than the frame"],
    ["003c 001f 01 00", "ERR_MALFORMED_PACKET", "a short string with U+0000"],
    ["003c 001f 01 ff", "ERR_MALFORMED_PACKET", "a short string of ill-formed UTF-8"],
    ["000a 0014 ffffffff 00", "ERR_MALFORMED_PACKET", "a long string of 2^32 - 1 bytes"],
    ["000a 000a 00 09 00000000 00000001 ff 00000000", "ERR_MALFORMED_PACKET", "ill-formed UTF-8 as mechanisms"],
    ["000a 000b ffffffff 05 'PLAIN'", "ERR_MALFORMED_PACKET", "a table of 2^32 - 1 bytes"],
  ])("%s ends in %s: %s", (payload, code) => {
    expect(() => decodeMethod(new ByteReader(TEXT, hex(payload)))).toThrow(expect.objectContaining({ code }));
  });

  test("any bytes end in a method or in one typed error", () => {
    const anything = fc
      .constantFrom(...METHOD_NAMES)
      .chain(anyMethod)
      .chain((method) => mutated(methodFrame(method).slice(7, -1)));
    fc.assert(
      fc.property(anything, (payload) => {
        try {
          decodeMethod(new ByteReader(TEXT, payload));
        } catch (error) {
          expect(isMessagingError(error) && error.code).toMatch(/^ERR_(?:MALFORMED_PACKET|UNKNOWN_METHOD)$/);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("a method that cannot be encoded", () => {
  test.each<[string, unknown, string]>([
    ["a missing argument", { method: "basic.ack", deliveryTag: 1 }, "ERR_INVALID_ARGUMENT"],
    [
      "a negative number",
      { method: "basic.qos", prefetchSize: 0, prefetchCount: -1, global: false },
      "ERR_INVALID_ARGUMENT",
    ],
    [
      "a number above its type",
      { method: "basic.qos", prefetchSize: 0, prefetchCount: 65_536, global: false },
      "ERR_INVALID_ARGUMENT",
    ],
    ["a name above 255 bytes", { method: "basic.get", queue: "é".repeat(128), noAck: false }, "ERR_INVALID_ARGUMENT"],
    ["a name that is no string", { method: "basic.get", queue: 5, noAck: false }, "ERR_INVALID_ARGUMENT"],
    ["an unknown method", { method: "basic.fly" }, "ERR_INVALID_ARGUMENT"],
    [
      "a frame larger than the peer takes",
      { method: "connection.update-secret", newSecret: new Uint8Array(4096), reason: "" },
      "ERR_PACKET_TOO_LARGE",
    ],
  ])("%s writes nothing", (_, method, code) => {
    const w = new ByteWriter(TEXT, 16);
    expect(() => encodeMethod(w, 1, method as Method, 4096)).toThrow(expect.objectContaining({ code }));
    expect(w.at).toBe(0);
  });
});
