import { expect, test } from "vitest";
import type { PublishOptions } from "./call-options.ts";
import { connected, setup } from "./client-setup.test-support.ts";
import type { SubscribeOptions } from "./subscribe-options.ts";

test.each([null, 7])("options of %s are refused with a typed error", async (wrong) => {
  const stage = await connected();
  const { client } = stage;
  await stage.refused(client.publish("t", "p", wrong as unknown as PublishOptions), "ERR_INVALID_MESSAGE");
  await stage.refused(client.subscribe("t", wrong as unknown as SubscribeOptions), "ERR_INVALID_SUBSCRIBE_OPTION");
  expect(stage.link.types()).toEqual([]);
  await stage.finish();
});

test.each(["yes", 1, {}])("a message whose retain is %j is refused, not sent without it", async (retain) => {
  const stage = await connected();
  const wrong = { retain } as unknown as PublishOptions;
  await stage.refused(stage.client.publish("t", "p", wrong), "ERR_INVALID_MESSAGE");
  await stage.refused(stage.client.publish({ topic: "t", ...wrong }), "ERR_INVALID_MESSAGE");
  expect(stage.link.types()).toEqual([]);
  await stage.finish();
});

test.each(["now", 5_000, {}])("a signal of %j is refused before anything happens", async (signal) => {
  const stage = await connected();
  const { client } = stage;
  const wrong = { qos: 1, signal } as unknown as PublishOptions & SubscribeOptions;
  await stage.refused(client.publish("t", "p", wrong), "ERR_INVALID_ARGUMENT");
  await stage.refused(client.subscribe("t", wrong), "ERR_INVALID_ARGUMENT");
  await stage.refused(client.unsubscribe("t", wrong), "ERR_INVALID_ARGUMENT");
  expect(stage.link.types()).toEqual([]);
  await stage.now(client.disconnect());
  await stage.refused(client.connect(wrong), "ERR_INVALID_ARGUMENT");
  expect(client.state).toBe("disconnected");
  await stage.finish();
});

test.each([Number.NaN, -1, Number.POSITIVE_INFINITY, "100"])(
  "close() refuses a timeoutMs of %j and closes nothing",
  async (timeoutMs) => {
    const stage = await connected();
    await stage.refused(stage.client.close({ timeoutMs: timeoutMs as number }), "ERR_INVALID_ARGUMENT");
    expect(stage.client.state).toBe("connected");
    await stage.finish();
  },
);

test("a loop that waits when the client gives up reconnecting is rejected with why, and connect() makes it readable again", async () => {
  const stage = await connected({ reconnect: false });
  const subscription = await stage.now(stage.client.subscribe("t"));
  const iterator = subscription[Symbol.asyncIterator]();
  const waiting = stage.promises.track(iterator.next());
  waiting.catch(() => undefined);
  stage.link.cut();
  await stage.refused(waiting, "ERR_CONNECTION_LOST");
  await stage.refused(iterator.next(), "ERR_CONNECTION_LOST");
  await stage.now(stage.client.connect());
  const next = iterator.next();
  stage.link.publish("t", "again", { qos: 0 });
  expect((await stage.now(next)).value?.text()).toBe("again");
  await stage.finish();
});

test("a loop that waits over disconnect() goes on with the next connect()", async () => {
  const stage = await connected();
  const subscription = await stage.now(stage.client.subscribe("t"));
  const next = stage.promises.track(subscription[Symbol.asyncIterator]().next());
  await stage.now(stage.client.disconnect());
  await stage.now(stage.client.connect());
  stage.link.publish("t", "again", { qos: 0 });
  expect((await stage.now(next)).value?.text()).toBe("again");
  await stage.finish();
});

test.each(["before", "after"] as const)(
  "unsubscribe() does not wait for a connection lost %s the call",
  async (lost) => {
    let refuse = false;
    const stage = setup({ answer: () => (refuse ? new Error("refused") : "server") });
    await stage.now(stage.client.connect());
    const subscription = await stage.now(stage.client.subscribe("t"));
    refuse = true;
    if (lost === "before") stage.link.cut();
    if (lost === "before") await stage.clock.settle();
    const ended = stage.promises.track(subscription.unsubscribe());
    if (lost === "after") stage.link.cut();
    await stage.now(ended);
    expect([stage.client.state, subscription.ended]).toEqual(["reconnecting", true]);
    await stage.finish();
  },
);

test("calls from JavaScript without what they need are refused with typed errors", async () => {
  const stage = await connected({ protocolVersion: 5 });
  const { client } = stage;
  for (const filters of [null, 7, {}]) await stage.refused(client.unsubscribe(filters as never), "ERR_INVALID_TOPIC");
  await stage.refused(client.respond("t", undefined as never), "ERR_INVALID_ARGUMENT");
  await stage.refused(client.request("t", null as never, null as never), "ERR_INVALID_MESSAGE");
  expect(stage.link.take("unsubscribe")).toEqual([]);
  await stage.now(client.disconnect(null as never));
  await stage.finish();
});
