import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InboundAliases, OutboundAliases, topicAliases } from "./topic-aliases.ts";

/** The least recently used list written as simply as possible: topics, least recently used first, and their aliases. */
function naive(max: number): (topic: string) => number {
  const order: string[] = [];
  const aliases = new Map<string, number>();
  return (topic) => {
    const known = aliases.get(topic);
    if (known !== undefined) {
      order.splice(order.indexOf(topic), 1);
      order.push(topic);
      return known;
    }
    let alias = aliases.size + 1;
    if (aliases.size === max) {
      const oldest = order.shift() ?? "";
      alias = aliases.get(oldest) ?? 0;
      aliases.delete(oldest);
    }
    aliases.set(topic, alias);
    order.push(topic);
    return -alias;
  };
}

describe("OutboundAliases", () => {
  test("a new topic gets an alias along with its name, a known one the alias alone (MQTT 5.0 §3.3.2.3.4)", () => {
    const aliases = new OutboundAliases(10);
    expect([aliases.use("a"), aliases.use("b"), aliases.use("a"), aliases.use("b")]).toEqual([-1, -2, 1, 2]);
  });

  test("aliases stay within 1 and the peer's maximum [MQTT-3.3.2-8] [MQTT-3.2.2-17] [MQTT-3.1.2-26]", () => {
    const aliases = new OutboundAliases(3);
    for (let i = 0; i < 50; i++) {
      const alias = Math.abs(aliases.use(`t${i % 7}`));
      expect(alias).toBeGreaterThanOrEqual(1);
      expect(alias).toBeLessThanOrEqual(3);
    }
  });

  test("however many the peer allows, no more than 1,024 are used", () => {
    const aliases = new OutboundAliases(65_535);
    let most = 0;
    for (let i = 0; i < 3_000; i++) most = Math.max(most, Math.abs(aliases.use(`t${i}`)));
    expect(most).toBe(1_024);
  });

  test("a peer that allows none gets none [MQTT-3.2.2-18] [MQTT-3.1.2-27]", () => {
    expect([topicAliases(5, 0).outbound, topicAliases(0, 1).outbound]).toEqual([null, expect.any(OutboundAliases)]);
  });

  test("does what a naive least recently used list does", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), fc.array(fc.nat(9), { maxLength: 300 }), (max, topics) => {
        const aliases = new OutboundAliases(max);
        const model = naive(max);
        for (const topic of topics) expect(aliases.use(`t${topic}`)).toBe(model(`t${topic}`));
      }),
    );
  });

  test("a receiver that follows the aliases always knows the topic", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.array(fc.nat(9), { maxLength: 200 }), (max, topics) => {
        const out = new OutboundAliases(max);
        const into = new InboundAliases<string>(max);
        for (const each of topics) {
          const alias = out.use(`t${each}`);
          if (alias < 0) into.set(-alias, `t${each}`);
          else expect(into.get(alias)).toBe(`t${each}`);
        }
      }),
    );
  });
});

describe("InboundAliases", () => {
  test("every alias up to our maximum is taken [MQTT-3.3.2-10] [MQTT-3.3.2-12]", () => {
    const aliases = new InboundAliases<string>(65_535);
    for (const alias of [1, 2, 65_535]) aliases.set(alias, `topic ${alias}`);
    expect([aliases.get(1), aliases.get(2), aliases.get(65_535)]).toEqual(["topic 1", "topic 2", "topic 65535"]);
  });

  test("an alias can be given another topic", () => {
    const aliases = new InboundAliases<string>(2);
    aliases.set(1, "a");
    aliases.set(1, "b");
    expect(aliases.get(1)).toBe("b");
  });

  test("an alias above our maximum is refused with ERR_TOPIC_ALIAS_INVALID [MQTT-3.3.2-9] [MQTT-3.3.2-11]", () => {
    const aliases = new InboundAliases<string>(2);
    expect(() => aliases.set(3, "a")).toThrow(expect.objectContaining({ code: "ERR_TOPIC_ALIAS_INVALID" }));
    expect(() => new InboundAliases<string>(0).set(1, "a")).toThrow(
      expect.objectContaining({ code: "ERR_TOPIC_ALIAS_INVALID" }),
    );
  });

  test("an alias that stands for nothing is refused with ERR_TOPIC_ALIAS_INVALID", () => {
    const aliases = new InboundAliases<string>(5);
    aliases.set(5, "a");
    for (const alias of [1, 6]) {
      expect(() => aliases.get(alias)).toThrow(expect.objectContaining({ code: "ERR_TOPIC_ALIAS_INVALID" }));
    }
  });
});
