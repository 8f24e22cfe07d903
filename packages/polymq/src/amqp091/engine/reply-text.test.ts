import fc from "fast-check";
import { expect, test } from "vitest";
import { utf8Length } from "../../bytes/text.ts";
import { shortReplyText } from "./reply-text.ts";

test("a reply text that fits is as it was", () => {
  expect(shortReplyText("NOT_FOUND - no queue 'ä'")).toBe("NOT_FOUND - no queue 'ä'");
});

test("any text becomes one that a short string can hold", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 400 }), (text) => {
      const short = shortReplyText(`${text}\0\ud800`);
      expect(utf8Length(short)).toBeLessThanOrEqual(255);
      expect([short.isWellFormed(), short.includes("\0")]).toEqual([true, false]);
    }),
  );
  expect(utf8Length(shortReplyText("x".repeat(300)))).toBe(255);
});
