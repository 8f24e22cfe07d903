import { describe, expect, test } from "vitest";
import { webText } from "./text.ts";
import { ByteWriter, VARINT_MAX, varintBytes } from "./writer.ts";

function writer(bytes = 0): ByteWriter {
  const w = new ByteWriter(webText(), bytes);
  w.reserve(64);
  return w;
}

describe("ByteWriter", () => {
  test("writes integers with their most significant byte first", () => {
    const w = writer();
    w.u8(0xfe);
    w.u16(0x0102);
    w.u16(0xffff);
    w.u32(0xdeadbeef);
    w.u32(0);
    expect(w.copyFrom(0)).toEqual(
      Uint8Array.of(0xfe, 0x01, 0x02, 0xff, 0xff, 0xde, 0xad, 0xbe, 0xef, 0x00, 0x00, 0x00, 0x00),
    );
  });

  test.each([
    [0, [0x00]],
    [127, [0x7f]],
    [128, [0x80, 0x01]],
    [16_383, [0xff, 0x7f]],
    [16_384, [0x80, 0x80, 0x01]],
    [2_097_151, [0xff, 0xff, 0x7f]],
    [2_097_152, [0x80, 0x80, 0x80, 0x01]],
    [VARINT_MAX, [0xff, 0xff, 0xff, 0x7f]],
  ])("writes %i as the shortest variable byte integer [MQTT-1.5.5-1]", (value, bytes) => {
    const w = writer();
    w.varint(value);
    expect([...w.copyFrom(0)]).toEqual(bytes);
    expect(varintBytes(value)).toBe(bytes.length);
  });

  test.each(["", "short", "é and 🌍", "x".repeat(64), "x".repeat(65), `${"x".repeat(63)}é`])(
    "writes the string %j behind its length",
    (value) => {
      const w = writer();
      w.reserve(2 + 3 * value.length);
      w.string16(value);
      const utf8 = new TextEncoder().encode(value);
      expect(w.copyFrom(0)).toEqual(Uint8Array.of(utf8.length >> 8, utf8.length & 0xff, ...utf8));
    },
  );

  test("writes a string of 65,535 bytes and refuses one more, before it moves", () => {
    const w = writer();
    w.reserve(70_000);
    w.string16("x".repeat(65_535));
    expect(w.at).toBe(65_537);
    w.at = 5;
    expect(() => w.string16("x".repeat(65_536))).toThrow(expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }));
    expect(w.at).toBe(5);
  });

  test("refuses binary data of more than 65,535 bytes before it moves", () => {
    const w = writer();
    expect(() => w.bytes16(new Uint8Array(65_536))).toThrow(expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }));
    expect(w.at).toBe(0);
  });

  test("writes bytes with and without their length", () => {
    const w = writer();
    w.bytes(Uint8Array.of(1, 2));
    w.bytes16(Uint8Array.of(3));
    w.bytes16(new Uint8Array(0));
    expect([...w.copyFrom(0)]).toEqual([1, 2, 0, 1, 3, 0, 0]);
  });

  test("takes large payloads without room made before", () => {
    const w = new ByteWriter(webText(), 1);
    w.u8(1);
    w.large(Uint8Array.of(2, 3), true);
    w.large(Uint8Array.of(4, 5), false);
    expect([...w.copyFrom(0)]).toEqual([1, 2, 3, 4, 5]);
  });

  test("keeps what it has written when it grows", () => {
    const w = new ByteWriter(webText(), 2);
    w.u16(0xabcd);
    w.reserve(1);
    w.u8(1);
    w.reserve(1_000);
    expect(w.buffer.length).toBeGreaterThanOrEqual(1_003);
    expect([...w.copyFrom(0)]).toEqual([0xab, 0xcd, 1]);
  });

  test("does not reallocate while there is room", () => {
    const w = new ByteWriter(webText(), 8);
    const before = w.buffer;
    w.reserve(8);
    expect(w.buffer).toBe(before);
  });

  test("copies from a mark, detached from its buffer", () => {
    const w = writer();
    w.u8(1);
    w.u8(2);
    const copy = w.copyFrom(1);
    w.at = 1;
    w.u8(9);
    expect([...copy]).toEqual([2]);
  });
});
