import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { TOPIC_BYTES_MAX, topicMatches, validateTopicName } from "./topic.ts";
import { parseSharedFilter, validatePlainTopicFilter, validateTopicFilter } from "./topic-filter.ts";

const LONGEST = "x".repeat(TOPIC_BYTES_MAX);
/** 65,536 bytes in 32,768 characters. */
const TOO_LONG_WIDE = "é".repeat(32_768);

describe("validateTopicName", () => {
  test.each(["a", "/", "/a", "a/", "a//b", " ", "$SYS/x", "é/€/🌍", "\uFEFF", LONGEST])("takes %.20s", (topic) => {
    expect(validateTopicName(topic)).toBe(null);
  });

  test("refuses the empty name [MQTT-4.7.3-1] [MQTT3-4.7.3-1]", () => {
    expect(validateTopicName("")).toContain("at least one character");
  });

  test("refuses U+0000 [MQTT-4.7.3-2] [MQTT3-4.7.3-2]", () => {
    expect(validateTopicName("a\0b")).toContain("U+0000");
  });

  test("refuses more than 65,535 bytes of UTF-8 [MQTT-4.7.3-3] [MQTT3-4.7.3-3]", () => {
    expect(validateTopicName(`${LONGEST}x`)).toContain("65536 bytes");
    expect(validateTopicName(TOO_LONG_WIDE)).toContain("65536 bytes");
    expect(validateTopicName("é".repeat(32_767))).toBe(null);
  });

  test.each(["+", "#", "a/+/b", "a/#", "a+b", "a#"])(
    "refuses %s, for it has a wildcard [MQTT-3.3.2-2] [MQTT-4.7.0-1] [MQTT3-3.3.2-2] [MQTT3-4.7.1-1]",
    (topic) => {
      expect(validateTopicName(topic)).toContain("wildcards");
    },
  );

  test.each(["\uD800", "a\uDC00", "\uD83C/\uDF0D", "\uDF0D\uD83C"])(
    "refuses the lone surrogate in %j [MQTT-1.5.4-1] [MQTT3-1.5.3-1]",
    (topic) => {
      expect(validateTopicName(topic)).toContain("lone surrogate");
    },
  );

  test("counts bytes as the platform does", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 }), (unit) => {
        const name = unit.replace(/[+#\0]/g, "x");
        const times = Math.ceil(65_536 / new TextEncoder().encode(name).length);
        expect(validateTopicName(name.repeat(times))).toContain("the limit is 65535");
        expect(validateTopicName(name.repeat(times - 1))).toBe(null);
      }),
      { numRuns: 20 },
    );
  });
});

describe("validateTopicFilter", () => {
  test.each([
    "a",
    "/",
    "#",
    "+",
    "+/+",
    "/+",
    "a/#",
    "a/+/b",
    "+/a/#",
    "//#",
    "$SYS/#",
    "$share",
    "$shared/a/#",
    LONGEST,
  ])("takes %.20s", (filter) => {
    expect(validateTopicFilter(filter)).toBe(null);
    expect(validatePlainTopicFilter(filter)).toBe(null);
  });

  test.each(["a#", "#/a", "a/#/b", "##", "/#/", "a/b#", "+#"])(
    "refuses %s, for # may only be the whole last level [MQTT-4.7.1-1] [MQTT3-4.7.1-2]",
    (filter) => {
      expect(validateTopicFilter(filter)).not.toBe(null);
      expect(validatePlainTopicFilter(filter)).not.toBe(null);
    },
  );

  test.each(["a+", "+a", "a/+b", "a/b+/c", "++"])(
    "refuses %s, for + may only be a whole level [MQTT-4.7.1-2] [MQTT3-4.7.1-3]",
    (filter) => {
      expect(validateTopicFilter(filter)).not.toBe(null);
      expect(validatePlainTopicFilter(filter)).not.toBe(null);
    },
  );

  test.each([
    ["the empty filter [MQTT-4.7.3-1] [MQTT3-4.7.3-1]", "", "at least one character"],
    ["U+0000 [MQTT-4.7.3-2] [MQTT3-4.7.3-2]", "a/\0", "U+0000"],
    ["more than 65,535 bytes [MQTT-4.7.3-3] [MQTT3-4.7.3-3]", TOO_LONG_WIDE, "65536 bytes"],
    ["a lone surrogate [MQTT-1.5.4-1] [MQTT3-1.5.3-1]", "a/\uD800", "lone surrogate"],
  ])("refuses %s", (_, filter, what) => {
    expect(validateTopicFilter(filter)).toContain(what);
    expect(validatePlainTopicFilter(filter)).toContain(what);
  });

  test.each(["$share/g/a", "$share/g/#", "$share/g/+/a", "$share/g//", "$share/g/$SYS/#", "$share/é/a"])(
    "takes the shared subscription %s",
    (filter) => {
      expect(validateTopicFilter(filter)).toBe(null);
    },
  );

  test.each(["$share/", "$share//", "$share//a"])("refuses %s, for its group is empty [MQTT-4.8.2-1]", (filter) => {
    expect(validateTopicFilter(filter)).toContain("needs a group and a filter");
  });

  test.each(["$share/g+/a", "$share/+/a", "$share/#/a", "$share/g#"])(
    "refuses %s, for a group has no wildcard [MQTT-4.8.2-2]",
    (filter) => {
      expect(validateTopicFilter(filter)).toContain("the group");
    },
  );

  test.each(["$share/g", "$share/g/"])(
    "refuses %s, for there is no filter behind its group [MQTT-4.8.2-2]",
    (filter) => {
      expect(validateTopicFilter(filter)).toContain("needs a group and a filter");
    },
  );

  test.each(["$share/g/a#", "$share/g/#/a", "$share/g/+a"])("refuses %s, for its filter is none", (filter) => {
    expect(validateTopicFilter(filter)).not.toBe(null);
  });

  test("takes $share/g as a plain filter, for MQTT 3.1.1 knows no shared subscriptions", () => {
    expect(validatePlainTopicFilter("$share/g")).toBe(null);
  });
});

