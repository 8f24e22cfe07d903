import { describe, expect, test } from "vitest";
import { connected, type Stage, stateOf } from "./client-setup.test-support.ts";
import type { FakeServerOptions } from "./fake-server.test-support.ts";
import type { SubscribeInput, SubscribeOptions } from "./subscribe-options.ts";

const NOTHING = { noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;

/** The filters of the SUBSCRIBE packets since the last call. */
function asked(stage: Stage): unknown[] {
  return stage.link.take("subscribe").flatMap((packet) => packet.filters);
}

describe("subscribe takes", () => {
  test.each([4, 5] as const)(
    "one filter, at level %i [MQTT-3.8.3-2] [MQTT3-3.8.3-3] [MQTT-2.2.1-3] [MQTT3-2.3.1-1]",
    async (protocolVersion) => {
      const stage = await connected({ protocolVersion });
      const subscription = await stage.now(stage.client.subscribe("a/#", { qos: 1 }));
      const [packet] = stage.link.take("subscribe");
      expect(packet?.packetId).toBeGreaterThan(0);
      expect(packet?.filters).toEqual([{ filter: "a/#", qos: 1, ...NOTHING }]);
      expect(subscription.filters).toEqual([{ filter: "a/#", reasonCode: 1 }]);
      await stage.finish();
    },
  );

  test("a list of filters in one packet, all with the same options", async () => {
    const stage = await connected();
    const subscription = await stage.now(stage.client.subscribe(["a", "+/b", "ü/#"], { qos: 2 }));
    expect(stage.link.take("subscribe")).toHaveLength(1);
    expect(subscription.filters.map((each) => each.filter)).toEqual(["a", "+/b", "ü/#"]);
    await stage.finish();
  });

  test("a record with a QoS or options for each filter", async () => {
    const stage = await connected({ protocolVersion: 5 });
    await stage.now(
      stage.client.subscribe({ a: 2, b: { noLocal: true }, c: { retainHandling: 2, qos: 0 } }, { qos: 1 }),
    );
    expect(asked(stage)).toEqual([
      { filter: "a", qos: 2, ...NOTHING },
      { filter: "b", qos: 1, ...NOTHING, noLocal: true },
      { filter: "c", qos: 0, ...NOTHING, retainHandling: 2 },
    ]);
    await stage.finish();
  });

  test("every option of MQTT 5.0 (§3.8.3.1, §3.8.2.1)", async () => {
    const stage = await connected({ protocolVersion: 5 });
    const options = { qos: 1, noLocal: true, retainAsPublished: true, retainHandling: 1 } as const;
    await stage.now(
      stage.client.subscribe("a", {
        ...options,
        subscriptionIdentifier: 268_435_455,
        userProperties: { k: ["1", "2"] },
      }),
    );
    const [packet] = stage.link.take("subscribe");
    expect(packet?.filters).toEqual([{ filter: "a", ...options }]);
    expect(packet?.properties).toEqual({
      subscriptionIdentifier: 268_435_455,
      userProperties: [
        ["k", "1"],
        ["k", "2"],
      ],
    });
    await stage.finish();
  });

  test("a shared subscription [MQTT-4.8.2-1] [MQTT-4.8.2-2]", async () => {
    const stage = await connected({ protocolVersion: 5 });
    const got: string[] = [];
    const handler = (message: { topic: string }): void => void got.push(message.topic);
    await stage.now(stage.client.subscribe("$share/group/jobs/+", { qos: 1, handler }));
    stage.link.publish("jobs/1", "x", { qos: 1 });
    await stage.clock.settle();
    expect(got).toEqual(["jobs/1"]);
    await stage.finish();
  });
});

describe("subscribe refuses before anything is sent", () => {
  test.each([
    ["no filter at all", [], {}, "ERR_INVALID_SUBSCRIBE_OPTION"],
    ["an empty record", {}, {}, "ERR_INVALID_SUBSCRIBE_OPTION"],
    ["what is no filter", 7, {}, "ERR_INVALID_SUBSCRIBE_OPTION"],
    ["a filter that is no text", [7], {}, "ERR_INVALID_TOPIC"],
    ["an empty filter [MQTT-4.7.3-1] [MQTT3-4.7.3-1]", "", {}, "ERR_INVALID_TOPIC"],
    ["# in the middle [MQTT-4.7.1-1] [MQTT3-4.7.1-2]", "a/#/b", {}, "ERR_INVALID_TOPIC"],
    ["+ beside text [MQTT-4.7.1-2] [MQTT3-4.7.1-3]", "a+/b", {}, "ERR_INVALID_TOPIC"],
    ["a filter with a lone surrogate [MQTT-3.8.3-1] [MQTT3-3.8.3-1]", "\ud800", {}, "ERR_INVALID_TOPIC"],
    ["a filter with U+0000 [MQTT-4.7.3-2] [MQTT3-4.7.3-2]", "a\0", {}, "ERR_INVALID_TOPIC"],
    ["a filter above 65,535 bytes [MQTT-4.7.3-3] [MQTT3-4.7.3-3]", "a".repeat(65_536), {}, "ERR_INVALID_TOPIC"],
    ["a share without a name [MQTT-4.8.2-1]", "$share//a", {}, "ERR_INVALID_TOPIC"],
    ["a share name with a wildcard [MQTT-4.8.2-2]", "$share/+/a", {}, "ERR_INVALID_TOPIC"],
    ["a share without a filter [MQTT-4.8.2-2]", "$share/g", {}, "ERR_INVALID_TOPIC"],
    ["QoS 3", "a", { qos: 3 }, "ERR_INVALID_QOS"],
    ["noLocal in words", "a", { noLocal: "yes" }, "ERR_INVALID_SUBSCRIBE_OPTION"],
    ["retainAsPublished in words", "a", { retainAsPublished: "no" }, "ERR_INVALID_SUBSCRIBE_OPTION"],
    ["noLocal in words for one filter", { a: { noLocal: 1 } }, {}, "ERR_INVALID_SUBSCRIBE_OPTION"],
    ["a QoS in words for one filter", { a: "1" }, {}, "ERR_INVALID_QOS"],
    ["null for one filter", { a: null }, {}, "ERR_INVALID_QOS"],
    ["user properties that are no pairs", "a", { userProperties: "x" }, "ERR_INVALID_MESSAGE"],
    ["a signal that is none", "a", { signal: "now" }, "ERR_INVALID_ARGUMENT"],
    ["a retain handling of 3", "a", { retainHandling: 3 }, "ERR_INVALID_SUBSCRIBE_OPTION"],
    [
      "noLocal on a shared subscription [MQTT-3.8.3-4]",
      "$share/g/a",
      { noLocal: true },
      "ERR_INVALID_SUBSCRIBE_OPTION",
    ],
    ["a subscription identifier of 0", "a", { subscriptionIdentifier: 0 }, "ERR_INVALID_SUBSCRIBE_OPTION"],
    [
      "a subscription identifier above the limit",
      "a",
      { subscriptionIdentifier: 268_435_456 },
      "ERR_INVALID_SUBSCRIBE_OPTION",
    ],
    ["user properties that are no text", "a", { userProperties: { a: 1 } }, "ERR_INVALID_MESSAGE"],
    ["a concurrency of 0", "a", { concurrency: 0 }, "ERR_INVALID_SUBSCRIBE_OPTION"],
    ["a high-water mark of 0", "a", { highWaterMark: 0 }, "ERR_INVALID_SUBSCRIBE_OPTION"],
    ["a handler that is no function", "a", { handler: "x" }, "ERR_INVALID_SUBSCRIBE_OPTION"],
    ["an unknown overflow policy", "a", { overflow: "drop" }, "ERR_INVALID_SUBSCRIBE_OPTION"],
    ["an unknown way to acknowledge", "a", { ack: "never" }, "ERR_INVALID_SUBSCRIBE_OPTION"],
    ["an unknown word for failing handlers", "a", { whenHandlerFails: "retry" }, "ERR_INVALID_SUBSCRIBE_OPTION"],
    ["an unknown word for partial success", "a", { partial: "maybe" }, "ERR_INVALID_SUBSCRIBE_OPTION"],
    ["a signal that has fired", "a", { signal: AbortSignal.abort() }, "ERR_ABORTED"],
  ] as const)("%s", async (_, filters, options, code) => {
    const stage = await connected({ protocolVersion: 5 });
    const subscribing = stage.client.subscribe(
      filters as unknown as SubscribeInput,
      options as unknown as SubscribeOptions,
    );
    await stage.refused(subscribing, code);
    expect(stage.link.types()).toEqual([]);
    await stage.now(stage.client.subscribe("still/alive"));
    await stage.finish();
  });

  test.each([
    ["noLocal", { noLocal: true }],
    ["retainAsPublished", { retainAsPublished: true }],
    ["retainHandling", { retainHandling: 1 }],
    ["subscriptionIdentifier", { subscriptionIdentifier: 1 }],
    ["userProperties", { userProperties: { a: "1" } }],
  ] as const)("%s in 3.1.1: ERR_UNSUPPORTED", async (_, options) => {
    const stage = await connected({ protocolVersion: 4 });
    await stage.refused(stage.client.subscribe("a", options), "ERR_UNSUPPORTED");
    expect(stage.link.types()).toEqual([]);
    await stage.finish();
  });

  test("more of them than may wait for a connection with ERR_OFFLINE_FULL", async () => {
    const stage = await connected({ answer: (_, count) => (count === 1 ? "server" : new Error("down")) });
    stage.link.cut();
    await stage.clock.settle();
    const waiting = Array.from({ length: 10_000 }, (_, i) => stage.client.subscribe(`t/${i}`));
    await stage.refused(stage.client.subscribe("late"), "ERR_OFFLINE_FULL");
    await stage.refused(stage.client.unsubscribe("late"), "ERR_OFFLINE_FULL");
    const ends = Promise.allSettled(waiting);
    await stage.finish();
    expect((await ends).every((each) => each.status === "rejected")).toBe(true);
  });

  test("what only 5.0 has also when it was asked for while a reconnect was under way", async () => {
    let up = true;
    const stage = await connected({ protocolVersion: 4, answer: () => (up ? "server" : new Error("down")) });
    up = false;
    stage.link.cut();
    await stage.clock.settle();
    const subscribing = stage.promises.track(stage.client.subscribe("a", { noLocal: true }));
    up = true;
    await stage.clock.advance(5_000);
    await stage.refused(subscribing, "ERR_UNSUPPORTED");
    expect(stage.link.types()).toEqual(["connect"]);
    await stage.finish();
  });

  test.each([
    ["wildcards", { wildcardSubscriptionAvailable: false }, "a/#", {}],
    ["wildcards in a shared subscription", { wildcardSubscriptionAvailable: false }, "$share/g/+", {}],
    ["shared subscriptions", { sharedSubscriptionAvailable: false }, "$share/g/a", {}],
    ["subscription identifiers", { subscriptionIdentifiersAvailable: false }, "a", { subscriptionIdentifier: 1 }],
  ] as const)(
    "%s that the server says it has not (MQTT 5.0 §3.2.2.3.11 to §3.2.2.3.13)",
    async (_, properties, filter, options) => {
      const stage = await connected({ protocolVersion: 5, server: { onConnect: () => ({ properties }) } });
      await stage.refused(stage.client.subscribe(filter, options), "ERR_NOT_SUPPORTED_BY_SERVER");
      await stage.now(stage.client.subscribe("a"));
      await stage.finish();
    },
  );

  test("a packet that is larger than the server takes [MQTT-3.2.2-15]", async () => {
    const stage = await connected({
      protocolVersion: 5,
      server: { onConnect: () => ({ properties: { maximumPacketSize: 50 } }) },
    });
    await stage.refused(stage.client.subscribe("a".repeat(60)), "ERR_PACKET_TOO_LARGE");
    await stage.refused(stage.client.unsubscribe("a".repeat(60)), "ERR_PACKET_TOO_LARGE");
    await stage.now(stage.client.subscribe("a"));
    await stage.finish();
  });
});

describe("SUBACK", () => {
  /** Grants filters with a "g" in front and refuses the others. */
  const picky: FakeServerOptions = {
    onSubscribe: (packet) => packet.filters.map(({ filter, qos }) => (filter.startsWith("g") ? qos : 0x87)),
  };

  test.each([
    [4, 0x80],
    [5, 0x80],
    [5, 0x83],
    [5, 0x87],
    [5, 0x8f],
    [5, 0x91],
    [5, 0x97],
    [5, 0x9e],
    [5, 0xa1],
    [5, 0xa2],
  ] as const)("at level %i with 0x%x rejects with ERR_SUBSCRIBE_FAILED and the code", async (protocolVersion, code) => {
    const stage = await connected({ protocolVersion, server: { onSubscribe: () => [code] } });
    const error = await stage.refused(stage.client.subscribe("a"), "ERR_SUBSCRIBE_FAILED");
    expect(error.peer).toMatchObject({ protocol: "mqtt", code });
    await stage.finish();
  });

  test("a lower QoS than asked for is told in filters", async () => {
    const stage = await connected({ server: { onSubscribe: () => [1, 0] } });
    const subscription = await stage.now(stage.client.subscribe(["a", "b"], { qos: 2 }));
    expect(subscription.filters).toEqual([
      { filter: "a", reasonCode: 1 },
      { filter: "b", reasonCode: 0 },
    ]);
    await stage.finish();
  });

  test("one refused filter takes the granted ones back", async () => {
    const stage = await connected({ protocolVersion: 5, server: picky });
    const error = await stage.refused(stage.client.subscribe(["good", "bad", "great"]), "ERR_SUBSCRIBE_FAILED");
    expect(error.message).toContain("bad");
    expect(stage.link.take("unsubscribe").map((packet) => packet.filters)).toEqual([["good", "great"]]);
    stage.link.cut();
    await stage.clock.settle();
    expect(stage.link.types()).toEqual(["connect"]);
    await stage.finish();
  });

  test('with partial: "allow" one granted filter is enough', async () => {
    const stage = await connected({ protocolVersion: 5, server: picky });
    const got: string[] = [];
    const subscription = await stage.now(
      stage.client.subscribe(["good", "bad"], { partial: "allow", handler: (message) => void got.push(message.topic) }),
    );
    expect(subscription.filters).toEqual([
      { filter: "good", reasonCode: 0 },
      { filter: "bad", reasonCode: 0x87 },
    ]);
    stage.link.publish("good", "x");
    stage.link.publish("bad", "x");
    await stage.clock.settle();
    expect(got).toEqual(["good"]);
    await stage.finish();
  });

  test('with partial: "allow" none granted is a failure', async () => {
    const stage = await connected({ protocolVersion: 5, server: picky });
    await stage.refused(stage.client.subscribe(["bad", "worse"], { partial: "allow" }), "ERR_SUBSCRIBE_FAILED");
    await stage.finish();
  });

  test("that comes after the caller gave up is taken back", async () => {
    const stage = await connected({ protocolVersion: 5, server: { onSubscribe: () => null } });
    const abort = new AbortController();
    const subscribing = stage.client.subscribe("a", { signal: abort.signal });
    await stage.clock.settle();
    const [packet] = stage.link.take("subscribe");
    abort.abort();
    await stage.refused(subscribing, "ERR_ABORTED");
    stage.link.send({ type: "suback", packetId: packet?.packetId ?? 0, reasonCodes: [0], properties: null });
    await stage.clock.settle();
    expect(stage.link.take("unsubscribe").map((each) => each.filters)).toEqual([["a"]]);
    await stage.finish();
  });

  test("that comes after its deadline is taken back, unless somebody else uses the filter", async () => {
    const stage = await connected({ ackTimeoutMs: 100, server: { onSubscribe: () => null } });
    const late = stage.promises.track(stage.client.subscribe(["a", "b"]));
    await stage.clock.advance(200);
    await stage.refused(late, "ERR_TIMEOUT");
    const [packet] = stage.link.take("subscribe");
    stage.server.options = {};
    await stage.now(stage.client.subscribe("b"));
    stage.link.send({ type: "suback", packetId: packet?.packetId ?? 0, reasonCodes: [0, 0], properties: null });
    await stage.clock.settle();
    expect(stage.link.take("unsubscribe").map((each) => each.filters)).toEqual([["a"]]);
    await stage.finish();
  });
});

describe("unsubscribe", () => {
  test("unsubscribe gives up waiting when its signal fires; the subscription has ended all the same", async () => {
    const stage = await connected({ server: { onUnsubscribe: () => null } });
    const subscription = await stage.now(stage.client.subscribe("a"));
    const abort = new AbortController();
    const ending = stage.promises.track(stage.client.unsubscribe("a", { signal: abort.signal }));
    await stage.clock.settle();
    abort.abort();
    await stage.refused(ending, "ERR_ABORTED");
    expect(subscription.ended).toBe(true);
    expect(stage.link.take("unsubscribe")).toHaveLength(1);
    await stage.refused(stage.client.unsubscribe("a", { signal: AbortSignal.abort() }), "ERR_ABORTED");
    await stage.finish();
  });

  test("ends every subscription to the filter and tells the server's codes [MQTT-3.10.3-2] [MQTT3-3.10.3-2]", async () => {
    const stage = await connected({ protocolVersion: 5 });
    const one = await stage.now(stage.client.subscribe("a"));
    const two = await stage.now(stage.client.subscribe(["a", "b"]));
    expect(await stage.now(stage.client.unsubscribe(["a", "never"]))).toEqual([0, 0x11]);
    expect(one.ended).toBe(true);
    expect(two.ended).toBe(false);
    await stage.finish();
  });

  test("has no codes in 3.1.1", async () => {
    const stage = await connected();
    await stage.now(stage.client.subscribe("a"));
    expect(await stage.now(stage.client.unsubscribe("a"))).toEqual([]);
    await stage.finish();
  });

  test("refused by the server rejects with ERR_UNSUBSCRIBE_FAILED", async () => {
    const stage = await connected({ protocolVersion: 5, server: { onUnsubscribe: () => [0x87] } });
    const error = await stage.refused(stage.client.unsubscribe("a"), "ERR_UNSUBSCRIBE_FAILED");
    expect(error.peer?.code).toBe(0x87);
    await stage.finish();
  });

  test.each([
    ["nothing [MQTT-3.10.3-2] [MQTT3-3.10.3-2]", []],
    ["a bad filter [MQTT-3.10.3-1] [MQTT3-3.10.3-1]", "\ud800"],
    ["what is no text", [7]],
  ])("refuses %s", async (_, filters) => {
    const stage = await connected();
    await stage.refused(stage.client.unsubscribe(filters as unknown as string[]), "ERR_INVALID_TOPIC");
    expect(stage.link.types()).toEqual([]);
    await stage.finish();
  });

  test("of a subscription ends it, and its filters unless another subscription uses them", async () => {
    const stage = await connected();
    const one = await stage.now(stage.client.subscribe(["a", "b"]));
    await stage.now(stage.client.subscribe("b"));
    await stage.now(one.unsubscribe());
    expect(one.ended).toBe(true);
    expect(stage.link.take("unsubscribe").map((packet) => packet.filters)).toEqual([["a"]]);
    await stage.now(one.unsubscribe());
    expect(stage.link.types()).toEqual([]);
    await stage.finish();
  });

  test("`await using` of a subscription unsubscribes", async () => {
    const stage = await connected();
    const use = async (): Promise<void> => {
      await using subscription = await stage.client.subscribe("a");
      expect(subscription.ended).toBe(false);
    };
    await stage.now(use());
    expect(stage.link.types()).toEqual(["subscribe", "unsubscribe"]);
    await stage.finish();
  });

  test("a filter that was unsubscribed is not restored, the subscription's others are", async () => {
    const stage = await connected();
    const subscription = await stage.now(stage.client.subscribe(["a", "b"], { qos: 1 }));
    await stage.now(stage.client.unsubscribe("a"));
    stage.link.cut();
    await stage.clock.settle();
    expect(asked(stage)).toEqual([{ filter: "b", qos: 1, ...NOTHING }]);
    expect(subscription.filters).toEqual([
      { filter: "a", reasonCode: 1 },
      { filter: "b", reasonCode: 1 },
    ]);
    await stage.finish();
  });

  test("messages that were under way are acknowledged and dropped, so that they take no place of the server's window [MQTT-4.5.0-2] [MQTT3-4.5.0-2]", async () => {
    const stage = await connected({ protocolVersion: 5, cleanStart: false, sessionExpirySeconds: 60 });
    stage.link.cut();
    await stage.clock.settle();
    const subscription = await stage.now(stage.client.subscribe("a", { qos: 1 }));
    stage.link.take();
    const leaving = stage.promises.track(subscription.unsubscribe());
    for (let i = 0; i < 3; i++) stage.link.publish("a", "late", { qos: 1 });
    await stage.now(leaving);
    expect(stage.link.types()).toEqual(["unsubscribe", "puback", "puback", "puback"]);
    expect(stage.of("messageDropped")).toHaveLength(3);
    await stage.finish();
  });

  test("asked for offline waits for the next connection, which may have kept the session", async () => {
    let up = true;
    const stage = await connected({
      protocolVersion: 5,
      sessionExpirySeconds: 60,
      answer: () => (up ? "server" : new Error("down")),
    });
    const subscription = await stage.now(stage.client.subscribe("a"));
    up = false;
    stage.link.cut();
    await stage.clock.settle();
    const leaving = stage.promises.track(subscription.unsubscribe());
    up = true;
    await stage.clock.advance(5_000);
    await stage.now(leaving);
    expect(stage.link.types()).toEqual(["connect", "unsubscribe"]);
    expect(await stateOf(leaving)).toBe("resolved");
    await stage.finish();
  });
});
