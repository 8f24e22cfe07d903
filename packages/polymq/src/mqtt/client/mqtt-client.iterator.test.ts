import { describe, expect, test } from "vitest";
import type { QoS } from "../codec/packets.ts";
import { connected, type Setup, type Stage, stateOf } from "./client-setup.test-support.ts";
import type { MqttMessage } from "./message.ts";
import type { SubscribeOptions } from "./subscribe-options.ts";
import type { MqttSubscription } from "./subscription.ts";

/** A connected client with one subscription to everything, to be read. */
async function reading(
  options: SubscribeOptions = {},
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

function pubacks(stage: Stage): number[] {
  return stage.link.take("puback").map((packet) => packet.packetId);
}

async function next(stage: Stage, iterator: AsyncIterator<MqttMessage>): Promise<string> {
  const result = await stage.now(iterator.next());
  return result.done === true ? "done" : result.value.text();
}

describe("for await", () => {
  test("reads messages in order, acknowledging each when the next is asked for", async () => {
    const { stage, subscription } = await reading();
    const iterator = subscription[Symbol.asyncIterator]();
    await send(stage, 1, "a", "b", "c");
    expect(await next(stage, iterator)).toBe("a");
    expect(pubacks(stage)).toEqual([]);
    expect(await next(stage, iterator)).toBe("b");
    expect(pubacks(stage)).toEqual([1]);
    expect(await next(stage, iterator)).toBe("c");
    expect(pubacks(stage)).toEqual([2]);
    await stage.finish();
  });

  test("messages asked for at the same time are acknowledged one after the other", async () => {
    const { stage, subscription } = await reading();
    const iterator = subscription[Symbol.asyncIterator]();
    const [first, second] = [iterator.next(), iterator.next()];
    await send(stage, 1, "a", "b", "c");
    expect((await stage.now(first)).value?.text()).toBe("a");
    expect((await stage.now(second)).value?.text()).toBe("b");
    expect(pubacks(stage)).toEqual([1]);
    expect(await next(stage, iterator)).toBe("c");
    expect(pubacks(stage)).toEqual([2]);
    await stage.finish();
  });

  test("waits for a message that has not come yet", async () => {
    const { stage, subscription } = await reading();
    const waiting = subscription[Symbol.asyncIterator]().next();
    expect(await stateOf(waiting)).toBe("pending");
    await send(stage, 0, "late");
    expect((await stage.now(waiting)).value?.text()).toBe("late");
    await stage.finish();
  });

  test("left by break unsubscribes and leaves the message that was being handled unacknowledged", async () => {
    const { stage, subscription } = await reading();
    const loop = (async (): Promise<void> => {
      for await (const message of subscription) if (message.text() === "b") break;
    })();
    await send(stage, 1, "a", "b", "c");
    await stage.now(loop);
    expect(subscription.ended).toBe(true);
    expect(stage.link.take()).toMatchObject([{ type: "puback", packetId: 1 }, { type: "unsubscribe" }]);
    await stage.finish();
  });

  test("left by break after ack() has acknowledged it", async () => {
    const { stage, subscription } = await reading();
    const loop = (async (): Promise<void> => {
      for await (const message of subscription) {
        message.ack();
        break;
      }
    })();
    await send(stage, 1, "a");
    await stage.now(loop);
    expect(pubacks(stage)).toEqual([1]);
    await stage.finish();
  });

  test("left by an error rejects with it, and unsubscribes", async () => {
    const { stage, subscription } = await reading();
    const loop = stage.promises.track(
      (async (): Promise<void> => {
        for await (const message of subscription) throw new Error(message.text());
      })(),
    );
    await send(stage, 1, "oh");
    await expect(stage.now(loop)).rejects.toThrow("oh");
    expect(stage.link.types()).toEqual(["unsubscribe"]);
    await stage.finish();
  });

  test("ends after the buffered messages are gone when the client unsubscribes", async () => {
    const { stage, subscription } = await reading();
    const iterator = subscription[Symbol.asyncIterator]();
    await send(stage, 1, "a");
    expect(await next(stage, iterator)).toBe("a");
    await stage.now(stage.client.unsubscribe("#"));
    expect(await next(stage, iterator)).toBe("done");
    expect(await next(stage, iterator)).toBe("done");
    expect(pubacks(stage)).toEqual([1]);
    await stage.finish();
  });

  test("goes on over a reconnect", async () => {
    const { stage, subscription } = await reading();
    const iterator = subscription[Symbol.asyncIterator]();
    const waiting = iterator.next();
    stage.link.cut();
    await stage.clock.settle();
    await send(stage, 1, "after");
    expect((await stage.now(waiting)).value?.text()).toBe("after");
    await stage.finish();
  });

  test("by several readers shares the messages", async () => {
    const { stage, subscription } = await reading();
    const one = subscription[Symbol.asyncIterator]();
    const two = subscription[Symbol.asyncIterator]();
    const both = [one.next(), two.next()];
    await send(stage, 1, "a", "b");
    const texts = (await stage.now(Promise.all(both))).map((result) => result.value?.text());
    expect(texts).toEqual(["a", "b"]);
    await stage.finish();
  });

  test("with manual acknowledgement acknowledges nothing by itself", async () => {
    const { stage, subscription } = await reading({ ack: "manual" });
    const iterator = subscription[Symbol.asyncIterator]();
    await send(stage, 1, "a", "b");
    await next(stage, iterator);
    await next(stage, iterator);
    expect(pubacks(stage)).toEqual([]);
    await stage.finish();
  });

  test("left while a message is on its way to it does not hold back other subscriptions' acknowledgements", async () => {
    const { stage, subscription } = await reading();
    await stage.now(stage.client.subscribe("other", { qos: 1, handler: () => undefined }));
    stage.link.take();
    const iterator = subscription[Symbol.asyncIterator]();
    const waiting = iterator.next();
    stage.server.last.publish("t", "a", { qos: 1 });
    stage.server.last.publish("other", "b", { qos: 1 });
    const left = iterator.return?.();
    await stage.now(Promise.all([waiting, left]));
    await stage.clock.settle();
    expect(pubacks(stage)).toContain(2);
    await stage.finish();
  });
});

describe("a full buffer", () => {
  test("with overflow dropOldest keeps the newest, acknowledges and tells the dropped", async () => {
    const { stage, subscription } = await reading({ overflow: "dropOldest", highWaterMark: 2 });
    await send(stage, 1, "a", "b", "c", "d");
    expect(subscription.dropped).toBe(2);
    expect(pubacks(stage)).toEqual([1, 2]);
    expect(stage.of("messageDropped")).toMatchObject([
      { direction: "inbound", reason: "slowConsumer", topic: "t", qos: 1, payloadBytes: 1 },
      { direction: "inbound", reason: "slowConsumer" },
    ]);
    const iterator = subscription[Symbol.asyncIterator]();
    expect([await next(stage, iterator), await next(stage, iterator)]).toEqual(["c", "d"]);
    await stage.finish();
  });

  test("with overflow dropNewest keeps the oldest", async () => {
    const { stage, subscription } = await reading({ overflow: "dropNewest", highWaterMark: 2 });
    await send(stage, 1, "a", "b", "c", "d");
    expect(subscription.dropped).toBe(2);
    const iterator = subscription[Symbol.asyncIterator]();
    expect([await next(stage, iterator), await next(stage, iterator)]).toEqual(["a", "b"]);
    await stage.finish();
  });

  test("with overflow pause stops reading from the connection, and goes on when half is read", async () => {
    const { stage, subscription } = await reading({ highWaterMark: 4 });
    for (let i = 0; i < 20; i++) {
      stage.link.publish("t", String(i));
      await stage.clock.settle();
    }
    expect(subscription.buffered).toBe(4);
    const iterator = subscription[Symbol.asyncIterator]();
    const texts: string[] = [];
    for (let i = 0; i < 20; i++) texts.push(await next(stage, iterator));
    expect(texts).toEqual(Array.from({ length: 20 }, (_, i) => String(i)));
    expect(subscription.dropped).toBe(0);
    await stage.finish();
  });

  test("pauses reading for one subscription and is released when that one ends", async () => {
    const { stage, subscription } = await reading({ highWaterMark: 1 });
    const got: string[] = [];
    await stage.now(stage.client.subscribe("other", { handler: (message) => void got.push(message.text()) }));
    await send(stage, 0, "a");
    stage.link.publish("other", "held");
    await stage.clock.settle();
    expect(got).toEqual([]);
    await stage.now(subscription.unsubscribe());
    await stage.clock.settle();
    expect(got).toEqual(["held"]);
    await stage.finish();
  });

  test("does not keep a handler from awaiting a publish", async () => {
    const stage = await connected({ protocolVersion: 5 });
    const done: string[] = [];
    const handler = async (message: MqttMessage): Promise<void> => {
      await stage.client.publish("answers", message.text(), { qos: 1 });
      done.push(message.text());
    };
    await stage.now(stage.client.subscribe("t", { qos: 1, handler, highWaterMark: 2 }));
    await send(stage, 1, ..."abcdefghij");
    await stage.clock.advance(1_000);
    expect(done.join("")).toBe("abcdefghij");
    await stage.finish();
  });

  test("is bounded even while an answer is awaited", async () => {
    const stage = await connected({ protocolVersion: 5, server: { onMessage: () => null } });
    const handler = async (): Promise<void> =>
      void (await stage.client.publish("answers", "x", { qos: 1 }).catch(() => undefined));
    const subscription = await stage.now(stage.client.subscribe("t", { handler, highWaterMark: 2 }));
    for (let i = 0; i < 200; i++) {
      stage.link.publish("t", "x");
      await stage.clock.settle();
    }
    expect(subscription.buffered).toBeLessThanOrEqual(16);
    await stage.finish();
  });

  test("stops reading again once the awaited answer has come", async () => {
    const stage = await connected({ protocolVersion: 5, server: { onMessage: () => null } });
    const subscription = await stage.now(stage.client.subscribe("t", { highWaterMark: 2 }));
    const publishing = stage.promises.track(stage.client.publish("answers", "x", { qos: 1 }));
    await send(stage, 0, "a", "b", "c");
    stage.link.settle(stage.server.received[0]?.ticket ?? -1);
    await stage.now(publishing);
    for (let i = 0; i < 10; i++) {
      stage.link.publish("t", "x");
      await stage.clock.settle();
    }
    expect(subscription.buffered).toBe(3);
    await stage.finish();
  });

  test("keep-alive goes on meanwhile [MQTT-3.1.2-20] [MQTT3-3.1.2-23]", async () => {
    const { stage, subscription } = await reading({ highWaterMark: 1 }, { keepAliveSeconds: 4 });
    await send(stage, 0, "a");
    stage.link.publish("t", "held");
    await stage.clock.advance(60_000);
    expect(stage.client.state).toBe("connected");
    expect(stage.link.ended).toBe("open");
    expect(stage.link.take("pingreq").length).toBeGreaterThan(5);
    const iterator = subscription[Symbol.asyncIterator]();
    expect([await next(stage, iterator), await next(stage, iterator)]).toEqual(["a", "held"]);
    await stage.finish();
  });

  test("stays full over a reconnect: the new connection is not read either", async () => {
    const { stage, subscription } = await reading({ highWaterMark: 1 });
    await send(stage, 0, "a");
    stage.link.cut();
    await stage.clock.settle();
    for (let i = 0; i < 5; i++) {
      stage.link.publish("t", "x");
      await stage.clock.settle();
    }
    expect(subscription.buffered).toBeLessThanOrEqual(3);
    await stage.finish();
  });
});

describe("overlapping subscriptions", () => {
  test("each get the message, which is acknowledged when all are done", async () => {
    const stage = await connected({ protocolVersion: 5 });
    const ends: (() => void)[] = [];
    const handler = (): Promise<void> => new Promise((resolve) => ends.push(resolve));
    await stage.now(stage.client.subscribe("a/#", { qos: 1, handler }));
    await stage.now(stage.client.subscribe("a/+", { qos: 1, handler }));
    stage.link.take();
    stage.link.publish("a/b", "x", { qos: 1 });
    await stage.clock.settle();
    expect(ends).toHaveLength(2);
    ends[0]?.();
    await stage.clock.settle();
    expect(pubacks(stage)).toEqual([]);
    ends[1]?.();
    await stage.clock.settle();
    expect(pubacks(stage)).toEqual([1]);
    await stage.finish();
  });

  test("a handler may end another subscription that the same message goes to: that one gets nothing", async () => {
    const stage = await connected({ protocolVersion: 5 });
    const got: string[] = [];
    const ended: Promise<unknown>[] = [];
    const first = (): void => {
      got.push("first");
      ended.push(stage.client.unsubscribe("a/+"));
    };
    await stage.now(stage.client.subscribe("a/#", { qos: 1, handler: first }));
    await stage.now(stage.client.subscribe("a/+", { qos: 1, handler: () => void got.push("second") }));
    stage.link.publish("a/b", "x", { qos: 1 });
    await stage.clock.settle();
    await stage.now(Promise.all(ended));
    expect(got).toEqual(["first"]);
    await stage.finish();
  });

  test("a loop that is left at the moment when its message comes does not hold back later acknowledgements", async () => {
    const stage = await connected({ protocolVersion: 5 });
    const reader = await stage.now(stage.client.subscribe("a/#", { qos: 1 }));
    const iterator = reader[Symbol.asyncIterator]();
    const handler = (): void => void iterator.return?.();
    await stage.now(stage.client.subscribe("a/+", { qos: 1, handler }));
    await stage.now(stage.client.subscribe("other", { qos: 1, handler: () => undefined }));
    stage.link.take();
    const waiting = iterator.next();
    stage.link.publish("a/b", "x", { qos: 1 });
    stage.link.publish("other", "y", { qos: 1 });
    await stage.now(waiting);
    await stage.clock.settle();
    expect(pubacks(stage)).toEqual([2]);
    await stage.finish();
  });

  test("one that withholds is enough to leave the message unacknowledged", async () => {
    const stage = await connected({ protocolVersion: 5 });
    await stage.now(stage.client.subscribe("a/#", { qos: 1, handler: () => undefined }));
    await stage.now(stage.client.subscribe("a/+", { qos: 1, handler: () => Promise.reject(new Error("no")) }));
    stage.link.take();
    stage.link.publish("a/b", "x", { qos: 1 });
    await stage.clock.settle();
    expect(pubacks(stage)).toEqual([]);
    await stage.finish();
  });

  test("with identifiers get the copy that carries theirs (MQTT 5.0 §3.3.2.3.8)", async () => {
    const stage = await connected({ protocolVersion: 5 });
    const got: string[] = [];
    const note = (name: string) => (message: MqttMessage) => void got.push(`${name} ${message.text()}`);
    await stage.now(stage.client.subscribe("a/#", { subscriptionIdentifier: 1, handler: note("one") }));
    await stage.now(stage.client.subscribe("a/+", { subscriptionIdentifier: 2, handler: note("two") }));
    stage.link.publish("a/b", "first", { properties: { subscriptionIdentifiers: [1] } });
    stage.link.publish("a/b", "second", { properties: { subscriptionIdentifiers: [2] } });
    stage.link.publish("a/b", "both", { properties: { subscriptionIdentifiers: [1, 2] } });
    await stage.clock.settle();
    expect(got).toEqual(["one first", "two second", "one both", "two both"]);
    await stage.finish();
  });
});

describe("messages that match no subscription", () => {
  test("of a resumed session are kept for the subscription that comes, unacknowledged until then", async () => {
    const stage = await connected({ protocolVersion: 5, cleanStart: false, sessionExpirySeconds: 60 });
    stage.link.cut();
    await stage.clock.settle();
    stage.link.take();
    for (const payload of ["1", "2"]) stage.link.publish("a", payload, { qos: 1 });
    stage.link.publish("b", "other", { qos: 1 });
    await stage.clock.settle();
    expect(pubacks(stage)).toEqual([]);
    const got: string[] = [];
    await stage.now(stage.client.subscribe("a", { qos: 1, handler: (message) => void got.push(message.text()) }));
    expect(got).toEqual(["1", "2"]);
    expect(pubacks(stage)).toEqual([1, 2]);
    await stage.now(stage.client.subscribe("b", { qos: 1, handler: (message) => void got.push(message.text()) }));
    expect(got).toEqual(["1", "2", "other"]);
    await stage.finish();
  });

  test("of a resumed session are bounded: beyond 1,000 they are told and left to the server", async () => {
    const stage = await connected({ protocolVersion: 5, cleanStart: false, sessionExpirySeconds: 60 });
    stage.link.cut();
    await stage.clock.settle();
    stage.link.take();
    for (let i = 0; i < 1_005; i++) stage.link.publish("a", "x", { qos: 1 });
    await stage.clock.settle();
    expect(stage.of("messageDropped")).toHaveLength(5);
    expect(stage.of("messageDropped")[0]).toMatchObject({ direction: "inbound", reason: "unclaimed" });
    expect(pubacks(stage)).toEqual([]);
    await stage.finish();
  });

  test("of a resumed session are bounded in bytes as well", async () => {
    const stage = await connected({ protocolVersion: 5, cleanStart: false, sessionExpirySeconds: 60 });
    stage.link.cut();
    await stage.clock.settle();
    for (let i = 0; i < 5; i++) stage.link.publish("a", "x".repeat(4_000_000), { qos: 0 });
    await stage.clock.settle();
    expect(stage.of("messageDropped")).toHaveLength(1);
    await stage.finish();
  });

  test("that a resumed session had no room for come again on the next connection, and hold back no acknowledgement", async () => {
    const stage = await connected({ protocolVersion: 5, cleanStart: false, sessionExpirySeconds: 60 });
    stage.link.cut();
    await stage.clock.settle();
    for (let i = 1; i <= 1_001; i++) stage.link.publish("a", `${i}`, { qos: 1 });
    await stage.clock.settle();
    const got: string[] = [];
    await stage.now(stage.client.subscribe("a", { qos: 1, handler: (message) => void got.push(message.text()) }));
    expect(got).toHaveLength(1_000);
    stage.link.publish("a", "later", { qos: 1 });
    await stage.clock.settle();
    expect(pubacks(stage)).toHaveLength(1_001);
    stage.link.cut();
    await stage.clock.advance(5_000);
    expect(got.slice(1_000)).toEqual(["later", "1001"]);
    expect(pubacks(stage)).toEqual([1_001]);
    await stage.finish();
  });

  test("of a new session are acknowledged and told, for nobody will ask for them [MQTT-4.5.0-2] [MQTT3-4.5.0-2]", async () => {
    const stage = await connected({ protocolVersion: 5 });
    stage.link.publish("a", "x", { qos: 1 });
    stage.link.publish("a", "y", { qos: 2 });
    await stage.clock.settle();
    expect(stage.link.types()).toEqual(["puback", "pubrec", "pubcomp"]);
    expect(stage.of("messageDropped")).toHaveLength(2);
    await stage.finish();
  });

  test("go to onMessage where there is one, and are acknowledged when it is done", async () => {
    const ends: (() => void)[] = [];
    const got: string[] = [];
    const onMessage = (message: MqttMessage): Promise<void> => {
      got.push(message.text());
      return new Promise((resolve) => ends.push(resolve));
    };
    const stage = await connected({ protocolVersion: 5, onMessage });
    await stage.now(stage.client.subscribe("mine", { handler: () => undefined }));
    stage.link.take();
    await send(stage, 1, "a", "b");
    stage.link.publish("mine", "not for it");
    await stage.clock.settle();
    expect(got).toEqual(["a"]);
    ends[0]?.();
    await stage.clock.settle();
    expect(got).toEqual(["a", "b"]);
    expect(pubacks(stage)).toEqual([1]);
    ends[1]?.();
    await stage.finish();
  });

  test("an onMessage that fails leaves the message unacknowledged and is told", async () => {
    const onMessage = (): Promise<void> => Promise.reject(new Error("no"));
    const stage = await connected({ protocolVersion: 5, onMessage });
    await send(stage, 1, "a");
    expect(pubacks(stage)).toEqual([]);
    expect(stage.of("handlerError")).toHaveLength(1);
    await stage.finish();
  });

  test("a slow onMessage stops reading, so that nothing is unbounded", async () => {
    let running = 0;
    const onMessage = (): Promise<void> => {
      running++;
      return new Promise(() => undefined);
    };
    const stage = await connected({ protocolVersion: 5, onMessage });
    for (let i = 0; i < 400; i++) {
      stage.link.publish("t", "x");
      await stage.clock.settle();
    }
    expect(running).toBe(1);
    await stage.finish();
  });
});
