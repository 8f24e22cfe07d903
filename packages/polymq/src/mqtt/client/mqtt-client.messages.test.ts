import { describe, expect, test } from "vitest";
import type { QoS } from "../codec/packets.ts";
import { codeOf, connected, type Setup, type Stage, stateOf } from "./client-setup.test-support.ts";
import type { MqttMessage } from "./message.ts";
import type { SubscribeOptions } from "./subscribe-options.ts";
import type { MqttSubscription } from "./subscription.ts";

/** Handlers that end when the test says so. */
class Handlers {
  readonly started: string[] = [];
  readonly messages: MqttMessage[] = [];
  readonly #ends = new Map<string, { resolve: () => void; reject: (error: Error) => void }>();
  running = 0;
  most = 0;

  readonly handle = async (message: MqttMessage): Promise<void> => {
    this.started.push(message.text());
    this.messages.push(message);
    this.most = Math.max(this.most, ++this.running);
    try {
      await new Promise<void>((resolve, reject) => this.#ends.set(message.text(), { resolve, reject }));
    } finally {
      this.running--;
    }
  };

  end(text: string): void {
    this.#ends.get(text)?.resolve();
  }

  fail(text: string): void {
    this.#ends.get(text)?.reject(new Error(`cannot handle ${text}`));
  }
}

/** A connected client with one subscription to everything. */
async function subscribed(
  options: SubscribeOptions,
  given: Setup = {},
): Promise<{ stage: Stage; subscription: MqttSubscription }> {
  const stage = await connected({ protocolVersion: 5, ...given });
  const subscription = await stage.now(stage.client.subscribe("#", { qos: 2, ...options }));
  stage.link.take();
  return { stage, subscription };
}

function send(stage: Stage, qos: QoS, ...payloads: string[]): Promise<void> {
  for (const payload of payloads) stage.link.publish("t", payload, { qos });
  return stage.clock.settle();
}

/** Acknowledgements since the last call, as `puback 1`. */
function acks(stage: Stage): string[] {
  return stage.link.take().flatMap((packet) => ("packetId" in packet ? [`${packet.type} ${packet.packetId}`] : []));
}

describe("a message", () => {
  test("has topic, payload, flags and properties", async () => {
    const got: MqttMessage[] = [];
    const { stage } = await subscribed({ handler: (message) => void got.push(message) });
    const properties = {
      payloadFormat: 1,
      messageExpirySeconds: 9,
      contentType: "application/json",
      responseTopic: "answers",
      correlationData: Uint8Array.of(1, 2),
      userProperties: [
        ["a", "1"],
        ["a", "2"],
      ],
      subscriptionIdentifiers: [5, 6],
    } as const;
    stage.link.publish("some/tópic", '{"n":1}', { qos: 1, retain: true, properties });
    await stage.clock.settle();
    const message = got[0];
    expect(message).toMatchObject({ topic: "some/tópic", qos: 1, retain: true, dup: false, ...properties });
    expect(message?.text()).toBe('{"n":1}');
    expect(message?.json()).toEqual({ n: 1 });
    await stage.finish();
  });

  test("without properties has none", async () => {
    const got: MqttMessage[] = [];
    const { stage } = await subscribed({ handler: (message) => void got.push(message) });
    await send(stage, 0, "x");
    expect(got[0]).toMatchObject({ properties: null, userProperties: [], subscriptionIdentifiers: [] });
    expect(got[0]?.contentType).toBeUndefined();
    expect(codeOf(() => got[0]?.json())).toBe("ERR_INVALID_MESSAGE");
    await stage.finish();
  });

  test("with a user property named __proto__ harms nobody", async () => {
    const got: MqttMessage[] = [];
    const { stage } = await subscribed({ handler: (message) => void got.push(message) });
    stage.link.publish("__proto__", "x", { properties: { userProperties: [["__proto__", "evil"]] } });
    await stage.clock.settle();
    expect(got[0]?.userProperties).toEqual([["__proto__", "evil"]]);
    expect(({} as { evil?: string }).evil).toBeUndefined();
    await stage.finish();
  });
});

describe("acknowledgement", () => {
  test.each([4, 5] as const)(
    "at level %i of QoS 1 follows the handler's promise [MQTT-4.3.2-4] [MQTT-3.3.4-1] [MQTT3-4.3.2-2] [MQTT3-3.3.4-1]",
    async (protocolVersion) => {
      const handlers = new Handlers();
      const { stage } = await subscribed({ handler: handlers.handle }, { protocolVersion });
      await send(stage, 1, "x");
      expect(acks(stage)).toEqual([]);
      handlers.end("x");
      await stage.clock.settle();
      expect(acks(stage)).toEqual(["puback 1"]);
      await stage.finish();
    },
  );

  test.each([4, 5] as const)(
    "at level %i of QoS 2: PUBREC follows the handler's promise, PUBCOMP the PUBREL [MQTT-4.3.3-8] [MQTT-4.3.3-11] [MQTT3-4.3.3-2]",
    async (protocolVersion) => {
      const handlers = new Handlers();
      const { stage } = await subscribed({ handler: handlers.handle }, { protocolVersion });
      await send(stage, 2, "x");
      expect(acks(stage)).toEqual([]);
      handlers.end("x");
      await stage.clock.settle();
      expect(acks(stage)).toEqual(["pubrec 1", "pubcomp 1"]);
      await stage.finish();
    },
  );

  test("leaves in the order of arrival, however handlers end [MQTT-4.6.0-2] [MQTT-4.6.0-3] [MQTT3-4.6.0-2] [MQTT3-4.6.0-3]", async () => {
    const handlers = new Handlers();
    const { stage } = await subscribed({ handler: handlers.handle, concurrency: 10 });
    for (const [payload, qos] of [
      ["a", 1],
      ["b", 2],
      ["c", 1],
      ["d", 2],
    ] as const)
      await send(stage, qos, payload);
    for (const payload of ["d", "b", "c"]) handlers.end(payload);
    await stage.clock.settle();
    expect(acks(stage)).toEqual([]);
    handlers.end("a");
    await stage.clock.settle();
    expect(acks(stage).filter((ack) => !ack.startsWith("pubcomp"))).toEqual([
      "puback 1",
      "pubrec 2",
      "puback 3",
      "pubrec 4",
    ]);
    await stage.finish();
  });

  test("of a handler that returns nothing leaves at once", async () => {
    const { stage } = await subscribed({ handler: () => undefined });
    await send(stage, 1, "a", "b");
    expect(acks(stage)).toEqual(["puback 1", "puback 2"]);
    await stage.finish();
  });

  test("of QoS 0 is none [MQTT-3.3.4-1] [MQTT3-3.3.4-1]", async () => {
    const { stage } = await subscribed({ handler: () => undefined });
    await send(stage, 0, "a", "b");
    expect(acks(stage)).toEqual([]);
    await stage.finish();
  });

  test("after PUBACK a message with the same packet id is a new one, whatever its DUP says [MQTT-4.3.2-5] [MQTT3-4.3.2-2]", async () => {
    const got: string[] = [];
    const { stage } = await subscribed({ handler: (message) => void got.push(message.text()) });
    stage.link.sendBytes(Uint8Array.of(0x32, 7, 0, 1, 0x74, 0, 9, 0, 0x61));
    stage.link.sendBytes(Uint8Array.of(0x3a, 7, 0, 1, 0x74, 0, 9, 0, 0x62));
    await stage.clock.settle();
    expect(got).toEqual(["a", "b"]);
    await stage.finish();
  });

  test("QoS 2: a repetition before PUBREL is acknowledged again and delivered once [MQTT-4.3.3-10] [MQTT-4.3.3-12] [MQTT3-4.3.3-2]", async () => {
    const got: string[] = [];
    const { stage } = await subscribed({ handler: (message) => void got.push(message.text()) });
    stage.server.options = { mode: "raw" };
    const publish = (dup: boolean): void =>
      stage.link.sendBytes(Uint8Array.of(dup ? 0x3c : 0x34, 7, 0, 1, 0x74, 0, 9, 0, 0x61));
    publish(false);
    publish(true);
    await stage.clock.settle();
    expect(acks(stage)).toEqual(["pubrec 9", "pubrec 9"]);
    stage.link.send({ type: "pubrel", packetId: 9, reasonCode: 0, properties: null });
    publish(false);
    await stage.clock.settle();
    expect(acks(stage)).toEqual(["pubcomp 9", "pubrec 9"]);
    expect(got).toEqual(["a", "a"]);
    await stage.finish();
  });

  test("of a PUBREL that nobody knows says so in 5.0 (§3.7.2.1) [MQTT-3.7.2-1]", async () => {
    const { stage } = await subscribed({ handler: () => undefined });
    stage.server.options = { mode: "raw" };
    stage.link.send({ type: "pubrel", packetId: 77, reasonCode: 0, properties: null });
    await stage.clock.settle();
    expect(stage.link.take("pubcomp")).toEqual([{ type: "pubcomp", packetId: 77, reasonCode: 0x92, properties: null }]);
    await stage.finish();
  });
});

describe("a message settled by hand", () => {
  async function manual(given: Setup = {}): Promise<{ stage: Stage; got: MqttMessage[] }> {
    const got: MqttMessage[] = [];
    const { stage } = await subscribed({ ack: "manual", handler: (message) => void got.push(message) }, given);
    return { stage, got };
  }

  test("is acknowledged by ack() alone", async () => {
    const { stage, got } = await manual();
    await send(stage, 1, "a", "b");
    expect(acks(stage)).toEqual([]);
    got[1]?.ack();
    await stage.clock.settle();
    expect(acks(stage)).toEqual([]);
    got[0]?.ack();
    await stage.clock.settle();
    expect(acks(stage)).toEqual(["puback 1", "puback 2"]);
    await stage.finish();
  });

  test("can be settled once", async () => {
    const { stage, got } = await manual();
    await send(stage, 1, "a");
    got[0]?.ack();
    for (const again of ["ack", "reject", "withhold"] as const)
      expect(codeOf(() => got[0]?.[again]())).toBe("ERR_ALREADY_SETTLED");
    await stage.finish();
  });

  test("of QoS 0 has nothing to settle", async () => {
    const { stage, got } = await manual();
    await send(stage, 0, "a");
    got[0]?.ack();
    got[0]?.ack();
    got[0]?.reject();
    got[0]?.withhold();
    await stage.clock.settle();
    expect(acks(stage)).toEqual([]);
    await stage.finish();
  });

  test.each([0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99])(
    "is refused with 0x%x [MQTT-3.4.2-1] [MQTT-3.5.2-1]",
    async (code) => {
      const { stage, got } = await manual();
      await send(stage, 1, "a");
      await send(stage, 2, "b");
      got[0]?.reject(code);
      got[1]?.reject(code);
      await stage.clock.settle();
      expect(stage.link.take()).toMatchObject([
        { type: "puback", reasonCode: code },
        { type: "pubrec", reasonCode: code },
      ]);
      await stage.finish();
    },
  );

  test("cannot be refused with a code that PUBACK has not, nor in 3.1.1", async () => {
    const five = await manual();
    await send(five.stage, 1, "a");
    for (const code of [0, 0x10, 0x81, 0x92])
      expect(codeOf(() => five.got[0]?.reject(code))).toBe("ERR_INVALID_ARGUMENT");
    await five.stage.finish();
    const four = await manual({ protocolVersion: 4 });
    await send(four.stage, 1, "a");
    expect(codeOf(() => four.got[0]?.reject())).toBe("ERR_UNSUPPORTED");
    await four.stage.finish();
  });

  test("can be withheld: later ones do not wait for it, and the server sends it again", async () => {
    const { stage, got } = await manual({ sessionExpirySeconds: 60 });
    await send(stage, 1, "a", "b");
    got[0]?.withhold();
    got[1]?.ack();
    await stage.clock.settle();
    expect(acks(stage)).toEqual(["puback 2"]);
    stage.link.cut();
    await stage.clock.settle();
    expect(got.map((message) => `${message.text()}${message.dup ? " again" : ""}`)).toEqual(["a", "b", "a again"]);
    await stage.finish();
  });

  test("QoS 2 too: withheld it is delivered again", async () => {
    const { stage, got } = await manual({ sessionExpirySeconds: 60 });
    await send(stage, 2, "a");
    got[0]?.withhold();
    stage.link.cut();
    await stage.clock.settle();
    got[1]?.ack();
    await stage.clock.settle();
    expect(got).toHaveLength(2);
    expect(acks(stage)).toEqual(["pubrec 1", "pubcomp 1"]);
    await stage.finish();
  });

  test("is too late once the session is gone", async () => {
    const { stage, got } = await manual();
    await send(stage, 1, "a");
    stage.link.cut();
    await stage.clock.settle();
    expect(codeOf(() => got[0]?.ack())).toBe("ERR_ALREADY_SETTLED");
    await stage.finish();
  });

  test("in a session that lasts may be settled after a reconnect, and is not delivered twice", async () => {
    const { stage, got } = await manual({ sessionExpirySeconds: 60 });
    await send(stage, 1, "a");
    await send(stage, 2, "b");
    stage.link.cut();
    await stage.clock.settle();
    for (const message of got) message.ack();
    await stage.clock.settle();
    expect(got).toHaveLength(2);
    expect(acks(stage)).toEqual(["puback 1", "pubrec 2", "pubcomp 2"]);
    await stage.finish();
  });
});

describe("a handler that fails", () => {
  test.each([
    ["withhold", []],
    ["ack", ["puback 0"]],
    ["reject", ["puback 128"]],
  ] as const)("with whenHandlerFails %s", async (whenHandlerFails, wanted) => {
    const handlers = new Handlers();
    const { stage } = await subscribed({ handler: handlers.handle, whenHandlerFails, concurrency: 2 });
    await send(stage, 1, "bad", "good");
    handlers.fail("bad");
    handlers.end("good");
    await stage.clock.settle();
    expect(stage.link.take("puback").map((packet) => `puback ${packet.reasonCode}`)).toEqual([...wanted, "puback 0"]);
    const [event] = stage.of("handlerError");
    expect(event?.message.text()).toBe("bad");
    expect(event?.error).toEqual(new Error("cannot handle bad"));
    await stage.finish();
  });

  test("throwing at once is the same", async () => {
    const { stage } = await subscribed({
      whenHandlerFails: "ack",
      handler: () => {
        throw new Error("at once");
      },
    });
    await send(stage, 1, "a", "b");
    expect(acks(stage)).toEqual(["puback 1", "puback 2"]);
    expect(stage.of("handlerError")).toHaveLength(2);
    await stage.finish();
  });

  test("reject in 3.1.1 leaves the message unacknowledged", async () => {
    const { stage } = await subscribed(
      { whenHandlerFails: "reject", handler: () => Promise.reject(new Error("no")) },
      { protocolVersion: 4 },
    );
    await send(stage, 1, "a");
    expect(acks(stage)).toEqual([]);
    await stage.finish();
  });

  test("with manual acknowledgement settles nothing by itself", async () => {
    const { stage } = await subscribed({
      ack: "manual",
      whenHandlerFails: "ack",
      handler: () => Promise.reject(new Error("no")),
    });
    await send(stage, 1, "a");
    expect(acks(stage)).toEqual([]);
    await stage.finish();
  });
});

describe("handlers", () => {
  test("run one after the other by default, in order", async () => {
    const handlers = new Handlers();
    const { stage, subscription } = await subscribed({ handler: handlers.handle });
    await send(stage, 1, "a", "b", "c");
    expect(handlers.started).toEqual(["a"]);
    expect(subscription.buffered).toBe(2);
    for (const payload of ["a", "b", "c"]) {
      handlers.end(payload);
      await stage.clock.settle();
    }
    expect(handlers.started).toEqual(["a", "b", "c"]);
    expect(handlers.most).toBe(1);
    expect(subscription.received).toBe(3);
    await stage.finish();
  });

  test("run up to concurrency at a time", async () => {
    const handlers = new Handlers();
    const { stage } = await subscribed({ handler: handlers.handle, concurrency: 3 });
    await send(stage, 0, ..."abcdef");
    expect(handlers.started).toEqual(["a", "b", "c"]);
    for (const payload of "abcdef") {
      handlers.end(payload);
      await stage.clock.settle();
    }
    expect(handlers.started.join("")).toBe("abcdef");
    expect(handlers.most).toBe(3);
    await stage.finish();
  });

  test("that end at once handle any number of messages without deep recursion", async () => {
    let count = 0;
    let release: () => void = () => undefined;
    const first = new Promise<void>((resolve) => (release = resolve));
    const { stage } = await subscribed({ highWaterMark: 100_000, handler: () => (count++ === 0 ? first : undefined) });
    for (let i = 0; i < 20_000; i++) stage.link.publish("t", "x");
    await stage.clock.settle();
    expect(count).toBe(1);
    release();
    await stage.clock.settle();
    expect(count).toBe(20_000);
    await stage.finish();
  });

  test("of an ended subscription get nothing more, while the one that runs is still acknowledged", async () => {
    const handlers = new Handlers();
    const { stage, subscription } = await subscribed({ handler: handlers.handle });
    await send(stage, 1, "a", "b");
    const leaving = stage.client.unsubscribe("#");
    await send(stage, 1, "c");
    handlers.end("a");
    await stage.now(leaving);
    expect(handlers.started).toEqual(["a"]);
    expect(subscription.ended).toBe(true);
    expect(stage.link.take("puback").map((packet) => packet.packetId)).toContain(1);
    await stage.finish();
  });

  test("may unsubscribe from inside", async () => {
    const seen: string[] = [];
    const { stage, subscription } = await subscribed({
      handler: async (message) => {
        seen.push(message.text());
        await subscription.unsubscribe();
      },
    });
    await send(stage, 1, "a", "b");
    expect(seen).toEqual(["a"]);
    expect(acks(stage)).toContain("puback 1");
    await stage.finish();
  });

  test("a message of a deep subscription goes on being handled while another subscription's handler waits", async () => {
    const handlers = new Handlers();
    const { stage } = await subscribed({ handler: handlers.handle });
    const seen: string[] = [];
    await stage.now(stage.client.subscribe("other", { handler: (message) => void seen.push(message.text()) }));
    await send(stage, 0, "slow", "waits");
    stage.link.publish("other", "quick");
    await stage.clock.settle();
    expect(seen).toEqual(["quick"]);
    expect(await stateOf(Promise.resolve())).toBe("resolved");
    await stage.finish();
  });
});