describe("topicMatches", () => {
  test.each([
    ["sport/tennis/player1/#", "sport/tennis/player1"],
    ["sport/tennis/player1/#", "sport/tennis/player1/ranking"],
    ["sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon"],
    ["sport/#", "sport"],
    ["#", "sport/tennis"],
    ["#", "/"],
    ["sport/tennis/+", "sport/tennis/player1"],
    ["sport/+", "sport/"],
    ["+", "sport"],
    ["+/tennis/#", "sport/tennis"],
    ["+/+", "/finance"],
    ["/+", "/finance"],
    ["+/#", "a"],
    ["a/+/#", "a/b"],
    ["a//b", "a//b"],
    ["+/+/+", "//"],
    ["$SYS/#", "$SYS/a"],
    ["$SYS/#", "$SYS"],
    ["$SYS/monitor/+", "$SYS/monitor/Clients"],
    ["é/+", "é/🌍"],
  ])("%s matches %s", (filter, topic) => {
    expect(topicMatches(filter, topic)).toBe(true);
  });

  test.each([
    ["sport/tennis/+", "sport/tennis/player1/ranking"],
    ["sport/+", "sport"],
    ["+", "/finance"],
    ["+", "a/b"],
    ["a/#", "ab"],
    ["a/#", "b"],
    ["a/b", "a/b/"],
    ["a/b", "a"],
    ["a", "A"],
    ["ab", "a"],
    ["a/+/b", "a/b"],
    ["a/+/#", "a"],
    ["/a", "a"],
    ["a/b/#", "a"],
  ])("%s does not match %s", (filter, topic) => {
    expect(topicMatches(filter, topic)).toBe(false);
  });

  test.each([
    ["#", "$SYS"],
    ["#", "$SYS/a"],
    ["+/monitor/Clients", "$SYS/monitor/Clients"],
    ["+", "$x"],
    ["+/#", "$SYS"],
  ])("%s, starting with a wildcard, does not match %s [MQTT-4.7.2-1] [MQTT3-4.7.2-1]", (filter, topic) => {
    expect(topicMatches(filter, topic)).toBe(false);
  });

  test("normalizes nothing: composed and decomposed letters differ [MQTT-4.7.3-4] [MQTT3-4.7.3-4]", () => {
    expect(topicMatches("caf\u00e9", "cafe\u0301")).toBe(false);
    expect(topicMatches("caf\u00e9", "caf\u00e9")).toBe(true);
  });

  test("does what a comparison level by level does", () => {
    const level = fc.constantFrom("", "a", "b", "ab", "$a");
    const topics = fc.array(level, { minLength: 1, maxLength: 5 }).map((levels) => levels.join("/"));
    const filters = fc
      .tuple(fc.array(fc.oneof(level, fc.constant("+")), { maxLength: 5 }), fc.boolean())
      .map(([levels, hash]) => (hash ? [...levels, "#"] : levels).join("/"));
    fc.assert(
      fc.property(filters, topics, (filter, topic) => {
        fc.pre(validateTopicFilter(filter) === null && validateTopicName(topic) === null);
        expect(topicMatches(filter, topic)).toBe(matchesByLevel(filter.split("/"), topic.split("/"), topic));
      }),
      { numRuns: 2_000 },
    );
  });
});

/** The definition of §4.7.1, slowly. */
function matchesByLevel(filter: string[], topic: string[], whole: string): boolean {
  if (whole.startsWith("$") && (filter[0] === "+" || filter[0] === "#")) return false;
  if (filter.at(-1) === "#") {
    const fixed = filter.slice(0, -1);
    return topic.length >= fixed.length && fixed.every((each, i) => each === "+" || each === topic[i]);
  }
  return filter.length === topic.length && filter.every((each, i) => each === "+" || each === topic[i]);
}

describe("parseSharedFilter", () => {
  test.each([
    ["$share/g/a", "g", "a"],
    ["$share/g/a/+/#", "g", "a/+/#"],
    ["$share/g//a", "g", "/a"],
    ["$share/$share/a", "$share", "a"],
  ])("takes %s apart", (whole, group, filter) => {
    expect(parseSharedFilter(whole)).toEqual({ group, filter });
  });

  test.each(["a", "$share", "$share/g", "$share/g/", "$share//a", "$share/g+/a", "$share/g/a#", "$SHARE/g/a"])(
    "is null for %s",
    (filter) => {
      expect(parseSharedFilter(filter)).toBe(null);
    },
  );
});
