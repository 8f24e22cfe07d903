import { describe, expect, test } from "vitest";
import { MemoryStore } from "../../store/memory-store.ts";
import type { StoredPublish } from "../../store/message-store.ts";
import { connected, type Setup, type Stage, setup } from "./client-setup.test-support.ts";
import { LASTING, left, ProbeStore, withStore } from "./probe-store.test-support.ts";

describe("what is sent waits for the store", () => {
  test("PUBLISH leaves after it was stored, QoS 0 needs no store", async () => {
    const { stage, store } = await withStore();
    store.hold();
    const all = [stage.client.publish("t", "1", { qos: 1 }), stage.client.publish("t", "2", { qos: 2 })];
    await stage.clock.settle();
    expect(stage.server.received).toEqual([]);
    const after = stage.promises.track(stage.client.publish("t", "0"));
    await stage.clock.settle();
    expect(stage.server.received).toEqual([]);
    store.release();
    await stage.now(Promise.all([...all, after]));
    expect(stage.server.payloads).toEqual(["1", "2", "0"]);
    await stage.finish();
  });

  test("the payload may be changed while it is being stored", async () => {
    const { stage, store } = await withStore();
    store.hold();
    const payload = new TextEncoder().encode("mine");
    const publishing = stage.client.publish("t", payload, { qos: 1 });
    payload.fill(0x3f);
    store.release();
    await stage.now(publishing);
    expect(stage.server.payloads).toEqual(["mine"]);
    await stage.finish();
  });

  test("PUBREL leaves after it was stored that the server has the message", async () => {
    const { stage, store } = await withStore();
    const publishing = stage.promises.track(stage.client.publish("t", "x", { qos: 2 }));
    await stage.clock.settle();
    await stage.now(publishing);
    stage.link.take();
    store.hold();
    const next = stage.promises.track(stage.client.publish("t", "y", { qos: 2 }));
    await stage.clock.settle();
    store.release();
    store.hold();
    await stage.clock.settle();
    expect(stage.link.types()).toEqual(["publish"]);
    store.release();
    await stage.now(next);
    expect(stage.link.types()).toEqual(["pubrel"]);
    await stage.finish();
  });

  test("a repeated PUBREC gets its PUBREL no earlier than the first, and at once when that is stored", async () => {
    const { stage, store } = await withStore();
    stage.server.options = { mode: "raw" };
    const publishing = stage.promises.track(stage.client.publish("t", "x", { qos: 2 }));
    await stage.clock.settle();
    stage.link.take();
    store.hold();
    const pubrec = { type: "pubrec", packetId: 1, reasonCode: 0, properties: null } as const;
    stage.link.send(pubrec);
    await stage.clock.settle();
    stage.link.send(pubrec);
    await stage.clock.settle();
    expect(stage.link.types()).toEqual([]);
    store.release();
    await stage.clock.settle();
    stage.link.send(pubrec);
    await stage.clock.settle();
    expect(stage.link.types()).toEqual(["pubrel", "pubrel"]);
    expect(store.calls.filter((call) => call === "releasePublish")).toHaveLength(1);
    stage.link.send({ type: "pubcomp", packetId: 1, reasonCode: 0, properties: null });
    await stage.now(publishing);
    await stage.finish();
  });

  test("PUBREC leaves after its packet id was stored, PUBCOMP after it was forgotten; PUBACK needs no store", async () => {
    const { stage, store } = await withStore();
    await stage.now(stage.client.subscribe("t", { qos: 2, handler: () => undefined }));
    stage.link.take();
    store.hold();
    stage.link.publish("t", "one", { qos: 1 });
    stage.link.publish("t", "two", { qos: 2 });
    await stage.clock.settle();
    expect(stage.link.types()).toEqual(["puback"]);
    store.release();
    store.hold();
    await stage.clock.settle();
    expect(stage.link.types()).toEqual(["pubrec"]);
    expect((await store.left()).receivedIds).toHaveLength(1);
    store.release();
    await stage.clock.settle();
    expect(stage.link.types()).toEqual(["pubcomp"]);
    expect((await store.left()).receivedIds).toEqual([]);
    await stage.finish();
  });

  test("what is acknowledged is deleted", async () => {
    const { stage, store } = await withStore();
    await stage.now(
      Promise.all([stage.client.publish("t", "1", { qos: 1 }), stage.client.publish("t", "2", { qos: 2 })]),
    );
    await stage.clock.settle();
    expect(left(await store.left())).toEqual([]);
    await stage.finish();
    expect(store.calls.at(-1)).toBe("close");
  });
});

