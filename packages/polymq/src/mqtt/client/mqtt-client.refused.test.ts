import { describe, expect, test } from "vitest";
import { MemoryStore } from "../../store/memory-store.ts";
import { connected, outcome, type Setup, type Stage } from "./client-setup.test-support.ts";
import type { ReceivedMessage } from "./fake-server.test-support.ts";

/** A server without words for a refusal: it ends the connection over every message that begins with "bad". */
function refusing(stage: Stage, refuses = (text: string): boolean => text.startsWith("bad")): void {
  stage.server.options = {
    onConnect: ({ cleanStart }) => ({ sessionPresent: !cleanStart }),
    onMessage: ({ payload }) => {
      if (!refuses(payload)) return 0;
      hangUp(stage);
      return null;
    },
  };
}

/** Ends the connection, and forgets the message that came: its repetition is looked at anew. */
function hangUp(stage: Stage): void {
  stage.link.engine.end();
  stage.link.close();
  stage.server.sessions.clear();
}

const options: Setup = { protocolVersion: 4, reconnect: { delay: () => 10 } };

/** Publishes these, one after the other, without waiting. */
function publishAll(stage: Stage, texts: readonly string[], qos: 1 | 2 = 1): Promise<unknown>[] {
  return texts.map((text) => stage.promises.track(stage.client.publish("t", text, { qos })));
}

describe("a message over which a server ends the connection again and again", () => {
  test.each([
    ["QoS 1 of 3.1.1", options, 1],
    ["QoS 2 of 3.1.1", options, 2],
    ["QoS 1 of 3.1.1 in a session that lasts", { ...options, cleanStart: false }, 1],
    ["QoS 2 of 3.1.1 in a session that lasts", { ...options, cleanStart: false }, 2],
  ] as const)("is rejected, and the others go on: %s", async (_, given, qos) => {
    const stage = await connected(given);
    refusing(stage);
    const all = publishAll(stage, ["a", "bad", "b", "c"], qos);
    await stage.clock.advance(200);
    const error = await stage.refused(all[1] ?? Promise.resolve(), "ERR_PUBLISH_REJECTED");
    expect(error).toMatchObject({ message: expect.stringContaining("5 connections"), peer: null });
    expect(error.cause).toMatchObject({ code: "ERR_CONNECTION_LOST" });
    await stage.now(Promise.all([all[0], all[2], all[3]]));
    expect(stage.server.payloads.filter((text) => text === "bad")).toHaveLength(6);
    expect(stage.server.payloads.filter((text) => text !== "bad")).toEqual(["a", "b", "c"]);
    expect(stage.of("messageDropped")).toEqual([
      { type: "messageDropped", direction: "outbound", reason: "refused", topic: "t", qos, payloadBytes: 3 },
    ]);
    await stage.now(stage.client.publish("t", "after it", { qos }));
    expect(stage.of("connectionLost")).toHaveLength(6);
    await stage.finish();
  });

  test("is told from those whose acknowledgement its end took along", async () => {
    const stage = await connected(options);
    const slow = (message: ReceivedMessage): number | null => {
      const { link } = stage;
      if (message.payload === "bad") hangUp(stage);
      else stage.clock.setTimer(1, () => void link.settle(message.ticket));
      return null;
    };
    stage.server.options = { onMessage: slow };
    const all = publishAll(stage, ["a", "b", "bad", "c"]);
    await stage.clock.advance(500);
    await stage.refused(all[2] ?? Promise.resolve(), "ERR_PUBLISH_REJECTED");
    await stage.now(Promise.all([all[0], all[1], all[3]]));
    await stage.finish();
  });

  test("each of several is rejected, as often as maxDeliveryRetries says", async () => {
    const stage = await connected({ ...options, maxDeliveryRetries: 2 });
    refusing(stage);
    const all = publishAll(stage, ["bad 1", "a", "bad 2", "b"]);
    await stage.clock.advance(300);
    await stage.refused(all[0] ?? Promise.resolve(), "ERR_PUBLISH_REJECTED");
    await stage.refused(all[2] ?? Promise.resolve(), "ERR_PUBLISH_REJECTED");
    await stage.now(Promise.all([all[1], all[3]]));
    expect(stage.server.payloads.filter((text) => text === "bad 1")).toHaveLength(3);
    await stage.finish();
  });

  test("is forgotten by the store, too", async () => {
    const store = new MemoryStore();
    const stage = await connected({ ...options, cleanStart: false, store });
    refusing(stage);
    const [bad, good] = publishAll(stage, ["bad", "good"]);
    await stage.clock.advance(200);
    await stage.refused(bad ?? Promise.resolve(), "ERR_PUBLISH_REJECTED");
    await stage.now(good ?? Promise.resolve());
    await stage.finish();
    expect((await store.open("c")).publishes).toEqual([]);
  });

  test("over MQTT 5.0 by a DISCONNECT that says why is rejected with that as its cause", async () => {
    const stage = await connected({ ...options, protocolVersion: 5, sessionExpirySeconds: 60 });
    stage.server.options = {
      onMessage: ({ payload }) => {
        if (payload !== "bad") return 0;
        stage.link.disconnect(0x95);
        stage.server.sessions.clear();
        return null;
      },
    };
    const [bad, good] = publishAll(stage, ["bad", "good"]);
    await stage.clock.advance(200);
    const error = await stage.refused(bad ?? Promise.resolve(), "ERR_PUBLISH_REJECTED");
    expect(error.cause).toMatchObject({ code: "ERR_SERVER_DISCONNECT", peer: { code: 0x95 } });
    await stage.now(good ?? Promise.resolve());
    await stage.finish();
  });
});

