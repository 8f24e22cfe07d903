import { describe, expect, test } from "vitest";
import { MemoryStore } from "../../store/memory-store.ts";
import type { ClientParts } from "./client-parts.ts";
import { connected, type Stage, setup } from "./client-setup.test-support.ts";
import { LateCode } from "./late-code.test-support.ts";
import { LAZY_PARTS } from "./lazy-parts.ts";
import { LOADED_PARTS } from "./loaded-parts.ts";

/** A client whose receiving side is loaded when the test says so; what else a connection may need is there. */
class LateIntake extends LateCode {
  readonly parts: ClientParts;

  constructor() {
    super();
    const { queues, requests } = LAZY_PARTS;
    this.parts = { ...LOADED_PARTS, queues, requests, intake: this.of(LOADED_PARTS.intake) };
  }
}

/** What a client took of a subscription. */
function taker(): { readonly texts: string[]; readonly handler: (message: { text(): string }) => void } {
  const texts: string[] = [];
  return { texts, handler: (message) => void texts.push(message.text()) };
}

function types(stage: Stage): string[] {
  return stage.link.types();
}

describe("a page that has not subscribed yet", () => {
  test("connects and publishes at every QoS without the receiving side", async () => {
    const late = new LateIntake();
    const stage = await connected({ parts: late.parts });
    for (const qos of [0, 1, 2] as const) await stage.now(stage.client.publish("t", "x", { qos }));
    expect([late.loads, types(stage)]).toEqual([0, ["publish", "publish", "publish", "pubrel"]]);
    await stage.finish();
  });

  test("publishes at QoS 1 and closes at once: the publish is acknowledged first", async () => {
    const late = new LateIntake();
    const stage = await connected({ parts: late.parts });
    const published = stage.promises.track(stage.client.publish("t", "x", { qos: 1 }));
    const closing = stage.client.close();
    await stage.now(closing);
    expect((await stage.now(published)).reasonCode).toBe(0);
    expect([late.loads, types(stage)]).toEqual([0, ["publish", "disconnect"]]);
    await stage.finish();
  });

  test("sends again what a broken link left in flight, without loading anything while the link is down", async () => {
    const late = new LateIntake();
    const stage = await connected({ parts: late.parts, server: { onMessage: () => null } });
    const published = stage.promises.track(stage.client.publish("t", "x", { qos: 1 }));
    await stage.clock.settle();
    stage.link.cut();
    stage.server.options = {};
    await stage.clock.advance(2_000);
    await stage.now(published);
    expect([late.loads, stage.dials.length, stage.server.payloads]).toEqual([0, 2, ["x", "x"]]);
    await stage.finish();
  });

  test("subscribes once the code is there, and gets its messages", async () => {
    const late = new LateIntake();
    const stage = await connected({ parts: late.parts });
    const { texts, handler } = taker();
    const subscribing = stage.client.subscribe("t", { qos: 1, handler });
    await stage.clock.settle();
    expect([late.loads, types(stage)]).toEqual([1, []]);
    late.arrive();
    await stage.now(subscribing);
    stage.link.publish("t", "1", { qos: 1 });
    stage.link.publish("t", "2", { qos: 2 });
    await stage.clock.settle();
    expect(texts).toEqual(["1", "2"]);
    expect(types(stage)).toEqual(["subscribe", "puback", "pubrec", "pubcomp"]);
    await stage.finish();
  });

  test("publishes after a subscribe that loads are sent after its SUBSCRIBE, and come back to it", async () => {
    const late = new LateIntake();
    const stage = await connected({ parts: late.parts });
    const subscribing = stage.client.subscribe("t", { qos: 1 });
    const published = [stage.client.publish("t", "1", { qos: 1 }), stage.client.publish("t", "2", { qos: 0 })];
    await stage.clock.settle();
    expect(types(stage)).toEqual([]);
    late.arrive();
    await stage.now(Promise.all([subscribing, ...published]));
    await stage.now(stage.client.publish("t", "3", { qos: 0 }));
    expect(types(stage)).toEqual(["subscribe", "publish", "publish", "publish"]);
    await stage.finish();
  });

  test("what was published behind a subscribe that loads leaves before the client closes", async () => {
    const late = new LateIntake();
    const stage = await connected({ parts: late.parts });
    const subscribing = stage.promises.track(stage.client.subscribe("t"));
    const published = stage.promises.track(stage.client.publish("t", "1", { qos: 1 }));
    const closing = stage.promises.track(stage.client.close());
    await stage.clock.settle();
    late.arrive();
    await stage.now(closing);
    expect((await stage.now(published)).reasonCode).toBe(0);
    await stage.now(subscribing);
    expect(types(stage)).toEqual(["subscribe", "publish", "disconnect"]);
    await stage.finish();
  });

  test("closing does not wait longer than its limit for code that does not come", async () => {
    const late = new LateIntake();
    const stage = await connected({ parts: late.parts });
    const subscribing = stage.promises.track(stage.client.subscribe("t"));
    const published = stage.promises.track(stage.client.publish("t", "1", { qos: 1 }));
    const closing = stage.promises.track(stage.client.close({ timeoutMs: 500 }));
    await stage.clock.advance(499);
    expect(stage.client.state).toBe("connected");
    await stage.clock.advance(2);
    await stage.now(closing);
    late.arrive();
    await stage.refused(subscribing, "ERR_CLIENT_CLOSED");
    await stage.refused(published, "ERR_CLIENT_CLOSED");
    await stage.finish();
  });

  test("a subscribe and an unsubscribe that load run in order", async () => {
    const late = new LateIntake();
    const stage = await connected({ parts: late.parts });
    const done = [stage.client.subscribe("t"), stage.client.unsubscribe("t")];
    await stage.clock.settle();
    late.arrive();
    await stage.now(Promise.all(done));
    expect(types(stage)).toEqual(["subscribe", "unsubscribe"]);
    await stage.finish();
  });

  test("a subscribe that loads ends at its signal, and nothing is asked for", async () => {
    const late = new LateIntake();
    const stage = await connected({ parts: late.parts });
    const abort = new AbortController();
    const subscribing = stage.promises.track(stage.client.subscribe("t", { signal: abort.signal }));
    abort.abort();
    await stage.refused(subscribing, "ERR_ABORTED");
    late.arrive();
    await stage.clock.settle();
    expect(types(stage)).toEqual([]);
    await stage.finish();
  });

  test("a subscribe whose code cannot be loaded fails alone, and the next one tries again", async () => {
    const late = new LateIntake();
    const stage = await connected({ parts: late.parts });
    const subscribing = stage.promises.track(stage.client.subscribe("t"));
    const published = stage.client.publish("t", "1", { qos: 1 });
    await stage.clock.settle();
    late.fail(new Error("offline"));
    await stage.refused(subscribing, "ERR_LOAD_FAILED");
    await stage.now(published);
    late.arrive();
    await stage.now(stage.client.subscribe("t"));
    expect(types(stage)).toEqual(["publish", "subscribe"]);
    await stage.finish();
  });

  test("wrong arguments and a client that is not connected are refused as elsewhere", async () => {
    const late = new LateIntake();
    late.arrive();
    const stage = setup({ parts: late.parts });
    await stage.refused(stage.client.subscribe("a/#/b"), "ERR_INVALID_TOPIC");
    await stage.refused(stage.client.subscribe("t", null as never), "ERR_INVALID_SUBSCRIBE_OPTION");
    await stage.refused(stage.client.subscribe("t"), "ERR_NOT_CONNECTED");
    await stage.refused(stage.client.unsubscribe([]), "ERR_INVALID_TOPIC");
  });

  test("the connection is lost while the code loads: the subscription is asked for on the next one", async () => {
    const late = new LateIntake();
    const stage = await connected({ parts: late.parts });
    const { texts, handler } = taker();
    const subscribing = stage.client.subscribe("t", { handler });
    stage.link.cut();
    await stage.clock.settle();
    late.arrive();
    await stage.clock.advance(2_000);
    await stage.now(subscribing);
    stage.link.publish("t", "1");
    await stage.clock.settle();
    expect(texts).toEqual(["1"]);
    await stage.finish();
  });
});