describe("the next process", () => {
  /** A client whose server answered nothing since `connect`, destroyed; and what it left. */
  async function crashed(
    publish: (stage: Stage) => void,
    options: Setup = {},
  ): Promise<{ store: ProbeStore; first: Stage }> {
    const { stage, store } = await withStore(options);
    stage.server.options = { mode: "raw" };
    publish(stage);
    await stage.clock.settle();
    stage.link.cut();
    await stage.now(stage.client.destroy());
    return { store, first: stage };
  }

  function send(stage: Stage, ...messages: readonly (readonly [text: string, qos: 1 | 2])[]): void {
    for (const [text, qos] of messages) {
      stage.promises
        .track(stage.client.publish("t", text, { qos, properties: { contentType: text } }))
        .catch(() => undefined);
    }
  }

  /** A second client over the same store and the first one's server sessions. */
  async function again(store: ProbeStore, first: Stage, options: Setup = {}): Promise<Stage> {
    const stage = setup({ ...LASTING, ...options, store });
    for (const [id, session] of first.server.sessions) stage.server.sessions.set(id, session);
    await stage.now(stage.client.connect());
    return stage;
  }

  test("sends what was in flight under its client id again, in order, with DUP, properties and packet ids [MQTT-3.1.3-2] [MQTT-4.4.0-1] [MQTT3-3.1.3-2]", async () => {
    const { store, first } = await crashed((stage) => send(stage, ["a", 1], ["b", 2], ["c", 1]));
    const stage = await again(store, first);
    const [one, two, three] = stage.link.take("publish");
    expect([one, two, three].map((packet) => [packet?.packetId, packet?.dup, packet?.properties?.contentType])).toEqual(
      [
        [1, true, "a"],
        [2, true, "b"],
        [3, true, "c"],
      ],
    );
    await stage.clock.settle();
    expect(stage.server.payloads).toEqual(["a", "b", "c"]);
    expect(left(await store.left())).toEqual([]);
    await stage.finish();
  });

  test("keeps their order over several restarts, new messages behind old ones", async () => {
    let { store, first } = await crashed((stage) => send(stage, ["a", 1], ["b", 1]));
    for (const text of ["c", "d", "e"]) {
      const stage = setup({ ...LASTING, store, server: { mode: "raw" } });
      const connecting = stage.client.connect();
      await stage.clock.settle();
      stage.link.send({ type: "connack", sessionPresent: true, reasonCode: 0, properties: null });
      await stage.now(connecting);
      send(stage, [text, 1]);
      await stage.clock.settle();
      stage.link.cut();
      await stage.now(stage.client.destroy());
      first = stage;
    }
    const stage = await again(store, first);
    await stage.clock.settle();
    expect(stage.server.payloads).toEqual(["a", "b", "c", "d", "e"]);
    await stage.finish();
  });

  test("puts new messages behind old ones also when the oldest are done", async () => {
    const store = new ProbeStore();
    await store.memory.open("c");
    const old: StoredPublish = {
      packetId: 9,
      order: 40,
      qos: 1,
      topic: "t",
      payload: Uint8Array.of(0x61),
      retain: false,
      properties: null,
      released: false,
    };
    await store.memory.write([{ op: "putPublish", publish: old }]);
    const first = setup({ ...LASTING, store, server: { mode: "raw" } });
    const connecting = first.client.connect();
    await first.clock.settle();
    first.link.send({ type: "connack", sessionPresent: true, reasonCode: 0, properties: null });
    await first.now(connecting);
    send(first, ["b", 1]);
    await first.clock.settle();
    first.link.cut();
    await first.now(first.client.destroy());
    const stage = await again(store, first);
    await stage.clock.settle();
    expect(stage.server.payloads).toEqual(["a", "b"]);
    await stage.finish();
  });

  test("repeats PUBREL, not PUBLISH, for what the server had confirmed [MQTT-4.3.3-6]", async () => {
    const { store, first } = await crashed((stage) => {
      send(stage, ["a", 2]);
      stage.clock.nextTurn(() =>
        stage.clock.nextTurn(() => stage.link.send({ type: "pubrec", packetId: 1, reasonCode: 0, properties: null })),
      );
    });
    await first.clock.settle();
    expect(left(await store.left())).toMatchObject([[1, 2, "t", expect.anything(), "released"]]);
    const stage = await again(store, first);
    await stage.clock.settle();
    expect(stage.link.types()).toEqual(["connect", "pubrel"]);
    expect(left(await store.left())).toEqual([]);
    await stage.finish();
  });

  test("knows QoS 2 messages that it has handled: their repetition is not delivered", async () => {
    const store = new ProbeStore();
    const first = await connected({ ...LASTING, store });
    const got: string[] = [];
    const handler = (message: { text(): string }): void => void got.push(message.text());
    await first.now(first.client.subscribe("t", { qos: 2, handler }));
    first.server.options = { mode: "raw" };
    first.link.publish("t", "once", { qos: 2 });
    await first.clock.settle();
    expect(first.link.take("pubrec")).toHaveLength(1);
    first.link.cut();
    await first.now(first.client.destroy());
    const stage = setup({ ...LASTING, store, onMessage: handler });
    for (const [id, session] of first.server.sessions) stage.server.sessions.set(id, session);
    await stage.now(stage.client.connect());
    await stage.clock.settle();
    expect(got).toEqual(["once"]);
    expect(stage.link.types()).toEqual(["connect", "pubrec", "pubcomp"]);
    await stage.finish();
  });

  test("with a clean start publishes anew what was in flight, and forgets received ids", async () => {
    const { store, first } = await crashed((stage) => send(stage, ["a", 1]));
    await store.memory.open("c");
    await store.memory.write([{ op: "putReceived", packetId: 77 }]);
    const stage = await again(store, first, { cleanStart: true });
    await stage.clock.settle();
    expect(stage.link.take("publish").map((packet) => packet.dup)).toEqual([false]);
    expect(stage.server.payloads).toEqual(["a"]);
    expect((await store.left()).receivedIds).toEqual([]);
    await stage.finish();
  });

  test("forgets received ids when the server lost the session", async () => {
    const { store } = await crashed(() => undefined);
    await store.memory.open("c");
    await store.memory.write([{ op: "putReceived", packetId: 77 }]);
    const stage = setup({ ...LASTING, store });
    await stage.now(stage.client.connect());
    await stage.clock.settle();
    expect((await store.left()).receivedIds).toEqual([]);
    await stage.finish();
  });

  test("after close() finds what was not acknowledged, also with the default session options", async () => {
    const store = new ProbeStore();
    const stage = await connected({ store, server: { onMessage: () => null } });
    stage.promises.track(stage.client.publish("t", "left", { qos: 1 })).catch(() => undefined);
    await stage.finish();
    expect(left(await store.left())).toMatchObject([[1, 1, "t", "left", "unacknowledged"]]);
  });
});

