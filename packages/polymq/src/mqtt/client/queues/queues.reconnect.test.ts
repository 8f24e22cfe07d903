import { describe, expect, test } from "vitest";
import type { MessagingError } from "../../../base/errors.ts";
import type { Setup, Stage } from "../client-setup.test-support.ts";
import {
  at,
  consumer,
  deliver,
  HeldSettlements,
  held,
  lab,
  repeat,
  said,
  settlementOf,
} from "./queue-lab.test-support.ts";
import type { MqttQueueMessage } from "./queue-message.ts";

const ACK = "$queue/orders/$ack qos1 message-id=orders:0 group-id=workers";
const NACK = "$queue/orders/$nack qos1 message-id=orders:0 group-id=workers delivery-count=0";
const REJECT = "$queue/orders/$reject qos1 message-id=orders:0 group-id=workers";

describe("a buffer that the server overfills", () => {
  test("does not keep the confirmation from being read that its handler awaits", async () => {
    const stage = await lab("polymq");
    const settlements = new HeldSettlements();
    stage.server.options = { ...stage.server.options, onMessage: settlements.onMessage };
    let acked = 0;
    await consumer(stage, { prefetch: 1, handler: (message) => message.ack().then(() => void acked++) });
    for (let offset = 0; offset < 20; offset++) await deliver(stage, offset);
    await settlements.answer(stage, 0);
    expect(acked).toBe(1);
    for (let offset = 1; offset < 20; offset++) await settlements.answer(stage, 0);
    expect(acked).toBe(20);
    await stage.finish();
  });

  test("with QoS 0, which no receive maximum bounds, stops reading for good", async () => {
    const stage = await lab("fluxmq");
    const settlements = new HeldSettlements();
    stage.server.options = { onMessage: settlements.onMessage };
    const subscription = await consumer(stage, { prefetch: 1, handler: (message) => message.ack() });
    const properties = {
      userProperties: [
        ["queue", "orders"],
        ["group-id", "workers"],
        ["message-id", "orders:1"],
      ] as const,
    };
    for (let i = 0; i < 20; i++) {
      stage.link.publish("$queue/orders", "", { qos: 0, properties });
      await stage.clock.settle();
    }
    expect(subscription.buffered).toBeLessThan(10);
    await stage.finish();
  });
});

