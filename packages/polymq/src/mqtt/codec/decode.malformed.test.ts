import { describe, expect, test } from "vitest";
import { isMessagingError } from "../../base/errors.ts";
import { codeFrom, decodeInChunks, outcomeOf } from "./codec.test-support.ts";
import { MALFORMED_PACKETS } from "./malformed-corpus.test-support.ts";
import { ReasonCode } from "./reason-codes.ts";
import { reasonCodeOf } from "./reason-rules.ts";

describe("forbidden packets", () => {
  for (const { name, level, bytes, code, spec } of MALFORMED_PACKETS) {
    test(`${name} at level ${level} is ${code} ${spec}`, () => {
      expect(codeFrom(() => decodeInChunks(bytes, bytes.length, level))).toBe(code);
    });

    test(`${name} at level ${level} is ${code} byte by byte, too ${spec}`, () => {
      expect(codeFrom(() => decodeInChunks(bytes, 1, level))).toBe(code);
    });
  }

  test("lead to a reason code that a DISCONNECT or a CONNACK can say", () => {
    const codes = new Set<number>();
    for (const { bytes, level } of MALFORMED_PACKETS) {
      const error = outcomeOf(() => decodeInChunks(bytes, bytes.length, level));
      if (isMessagingError(error)) codes.add(reasonCodeOf(error));
    }
    const { MalformedPacket, ProtocolError, UnsupportedProtocolVersion, TopicAliasInvalid, PacketTooLarge } =
      ReasonCode;
    expect([...codes].sort()).toEqual(
      [MalformedPacket, ProtocolError, UnsupportedProtocolVersion, TopicAliasInvalid, PacketTooLarge].sort(),
    );
  });

  test("are at least 150, each under a name of its own", () => {
    const names = MALFORMED_PACKETS.map((each) => `${each.level} ${each.name}`);
    expect(new Set(names).size).toBe(names.length);
    expect(names.length).toBeGreaterThanOrEqual(150);
  });
});
