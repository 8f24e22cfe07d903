import { describe, expect, test } from "vitest";
import type { QoS } from "../codec/packets.ts";
import type { MqttPublishMessage } from "./call-options.ts";
import { connected, setup, stateOf, utf8 } from "./client-setup.test-support.ts";

const LEVELS = [4, 5] as const;

describe.each(LEVELS)("publish at level %i", (protocolVersion) => {
  const options = { protocolVersion };

  test("at QoS 0 resolves without an answer and carries no packet id [MQTT-2.2.1-2] [MQTT-3.3.1-2] [MQTT-4.3.1-1] [MQTT3-2.3.1-5] [MQTT3-3.3.1-2] [MQTT3-4.3.1-1]", async () => {
    const stage = await connected(options);
    expect(await stage.client.publish("a/b", "x")).toEqual({ reasonCode: 0, reasonString: "", userProperties: [] });
    await stage.clock.settle();
    expect(stage.link.take()).toEqual([
      {
        type: "publish",
        topic: "a/b",
        payload: utf8("x"),
        qos: 0,
        retain: false,
        dup: false,
        packetId: 0,
        properties: null,
      },
    ]);
    await stage.finish();
  });

  test("what one message had, a later one has not", async () => {
    const stage = await connected(options);
    const properties = protocolVersion === 5 ? { properties: { contentType: "text" } } : {};
    await stage.now(stage.client.publish("first", "1", { qos: 2, retain: true, ...properties }));
    await stage.now(stage.client.publish("second", "2", { qos: 1 }));
    await stage.now(stage.client.publish("third", "3", { qos: 2 }));
    const sent = stage.link.take("publish").map(({ topic, qos, retain, dup }) => [topic, qos, retain, dup]);
    expect(sent).toEqual([
      ["first", 2, true, false],
      ["second", 1, false, false],
      ["third", 2, false, false],
    ]);
    expect(stage.server.received.map((message) => message.properties?.contentType)).toEqual([
      protocolVersion === 5 ? "text" : undefined,
      undefined,
      undefined,
    ]);
    await stage.finish();
  });

  test("at QoS 1 resolves at PUBACK [MQTT-2.2.1-3] [MQTT-4.3.2-1] [MQTT-4.3.2-2] [MQTT3-2.3.1-1] [MQTT3-4.3.2-1]", async () => {
    const stage = await connected({ ...options, server: { onMessage: () => null } });
    const publishing = stage.promises.track(stage.client.publish("a/b", "x", { qos: 1 }));
    await stage.clock.settle();
    expect(await stateOf(publishing)).toBe("pending");
    const [packet] = stage.link.take("publish");
    expect(packet).toMatchObject({ qos: 1, dup: false });
    expect(packet?.packetId).toBeGreaterThan(0);
    stage.link.settle(stage.server.received[0]?.ticket ?? -1);
    expect((await stage.now(publishing)).reasonCode).toBe(0);
    await stage.finish();
  });

  test("at QoS 2 resolves at PUBCOMP, after PUBREC and PUBREL under one packet id [MQTT-2.2.1-5] [MQTT-3.3.4-1] [MQTT-4.3.3-1] [MQTT-4.3.3-2] [MQTT-4.3.3-4] [MQTT3-2.3.1-6] [MQTT3-3.3.4-1] [MQTT3-4.3.3-1]", async () => {
    const stage = setup({ ...options, server: { mode: "raw" } });
    const connecting = stage.client.connect();
    await stage.clock.settle();
    stage.link.send({ type: "connack", sessionPresent: false, reasonCode: 0, properties: null });
    await stage.now(connecting);
    stage.link.take();
    const publishing = stage.promises.track(stage.client.publish("a/b", "x", { qos: 2 }));
    await stage.clock.settle();
    const [publish] = stage.link.take("publish");
    const packetId = publish?.packetId ?? 0;
    expect(publish).toMatchObject({ qos: 2, dup: false });
    stage.link.send({ type: "pubrec", packetId, reasonCode: 0, properties: null });
    await stage.clock.settle();
    expect(stage.link.take()).toEqual([{ type: "pubrel", packetId, reasonCode: 0, properties: null }]);
    expect(await stateOf(publishing)).toBe("pending");
    stage.link.send({ type: "pubcomp", packetId, reasonCode: 0, properties: null });
    await stage.now(publishing);
    await stage.finish();
  });

  test("takes text and bytes, and no payload at all", async () => {
    const stage = await connected({ ...options, server: { onMessage: () => 0 } });
    await stage.now(stage.client.publish("t", "grün"));
    await stage.now(stage.client.publish("t", utf8("bytes")));
    await stage.now(stage.client.publish({ topic: "t", qos: 1, retain: true, payload: "object" }));
    await stage.now(stage.client.publish({ topic: "t" }));
    expect(stage.server.payloads).toEqual(["grün", "bytes", "object", ""]);
    expect(stage.server.received[2]).toMatchObject({ qos: 1, retain: true });
    await stage.finish();
  });

  test("new messages get packet ids that are not in use [MQTT-2.2.1-3] [MQTT3-2.3.1-2]", async () => {
    const stage = await connected({ ...options, maxInflight: 200, server: { onMessage: () => null } });
    for (let i = 0; i < 150; i++)
      stage.promises.track(stage.client.publish("t", "x", { qos: 1 })).catch(() => undefined);
    await stage.clock.settle();
    const ids = new Set(stage.server.received.map((message) => message.packetId));
    expect(ids.size).toBe(150);
    expect(ids.has(0)).toBe(false);
    await stage.finish();
  });

  test("messages of one kind arrive in the order in which they were published", async () => {
    const stage = await connected({ ...options, maxInflight: 3 });
    const all = Array.from({ length: 30 }, (_, i) => stage.client.publish("t", String(i), { qos: (i % 3) as QoS }));
    await stage.now(Promise.all(all));
    expect(stage.server.payloads).toEqual(Array.from({ length: 30 }, (_, i) => String(i)));
    await stage.finish();
  });

  test("the payload may be changed as soon as publish returns", async () => {
    const stage = await connected({ ...options, maxInflight: 1 });
    const payload = utf8("first");
    const all = [0, 1, 2, 1].map((qos) => {
      const publishing = stage.client.publish("t", payload, { qos: qos as QoS });
      payload.fill(0x2d);
      payload[0] = (payload[0] ?? 0) + 1;
      payload.set(utf8("other"));
      return publishing;
    });
    await stage.now(Promise.all(all));
    expect(stage.server.payloads).toEqual(["first", "other", "other", "other"]);
    await stage.finish();
  });
});

