import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { KEY_WORDS_MAX, KeyTrie } from "./key-trie.ts";

/** The patterns of `patterns` that match, by the trie. */
function found(patterns: readonly string[], key: string): string[] {
  const trie = new KeyTrie<string>();
  for (const pattern of patterns) trie.add(pattern, pattern);
  const out = new Set<string>();
  trie.match(key, out);
  return Array.from(out).sort();
}

/** The rule, word by word. */
function matches(pattern: readonly string[], key: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return key.length === 0;
  if (first === "#") return key.some((_, at) => matches(rest, key.slice(at))) || matches(rest, []);
  return key.length > 0 && (first === "*" || first === key[0]) && matches(rest, key.slice(1));
}

/** An empty key has no words, not one that is empty. */
function wordsOf(key: string): readonly string[] {
  return key === "" ? [] : key.split(".");
}

describe("patterns of words", () => {
  test.each([
    ["a.b", "a.b", true],
    ["a.b", "a.c", false],
    ["*", "a", true],
    ["*", "a.b", false],
    ["*.b", "a.b", true],
    ["#", "", true],
    ["#", "a.b.c", true],
    ["a.#", "a", true],
    ["a.#", "b", false],
    ["a.#.c", "a.c", true],
    ["a.#.c", "a.b.b.c", true],
    ["a.#.c", "a.b.c.d", false],
    ["#.b.#", "a.b", true],
    ["#.*", "a", true],
    ["*.#", "", false],
    ["*", "", false],
    ["", "", true],
    ["#.#", "", true],
    ["a*", "ab", false],
    ["a*", "a*", true],
  ])("%j and the key %j: %s", (pattern, key, isMatch) => {
    expect(found([pattern], key)).toEqual(isMatch ? [pattern] : []);
  });

  const words = fc.constantFrom("a", "b", "");
  const keys = fc.array(words, { minLength: 1, maxLength: 6 });
  const patterns = fc.array(fc.oneof(words, fc.constantFrom("*", "#")), { minLength: 1, maxLength: 6 });

  test("choose what the rule says, however many there are", () => {
    fc.assert(
      fc.property(fc.array(patterns, { maxLength: 12 }), keys, (list, key) => {
        const wanted = new Set(
          list.map((one) => one.join(".")).filter((one) => matches(wordsOf(one), wordsOf(key.join(".")))),
        );
        expect(
          found(
            list.map((one) => one.join(".")),
            key.join("."),
          ),
        ).toEqual(Array.from(wanted).sort());
      }),
      { numRuns: 500 },
    );
  });

  test("leave nothing behind when they go", () => {
    fc.assert(
      fc.property(fc.array(patterns, { maxLength: 12 }), (list) => {
        const trie = new KeyTrie<string>();
        for (const one of list) trie.add(one.join("."), "v");
        for (const one of list) trie.remove(one.join("."), "v");
        expect(trie.isPruned).toBe(true);
        const out = new Set<string>();
        for (const one of list) trie.match(one.join("."), out);
        expect(out.size).toBe(0);
      }),
    );
  });

  test("with many # take no longer than nodes times words", () => {
    const many = Array.from({ length: 60 }, () => "#").join(".a.");
    expect(found([many], Array.from({ length: 120 }, () => "b").join("."))).toEqual([]);
    expect(found([many], Array.from({ length: 120 }, () => "a").join("."))).toEqual([many]);
  });

  test("are not looked at for a key of more words than a name can have", () => {
    expect(found(["#", "x"], Array.from({ length: KEY_WORDS_MAX + 1 }, () => "a").join("."))).toEqual([]);
  });
});
