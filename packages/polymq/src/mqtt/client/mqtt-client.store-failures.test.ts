import { describe, expect, test } from "vitest";
import { setup, stateOf } from "./client-setup.test-support.ts";
import { LASTING, ProbeStore, withStore } from "./probe-store.test-support.ts";

describe("a store that fails", () => {
  test("at open rejects connect() with ERR_STORE_FAILED, and a later connect() tries again", async () => {
    for (const call of ["open", "clearReceived"] as const) {
      const store = new ProbeStore();
      await store.memory.open("c");
      await store.memory.write([
        {
          op: "putPublish",
          publish: {
            packetId: 5,
            order: 1,
            qos: 1,
            topic: "t",
            payload: new Uint8Array(1),
            retain: false,
            properties: null,
            released: false,
          },
        },
      ]);
      store.failOnce = call;
      const stage = setup({ protocolVersion: 5, store });
      const error = await stage.refused(stage.client.connect(), "ERR_STORE_FAILED");
      expect((error.cause as Error).message).toBe(`cannot ${call}`);
      expect(stage.dials).toHaveLength(0);
      await stage.now(stage.client.connect());
      await stage.clock.settle();
      expect(stage.server.received).toHaveLength(1);
      await stage.finish();
    }
  });

  test("at putPublish rejects that publish with ERR_STORE_FAILED; nothing of it is sent", async () => {
    for (const qos of [1, 2] as const) {
      const { stage, store } = await withStore();
      store.failOnce = "putPublish";
      await stage.refused(stage.client.publish("t", "lost", { qos }), "ERR_STORE_FAILED");
      await stage.now(stage.client.publish("t", "kept", { qos }));
      expect(stage.server.payloads).toEqual(["kept"]);
      await stage.finish();
    }
  });

  test("at deletePublish is told as backgroundError; the publish has succeeded", async () => {
    const { stage, store } = await withStore();
    store.failOnce = "deletePublish";
    await stage.now(stage.client.publish("t", "x", { qos: 1 }));
    await stage.clock.settle();
    expect(stage.of("backgroundError").map((event) => event.error.code)).toEqual(["ERR_STORE_FAILED"]);
    await stage.finish();
  });

  test("at releasePublish ends the connection; the next one stores it before PUBREL", async () => {
    const { stage, store } = await withStore();
    store.failOnce = "releasePublish";
    const first = stage.link;
    const publishing = stage.promises.track(stage.client.publish("t", "x", { qos: 2 }));
    await stage.now(publishing);
    expect(first.types()).not.toContain("pubrel");
    expect(stage.of("connectionLost").map((event) => event.error.code)).toEqual(["ERR_STORE_FAILED"]);
    expect(store.calls.filter((call) => call === "releasePublish")).toHaveLength(2);
    expect(stage.server.payloads).toEqual(["x"]);
    await stage.finish();
  });

  test("at putReceived ends the connection; the message is not handled twice and acknowledged on the next one [MQTT3-4.8.0-2]", async () => {
    const { stage, store } = await withStore();
    const got: string[] = [];
    await stage.now(stage.client.subscribe("t", { qos: 2, handler: (message) => void got.push(message.text()) }));
    store.failOnce = "putReceived";
    const first = stage.link;
    first.take();
    stage.link.publish("t", "x", { qos: 2 });
    await stage.clock.settle();
    expect(first.types()).not.toContain("pubrec");
    expect(stage.of("backgroundError")[0]?.error.code).toBe("ERR_STORE_FAILED");
    expect(got).toEqual(["x"]);
    expect(stage.link.types()).toEqual(["connect", "pubrec", "pubcomp"]);
    await stage.finish();
  });

  test("at deleteReceived ends the connection; the next one forgets the id before PUBCOMP", async () => {
    const { stage, store } = await withStore();
    await stage.now(stage.client.subscribe("t", { qos: 2, handler: () => undefined }));
    store.failOnce = "deleteReceived";
    stage.link.publish("t", "x", { qos: 2 });
    await stage.clock.settle();
    expect(stage.of("connectionLost")).toHaveLength(1);
    expect(stage.link.types()).toEqual(["connect", "pubcomp"]);
    expect((await store.left()).receivedIds).toEqual([]);
    await stage.finish();
  });

  test("at clearReceived ends the connection; the next one clears before anything else", async () => {
    const store = new ProbeStore();
    const stage = setup({ ...LASTING, store });
    store.failOnce = "clearReceived";
    await stage.now(stage.client.connect());
    await stage.clock.settle();
    expect(stage.of("connectionLost").map((event) => event.error.code)).toEqual(["ERR_STORE_FAILED"]);
    expect(store.calls.filter((call) => call === "clearReceived")).toHaveLength(2);
    await stage.finish();
  });

  test("at close is told as backgroundError; close() resolves all the same", async () => {
    const { stage, store } = await withStore();
    store.failOnce = "close";
    await stage.now(stage.client.close());
    expect(stage.of("backgroundError").map((event) => event.error.code)).toEqual(["ERR_STORE_FAILED"]);
    await stage.finish();
  });

  test("hanging at the end does not keep close() for ever", async () => {
    const { stage, store } = await withStore();
    store.hold();
    const publishing = stage.promises.track(stage.client.publish("t", "x", { qos: 1 }));
    const closing = stage.client.close({ timeoutMs: 10 });
    await stage.clock.advance(10);
    await stage.refused(publishing, "ERR_CLIENT_CLOSED");
    expect(await stateOf(closing)).toBe("pending");
    await stage.clock.advance(5_000);
    await stage.now(closing);
    expect(stage.of("backgroundError")).toHaveLength(1);
  });
});
