import { describe, expect, test } from "vitest";
import { exchangeOf, routingKeyOf } from "./queues/message-address.ts";
import { filterOfPattern, isPlainTopic, keyOfTopic, topicOfKey } from "./topic-keys.ts";

describe("topics and routing keys", () => {
  test("have / and . between their parts", () => {
    expect([keyOfTopic("a/b/c"), topicOfKey("a.b.c"), keyOfTopic("a"), topicOfKey("")]).toEqual([
      "a.b.c",
      "a/b/c",
      "a",
      "",
    ]);
  });

  test("have + and * for one part", () => {
    expect([filterOfPattern("a.*.c.#"), filterOfPattern("#")]).toEqual(["a/+/c/#", "#"]);
  });

  test.each(["", "$SYS/x", "a/+", "a/#", "a\0"])("%j is no topic to publish to", (topic) => {
    expect(isPlainTopic(topic)).toBe(false);
  });

  test("a/b is", () => {
    expect(isPlainTopic("a/b")).toBe(true);
  });
});

describe("where a message came from", () => {
  test.each([
    [{ topic: "a/b", exchange: "x", routingKey: "a.b" }, "x", "a.b"],
    [{ topic: "$queue/q", exchange: "", routingKey: "q" }, "", "q"],
    [{ topic: "$queue/q/a/b", exchange: null, routingKey: "" }, "$queue", "q/a/b"],
    [{ topic: "a/b", exchange: null, routingKey: "" }, "amq.topic", "a.b"],
  ])("%j", (published, exchange, key) => {
    expect([exchangeOf(published), routingKeyOf(published)]).toEqual([exchange, key]);
  });
});
