import fc from "fast-check";
import { isMessagingError } from "polymq/internal";
import { describe, expect, test } from "vitest";
import { checkFilter, FILTER_LEVELS_MAX, TopicTrie } from "./topic-trie.ts";

function matches(filter: string, topic: string): boolean {
  const trie = new TopicTrie<number>();
  trie.set(filter, "k", 1);
  const out: number[] = [];
  trie.match(topic, out);
  return out.length === 1;
}

/** The rules in their plainest form. */
function naive(filter: string, topic: string): boolean {
  const f = filter.split("/");
  const t = topic.split("/");
  if (topic.startsWith("$") && (f[0] === "+" || f[0] === "#")) return false;
  for (const [i, level] of f.entries()) {
    if (level === "#") return t.length >= i;
    if (i >= t.length || (level !== "+" && level !== t[i])) return false;
  }
  return f.length === t.length;
}

const level = fc.constantFrom("", "a", "b", "c", "$sys", "__proto__", "constructor");
const topics = fc.array(level, { minLength: 1, maxLength: 5 }).map((levels) => levels.join("/"));
const filters = fc
  .tuple(fc.array(fc.oneof(level, fc.constant("+")), { minLength: 1, maxLength: 5 }), fc.boolean())
  .map(([levels, rest]) => (rest ? [...levels, "#"] : levels).join("/"))
  .filter((filter) => filter !== "");

describe("matching", () => {
  test.each([
    ["a/b", "a/b"],
    ["a/+", "a/b"],
    ["a/+", "a/"],
    ["+/b", "a/b"],
    ["+/b", "/b"],
    ["+/+", "/"],
    ["+", "a"],
    ["#", "a"],
    ["#", "a/b/c"],
    ["a/#", "a/b/c"],
    ["a/#", "a"],
    ["a/+/#", "a/b"],
    ["$sys/#", "$sys/a"],
    ["$sys/+", "$sys/a"],
    ["__proto__/+", "__proto__/toString"],
    ["ä/+", "ä/ö"],
  ])("%s matches %s", (filter, topic) => {
    expect(matches(filter, topic)).toBe(true);
  });

  test.each([
    ["a/b", "a"],
    ["a/+", "a"],
    ["a/+", "a/b/c"],
    ["+", "a/b"],
    ["+", "/a"],
    ["a/#", "ab"],
    ["a/+/#", "a"],
    ["#", "$sys/a"],
    ["+/a", "$sys/a"],
    ["+", "$sys"],
    ["a", "A"],
    ["+/+", "constructor"],
  ])("%s does not match %s", (filter, topic) => {
    expect(matches(filter, topic)).toBe(false);
  });

  test("any set of filters matches as each filter does by itself, also after removals", () => {
    fc.assert(
      fc.property(fc.uniqueArray(filters, { maxLength: 30 }), fc.array(topics), fc.nat(), (all, asked, seed) => {
        const trie = new TopicTrie<string>();
        for (const filter of all) trie.set(filter, "k", filter);
        const gone = all.filter((_, i) => (seed >> (i % 20)) % 2 === 1);
        for (const filter of gone) expect(trie.remove(filter, "k")).toBe(filter);
        const left = all.filter((filter) => !gone.includes(filter));
        for (const topic of asked) {
          const out: string[] = [];
          trie.match(topic, out);
          expect(out.sort()).toEqual(left.filter((filter) => naive(filter, topic)).sort());
        }
        expect(trie.size).toBe(left.length);
        for (const filter of left) trie.remove(filter, "k");
        expect(trie.isPruned).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});

describe("holding values", () => {
  test("a filter holds a value per key", () => {
    const trie = new TopicTrie<number>();
    trie.set("a/+", "x", 1);
    trie.set("a/+", "y", 2);
    trie.set("a/b", "x", 3);
    const out: number[] = [];
    trie.match("a/b", out);
    expect(out.sort()).toEqual([1, 2, 3]);
    expect(trie.size).toBe(3);
  });

  test("a value under the same filter and key is replaced and given back", () => {
    const trie = new TopicTrie<number>();
    expect(trie.set("a/#", "x", 1)).toBeUndefined();
    expect(trie.set("a/#", "x", 2)).toBe(1);
    expect([trie.size, trie.get("a/#", "x")]).toEqual([1, 2]);
  });

  test("removing what is not there changes nothing", () => {
    const trie = new TopicTrie<number>();
    trie.set("a/b/+", "x", 1);
    expect(trie.remove("a/b", "x")).toBeUndefined();
    expect(trie.remove("a/b/#", "x")).toBeUndefined();
    expect(trie.remove("a/b/+", "y")).toBeUndefined();
    expect(trie.remove("q/+/r", "x")).toBeUndefined();
    expect(trie.size).toBe(1);
  });

  test("a branch goes with its last value and no sooner", () => {
    const trie = new TopicTrie<number>();
    trie.set("a/+/c", "x", 1);
    trie.set("a/+/#", "x", 2);
    trie.remove("a/+/c", "x");
    expect(trie.get("a/+/#", "x")).toBe(2);
    trie.remove("a/+/#", "x");
    expect(trie.isPruned).toBe(true);
  });
});

describe("checking filters", () => {
  test.each(["", "a#", "a/#/b", "#/a", "a+", "+a", "a/+b/c", "##", "a\0b"])("%j is refused", (filter) => {
    let code = "";
    try {
      checkFilter(filter);
    } catch (error) {
      code = isMessagingError(error) ? error.code : "";
    }
    expect(code).toBe("ERR_INVALID_TOPIC");
  });

  test("the number of levels is bounded", () => {
    const deepest = Array.from({ length: FILTER_LEVELS_MAX }, () => "+").join("/");
    expect(() => checkFilter(deepest)).not.toThrow();
    expect(() => checkFilter(`${deepest}/+`)).toThrow("levels");
  });

  test("a topic deeper than any filter is matched without trouble", () => {
    const deep = "a/".repeat(30_000);
    expect(matches("a/#", deep)).toBe(true);
    expect(matches("a/+", deep)).toBe(false);
  });
});