describe("reason codes (MQTT 5.0 §3.4.2.1, §3.5.2.1)", () => {
  test.each([
    [1, 0x80],
    [1, 0x83],
    [1, 0x87],
    [1, 0x90],
    [1, 0x91],
    [1, 0x97],
    [1, 0x99],
    [2, 0x80],
    [2, 0x87],
    [2, 0x97],
  ] as const)(
    "at QoS %i: 0x%x rejects with ERR_PUBLISH_REJECTED and is not sent again [MQTT-4.4.0-2]",
    async (qos, code) => {
      const stage = await connected({
        protocolVersion: 5,
        sessionExpirySeconds: 60,
        server: { onMessage: () => code },
      });
      const error = await stage.refused(stage.client.publish("t", "x", { qos }), "ERR_PUBLISH_REJECTED");
      expect(error.peer).toEqual({ protocol: "mqtt", code, text: "" });
      stage.link.take();
      stage.link.cut();
      await stage.clock.settle();
      expect(stage.link.types()).toEqual(["connect"]);
      await stage.finish();
    },
  );

  test.each([1, 2] as const)("at QoS %i: 0x10 is a result, for nobody subscribes", async (qos) => {
    const stage = await connected({
      protocolVersion: 5,
      server: { mode: "engine", onMessage: () => (qos === 1 ? 0x10 : 0) },
    });
    const result = await stage.now(stage.client.publish("t", "x", { qos }));
    expect(result.reasonCode).toBe(qos === 1 ? 0x10 : 0);
    await stage.finish();
  });

  test("reason string and user properties of PUBACK are told, in result and error", async () => {
    const stage = await connected({ protocolVersion: 5, server: { onMessage: () => null } });
    const properties = { reasonString: "nobody", userProperties: [["a", "1"]] } as const;
    const good = stage.client.publish("t", "x", { qos: 1 });
    const bad = stage.promises.track(stage.client.publish("t", "y", { qos: 1 }));
    await stage.clock.settle();
    const [first, second] = stage.server.received.map((message) => message.packetId);
    stage.link.send({ type: "puback", packetId: first ?? 0, reasonCode: 0x10, properties });
    stage.link.send({ type: "puback", packetId: second ?? 0, reasonCode: 0x87, properties });
    expect(await stage.now(good)).toEqual({ reasonCode: 0x10, ...properties });
    expect((await stage.refused(bad, "ERR_PUBLISH_REJECTED")).peer?.text).toBe("nobody");
    await stage.finish();
  });

  test("after a refusing PUBREC no PUBREL follows, and the packet id is free [MQTT-4.3.3-9]", async () => {
    const stage = await connected({ protocolVersion: 5, server: { onMessage: () => 0x97 } });
    await stage.refused(stage.client.publish("t", "x", { qos: 2 }), "ERR_PUBLISH_REJECTED");
    expect(stage.link.types()).toEqual(["publish"]);
    await stage.finish();
  });
});

