import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { webText } from "../../bytes/text.ts";
import { nodeText } from "./text.ts";

const node = nodeText();
const web = webText();

/** Any UTF-16, lone surrogates too. */
const anyText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 300 }),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 100 }).map((units) => String.fromCharCode(...units)),
  fc.string({ unit: "grapheme", maxLength: 200 }),
);

/** Bytes near the rules of UTF-8: valid text with a few bytes replaced, or anything at all. */
const nearUtf8 = fc.oneof(
  fc.uint8Array({ maxLength: 64 }),
  fc
    .tuple(fc.string({ unit: "grapheme", minLength: 1, maxLength: 30 }), fc.nat(), fc.integer({ min: 0, max: 255 }))
    .map(([text, at, byte]) => {
      const bytes = new TextEncoder().encode(text);
      bytes[at % bytes.length] = byte;
      return bytes;
    }),
);

function attempt(read: () => string): string | TypeError {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return new TypeError("ill-formed");
  }
}

describe("nodeText", () => {
  test("uses the runtime's own conversions here", () => {
    expect(node.ascii).not.toBe(web.ascii);
  });

  test("counts bytes as webText does", () => {
    fc.assert(fc.property(anyText, (text) => node.byteLength(text) === web.byteLength(text)));
  });

  test("writes the same bytes as webText, at any place", () => {
    fc.assert(
      fc.property(anyText, fc.nat({ max: 9 }), (text, at) => {
        const room = at + web.byteLength(text) + 3;
        const a = new Uint8Array(room).fill(0x55);
        const b = new Uint8Array(room).fill(0x55);
        expect(node.write(a, at, text)).toBe(web.write(b, at, text));
        expect(a).toEqual(b);
      }),
    );
  });

  test("writes exactly the bytes it counted", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const bytes = node.byteLength(text);
        expect(node.write(new Uint8Array(bytes), 0, text)).toBe(bytes);
      }),
    );
  });

  test("reads ASCII as webText does, from a plain view in the middle of a buffer", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary-ascii" }), (text) => {
        const bytes = new TextEncoder().encode(`<<${text}>>`);
        const view = bytes.subarray(1);
        expect(node.ascii(view, 1, 1 + text.length)).toBe(text);
      }),
    );
  });

  test("accepts, refuses and reads UTF-8 as webText does", () => {
    fc.assert(
      fc.property(nearUtf8, (bytes) => {
        const expected = attempt(() => web.utf8(bytes, 0, bytes.length));
        expect(attempt(() => node.utf8(bytes, 0, bytes.length))).toEqual(expected);
      }),
      { numRuns: 2_000 },
    );
  });

  test.each<[string, number[]]>([
    ["an encoded surrogate [MQTT-1.5.4-1]", [0xed, 0xa0, 0x80]],
    ["a longer form than needed", [0xc0, 0xaf]],
    ["a code point above U+10FFFF", [0xf4, 0x90, 0x80, 0x80]],
    ["a cut sequence", [0x61, 0xe2, 0x82]],
    ["a lone continuation byte", [0x80]],
  ])("refuses %s with a TypeError", (_, bytes) => {
    for (const codec of [node, web]) {
      expect(() => codec.utf8(Uint8Array.from(bytes), 0, bytes.length)).toThrow(TypeError);
    }
  });

  test("keeps a byte order mark, and a real U+FFFD is no error [MQTT-1.5.4-3]", () => {
    const bytes = new TextEncoder().encode("\ufeffa\ufffd");
    for (const codec of [node, web]) expect(codec.utf8(bytes, 0, bytes.length)).toBe("\ufeffa\ufffd");
  });
});