describe("a connection's end", () => {
  test("a repetition of what was acknowledged on this connection is swallowed: FluxMQ ends the connection over a second PUBACK", async () => {
    const { stage, got } = await held("fluxmq");
    await deliver(stage, 0);
    await stage.now(at(got, 0).ack());
    expect(said(stage)).toEqual([ACK, "puback 1"]);
    repeat(stage);
    await stage.clock.settle();
    expect([got.length, said(stage)]).toEqual([1, []]);
    await stage.finish();
  });

  test("what polymq's broker took back with the last connection does not swallow the message that has its packet id now", async () => {
    const stage = await lab("polymq", {
      cleanStart: false,
      sessionExpirySeconds: 60,
      reconnect: { initialDelayMs: 1 },
    });
    const got: MqttQueueMessage[] = [];
    const plain: string[] = [];
    const handler = (message: MqttQueueMessage): void => void got.push(message);
    await stage.now(stage.client.subscribeToQueue("orders", "workers", { ack: "manual", handler }));
    await stage.now(stage.client.subscribe("t", { qos: 1, handler: (message) => void plain.push(message.text()) }));
    await deliver(stage, 0);
    stage.link.session?.state.outbound.finish(1, 1);
    stage.link.cut();
    await stage.clock.advance(10);
    const payload = new TextEncoder().encode("other");
    stage.link.send({
      type: "publish",
      topic: "t",
      payload,
      qos: 1,
      retain: false,
      dup: true,
      packetId: 1,
      properties: null,
    });
    await stage.clock.settle();
    expect([got.length, plain]).toEqual([1, ["other"]]);
    await stage.finish();
  });

  test.each(["polymq", "v3"] as const)(
    "towards %s an acknowledgement that waited for its turn does not swallow the message that has its packet id now",
    async (role) => {
      const stage = await lab(role, LASTING);
      const got: MqttQueueMessage[] = [];
      const plain: string[] = [];
      await consumer(stage, { ack: "manual", concurrency: 2, handler: (message) => void got.push(message) });
      await stage.now(stage.client.subscribe("t", { qos: 1, handler: (message) => void plain.push(message.text()) }));
      await deliver(stage, 0);
      await deliver(stage, 1);
      await stage.now(at(got, 1).ack());
      expect(said(stage)).not.toContain("puback 2");
      await relink(stage, 1, 2);
      await repeatPlain(stage, 2, "other");
      await repeatPlain(stage, 1, "another");
      expect([got.length, plain, said(stage)]).toEqual([2, ["other", "another"], ["puback 2", "puback 1"]]);
      await stage.finish();
    },
  );

  test.each(["polymq", "v3"] as const)(
    "what no handler has begun is dropped, for %s delivers it again",
    async (role) => {
      const stage = await lab(role, LASTING);
      const begun: string[] = [];
      let done: () => void = () => undefined;
      const handler = (message: MqttQueueMessage): Promise<void> => {
        begun.push(message.text());
        return new Promise((resolve) => (done = resolve));
      };
      const subscription = await consumer(stage, { handler });
      for (let offset = 0; offset < 3; offset++) await deliver(stage, offset);
      expect(subscription.buffered).toBe(2);
      stage.link.session?.state.outbound.finish(1, 1);
      stage.link.session?.state.outbound.finish(2, 1);
      stage.link.session?.state.outbound.finish(3, 1);
      stage.link.cut();
      await stage.clock.settle();
      expect(subscription.buffered).toBe(0);
      await stage.clock.advance(10);
      stage.link.take();
      for (let offset = 0; offset < 3; offset++) await deliver(stage, offset, { payload: `again ${offset}` });
      for (let i = 0; i < 4; i++) {
        done();
        await stage.clock.settle();
      }
      expect(begun).toEqual(["m0", "again 0", "again 1", "again 2"]);
      expect(said(stage).filter((each) => each.startsWith("puback"))).toHaveLength(3);
      await stage.finish();
    },
  );

  test("towards polymq's broker what is given back after the loss is said to nobody: somebody else may have it; what was done is", async () => {
    const stage = await lab("polymq", LASTING);
    const got: MqttQueueMessage[] = [];
    const handler = (message: MqttQueueMessage): void => void got.push(message);
    await consumer(stage, { ack: "manual", handler });
    for (let offset = 0; offset < 3; offset++) await deliver(stage, offset);
    await relink(stage);
    stage.link.take();
    await stage.refused(at(got, 0).nack(), "ERR_STALE_DELIVERY");
    await stage.refused(at(got, 0).ack(), "ERR_ALREADY_SETTLED");
    await stage.now(at(got, 1).ack());
    await stage.now(at(got, 2).reject("wrong"));
    const settlements = said(stage).filter((each) => each.includes("qos1"));
    expect(settlements.map((each) => each.split(" ")[0])).toEqual(["$queue/orders/$ack", "$queue/orders/$reject"]);
    await stage.finish();
  });

  test("what was acknowledged on receipt is handled all the same", async () => {
    const stage = await lab("polymq", LASTING);
    const begun: number[] = [];
    let done: () => void = () => undefined;
    const handler = (message: MqttQueueMessage): Promise<void> => {
      begun.push(message.offset);
      return new Promise((resolve) => (done = resolve));
    };
    await consumer(stage, { handler, ack: "onReceive" });
    for (let offset = 0; offset < 2; offset++) await deliver(stage, offset);
    await relink(stage);
    done();
    await stage.clock.settle();
    expect(begun).toEqual([0, 1]);
    done();
    await stage.finish();
  });

  test("what another server delivers again under a new packet id is known by its message id, and handled once", async () => {
    const stage = await lab("fluxmq", { reconnect: { initialDelayMs: 1 } });
    const begun: number[] = [];
    let done: () => void = () => undefined;
    const handler = async (message: MqttQueueMessage): Promise<void> => {
      begun.push(message.offset);
      await new Promise<void>((resolve) => (done = resolve));
      await message.ack();
    };
    const subscription = await consumer(stage, { handler });
    await deliver(stage, 7);
    for (let offset = 0; offset < 3; offset++) await deliver(stage, offset);
    await relink(stage);
    for (let offset = 2; offset >= 0; offset--) await deliver(stage, offset);
    await deliver(stage, 0, { group: "others" });
    expect([begun, subscription.buffered]).toEqual([[7], 4]);
    for (let i = 0; i < 5; i++) {
      done();
      await stage.clock.settle();
    }
    expect(begun).toEqual([7, 0, 1, 2, 0]);
    expect(said(stage).filter((each) => each.startsWith("puback"))).toEqual([1, 2, 3, 4].map((id) => `puback ${id}`));
    await stage.finish();
  });

  test.each([
    ["it comes as a repetition where the session was kept", LASTING, [`${NACK} dup`]],
    ["it is not sent again without the session", { reconnect: { initialDelayMs: 1 } }, []],
  ] as const)(
    "a nack under way or waiting ends with its connection to polymq's broker, which has given the message back: %s",
    async (_, session, sentAgain) => {
      const onConnect = (): object => ({
        properties: { receiveMaximum: 1, userProperties: [["server", "polymq/0.0.0"]] },
      });
      const settlements = new HeldSettlements();
      const stage = await lab("polymq", { ...session, server: { onConnect, onMessage: settlements.onMessage } });
      const got: MqttQueueMessage[] = [];
      await consumer(stage, { ack: "manual", handler: (message) => void got.push(message) });
      await deliver(stage, 0);
      await deliver(stage, 1);
      const codes = got.map((message) => message.nack().catch((error: MessagingError) => error.code));
      await stage.clock.settle();
      expect(said(stage)).toEqual([NACK]);
      stage.server.options = { ...stage.server.options, onMessage: () => 0x80 };
      stage.link.session?.state.outbound.finish(1, 1);
      stage.link.session?.state.outbound.finish(2, 1);
      stage.link.cut();
      await stage.clock.advance(10);
      expect(await Promise.all(codes)).toEqual(["ERR_STALE_DELIVERY", "ERR_STALE_DELIVERY"]);
      const again = stage.link.take().filter((packet) => packet.type === "publish");
      expect(again.map((packet) => `${settlementOf(packet)}${packet.dup ? " dup" : ""}`)).toEqual(sentAgain);
      await stage.refused(at(got, 0).ack(), "ERR_ALREADY_SETTLED");
      if (sentAgain.length > 0) await settlements.answer(stage, 0x80);
      await stage.refused(stage.client.publish("t", "there is room in the window", { qos: 1 }), "ERR_PUBLISH_REJECTED");
      await stage.finish();
    },
  );

  test("a failed handler's message that was being given back to polymq's broker is no error in the background", async () => {
    const stage = await lab("polymq", { reconnect: { initialDelayMs: 1 }, server: { onMessage: () => null } });
    await consumer(stage, { handler: () => Promise.reject(new Error("no")) });
    await deliver(stage, 0);
    expect(said(stage)).toEqual([NACK]);
    stage.link.cut();
    await stage.clock.advance(10);
    expect([said(stage), stage.of("backgroundError")]).toEqual([[], []]);
    await stage.finish();
  });

  test("a settlement under way reaches the server on the next connection", async () => {
    const { stage, got } = await held("polymq");
    await deliver(stage, 0);
    stage.server.options = { ...stage.server.options, onMessage: () => null };
    const rejecting = stage.promises.track(at(got, 0).reject("x"));
    await stage.clock.settle();
    stage.server.options = { ...stage.server.options, onMessage: () => 0 };
    stage.link.cut();
    await stage.clock.advance(5_000);
    await stage.now(rejecting);
    expect(said(stage)).toContain(`${REJECT} reason=x`);
    await stage.finish();
  });

  test("close waits for handlers and lets them settle", async () => {
    const stage = await lab("polymq");
    let go: () => void = () => undefined;
    const waiting = new Promise<void>((resolve) => (go = resolve));
    await consumer(stage, {
      handler: async (message) => {
        await waiting;
        await message.reject("closing");
      },
    });
    await deliver(stage, 0);
    const closing = stage.client.close();
    await stage.clock.settle();
    go();
    await stage.now(closing);
    expect(said(stage)).toEqual([`${REJECT} reason=closing`, "puback 1"]);
    expect(stage.of("handlerError")).toEqual([]);
    await stage.finish();
  });

  test("close waits for the settlements of failed handlers", async () => {
    const stage = await lab("polymq");
    const settlements = new HeldSettlements();
    await consumer(stage, { handler: () => Promise.reject(new Error("no")) });
    stage.server.options = { ...stage.server.options, onMessage: settlements.onMessage };
    await deliver(stage, 0);
    const closing = stage.client.close();
    await settlements.answer(stage, 0);
    await stage.now(closing);
    expect(said(stage)).toEqual([NACK, "puback 1"]);
    await stage.finish();
  });
});

/** A lasting session: what its server repeats is recognised after a reconnect. */
const LASTING: Setup = { cleanStart: false, sessionExpirySeconds: 60, reconnect: { initialDelayMs: 1 } };

/** Cuts the link; the server forgets the deliveries it sent under these packet ids, as one does that takes them back. */
async function relink(stage: Stage, ...packetIds: number[]): Promise<void> {
  for (const id of packetIds) stage.link.session?.state.outbound.finish(id, 1);
  stage.link.cut();
  await stage.clock.advance(10);
  stage.link.take();
}

/** A plain message at QoS 1 that the server calls a repetition: it sent it on a connection that broke before it arrived. */
async function repeatPlain(stage: Stage, packetId: number, text: string): Promise<void> {
  const payload = new TextEncoder().encode(text);
  stage.link.send({
    type: "publish",
    topic: "t",
    payload,
    qos: 1,
    retain: false,
    dup: true,
    packetId,
    properties: null,
  });
  await stage.clock.settle();
}
