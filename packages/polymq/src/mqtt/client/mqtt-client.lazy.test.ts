import { expect, test } from "vitest";
import type { ClientParts } from "./client-parts.ts";
import { type Stage, setup } from "./client-setup.test-support.ts";
import { LateCode } from "./late-code.test-support.ts";
import { LAZY_PARTS } from "./lazy-parts.ts";
import { LOADED_PARTS } from "./loaded-parts.ts";

/** A client whose parts are loaded when the test says so; what it comes back with is there. */
class LateParts extends LateCode {
  readonly parts: ClientParts;

  constructor() {
    super();
    const { intake, queues, requests, authentication, mqtt5, store } = LOADED_PARTS;
    this.parts = {
      ...LOADED_PARTS,
      intake: this.of(intake),
      queues: this.of(queues),
      requests: this.of(requests),
      authentication: this.of(authentication),
      mqtt5: this.of(mqtt5),
      store: this.of(store),
    };
  }
}

const authentication = { method: "M", respond: () => new Uint8Array(0) };

function published(stage: Stage): string[] {
  return stage.link
    .take()
    .flatMap((packet) =>
      packet.type === "publish" ? [`${packet.topic} ${new TextDecoder().decode(packet.payload)}`] : [],
    );
}

test("what the options ask for is loaded by `connect`, before anything is dialled, and never again", async () => {
  const late = new LateParts();
  const stage = setup({ protocolVersion: 5, authentication, parts: late.parts });
  const connecting = stage.client.connect();
  await stage.clock.settle();
  expect([late.loads, stage.dials.length, stage.client.state]).toEqual([2, 0, "connecting"]);
  late.arrive();
  await stage.now(connecting);
  stage.link.cut();
  await stage.clock.advance(2_000);
  expect([late.loads, stage.dials.length, stage.client.state]).toEqual([2, 2, "connected"]);
  await stage.finish();
});

test("without such options nothing is loaded", async () => {
  const late = new LateParts();
  const stage = setup({ parts: late.parts });
  await stage.now(stage.client.connect());
  expect(late.loads).toBe(0);
  await stage.finish();
});

test("when it cannot be loaded, `connect` rejects with ERR_LOAD_FAILED and may be called again", async () => {
  const late = new LateParts();
  const stage = setup({ protocolVersion: 5, authentication, parts: late.parts });
  const connecting = stage.client.connect();
  await stage.clock.settle();
  late.fail(new Error("offline"));
  const error = await stage.refused(connecting, "ERR_LOAD_FAILED");
  expect([error.retry, stage.client.state, stage.dials.length]).toEqual(["later", "disconnected", 0]);
  late.arrive();
  await stage.now(stage.client.connect());
  await stage.finish();
});

test("calls that wait for their part run in order, with their bytes as they were", async () => {
  const late = new LateParts();
  const stage = setup({ parts: late.parts });
  await stage.now(stage.client.connect());
  const payload = new TextEncoder().encode("1");
  const done = [stage.client.publishToQueue("orders", payload), stage.client.publishToQueue("orders", "2")];
  payload.fill(0);
  await stage.clock.settle();
  expect(published(stage)).toEqual([]);
  late.arrive();
  await stage.now(Promise.all(done));
  await stage.now(stage.client.publishToQueue("orders", "3"));
  expect(published(stage)).toEqual(["$queue/orders 1", "$queue/orders 2", "$queue/orders 3"]);
  expect(late.loads).toBe(2);
  await stage.finish();
});

test("preload loads what it is told, without a connection", async () => {
  const late = new LateParts();
  const stage = setup({ parts: late.parts });
  const loading = stage.client.preload("subscriptions", "queues", "requests");
  await stage.clock.settle();
  expect([late.loads, stage.dials.length]).toEqual([3, 0]);
  late.arrive();
  await stage.now(loading);
  await stage.now(setup().client.preload("subscriptions", "queues", "requests"));
  await stage.finish();
});

test("publishes during the load are sent in order, with their bytes as they were", async () => {
  const late = new LateParts();
  const stage = setup({ protocolVersion: 5, parts: late.parts });
  const connecting = stage.client.connect();
  const payload = new TextEncoder().encode("1");
  const properties = { contentType: "a" };
  const done = [
    stage.client.publish("t", payload, { qos: 1, properties }),
    stage.client.publish({ topic: "t", payload: "2", qos: 1 }),
    stage.client.publish("t", "3", { qos: 1, properties }),
  ];
  payload.fill(0);
  late.arrive();
  await stage.now(connecting);
  await stage.now(Promise.all(done));
  expect(published(stage)).toEqual(["t 1", "t 2", "t 3"]);
  await stage.finish();
});