describe("a store and a link that breaks", () => {
  test("while a message is being stored: it is sent once, on the next connection, as new", async () => {
    const { stage, store } = await withStore();
    store.hold();
    const publishing = stage.promises.track(stage.client.publish("t", "x", { qos: 2 }));
    await stage.clock.settle();
    stage.link.cut();
    await stage.clock.settle();
    expect(stage.client.state).toBe("connected");
    expect(stage.server.received).toEqual([]);
    store.release();
    await stage.now(publishing);
    expect(stage.link.take("publish").map((packet) => packet.dup)).toEqual([false]);
    expect(stage.server.payloads).toEqual(["x"]);
    await stage.finish();
  });

  test("keeps order and receive maximum between what is stored and what is new", async () => {
    const store = new ProbeStore();
    const stage = await connected({
      ...LASTING,
      store,
      server: { onConnect: () => ({ properties: { receiveMaximum: 1 } }) },
    });
    const all: Promise<unknown>[] = [];
    const publish = (text: string): void =>
      void all.push(stage.promises.track(stage.client.publish("t", text, { qos: 1 })));
    store.hold();
    publish("a");
    publish("b");
    await stage.clock.settle();
    stage.link.cut();
    await stage.clock.settle();
    publish("c");
    store.release();
    await stage.clock.settle();
    await stage.now(Promise.all(all));
    expect(stage.server.payloads).toEqual(["a", "b", "c"]);
    await stage.finish();
  });
});

test("a store without a client id of one's own is refused", async () => {
  const stage = setup({ protocolVersion: 5, clientId: "", store: new MemoryStore() });
  await stage.refused(stage.client.connect(), "ERR_EMPTY_CLIENT_ID");
  await stage.finish();
});

test("giving up connect() while the store is being opened leaves the client usable", async () => {
  const store = new ProbeStore();
  store.hold();
  const stage = setup({ protocolVersion: 5, store });
  const abort = new AbortController();
  const connecting = stage.client.connect({ signal: abort.signal });
  await stage.clock.settle();
  abort.abort();
  await stage.refused(connecting, "ERR_ABORTED");
  const again = stage.client.connect();
  store.release();
  await stage.now(again);
  expect(store.calls.filter((call) => call === "open")).toHaveLength(1);
  await stage.finish();
});
