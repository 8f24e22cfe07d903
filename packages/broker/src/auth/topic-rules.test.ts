import fc from "fast-check";
import { topicMatches } from "polymq/mqtt/codec";
import { describe, expect, test } from "vitest";
import { TopicRules } from "./topic-rules.ts";

const NOBODY = { username: null, clientId: "c1" };

function covers(allowed: string, requested: string): boolean {
  return new TopicRules([allowed], NOBODY).covers(requested);
}

describe("TopicRules", () => {
  test.each([
    ["a/b", "a/b", true],
    ["a/b", "a", false],
    ["a", "a/b", false],
    ["a/+", "a/b", true],
    ["a/+", "a/b/c", false],
    ["a/#", "a/b/c", true],
    ["a/#", "a", true],
    ["#", "a/b", true],
    ["#", "$SYS/uptime", false],
    ["+/uptime", "$SYS/uptime", false],
    ["$SYS/#", "$SYS/uptime", true],
  ])("the rule %s for the topic %s: %s", (allowed, topic, expected) => {
    expect(covers(allowed, topic)).toBe(expected);
  });

  test.each([
    ["a/#", "a/#", true],
    ["a/#", "a/+/c", true],
    ["a/#", "#", false],
    ["a/+", "a/+", true],
    ["a/+", "a/#", false],
    ["a/b", "a/+", false],
    ["+/b", "a/b", true],
    ["+/b", "+/b", true],
    ["#", "+/+", true],
    ["#", "$SYS/#", false],
  ])("the rule %s for the narrower or wider filter %s: %s", (allowed, filter, expected) => {
    expect(covers(allowed, filter)).toBe(expected);
  });

  test("%u and %c stand for user name and client id", () => {
    const rules = new TopicRules(["users/%u/#", "clients/%c", "%u/%c"], { username: "ann", clientId: "phone" });
    expect(["users/ann/x", "clients/phone", "ann/phone"].every((topic) => rules.covers(topic))).toBe(true);
    expect(["users/bob/x", "clients/tablet", "bob/phone"].some((topic) => rules.covers(topic))).toBe(false);
  });

  test.each(["#", "+", "a/b", "", "%c"])("a name %j cannot widen a rule through its placeholder", (name) => {
    const rules = new TopicRules(["x/%u/#", "y/%u"], { username: name, clientId: "c1" });
    expect(["x/a", "x/#", "x/+/b", "x/a/b/c", "y/", "y/a", "x/c1/z"].some((topic) => rules.covers(topic))).toBe(false);
  });

  test("a rule for a user allows nothing to clients without one", () => {
    expect(new TopicRules(["%u/#"], NOBODY).covers("null/x")).toBe(false);
  });

  test("dollar signs in a name are plain text", () => {
    expect(new TopicRules(["u/%u"], { username: "$&x", clientId: "c" }).covers("u/$&x")).toBe(true);
  });

  test("any rule of a list is enough, and an empty list allows nothing", () => {
    expect(new TopicRules(["a", "b"], NOBODY).covers("b")).toBe(true);
    expect(new TopicRules([], NOBODY).covers("b")).toBe(false);
  });

  const level = fc.constantFrom("a", "b", "$c", "");
  const topic = fc.array(level, { minLength: 1, maxLength: 4 }).map((levels) => levels.join("/"));
  const filter = fc
    .tuple(fc.array(fc.oneof(level, fc.constant("+")), { maxLength: 3 }), fc.constantFrom("#", "+", "a", ""))
    .map(([levels, last]) => [...levels, last].join("/"));

  test("for topics it says the same as matching does", () => {
    fc.assert(
      fc.property(filter.filter(isNotEmpty), topic.filter(isNotEmpty), (rule, name) => {
        expect(covers(rule, name)).toBe(topicMatches(rule, name));
      }),
    );
  });

  test("a filter that is covered matches no topic that the rule does not", () => {
    fc.assert(
      fc.property(
        filter.filter(isNotEmpty),
        filter.filter(isNotEmpty),
        topic.filter(isNotEmpty),
        (rule, asked, name) => {
          if (covers(rule, asked) && topicMatches(asked, name)) expect(topicMatches(rule, name)).toBe(true);
        },
      ),
    );
  });
});

function isNotEmpty(text: string): boolean {
  return text !== "";
}
