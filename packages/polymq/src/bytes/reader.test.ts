import { describe, expect, test } from "vitest";
import { ByteReader } from "./reader.ts";
import { webText } from "./text.ts";

const MALFORMED = expect.objectContaining({ code: "ERR_MALFORMED_PACKET" });

function reader(...bytes: number[]): ByteReader {
  return new ByteReader(webText(), Uint8Array.from(bytes));
}

describe("ByteReader", () => {
  test("reads integers with their most significant byte first", () => {
    const r = reader(0xfe, 0x01, 0x02, 0xde, 0xad, 0xbe, 0xef, 0xff, 0xff);
    expect(r.u8()).toBe(0xfe);
    expect(r.u16()).toBe(0x0102);
    expect(r.u32()).toBe(0xdeadbeef);
    expect(r.u16()).toBe(0xffff);
    expect(r.left).toBe(0);
  });

  test.each([
    ["u8", (r: ByteReader) => r.u8(), 0],
    ["u16", (r: ByteReader) => r.u16(), 1],
    ["u32", (r: ByteReader) => r.u32(), 3],
    ["view", (r: ByteReader) => r.view(3), 2],
    ["bytes16", (r: ByteReader) => r.bytes16(), 1],
    ["string16", (r: ByteReader) => r.string16(), 1],
    ["utf8", (r: ByteReader) => r.utf8(2), 1],
  ])("%s never reads behind the window, though the buffer goes on", (_, read, left) => {
    const r = reader(9, 0, 1, 0x61, 0x61, 0x61, 0x61);
    r.reset(r.buffer, 1, 1 + left);
    expect(() => read(r)).toThrow(MALFORMED);
  });

  test("a string whose length reaches behind the window is refused", () => {
    const r = reader(0, 3, 0x61, 0x61, 0x61);
    r.reset(r.buffer, 0, 4);
    expect(() => r.string16()).toThrow(MALFORMED);
  });

  test.each([
    [[0x00], 0],
    [[0x7f], 127],
    [[0x80, 0x01], 128],
    [[0xff, 0x7f], 16_383],
    [[0x80, 0x80, 0x01], 16_384],
    [[0xff, 0xff, 0xff, 0x7f], 268_435_455],
  ])("reads the variable byte integer %j as %i", (bytes, value) => {
    expect(reader(...bytes).varint()).toBe(value);
  });

  test.each([[[0x80, 0x00]], [[0x81, 0x80, 0x00]], [[0xff, 0xff, 0xff, 0x00]]])(
    "refuses the variable byte integer %j, for there is a shorter form [MQTT-1.5.5-1]",
    (bytes) => {
      expect(() => reader(...bytes).varint()).toThrow(MALFORMED);
    },
  );

  test("refuses a variable byte integer of more than four bytes, or one that is cut", () => {
    expect(() => reader(0x80, 0x80, 0x80, 0x80, 0x01).varint()).toThrow(MALFORMED);
    expect(() => reader(0x80).varint()).toThrow(MALFORMED);
    expect(() => reader().varint()).toThrow(MALFORMED);
  });

  test("hands out views, not copies", () => {
    const r = reader(0, 2, 7, 8);
    const view = r.bytes16();
    expect([...view]).toEqual([7, 8]);
    expect(view.buffer).toBe(r.buffer.buffer);
  });

  test.each(["", "plain", "é € 🌍", "\uFEFFmark"])("reads the string %j", (value) => {
    const bytes = new TextEncoder().encode(value);
    expect(reader(0, bytes.length, ...bytes).string16()).toBe(value);
  });

  test.each([[[0x61, 0x00]], [[0x00]], [[0xc3, 0xa9, 0x00]]])(
    "refuses U+0000 in the string %j [MQTT-1.5.4-2] [MQTT3-1.5.3-2]",
    (bytes) => {
      expect(() => reader(0, bytes.length, ...bytes).string16()).toThrow(MALFORMED);
    },
  );

  test.each([[[0x80]], [[0xc0, 0x80]], [[0xed, 0xa0, 0x80]], [[0xe2, 0x82]], [[0xf8, 0x88, 0x80, 0x80, 0x80]]])(
    "refuses the ill-formed string %j [MQTT-1.5.4-1] [MQTT3-1.5.3-1]",
    (bytes) => {
      expect(() => reader(0, bytes.length, ...bytes).string16()).toThrow(MALFORMED);
    },
  );

  test("keeps the converter's error as the cause of its own", () => {
    const error = (() => {
      try {
        return reader(0, 1, 0xff).string16();
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toMatchObject({ code: "ERR_MALFORMED_PACKET", cause: expect.any(TypeError) });
  });
});
