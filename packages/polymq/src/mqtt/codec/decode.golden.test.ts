import { describe, expect, test } from "vitest";
import { isMessagingError, MessagingError } from "../../base/errors.ts";
import { decodeBytes, decodeInChunks, encodeBytes, outcomeOf } from "./codec.test-support.ts";
import { GOLDEN_PACKETS } from "./golden-packets.test-support.ts";
import { PacketType } from "./header.ts";
import type { Packet } from "./packets.ts";

for (const { name, packet, bytes, level } of GOLDEN_PACKETS) {
  describe(`${name} at level ${level}`, () => {
    test("is encoded as the specification lays it out", () => {
      expect(encodeBytes(packet, level)).toEqual(bytes);
    });

    test("is decoded from the bytes that the specification gives it", () => {
      expect(decodeBytes(bytes, level)).toEqual(packet);
    });

    test("comes out the same when it arrives byte by byte", () => {
      expect(decodeInChunks(bytes, 1, level)).toEqual([packet]);
    });

    test("is refused with ERR_MALFORMED_PACKET when it ends before its remaining length says", () => {
      for (let end = 0; end < bytes.length; end++) {
        const outcome = outcomeOf(() => decodeBytes(bytes.slice(0, end), level));
        expect(outcome).toBeInstanceOf(MessagingError);
        expect(outcome).toMatchObject({ code: "ERR_MALFORMED_PACKET" });
      }
    });

    test("ends in a typed error, or is another whole packet, when its body is cut and its length says so", () => {
      const bodyStart = 2;
      for (let end = bodyStart; end < bytes.length; end++) {
        const cut = bytes.slice(0, end);
        cut[1] = end - bodyStart;
        const outcome = outcomeOf(() => decodeBytes(cut, level));
        if (isMessagingError(outcome)) {
          expect(["ERR_MALFORMED_PACKET", "ERR_PROTOCOL_VIOLATION"]).toContain(outcome.code);
        } else {
          // Such as a PUBLISH with less payload: it must then be exactly what its bytes say.
          expect(decodeBytes(encodeBytes(outcome, level), level)).toEqual(outcome);
        }
      }
    });
  });
}

describe.each([4, 5] as const)("a stream of all packets at level %i", (level) => {
  const wanted = GOLDEN_PACKETS.filter((each) => each.level === level);
  const stream = Uint8Array.from(wanted.flatMap((each) => [...each.bytes]));

  test.each([1, 2, 3, 5, 7, 64, 100_000])("comes out whole in chunks of %i bytes", (size) => {
    expect(decodeInChunks(stream, size, level)).toEqual(wanted.map((each) => each.packet));
  });

  test("holds every packet type that the level has", () => {
    const types = new Set(wanted.map((each) => (each.bytes[0] as number) >> 4));
    const missing = Object.values(PacketType).filter((type) => !types.has(type) && !(level === 4 && type === 15));
    expect(missing).toEqual([]);
  });
});

test("a user property named __proto__ stays a pair and touches no prototype", () => {
  const packet: Packet = {
    type: "puback",
    packetId: 1,
    reasonCode: 0,
    properties: {
      userProperties: [
        ["__proto__", "polluted"],
        ["constructor", "polluted"],
      ],
    },
  };
  expect(decodeBytes(encodeBytes(packet, 5), 5)).toEqual(packet);
  expect(({} as Record<string, unknown>)["polluted"]).toBe(undefined);
});
