import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Message } from "./message.ts";
import { RetainedMessages, RetainedReplay } from "./retained.ts";
import { messageOf, textOf } from "./session.test-support.ts";
import { FILTER_LEVELS_MAX, TopicTrie } from "./topic-trie.ts";

const NOW = 10_000;

function make(limits: { countMax?: number; bytesMax?: number } = {}): {
  retained: RetainedMessages;
  changes: [Message | null, Message | null][];
} {
  const changes: [Message | null, Message | null][] = [];
  const retained = new RetainedMessages(
    { countMax: 100, bytesMax: 1 << 20, ...limits },
    { onRetainedChange: (before, next) => void changes.push([before, next]) },
  );
  return { retained, changes };
}

function topicsOf(messages: Message[]): string[] {
  return messages.map((message) => message.topic).sort();
}

describe("retaining", () => {
  test("the last message of a topic is kept", () => {
    const { retained } = make();
    expect(retained.set(messageOf("a", "1"))).toBe("stored");
    expect(retained.set(messageOf("a", "2"))).toBe("replaced");
    expect(retained.match("a", NOW).map((one) => textOf(one.payload))).toEqual(["2"]);
    expect(retained.count).toBe(1);
  });

  test("an empty payload clears the topic", () => {
    const { retained } = make();
    retained.set(messageOf("a/b", "1"));
    expect(retained.set(messageOf("a/b", ""))).toBe("cleared");
    expect(retained.set(messageOf("a/b", ""))).toBe("none");
    expect([retained.count, retained.bytes, retained.match("#", NOW)]).toEqual([0, 0, []]);
  });

  test("whoever stores it is told what came and what went", () => {
    const { retained, changes } = make();
    const [one, two] = [messageOf("a", "1"), messageOf("a", "2")];
    retained.set(one);
    retained.set(two);
    retained.clear("a");
    retained.clear("a");
    expect(changes).toEqual([
      [null, one],
      [one, two],
      [two, null],
    ]);
  });

  test("above the number of topics new ones are refused, known ones replaced", () => {
    const { retained } = make({ countMax: 2 });
    retained.set(messageOf("a"));
    retained.set(messageOf("b"));
    expect(retained.set(messageOf("c"))).toBe("refused");
    expect(retained.set(messageOf("a", "2"))).toBe("replaced");
    expect([topicsOf(retained.match("#", NOW)), retained.refusedCount]).toEqual([["a", "b"], 1]);
  });

  test("above the bytes a message is refused and the one before stays", () => {
    const { retained } = make({ bytesMax: 1000 });
    retained.set(messageOf("a", "1"));
    expect(retained.set(messageOf("a", "x".repeat(900)))).toBe("refused");
    expect(retained.set(messageOf("a", "x".repeat(100)))).toBe("replaced");
    expect(retained.get("a")?.payload).toHaveLength(100);
  });

  test("a topic of too many levels is refused", () => {
    const { retained } = make();
    expect(retained.set(messageOf("/".repeat(FILTER_LEVELS_MAX)))).toBe("refused");
    expect(retained.set(messageOf("/".repeat(FILTER_LEVELS_MAX - 1)))).toBe("stored");
  });

  test("an expired message is not given out and is swept", () => {
    const { retained, changes } = make();
    retained.set(messageOf("a", "1", { expiresAtMs: NOW }));
    retained.set(messageOf("b", "1", { expiresAtMs: NOW + 1 }));
    expect([topicsOf(retained.match("#", NOW)), retained.match("a", NOW)]).toEqual([["b"], []]);
    expect(retained.sweep(NOW)).toBe(1);
    expect([retained.count, changes.length]).toEqual([1, 3]);
  });
});

describe("looking up by filter", () => {
  test.each([
    ["#", ["a", "a/b", "a/b/c", "b"]],
    ["+", ["a", "b"]],
    ["a/#", ["a", "a/b", "a/b/c"]],
    ["a/+", ["a/b"]],
    ["+/b/#", ["a/b", "a/b/c"]],
    ["$sys/#", ["$sys/x"]],
    ["$sys/+", ["$sys/x"]],
    ["+/x", []],
    ["a/b", ["a/b"]],
    ["c", []],
  ])("%s finds %j", (filter, expected) => {
    const { retained } = make();
    for (const topic of ["a", "a/b", "a/b/c", "b", "$sys/x"]) retained.set(messageOf(topic));
    expect(topicsOf(retained.match(filter, NOW))).toEqual(expected);
  });

  test("a bad filter is refused", () => {
    expect(() => make().retained.match("a/#/b", NOW)).toThrow("wildcard");
  });

  test("it finds exactly the topics that a subscription with this filter would match", () => {
    const level = fc.constantFrom("", "a", "b", "$s", "__proto__");
    const topics = fc.array(level, { minLength: 1, maxLength: 4 }).map((levels) => levels.join("/"));
    const filters = fc
      .tuple(fc.array(fc.oneof(level, fc.constant("+")), { minLength: 1, maxLength: 4 }), fc.boolean())
      .map(([levels, rest]) => (rest ? [...levels, "#"] : levels).join("/"))
      .filter((filter) => filter !== "");
    fc.assert(
      fc.property(fc.array(fc.tuple(topics, fc.boolean())), filters, (changes, filter) => {
        const { retained } = make();
        const model = new Set<string>();
        for (const [topic, keeps] of changes) {
          retained.set(messageOf(topic, keeps ? "1" : ""));
          if (keeps) model.add(topic);
          else model.delete(topic);
        }
        const trie = new TopicTrie<number>();
        trie.set(filter, "k", 1);
        const expected = [...model].filter((topic) => {
          const out: number[] = [];
          trie.match(topic, out);
          return out.length > 0;
        });
        expect(topicsOf(retained.match(filter, NOW))).toEqual(expected.sort());
        expect(retained.count).toBe(model.size);
      }),
      { numRuns: 300 },
    );
  });
});

describe("replaying to a new subscription", () => {
  test("messages come one by one, then null", () => {
    const { retained } = make();
    retained.set(messageOf("a"));
    retained.set(messageOf("b"));
    const replay = new RetainedReplay(retained, "#", NOW);
    expect([replay.next(NOW)?.topic, replay.next(NOW)?.topic, replay.next(NOW)]).toEqual(["a", "b", null]);
  });

  test("what was replaced, cleared or expired meanwhile is left out", () => {
    const { retained } = make();
    for (const topic of ["a", "b", "d"]) retained.set(messageOf(topic));
    retained.set(messageOf("c", "1", { expiresAtMs: NOW + 5 }));
    const replay = new RetainedReplay(retained, "+", NOW);
    retained.set(messageOf("a", "newer"));
    retained.clear("b");
    expect([replay.next(NOW + 5)?.topic, replay.next(NOW + 5)]).toEqual(["d", null]);
  });
});
