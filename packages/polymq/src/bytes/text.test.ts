import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { utf8Length, webText } from "./text.ts";

const text = webText();

function written(value: string): Uint8Array {
  const into = new Uint8Array(3 * value.length + 4);
  const bytes = text.write(into, 2, value);
  return into.slice(2, 2 + bytes);
}

describe("webText", () => {
  test.each(["", "plain", "é", "€", "🌍", "mixed é € 🌍 end", "\uFEFFmark"])("writes and reads back %j", (value) => {
    const bytes = written(value);
    expect(bytes).toEqual(new TextEncoder().encode(value));
    expect(text.utf8(bytes, 0, bytes.length)).toBe(value);
  });

  test("reads only the bytes between start and end", () => {
    const bytes = new TextEncoder().encode("ab€cd");
    expect(text.utf8(bytes, 2, 5)).toBe("€");
    expect(text.ascii(bytes, 5, 7)).toBe("cd");
  });

  test("keeps a byte order mark wherever it stands [MQTT-1.5.4-3] [MQTT3-1.5.3-3]", () => {
    const bytes = Uint8Array.of(0xef, 0xbb, 0xbf, 0x61, 0xef, 0xbb, 0xbf);
    expect(text.utf8(bytes, 0, bytes.length)).toBe("\uFEFFa\uFEFF");
  });

  test.each([[[0xff]], [[0xc0, 0x80]], [[0xed, 0xa0, 0x80]], [[0xf4, 0x90, 0x80, 0x80]], [[0xe2, 0x82]]])(
    "throws a TypeError for the ill-formed bytes %j",
    (bytes) => {
      expect(() => text.utf8(Uint8Array.from(bytes), 0, bytes.length)).toThrow(TypeError);
    },
  );

  test("reads well-formed text again after it has refused some", () => {
    expect(() => text.utf8(Uint8Array.of(0xe2, 0x82), 0, 2)).toThrow(TypeError);
    expect(text.utf8(Uint8Array.of(0x61), 0, 1)).toBe("a");
  });
});

describe("utf8Length", () => {
  test("counts a lone surrogate as the three bytes that it is written as", () => {
    for (const value of ["\uD800", "a\uDC00b", "\uD800\uD800", "\uDC00\uD800", "\uD83C"]) {
      expect(utf8Length(value)).toBe(written(value).length);
    }
  });

  test("is the number of bytes written, for any string", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (value) => {
        expect(utf8Length(value)).toBe(new TextEncoder().encode(value).length);
        expect(text.byteLength(value)).toBe(utf8Length(value));
      }),
    );
  });
});
