import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { scanUtf8 } from "./utf8-scan.ts";

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** What the platform's own decoder says of the bytes. */
function oracle(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes).includes("\0") ? "null-character" : "none";
  } catch {
    return "ill-formed";
  }
}

/** Zeroes are seen at once and ill-formed bytes when they come, so the first fault in the bytes decides. */
function scan(bytes: Uint8Array): string {
  return scanUtf8(bytes, 0, bytes.length);
}

describe("scanUtf8", () => {
  test.each(["", "plain", "é € 🌍 \u{10FFFF} \uFFFF \uE000 \uD7FF", "\uFEFF"])(
    "finds nothing wrong with %j",
    (value) => {
      expect(scan(new TextEncoder().encode(value))).toBe("none");
    },
  );

  test("finds U+0000", () => {
    expect(scan(Uint8Array.of(0x61, 0x00))).toBe("null-character");
  });

  test.each([
    ["a continuation byte alone", [0x80]],
    ["an overlong form of two bytes", [0xc1, 0xbf]],
    ["an overlong form of three bytes", [0xe0, 0x9f, 0xbf]],
    ["an overlong form of four bytes", [0xf0, 0x8f, 0xbf, 0xbf]],
    ["a surrogate", [0xed, 0xa0, 0x80]],
    ["more than U+10FFFF", [0xf4, 0x90, 0x80, 0x80]],
    ["a lead byte that does not exist", [0xf5, 0x80, 0x80, 0x80]],
    ["a sequence cut by the end", [0xe2, 0x82]],
    ["a sequence cut by a letter", [0xe2, 0x82, 0x61]],
  ])("finds %s", (_, bytes) => {
    expect(scan(Uint8Array.from(bytes))).toBe("ill-formed");
  });

  test("looks only between start and end", () => {
    const bytes = Uint8Array.of(0xff, 0x61, 0xc3, 0xa9, 0xff);
    expect(scanUtf8(bytes, 1, 4)).toBe("none");
    expect(scanUtf8(bytes, 1, 3)).toBe("ill-formed");
  });

  test("agrees with the platform's decoder on every sequence of two bytes", () => {
    const bytes = new Uint8Array(2);
    const differing: string[] = [];
    for (let pair = 0x0101; pair <= 0xffff; pair++) {
      bytes[0] = pair >> 8;
      bytes[1] = pair & 0xff;
      if (bytes[0] !== 0 && bytes[1] !== 0 && scan(bytes) !== oracle(bytes)) differing.push(pair.toString(16));
    }
    expect(differing).toEqual([]);
  });

  test("agrees with the platform's decoder on any bytes without a zero", () => {
    const byte = fc.oneof(
      fc.integer({ min: 1, max: 255 }),
      fc.constantFrom(0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc2, 0xe0, 0xed, 0xef, 0xf0, 0xf4),
    );
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 12 }), (bytes) => {
        expect(scan(Uint8Array.from(bytes))).toBe(oracle(Uint8Array.from(bytes)));
      }),
      { numRuns: 2_000 },
    );
  });
});