describe("what is refused before anything is sent", () => {
  test.each([
    ["an empty topic [MQTT-4.7.3-1] [MQTT3-4.7.3-1]", { topic: "" }, "ERR_INVALID_TOPIC"],
    [
      "a topic with + [MQTT-3.3.2-2] [MQTT-4.7.0-1] [MQTT3-3.3.2-2] [MQTT3-4.7.1-1]",
      { topic: "a/+" },
      "ERR_INVALID_TOPIC",
    ],
    ["a topic with #", { topic: "#" }, "ERR_INVALID_TOPIC"],
    ["a topic with U+0000 [MQTT-4.7.3-2] [MQTT3-4.7.3-2]", { topic: "a\0" }, "ERR_INVALID_TOPIC"],
    [
      "a topic with a lone surrogate [MQTT-1.5.4-1] [MQTT-3.3.2-1] [MQTT3-1.5.3-1] [MQTT3-3.3.2-1]",
      { topic: "\ud83d" },
      "ERR_INVALID_TOPIC",
    ],
    ["a topic above 65,535 bytes [MQTT-4.7.3-3] [MQTT3-4.7.3-3]", { topic: "ü".repeat(32_768) }, "ERR_INVALID_TOPIC"],
    ["a topic that is no text", { topic: 7 }, "ERR_INVALID_TOPIC"],
    ["QoS 3 [MQTT-3.3.1-4] [MQTT3-3.3.1-4]", { qos: 3 }, "ERR_INVALID_QOS"],
    ["a QoS in text", { qos: "1" }, "ERR_INVALID_QOS"],
    ["a payload that is neither text nor bytes", { payload: 7 }, "ERR_INVALID_MESSAGE"],
    ["a payload that is a list", { payload: [1, 2] }, "ERR_INVALID_MESSAGE"],
    ["properties that are no object", { properties: "x" }, "ERR_INVALID_MESSAGE"],
    ["user properties that are no text", { properties: { userProperties: { a: 1 } } }, "ERR_INVALID_MESSAGE"],
    ["a response topic with a wildcard [MQTT-3.3.2-14]", { properties: { responseTopic: "a/#" } }, "ERR_INVALID_TOPIC"],
    [
      "a response topic with a lone surrogate [MQTT-3.3.2-13]",
      { properties: { responseTopic: "\ud800" } },
      "ERR_INVALID_TOPIC",
    ],
    [
      "a content type with a lone surrogate [MQTT-3.3.2-19]",
      { properties: { contentType: "\ud800" } },
      "ERR_INVALID_ARGUMENT",
    ],
    [
      "a user property name with U+0000 [MQTT-1.5.7-1]",
      { properties: { userProperties: { "a\0": "1" } } },
      "ERR_INVALID_ARGUMENT",
    ],
    ["a payload format of 2", { properties: { payloadFormat: 2 } }, "ERR_INVALID_ARGUMENT"],
    ["an expiry above 32 bits", { properties: { messageExpirySeconds: 2 ** 32 } }, "ERR_INVALID_ARGUMENT"],
    ["correlation data that is no bytes", { properties: { correlationData: "x" } }, "ERR_INVALID_ARGUMENT"],
  ] as const)("%s", async (_, message, code) => {
    const stage = await connected({ protocolVersion: 5 });
    for (const qos of [0, 1, 2]) {
      const whole = { topic: "t", payload: "x", qos, ...message } as unknown as MqttPublishMessage;
      await stage.refused(stage.promises.track(stage.client.publish(whole)), code);
    }
    await stage.now(stage.client.publish("t", "still alive", { qos: 1 }));
    expect(stage.server.payloads).toEqual(["still alive"]);
    expect(stage.of("connectionLost")).toEqual([]);
    await stage.finish();
  });

  test("no message at all", async () => {
    const stage = await connected();
    await stage.refused(stage.client.publish(null as unknown as MqttPublishMessage), "ERR_INVALID_MESSAGE");
    await stage.refused(stage.client.publish(undefined as unknown as MqttPublishMessage), "ERR_INVALID_MESSAGE");
    await stage.refused(stage.client.publish("t", undefined as unknown as string), "ERR_INVALID_MESSAGE");
    await stage.finish();
  });

  test.each([
    ["QoS 2 where the server has 1 [MQTT-3.2.2-11]", { maximumQoS: 1 }, { qos: 2 }],
    ["QoS 1 where the server has 0", { maximumQoS: 0 }, { qos: 1 }],
    ["a retained message where the server has none [MQTT-3.2.2-14]", { retainAvailable: false }, { retain: true }],
  ] as const)("%s", async (_, properties, options) => {
    const stage = await connected({ protocolVersion: 5, server: { onConnect: () => ({ properties }) } });
    await stage.refused(stage.client.publish("t", "x", options), "ERR_NOT_SUPPORTED_BY_SERVER");
    await stage.refused(
      stage.client.publish("t", "x", { ...options, signal: AbortSignal.timeout(1_000_000) }),
      "ERR_NOT_SUPPORTED_BY_SERVER",
    );
    await stage.now(stage.client.publish("t", "x"));
    expect(stage.server.received).toHaveLength(1);
    await stage.finish();
  });

  test("a message larger than the server takes; one that just fits goes out [MQTT-3.2.2-15]", async () => {
    const stage = await connected({
      protocolVersion: 5,
      outboundTopicAliases: "off",
      server: { onConnect: () => ({ properties: { maximumPacketSize: 100 } }) },
    });
    for (const qos of [0, 1, 2] as const) {
      const fixed = 2 + 2 + 1 + 1 + (qos === 0 ? 0 : 2);
      await stage.refused(stage.client.publish("t", new Uint8Array(101 - fixed), { qos }), "ERR_PACKET_TOO_LARGE");
      await stage.now(stage.client.publish("t", new Uint8Array(100 - fixed), { qos }));
    }
    expect(stage.link.frames.slice(1).every((frame) => frame.length <= 100)).toBe(true);
    await stage.finish();
  });

  test("properties in 3.1.1", async () => {
    const stage = await connected({ protocolVersion: 4 });
    await stage.refused(stage.client.publish("t", "x", { properties: { contentType: "a" } }), "ERR_UNSUPPORTED");
    await stage.now(stage.client.publish("t", "x", { properties: {} }));
    await stage.finish();
  });
});

