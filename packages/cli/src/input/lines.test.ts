import fc from "fast-check";
import { expect, test } from "vitest";
import { allOf, linesOf } from "./lines.ts";

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array, void, void> {
  for (let at = 0; at < bytes.length; at += size) yield await Promise.resolve(bytes.subarray(at, at + size));
}

async function textsOf(lines: AsyncIterable<Uint8Array>): Promise<string[]> {
  const texts: string[] = [];
  for await (const line of lines) texts.push(new TextDecoder().decode(line));
  return texts;
}

test("lines are the same however the input is cut, byte by byte too", async () => {
  const word = fc.string({ unit: fc.constantFrom("a", "\n", "é", "\r") });
  await fc.assert(
    fc.asyncProperty(word, fc.integer({ min: 1, max: 5 }), async (text, size) => {
      const expected = text.split("\n");
      // What stands behind the last line end is a line only when there is something.
      if (expected.at(-1) === "") expected.pop();
      expect(await textsOf(linesOf(pieces(new TextEncoder().encode(text), size)))).toEqual(expected);
    }),
  );
});

test("a line above the limit is refused before the rest of it is kept", async () => {
  const bytes = new TextEncoder().encode("abc\nabcd\n");
  await expect(textsOf(linesOf(pieces(bytes, 2), 3))).rejects.toThrow("more than 3 bytes");
});

test("all of the input is one payload, within its limit", async () => {
  const bytes = new TextEncoder().encode("a\nb\n");
  expect(new TextDecoder().decode(await allOf(pieces(bytes, 1)))).toBe("a\nb\n");
  await expect(allOf(pieces(bytes, 1), 3)).rejects.toThrow("more than 3 bytes");
});