test("publishes during the load wait within the limits of what waits, and end at their signal", async () => {
  const late = new LateParts();
  const stage = setup({ protocolVersion: 5, parts: late.parts, waiting: { maxMessages: 2, maxBytes: 10 } });
  const connecting = stage.client.connect();
  const abort = new AbortController();
  const given = stage.client.publish("t", "12345", { qos: 1 });
  await stage.refused(stage.client.publish("t", "123456", { qos: 1 }), "ERR_OFFLINE_FULL");
  const aborted = stage.promises.track(stage.client.publish("t", "2", { qos: 1, signal: abort.signal }));
  await stage.refused(stage.client.publish("t", "3", { qos: 1 }), "ERR_OFFLINE_FULL");
  abort.abort();
  await stage.refused(aborted, "ERR_ABORTED");
  late.arrive();
  await stage.now(connecting);
  await stage.now(given);
  await stage.now(stage.client.publish("t", "4", { qos: 1 }));
  expect(published(stage)).toEqual(["t 12345", "t 4"]);
  await stage.finish();
});

test("publishes to queues wait for their part within the same limits", async () => {
  const late = new LateParts();
  const stage = setup({ parts: late.parts, waiting: { maxMessages: 2, maxBytes: 10 } });
  await stage.now(stage.client.connect());
  const given = stage.client.publishToQueue("orders", "12345");
  await stage.refused(stage.client.publishToQueue("orders", "123456"), "ERR_OFFLINE_FULL");
  const abort = new AbortController();
  const aborted = stage.promises.track(stage.client.publishToQueue("orders", "2", { signal: abort.signal }));
  await stage.refused(stage.client.publishToQueue("orders", "3"), "ERR_OFFLINE_FULL");
  abort.abort();
  await stage.refused(aborted, "ERR_ABORTED");
  late.arrive();
  await stage.now(given);
  await stage.now(stage.client.publishToQueue("orders", "4"));
  expect(published(stage)).toEqual(["$queue/orders 12345", "$queue/orders 4"]);
  await stage.finish();
});

test("publishes during a load that fails are rejected with its error", async () => {
  const late = new LateParts();
  const stage = setup({ protocolVersion: 5, parts: late.parts });
  const connecting = stage.promises.track(stage.client.connect());
  const publishing = stage.promises.track(stage.client.publish("t", "1", { qos: 1 }));
  late.fail(new Error("offline"));
  await stage.refused(connecting, "ERR_LOAD_FAILED");
  await stage.refused(publishing, "ERR_LOAD_FAILED");
});

test("properties before the first connection, and on one of 3.1.1, are refused as elsewhere", async () => {
  const late = new LateParts();
  const properties = { contentType: "a" };
  const unconnected = setup({ protocolVersion: 5, parts: late.parts });
  await unconnected.refused(unconnected.client.publish("t", "1", { properties }), "ERR_NOT_CONNECTED");
  const old = setup({ parts: late.parts });
  await old.now(old.client.connect());
  await old.refused(old.client.publish("t", "1", { properties }), "ERR_UNSUPPORTED");
  expect(late.loads).toBe(0);
  await old.finish();
});

test("a call whose part comes after the client was closed is refused", async () => {
  const late = new LateParts();
  const stage = setup({ parts: late.parts });
  await stage.now(stage.client.connect());
  const request = stage.promises.track(stage.client.request("q", "x"));
  const joining = stage.promises.track(stage.client.subscribeToQueue("orders", "workers"));
  await stage.finish().catch(() => undefined);
  late.arrive();
  await stage.refused(request, "ERR_CLIENT_CLOSED");
  await stage.refused(joining, "ERR_CLIENT_CLOSED");
});

test("the chunks of the browser build hold what they are to hold", async () => {
  for (const name of ["intake", "queues", "requests", "authentication", "mqtt5", "recovery", "store"] as const) {
    const late = LAZY_PARTS[name];
    const loaded = LOADED_PARTS[name];
    expect("load" in late && "loaded" in loaded && (await late.load()) === loaded.loaded).toBe(true);
  }
});

test("requests are sent with their bytes as they were, whether code or their subscription is waited for", async () => {
  for (const parts of [new LateParts(), null]) {
    const stage = setup({ protocolVersion: 5, parts: parts?.parts ?? LOADED_PARTS });
    const connecting = stage.client.connect();
    parts?.arrive();
    await stage.now(connecting);
    const payload = new TextEncoder().encode("as it was");
    const asking = stage.promises.track(stage.client.request("t", payload, { timeoutMs: 100 }));
    payload.fill(0);
    await stage.clock.settle();
    expect(published(stage)).toEqual(["t as it was"]);
    await stage.clock.advance(100);
    await stage.refused(asking, "ERR_TIMEOUT");
    await stage.finish();
  }
});

test("requests that wait for code are bounded by the limits of what waits, and end at their signal", async () => {
  const late = new LateParts();
  const stage = setup({ parts: late.parts, waiting: { maxMessages: 1 } });
  const abort = new AbortController();
  const asking = stage.client.request("t", "1", { signal: abort.signal });
  await stage.refused(stage.client.request("t", "2"), "ERR_OFFLINE_FULL");
  abort.abort();
  await stage.refused(asking, "ERR_ABORTED");
  late.arrive();
  await stage.refused(stage.client.request("t", "3"), "ERR_NOT_CONNECTED");
  await stage.finish();
});