describe("publish properties", () => {
  test("reach the wire, user properties in order and repeated", async () => {
    const stage = await connected({ protocolVersion: 5 });
    const properties = {
      payloadFormat: 1,
      messageExpirySeconds: 30,
      contentType: "text/plain",
      responseTopic: "answers",
      correlationData: Uint8Array.of(0, 1, 255),
    } as const;
    const userProperties = { a: ["1", "2"], b: "3" };
    await stage.now(stage.client.publish("t", "x", { qos: 1, properties: { ...properties, userProperties } }));
    const pairs = [
      ["a", "1"],
      ["a", "2"],
      ["b", "3"],
    ];
    expect(stage.server.received[0]?.properties).toEqual({ ...properties, userProperties: pairs });
    await stage.finish();
  });

  test("of a received message may be passed on: its subscription identifiers and topic alias are left out [MQTT-3.3.4-6]", async () => {
    const stage = await connected({ protocolVersion: 5 });
    const received = { contentType: "a", subscriptionIdentifiers: [1, 2], topicAlias: 3 };
    await stage.now(stage.client.publish("t", "x", { qos: 1, properties: received }));
    expect(stage.server.received[0]?.properties).toEqual({ contentType: "a" });
    await stage.finish();
  });

  test("an empty object is an empty list [MQTT-2.2.2-1]", async () => {
    const stage = await connected({ protocolVersion: 5 });
    await stage.now(stage.client.publish("t", "x", { properties: {} }));
    expect(stage.link.frames.at(-1)).toEqual(Uint8Array.of(0x30, 5, 0, 1, 0x74, 0, 0x78));
    await stage.finish();
  });
});

