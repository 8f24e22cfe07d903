import { expect, test } from "vitest";
import type { QoS } from "../codec/packets.ts";
import { connected, type Stage } from "./client-setup.test-support.ts";
import type { MqttMessage } from "./message.ts";
import type { SubscribeOptions } from "./subscribe-options.ts";
import type { MqttSubscription } from "./subscription.ts";

/** A connected client with one subscription to everything, to be read. */
async function reading(options: SubscribeOptions): Promise<{ stage: Stage; subscription: MqttSubscription }> {
  const stage = await connected({ protocolVersion: 5 });
  const subscription = await stage.now(stage.client.subscribe("#", { qos: 2, ...options }));
  stage.link.take();
  return { stage, subscription };
}

function send(stage: Stage, qos: QoS, ...payloads: string[]): Promise<void> {
  for (const payload of payloads) stage.link.publish("t", payload, { qos });
  return stage.clock.settle();
}

async function next(stage: Stage, iterator: AsyncIterator<MqttMessage>): Promise<string> {
  const result = await stage.now(iterator.next());
  return result.done === true ? "done" : result.value.text();
}

test.each([
  ["dropOldest", ["ccc", "dd"]],
  ["dropNewest", ["aaaa", "dd"]],
] as const)("highWaterMarkBytes bounds the bytes that wait, with overflow %s", async (overflow, kept) => {
  const { stage, subscription } = await reading({ overflow, highWaterMarkBytes: 6 });
  await send(stage, 1, "aaaa", "bbb", "ccc", "dd");
  expect(subscription.dropped).toBe(2);
  expect([subscription.buffered, subscription.bufferedBytes]).toEqual([2, kept.join("").length]);
  const iterator = subscription[Symbol.asyncIterator]();
  expect([await next(stage, iterator), await next(stage, iterator)]).toEqual(kept);
  expect(subscription.bufferedBytes).toBe(0);
  await stage.finish();
});

test("highWaterMarkBytes with overflow pause stops reading from the connection, and loses nothing", async () => {
  const { stage, subscription } = await reading({ highWaterMarkBytes: 4 });
  await send(stage, 0, "aaaa");
  await send(stage, 0, "b");
  expect(subscription.received).toBe(1);
  const iterator = subscription[Symbol.asyncIterator]();
  expect([await next(stage, iterator), await next(stage, iterator)]).toEqual(["aaaa", "b"]);
  await stage.finish();
});

test("a message above highWaterMarkBytes comes through an empty buffer", async () => {
  const { stage, subscription } = await reading({ overflow: "dropOldest", highWaterMarkBytes: 2 });
  await send(stage, 1, "large");
  expect([subscription.buffered, subscription.dropped]).toEqual([1, 0]);
  await stage.finish();
});