describe("messages that nobody asked for in this page", () => {
  test("with a session that may go on, `connect` loads the receiving side before it dials", async () => {
    const late = new LateIntake();
    const stage = setup({ parts: late.parts, cleanStart: false });
    const connecting = stage.client.connect();
    await stage.clock.settle();
    expect([late.loads, stage.dials.length]).toEqual([1, 0]);
    late.arrive();
    await stage.now(connecting);
    await stage.finish();
  });

  test.each([
    ["onMessage", { onMessage: () => undefined }],
    ["store", { store: new MemoryStore() }],
  ] as const)("with the option %s, too", async (_name, options) => {
    const late = new LateIntake();
    const stage = setup({ parts: late.parts, ...options });
    const connecting = stage.client.connect();
    await stage.clock.settle();
    expect([late.loads, stage.dials.length]).toEqual([1, 0]);
    late.arrive();
    await stage.now(connecting);
    await stage.finish();
  });

  test("are held until the code is there, in order, while nothing more is read", async () => {
    const late = new LateIntake();
    const stage = await connected({ parts: late.parts });
    for (const text of ["1", "2"]) stage.link.publish("t", text, { qos: 1 });
    await stage.clock.settle();
    expect([late.loads, types(stage), stage.of("messageDropped").length]).toEqual([1, [], 0]);
    late.arrive();
    await stage.clock.settle();
    stage.link.publish("t", "3", { qos: 1 });
    await stage.clock.settle();
    expect(types(stage)).toEqual(["puback", "puback", "puback"]);
    expect(stage.of("messageDropped").map((event) => event.reason)).toEqual(["unclaimed", "unclaimed", "unclaimed"]);
    await stage.finish();
  });

  test("go to the subscription whose call was loading", async () => {
    const late = new LateIntake();
    const stage = await connected({ parts: late.parts, protocolVersion: 5, sessionExpirySeconds: 60 });
    stage.link.cut();
    await stage.clock.advance(2_000);
    const { texts, handler } = taker();
    const subscribing = stage.client.subscribe("t", { handler });
    stage.link.publish("t", "1", { qos: 1 });
    await stage.clock.settle();
    late.arrive();
    await stage.now(subscribing);
    expect(texts).toEqual(["1"]);
    await stage.finish();
  });

  test("end the connection with ERR_LOAD_FAILED when the code cannot be loaded, and come again on the next one", async () => {
    const late = new LateIntake();
    const stage = await connected({ parts: late.parts });
    stage.link.publish("t", "1", { qos: 1 });
    await stage.clock.settle();
    late.fail(new Error("offline"));
    await stage.clock.settle();
    expect(stage.of("connectionLost").map((event) => event.error.code)).toEqual(["ERR_LOAD_FAILED"]);
    late.arrive();
    await stage.clock.advance(2_000);
    expect(stage.client.state).toBe("connected");
    await stage.finish();
  });

  test("end with the connection that brought them", async () => {
    const late = new LateIntake();
    const stage = await connected({ parts: late.parts });
    stage.link.publish("t", "1", { qos: 1 });
    await stage.clock.settle();
    stage.link.cut();
    await stage.clock.advance(2_000);
    late.arrive();
    await stage.clock.settle();
    expect([stage.client.state, stage.of("messageDropped").length]).toEqual(["connected", 0]);
    await stage.finish();
  });
});