describe("a signal", () => {
  test("that has fired already refuses the message", async () => {
    const stage = await connected();
    await stage.refused(stage.client.publish("t", "x", { signal: AbortSignal.abort() }), "ERR_ABORTED");
    await stage.refused(stage.client.publish("t", "x", { qos: 1, signal: AbortSignal.abort() }), "ERR_ABORTED");
    expect(stage.server.received).toEqual([]);
    await stage.finish();
  });

  test("gives up a message that waits: it is never sent", async () => {
    const stage = await connected({ maxInflight: 1, server: { onMessage: () => null } });
    const abort = new AbortController();
    const first = stage.promises.track(stage.client.publish("t", "1", { qos: 1 }));
    const second = stage.promises.track(stage.client.publish("t", "2", { qos: 1, signal: abort.signal }));
    const third = stage.promises.track(stage.client.publish("t", "3", { qos: 1 }));
    await stage.clock.settle();
    expect(stage.client.waiting).toEqual({ messages: 2, bytes: 4 });
    abort.abort(new Error("changed my mind"));
    const error = await stage.refused(second, "ERR_ABORTED");
    expect((error.cause as Error).message).toBe("changed my mind");
    expect(stage.client.waiting).toEqual({ messages: 1, bytes: 2 });
    stage.server.options = {};
    stage.link.settle(stage.server.received[0]?.ticket ?? -1);
    await stage.now(Promise.all([first, third]));
    expect(stage.server.payloads).toEqual(["1", "3"]);
    await stage.finish();
  });

  test("gives up waiting for the acknowledgement of a message in flight; its packet id stays taken until then", async () => {
    const stage = await connected({ maxInflight: 1, server: { onMessage: () => null } });
    const abort = new AbortController();
    const first = stage.client.publish("t", "1", { qos: 1, signal: abort.signal });
    await stage.clock.settle();
    abort.abort();
    await stage.refused(first, "ERR_ABORTED");
    const second = stage.promises.track(stage.client.publish("t", "2", { qos: 1 }));
    await stage.clock.settle();
    expect(stage.server.payloads).toEqual(["1"]);
    stage.server.options = {};
    stage.link.settle(stage.server.received[0]?.ticket ?? -1);
    await stage.now(second);
    await stage.finish();
  });

  test("takes no place in the line when there is room, even where nothing may wait", async () => {
    const stage = await connected({ waiting: { maxMessages: 0 } });
    const { signal } = new AbortController();
    await stage.now(stage.client.publish("t", "0", { signal }));
    await stage.now(stage.client.publish("t", "1", { qos: 1, signal }));
    expect(stage.server.payloads).toEqual(["0", "1"]);
    await stage.finish();
  });

  test("keeps no listener of ours once the message is done", async () => {
    const stage = await connected();
    const { signal } = new AbortController();
    let listeners = 0;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = ((...args: Parameters<typeof add>) => {
      listeners++;
      add(...args);
    }) as typeof signal.addEventListener;
    signal.removeEventListener = ((...args: Parameters<typeof remove>) => {
      listeners--;
      remove(...args);
    }) as typeof signal.removeEventListener;
    for (const qos of [0, 1, 2] as const) await stage.now(stage.client.publish("t", "x", { qos, signal }));
    expect(listeners).toBe(0);
    await stage.finish();
  });
});
