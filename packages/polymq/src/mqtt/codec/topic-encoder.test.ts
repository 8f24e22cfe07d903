import { describe, expect, test } from "vitest";
import { codeFrom, text } from "./codec.test-support.ts";
import { ENCODED_TOPICS_DEFAULT, TopicEncoder } from "./topic-encoder.ts";

describe("TopicEncoder", () => {
  test.each(["a/b", "é/€/🌍", "$SYS/x", "x".repeat(600)])("turns %.20s into its UTF-8", (topic) => {
    expect(new TopicEncoder(text).encode(topic)).toEqual(new TextEncoder().encode(topic));
  });

  test("gives the same bytes again for a topic it has seen, last or earlier", () => {
    const encoder = new TopicEncoder(text);
    const a = encoder.encode("a");
    expect(encoder.encode("a")).toBe(a);
    encoder.encode("b");
    expect(encoder.encode("a")).toBe(a);
  });

  test.each([
    ["", "[MQTT-4.7.3-1] [MQTT3-4.7.3-1]"],
    ["a/+", "[MQTT-3.3.2-2] [MQTT3-3.3.2-2]"],
    ["#", "[MQTT-3.3.2-2] [MQTT3-3.3.2-2]"],
    ["a\0", "[MQTT-4.7.3-2] [MQTT3-4.7.3-2]"],
    ["\uD800", "[MQTT-1.5.4-1] [MQTT3-1.5.3-1]"],
  ])("refuses %j, and again when asked again %s", (topic) => {
    const encoder = new TopicEncoder(text);
    encoder.encode("good");
    expect(codeFrom(() => encoder.encode(topic))).toBe("ERR_INVALID_TOPIC");
    expect(codeFrom(() => encoder.encode(topic))).toBe("ERR_INVALID_TOPIC");
    expect(encoder.encode("good")).toEqual(new TextEncoder().encode("good"));
  });

  test("refuses the empty topic before it has seen any other", () => {
    expect(codeFrom(() => new TopicEncoder(text).encode(""))).toBe("ERR_INVALID_TOPIC");
  });

  test("refuses more than 65,535 bytes [MQTT-4.7.3-3] [MQTT3-4.7.3-3]", () => {
    expect(codeFrom(() => new TopicEncoder(text).encode("x".repeat(65_536)))).toBe("ERR_INVALID_TOPIC");
  });

  test("refuses what is no string", () => {
    expect(codeFrom(() => new TopicEncoder(text).encode(7 as unknown as string))).toBe("ERR_INVALID_TOPIC");
  });

  test.each([2, 10, ENCODED_TOPICS_DEFAULT])("keeps at most %i topics", (topicsMax) => {
    const encoder = new TopicEncoder(text, topicsMax);
    for (let i = 0; i < 4 * topicsMax; i++) encoder.encode(`topic/${i}`);
    expect(encoder.size).toBeLessThanOrEqual(topicsMax);
    expect(encoder.size).toBeGreaterThan(0);
  });

  test("keeps a topic in use while others come and go", () => {
    const encoder = new TopicEncoder(text, 8);
    const kept = encoder.encode("kept");
    for (let i = 0; i < 100; i++) {
      encoder.encode(`other/${i}`);
      expect(encoder.encode("kept")).toBe(kept);
    }
  });

  test("does not keep very long topics", () => {
    const encoder = new TopicEncoder(text);
    for (let i = 0; i < 10; i++) encoder.encode(`${"x".repeat(1_000)}${i}`);
    expect(encoder.size).toBe(0);
  });
});
