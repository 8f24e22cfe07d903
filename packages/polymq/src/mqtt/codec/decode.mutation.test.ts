/**
 * Valid packets with bits flipped, bytes put in, taken out and cut, thousands of them from a seed: whatever comes in, either a
 * packet or a `MessagingError` comes out, and what comes out is no larger than what came in.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isMessagingError } from "../../base/errors.ts";
import { codeFrom, decodeBytes, decodeInChunks, encodeBytes, outcomeOf } from "./codec.test-support.ts";
import { GOLDEN_PACKETS } from "./golden-packets.test-support.ts";
import { packetKinds } from "./packet-arbitraries.test-support.ts";
import { packetBytes } from "./packet-bytes.test-support.ts";
import type { ProtocolLevel } from "./packets.ts";
import { PROPERTY_COUNT_MAX } from "./properties.ts";

type Mutation = (bytes: number[]) => number[];

const place = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const byte = fc.integer({ min: 0, max: 255 });

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.tuple(place, fc.integer({ min: 0, max: 7 })).map(
    ([at, bit]): Mutation =>
      (bytes) =>
        bytes.map((each, i) => (i === index(bytes, at) ? each ^ (1 << bit) : each)),
  ),
  fc.tuple(place, byte).map(
    ([at, value]): Mutation =>
      (bytes) =>
        bytes.map((each, i) => (i === index(bytes, at) ? value : each)),
  ),
  fc.tuple(place, fc.array(byte, { minLength: 1, maxLength: 4 })).map(
    ([at, values]): Mutation =>
      (bytes) =>
        bytes.toSpliced(index(bytes, at), 0, ...values),
  ),
  fc.tuple(place, fc.integer({ min: 1, max: 4 })).map(
    ([at, count]): Mutation =>
      (bytes) =>
        bytes.toSpliced(index(bytes, at), count),
  ),
  place.map(
    (at): Mutation =>
      (bytes) =>
        bytes.slice(0, index(bytes, at)),
  ),
);

function index(bytes: readonly number[], at: number): number {
  return Math.floor(at * bytes.length);
}

/** Puts the right remaining length behind the first byte, so that the mutation reaches the packet's inside. */
function mended(bytes: readonly number[], headerBytes: number): Uint8Array {
  const body = bytes.slice(headerBytes);
  const length: number[] = [];
  for (let rest = body.length; ; rest >>= 7) {
    if (rest < 0x80) return Uint8Array.from([bytes[0] ?? 0, ...length, rest, ...body]);
    length.push((rest & 0x7f) | 0x80);
  }
}

/** How much there is in a decoded value: characters, bytes and fields. */
function weight(value: unknown): number {
  if (typeof value === "string") return value.length;
  if (value instanceof Uint8Array) return value.length;
  if (Array.isArray(value)) return value.reduce((sum: number, each) => sum + 1 + weight(each), 0);
  if (typeof value !== "object" || value === null) return 1;
  return Object.values(value).reduce((sum: number, each) => sum + weight(each), 0);
}

/** Fields that a packet has whatever it carries. */
const FIXED_WEIGHT = 40;

function check(bytes: Uint8Array, level: ProtocolLevel): void {
  const outcome = outcomeOf(() => decodeBytes(bytes, level));
  if (isMessagingError(outcome)) return;
  expect(weight(outcome)).toBeLessThanOrEqual(FIXED_WEIGHT + 2 * bytes.length);
  // What is taken can be sent on, and means the same.
  expect(decodeBytes(encodeBytes(outcome, level), level)).toEqual(outcome);
}

describe.each([4, 5] as const)("hostile input at level %i", (level) => {
  const golden = GOLDEN_PACKETS.filter((each) => each.level === level).map((each) => [...each.bytes]);
  const arbitrary = fc.oneof(...Object.values(packetKinds(level))).map((packet) => [...encodeBytes(packet, level)]);
  const source = fc.oneof(fc.constantFrom(...golden), arbitrary);
  const mutations = fc.array(mutation, { minLength: 1, maxLength: 3 });

  test("packets mutated inside end in a packet or a typed error", () => {
    fc.assert(
      fc.property(source, mutations, (bytes, changes) => {
        const headerBytes = (bytes[1] as number) < 0x80 ? 2 : 3;
        check(
          mended(
            changes.reduce((each, change) => change(each), bytes),
            headerBytes,
          ),
          level,
        );
      }),
      { numRuns: 3_000 },
    );
  });

  test("streams mutated anywhere end in packets or a typed error, however they are cut", () => {
    fc.assert(
      fc.property(
        fc.array(source, { maxLength: 4 }),
        mutations,
        fc.integer({ min: 1, max: 50 }),
        (packets, changes, size) => {
          const bytes = Uint8Array.from(changes.reduce((each, change) => change(each), packets.flat()));
          const outcome = outcomeOf(() => decodeInChunks(bytes, size, level));
          if (!isMessagingError(outcome))
            expect(weight(outcome)).toBeLessThanOrEqual((FIXED_WEIGHT + 2) * (bytes.length + 1));
        },
      ),
      { numRuns: 1_000 },
    );
  });

  test("bytes that were never a packet end in a packet or a typed error", () => {
    fc.assert(
      fc.property(fc.array(byte, { minLength: 2, maxLength: 60 }), (bytes) => check(mended(bytes, 1), level)),
      { numRuns: 3_000 },
    );
  });
});

describe("limits", () => {
  const pair = "26 0000 0000".replaceAll(" ", "");

  test(`a PUBLISH with ${PROPERTY_COUNT_MAX} user properties is taken, with one more it is not`, () => {
    const withPairs = (count: number): Uint8Array => packetBytes(`30 [ ('t') [ ${pair.repeat(count)} ] ]`);
    expect(codeFrom(() => decodeBytes(withPairs(PROPERTY_COUNT_MAX), 5))).toBe(null);
    expect(codeFrom(() => decodeBytes(withPairs(PROPERTY_COUNT_MAX + 1), 5))).toBe("ERR_MALFORMED_PACKET");
  });

  test(`a CONNECT with more than ${PROPERTY_COUNT_MAX} user properties is not taken either`, () => {
    const withPairs = (count: number): Uint8Array =>
      packetBytes(`10 [ ('MQTT') 05 02 003c [ ${pair.repeat(count)} ] ('a') ]`);
    expect(codeFrom(() => decodeBytes(withPairs(PROPERTY_COUNT_MAX), 5))).toBe(null);
    expect(codeFrom(() => decodeBytes(withPairs(PROPERTY_COUNT_MAX + 1), 5))).toBe("ERR_MALFORMED_PACKET");
  });

  test("a PUBLISH with too many subscription identifiers is not taken", () => {
    const bytes = packetBytes(`30 [ ('t') [ ${"0b01".repeat(PROPERTY_COUNT_MAX + 1)} ] ]`);
    expect(codeFrom(() => decodeBytes(bytes, 5))).toBe("ERR_MALFORMED_PACKET");
  });

  test("a large packet is decoded without copying its payload", () => {
    const bytes = packetBytes(`30 [ ('t') [] ${"00".repeat(50_000)} ]`);
    const packet = decodeBytes(bytes, 5);
    expect(packet.type === "publish" && packet.payload.buffer === bytes.buffer).toBe(true);
  });
});
