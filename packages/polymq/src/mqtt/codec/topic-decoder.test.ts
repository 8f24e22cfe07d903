import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { codeFrom, text } from "./codec.test-support.ts";
import { packetBytes } from "./packet-bytes.test-support.ts";
import { TopicDecoder, type TopicEntry } from "./topic-decoder.ts";

function decode<T>(decoder: TopicDecoder<T>, topic: string): TopicEntry<T> {
  const bytes = new TextEncoder().encode(topic);
  return decoder.decode(bytes, 0, bytes.length);
}

describe("TopicDecoder", () => {
  test.each(["a", "a/b", "é/€/🌍", "\uFEFF", "x".repeat(600)])("turns the UTF-8 of %.20s into the topic", (topic) => {
    const entry = decode(new TopicDecoder(text), topic);
    expect(entry.topic).toBe(topic);
    expect(entry.bytes).toEqual(new TextEncoder().encode(topic));
    expect(entry.value).toBe(undefined);
  });

  test("reads only between start and end", () => {
    const bytes = packetBytes("'xxa/bxx'");
    expect(new TopicDecoder(text).decode(bytes, 2, 5).topic).toBe("a/b");
  });

  test("gives the same entry again, with the value that its holder left there", () => {
    const decoder = new TopicDecoder<number>(text);
    const entry = decode(decoder, "a/b");
    entry.value = 7;
    decode(decoder, "a/c");
    expect(decode(decoder, "a/b")).toBe(entry);
    expect(decode(decoder, "a/b").value).toBe(7);
  });

  test("keeps its entries apart from the buffer that they came in", () => {
    const decoder = new TopicDecoder(text);
    const bytes = packetBytes("'topic'");
    const entry = decoder.decode(bytes, 0, 5);
    bytes.fill(0x78);
    expect(decode(decoder, "topic")).toBe(entry);
    expect(decode(decoder, "xxxxx").topic).toBe("xxxxx");
  });

  test.each([
    ["an empty topic [MQTT-4.7.3-1] [MQTT3-4.7.3-1]", ""],
    ["+ [MQTT-3.3.2-2] [MQTT3-3.3.2-2]", "'a/+'"],
    ["# [MQTT-3.3.2-2] [MQTT3-3.3.2-2]", "'#'"],
    ["U+0000 [MQTT-4.7.3-2] [MQTT3-4.7.3-2]", "'a' 00"],
    ["ill-formed UTF-8 [MQTT-1.5.4-1] [MQTT3-1.5.3-1]", "'a' ff"],
    ["a surrogate [MQTT-1.5.4-1] [MQTT3-1.5.3-1]", "eda080"],
  ])("refuses %s with ERR_MALFORMED_PACKET, and again when it comes again", (_, notation) => {
    const decoder = new TopicDecoder(text);
    const bytes = packetBytes(notation);
    expect(codeFrom(() => decoder.decode(bytes, 0, bytes.length))).toBe("ERR_MALFORMED_PACKET");
    expect(codeFrom(() => decoder.decode(bytes, 0, bytes.length))).toBe("ERR_MALFORMED_PACKET");
  });

  test("never mistakes one topic for another, however few places it has", () => {
    const topics = fc.array(fc.string({ unit: fc.constantFrom("a", "b", "/", "é"), minLength: 1, maxLength: 6 }), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(topics, fc.constantFrom(1, 2, 8), (names, entriesMax) => {
        const decoder = new TopicDecoder(text, entriesMax);
        expect(names.map((name) => decode(decoder, name).topic)).toEqual(names);
      }),
    );
  });

  test("keeps at most as many entries as it was told", () => {
    const decoder = new TopicDecoder<number>(text, 4);
    const names = Array.from({ length: 100 }, (_, i) => `topic/${i}`);
    for (const [i, name] of names.entries()) decode(decoder, name).value = i;
    // A name found again is taken from its place; one that was replaced comes back without its value.
    const kept = names.filter((name) => {
      const bytes = new TextEncoder().encode(name);
      return decoder.decode(bytes, 0, bytes.length).value !== undefined;
    });
    expect(kept.length).toBeLessThanOrEqual(4);
  });

  test("does not keep very long topics", () => {
    const decoder = new TopicDecoder<number>(text);
    const long = "x".repeat(1_000);
    decode(decoder, long).value = 1;
    expect(decode(decoder, long).value).toBe(undefined);
  });

  test("forgets everything when it is cleared", () => {
    const decoder = new TopicDecoder<number>(text);
    decode(decoder, "a").value = 1;
    decoder.clear();
    expect(decode(decoder, "a").value).toBe(undefined);
  });
});
