import { expect, test } from "vitest";
import { codeFrom, decodeBytes, encodeBytes } from "./codec.test-support.ts";
import { rulesOf } from "./level-5.ts";
import { packetBytes } from "./packet-bytes.test-support.ts";
import { expectReason } from "./reason-codes.ts";

test("AUTH exists at level 5 only", () => {
  expect(codeFrom(() => decodeBytes(packetBytes("f0 00"), 4))).toBe("ERR_MALFORMED_PACKET");
  expect(codeFrom(() => encodeBytes({ type: "auth", reasonCode: 0, properties: null }, 4))).toBe("ERR_AUTH_NOT_V5");
  expect(decodeBytes(packetBytes("f0 00"), 5)).toEqual({ type: "auth", reasonCode: 0, properties: null });
});

test.each([
  ["connack", [0, 1, 2, 3, 4, 5]],
  ["suback", [0, 1, 2, 0x80]],
  ["puback", [0]],
  ["disconnect", [0]],
] as const)("at level 4, %s carries its return codes (3.1.1 §3.2.2.3, §3.9.3)", (packet, wanted) => {
  const codes = Array.from({ length: 256 }, (_, code) => code);
  expect(codes.filter((code) => codeFrom(() => expectReason(rulesOf(4), packet, code)) === null)).toEqual(wanted);
});