describe("no message is given up", () => {
  /** Messages "0", "1", "2" that the server leaves unanswered, whatever else happens. */
  async function unanswered(given: Setup = {}): Promise<{ stage: Stage; all: Promise<unknown>[] }> {
    const stage = await connected({ ...options, ...given });
    stage.server.options = { onMessage: () => null };
    const all = publishAll(stage, ["0", "1", "2"]);
    await stage.clock.settle();
    return { stage, all };
  }

  /** The server answers again; all must arrive. */
  async function arrive(stage: Stage, all: Promise<unknown>[]): Promise<void> {
    stage.server.options = {};
    stage.link.cut();
    await stage.clock.advance(200);
    await stage.now(Promise.all(all));
    expect(stage.of("messageDropped")).toEqual([]);
    await stage.finish();
  }

  test("over a link that is cut all the time", async () => {
    const { stage, all } = await unanswered();
    for (let i = 0; i < 20; i++) {
      stage.link.cut();
      await stage.clock.advance(20);
    }
    await arrive(stage, all);
  });

  test("to a server that does not answer in time", async () => {
    const { stage, all } = await unanswered({ keepAliveSeconds: 1, pingTimeoutMs: 50, ackTimeoutMs: 0 });
    stage.server.options = { mode: "raw" };
    for (let i = 0; i < 20; i++) {
      await stage.clock.advance(900);
      stage.link.send({ type: "connack", sessionPresent: false, reasonCode: 0, properties: null });
    }
    expect(stage.of("connectionLost").length).toBeGreaterThan(10);
    await arrive(stage, all);
  });

  test("to a server that ends connections whatever is sent", async () => {
    const { stage, all } = await unanswered();
    stage.link.close();
    await stage.clock.advance(20);
    for (let i = 0; i < 20; i++) {
      stage.server.options = { mode: "raw" };
      stage.link.close();
      await stage.clock.advance(20);
      stage.link.send({ type: "connack", sessionPresent: false, reasonCode: 0, properties: null });
      await stage.clock.settle();
    }
    await arrive(stage, all);
  });

  test("by a server that takes it before it was sent again too often", async () => {
    const stage = await connected(options);
    let left = 5;
    refusing(stage, (text) => text === "bad" && left-- > 0);
    const all = publishAll(stage, ["bad", "good"]);
    await stage.clock.advance(200);
    await stage.now(Promise.all(all));
    expect(stage.server.payloads).toEqual(["bad", "bad", "bad", "bad", "bad", "bad", "good"]);
    await stage.finish();
  });

  test("over another one that the server leaves unanswered until it ends the connection", async () => {
    const stage = await connected({ ...options, ackTimeoutMs: 100 });
    let ends = 0;
    stage.server.options = {
      onMessage: ({ payload }) => {
        if (ends === 12) return 0;
        if (payload === "silence") return null;
        ends++;
        hangUp(stage);
        return null;
      },
    };
    const [silent, good] = publishAll(stage, ["silence", "good"]);
    const timedOut = outcome(silent ?? Promise.resolve());
    await stage.clock.advance(10_000);
    expect(await timedOut).toMatchObject({ code: "ERR_TIMEOUT" });
    await stage.now(good ?? Promise.resolve());
    expect(stage.of("messageDropped")).toEqual([]);
    await stage.finish();
  });
});

test("messages of a connection that a server ended are sent again together, and singly only after a second end", async () => {
  const stage = await connected({ ...options, maxDeliveryRetries: 5 });
  stage.server.options = { mode: "raw" };
  const all = publishAll(stage, ["0", "1"]);
  const connack = { type: "connack", sessionPresent: false, reasonCode: 0, properties: null } as const;
  const reconnect = async (): Promise<string[]> => {
    await stage.clock.settle();
    stage.link.close();
    await stage.clock.advance(20);
    stage.link.send(connack);
    await stage.clock.settle();
    return stage.link.types();
  };
  expect(await reconnect()).toEqual(["connect", "publish", "publish"]);
  expect(await reconnect()).toEqual(["connect", "pingreq"]);
  const answer = async (packet: Parameters<typeof stage.link.send>[0]): Promise<string[]> => {
    stage.link.send(packet);
    await stage.clock.settle();
    return stage.link.types();
  };
  expect(await answer({ type: "pingresp" })).toEqual(["publish"]);
  const later = publishAll(stage, ["2"]);
  expect(await answer({ type: "puback", packetId: 1, reasonCode: 0, properties: null })).toEqual(["publish"]);
  expect(await answer({ type: "puback", packetId: 2, reasonCode: 0, properties: null })).toEqual(["publish"]);
  expect(await answer({ type: "puback", packetId: 3, reasonCode: 0, properties: null })).toEqual([]);
  await stage.now(Promise.all([...all, ...later]));
  await stage.finish();
});
