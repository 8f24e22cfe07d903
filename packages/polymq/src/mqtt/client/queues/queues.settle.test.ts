import { describe, expect, test } from "vitest";
import { at, consumer, deliver, HeldSettlements, held, lab, repeat, said } from "./queue-lab.test-support.ts";
import type { MqttQueueMessage } from "./queue-message.ts";

const ACK = "$queue/orders/$ack qos1 message-id=orders:0 group-id=workers";
const NACK_ELSEWHERE = "$queue/orders/$nack qos1 message-id=orders:0 group-id=workers";
const NACK = `${NACK_ELSEWHERE} delivery-count=0`;
const REJECT = "$queue/orders/$reject qos1 message-id=orders:0 group-id=workers";

describe("ack", () => {
  test.each(["fluxmq", "polymq"] as const)(
    "towards %s is $ack at QoS 1, and PUBACK after it is confirmed",
    async (role) => {
      const settlements = new HeldSettlements();
      const { stage, got } = await held(role);
      stage.server.options = { ...stage.server.options, onMessage: settlements.onMessage };
      await deliver(stage, 0);
      const acking = at(got, 0).ack();
      await stage.clock.settle();
      expect(said(stage)).toEqual([ACK]);
      await settlements.answer(stage, 0);
      await stage.now(acking);
      expect(said(stage)).toEqual(["puback 1"]);
      await stage.finish();
    },
  );

  test("is rejected with the server's code, and PUBACK leaves all the same", async () => {
    const { stage, got } = await held("fluxmq");
    stage.server.options = { onMessage: () => 0x80 };
    await deliver(stage, 0);
    const error = await stage.refused(at(got, 0).ack(), "ERR_PUBLISH_REJECTED");
    expect(error.peer).toMatchObject({ protocol: "mqtt", code: 0x80 });
    expect(said(stage)).toEqual([ACK, "puback 1"]);
    await stage.finish();
  });

  test("by hand and once: a second settlement is ERR_ALREADY_SETTLED", async () => {
    const { stage, got } = await held("polymq");
    await deliver(stage, 0);
    const acking = at(got, 0).ack();
    await stage.refused(at(got, 0).reject("late"), "ERR_ALREADY_SETTLED");
    await stage.now(acking);
    await stage.refused(at(got, 0).nack(), "ERR_ALREADY_SETTLED");
    await stage.finish();
  });

  test("is PUBACK alone when the handler is done, after it and not before", async () => {
    for (const role of ["fluxmq", "polymq", "v3"] as const) {
      const stage = await lab(role);
      let done: () => void = () => undefined;
      await consumer(stage, { handler: () => new Promise((resolve) => (done = resolve)) });
      await deliver(stage, 0);
      expect(said(stage)).toEqual([]);
      done();
      await stage.clock.settle();
      expect(said(stage)).toEqual(["puback 1"]);
      await stage.finish();
    }
  });

  test("in an auto handler is the one settlement: PUBACK leaves once", async () => {
    const stage = await lab("fluxmq");
    await consumer(stage, { handler: (message) => message.ack() });
    await deliver(stage, 0);
    expect(said(stage)).toEqual([ACK, "puback 1"]);
    await stage.finish();
  });

  test("onReceive acknowledges before the handler; what it does then is ERR_ALREADY_SETTLED", async () => {
    const { stage, got } = await held("fluxmq", { ack: "onReceive" });
    await deliver(stage, 0);
    expect(said(stage)).toEqual(["puback 1"]);
    await stage.refused(at(got, 0).nack(), "ERR_ALREADY_SETTLED");
    await stage.finish();
  });

  test("of a delivery without a group is PUBACK alone, for no settlement could name it", async () => {
    const { stage, got } = await held("fluxmq");
    stage.link.publish("$queue/orders", "", { qos: 1, properties: { userProperties: [["queue", "orders"]] } });
    await stage.clock.settle();
    await stage.refused(at(got, 0).nack(), "ERR_QUEUE_ACK_MISSING_GROUP");
    await stage.now(at(got, 0).ack());
    expect(said(stage)).toEqual(["puback 1"]);
    await stage.finish();
  });

  test("echoes the group as delivered, never as subscribed", async () => {
    const stage = await lab("fluxmq");
    const got: MqttQueueMessage[] = [];
    const handler = (message: MqttQueueMessage): void => void got.push(message);
    await stage.now(stage.client.subscribeToQueue("orders", "workers", { filter: "#", ack: "manual", handler }));
    stage.link.take();
    await deliver(stage, 0, { group: "workers@#", topic: "$queue/orders/eu" });
    await stage.now(at(got, 0).ack());
    expect(said(stage)).toEqual(["$queue/orders/$ack qos1 message-id=orders:0 group-id=workers@#", "puback 1"]);
    await stage.finish();
  });

  test("a signal gives up waiting with ERR_ABORTED", async () => {
    const settlements = new HeldSettlements();
    const { stage, got } = await held("polymq");
    stage.server.options = { onMessage: settlements.onMessage };
    await deliver(stage, 0);
    const abort = new AbortController();
    const acking = at(got, 0).ack({ signal: abort.signal });
    abort.abort();
    await stage.refused(acking, "ERR_ABORTED");
    await stage.finish();
  });
});

describe("nack", () => {
  test("towards polymq's broker is $nack with its delay, then PUBACK", async () => {
    const { stage, got } = await held("polymq");
    await deliver(stage, 0);
    await stage.now(at(got, 0).nack({ delayMs: 250 }));
    expect(said(stage)).toEqual([`${NACK} delay-ms=250`, "puback 1"]);
    await deliver(stage, 1);
    await stage.refused(at(got, 1).nack({ delayMs: -1 }), "ERR_INVALID_ARGUMENT");
    await stage.finish();
  });

  test("towards another server withholds the PUBACK: later ones do not wait for it", async () => {
    const { stage, got } = await held("fluxmq");
    await deliver(stage, 0);
    await deliver(stage, 1);
    await stage.now(at(got, 0).nack());
    await stage.now(at(got, 1).ack());
    expect(said(stage)).toEqual([
      NACK_ELSEWHERE,
      "$queue/orders/$ack qos1 message-id=orders:1 group-id=workers",
      "puback 2",
    ]);
    await stage.finish();
  });

  test("what was withheld and comes again (DUP) is delivered again", async () => {
    const { stage, got } = await held("fluxmq");
    await deliver(stage, 0);
    await stage.now(at(got, 0).nack());
    repeat(stage);
    await stage.clock.settle();
    expect(got.map((each) => [each.offset, each.deliveryCount])).toEqual([
      [0, 0],
      [0, 1],
    ]);
    await stage.now(at(got, 1).ack());
    expect(said(stage)).toEqual([NACK_ELSEWHERE, ACK, "puback 1"]);
    await stage.finish();
  });

  test("withheld deliveries count against the receive maximum", async () => {
    const stage = await lab("fluxmq", { receiveMaximum: 2 });
    const got: MqttQueueMessage[] = [];
    await consumer(stage, { ack: "manual", handler: (message) => void got.push(message) });
    for (let offset = 0; offset < 4; offset++) await deliver(stage, offset);
    for (const message of [...got]) await stage.now(message.nack());
    await stage.clock.settle();
    expect(got).toHaveLength(2);
    await stage.finish();
  });

  test("that is refused leaves the message open towards polymq's broker, unless it was not pending", async () => {
    const { stage, got } = await held("polymq");
    await deliver(stage, 0);
    stage.server.options = { ...stage.server.options, onMessage: () => 0x97 };
    const error = await stage.refused(at(got, 0).nack(), "ERR_PUBLISH_REJECTED");
    expect(error.peer?.code).toBe(0x97);
    expect(said(stage)).toEqual([NACK]);
    stage.server.options = { ...stage.server.options, onMessage: () => 0x80 };
    await stage.refused(at(got, 0).nack(), "ERR_PUBLISH_REJECTED");
    expect(said(stage)).toEqual([NACK, "puback 1"]);
    await stage.finish();
  });

  test("is what a failing handler does, told in handlerError", async () => {
    const stage = await lab("polymq");
    await consumer(stage, { handler: () => Promise.reject(new Error("no")) });
    await deliver(stage, 0);
    expect(said(stage)).toEqual([NACK, "puback 1"]);
    expect(stage.of("handlerError")).toMatchObject([{ message: { topic: "$queue/orders" }, error: { message: "no" } }]);
    await stage.finish();
  });

  test("of a failing handler that is refused is told in backgroundError", async () => {
    const stage = await lab("polymq");
    await consumer(stage, { handler: () => Promise.reject(new Error("no")) });
    stage.server.options = { ...stage.server.options, onMessage: () => 0x87 };
    await deliver(stage, 0);
    expect(stage.of("backgroundError")).toMatchObject([
      { error: { code: "ERR_PUBLISH_REJECTED", peer: { code: 0x87 } } },
    ]);
    await stage.finish();
  });

  test("leaving a for await loop gives the message in hand back", async () => {
    const stage = await lab("polymq");
    const subscription = await consumer(stage);
    await deliver(stage, 0);
    const loop = async (): Promise<void> => {
      for await (const message of subscription) if (message.offset === 0) break;
    };
    await stage.now(loop());
    expect(stage.link.types()).toEqual(["publish", "unsubscribe", "puback"]);
    await stage.finish();
  });

  test("a handler that fails when its consumer has left keeps no place of the receive maximum", async () => {
    const stage = await lab("polymq");
    let fail = (): void => {};
    const failing = new Promise<void>((_, reject) => {
      fail = () => reject(new Error("no"));
    });
    const subscription = await consumer(stage, { handler: () => failing });
    await deliver(stage, 0);
    await stage.now(subscription.unsubscribe());
    fail();
    await stage.now(failing.catch(() => undefined));
    expect(stage.link.types()).toEqual(["unsubscribe", "puback"]);
    await stage.finish();
  });
});

describe("reject", () => {
  test.each(["fluxmq", "polymq"] as const)(
    "towards %s is $reject with its reason, and PUBACK after it is confirmed",
    async (role) => {
      const settlements = new HeldSettlements();
      const { stage, got } = await held(role);
      stage.server.options = { ...stage.server.options, onMessage: settlements.onMessage };
      await deliver(stage, 0);
      const rejecting = at(got, 0).reject("no such item");
      await stage.clock.settle();
      expect(said(stage)).toEqual([`${REJECT} reason=no such item`]);
      await settlements.answer(stage, 0);
      await stage.now(rejecting);
      expect(said(stage)).toEqual(["puback 1"]);
      await stage.finish();
    },
  );

  test("that is refused leaves the message open, so that no PUBACK acknowledges it", async () => {
    const { stage, got } = await held("fluxmq");
    stage.server.options = { onMessage: () => 0x80 };
    await deliver(stage, 0);
    await stage.refused(at(got, 0).reject(), "ERR_PUBLISH_REJECTED");
    expect(said(stage)).toEqual([REJECT]);
    stage.server.options = {};
    await stage.now(at(got, 0).reject());
    expect(said(stage)).toEqual([REJECT, "puback 1"]);
    await stage.finish();
  });

  test("is what a failing handler does if whenHandlerFails says so, ack likewise", async () => {
    for (const [whenHandlerFails, expected] of [
      ["reject", [`${REJECT} reason=the handler failed`, "puback 1"]],
      ["ack", ["puback 1"]],
    ] as const) {
      const stage = await lab("polymq");
      await consumer(stage, { whenHandlerFails, handler: () => Promise.reject(new Error("no")) });
      await deliver(stage, 0);
      expect(said(stage)).toEqual(expected);
      await stage.finish();
    }
  });
});

describe("MQTT 3.1.1", () => {
  test("acknowledges with PUBACK; nack, reject and settling by id are ERR_QUEUE_ACK_REQUIRES_V5", async () => {
    const { stage, got } = await held("v3");
    await deliver(stage, 0);
    await stage.refused(at(got, 0).nack(), "ERR_QUEUE_ACK_REQUIRES_V5");
    await stage.refused(at(got, 0).reject("x"), "ERR_QUEUE_ACK_REQUIRES_V5");
    await stage.refused(stage.client.ack("orders", "orders:0", { group: "workers" }), "ERR_QUEUE_ACK_REQUIRES_V5");
    expect(said(stage)).toEqual([]);
    await stage.now(at(got, 0).ack());
    expect(said(stage)).toEqual(["puback 1"]);
    await stage.refused(at(got, 0).ack(), "ERR_ALREADY_SETTLED");
    await stage.finish();
  });

  test("leaves a message whose handler fails unacknowledged", async () => {
    const stage = await lab("v3");
    for (const whenHandlerFails of ["nack", "reject"] as const) {
      const queue = `q-${whenHandlerFails}`;
      const handler = (): Promise<void> => Promise.reject(new Error("no"));
      await stage.now(stage.client.subscribeToQueue(queue, "", { whenHandlerFails, handler }));
      await deliver(stage, 0, { queue });
    }
    expect(said(stage)).toEqual([]);
    await stage.finish();
  });
});

describe("settling by id", () => {
  test("publishes the settlement with the group given", async () => {
    const stage = await lab("fluxmq");
    const { client } = stage;
    await stage.now(client.ack("orders", "orders:12", { group: "processors" }));
    await stage.now(client.nack("orders", 12, { group: "processors", delayMs: 10 }));
    await stage.now(client.reject("orders", "orders:12", { group: "processors", reason: "bad" }));
    expect(said(stage)).toEqual([
      "$queue/orders/$ack qos1 message-id=orders:12 group-id=processors",
      "$queue/orders/$nack qos1 message-id=12 group-id=processors delay-ms=10",
      "$queue/orders/$reject qos1 message-id=orders:12 group-id=processors reason=bad",
    ]);
    await stage.finish();
  });

  test("takes the group of this client's subscription: as delivered, else as asked for", async () => {
    const stage = await lab("fluxmq");
    await stage.now(stage.client.subscribeToQueue("orders", "workers", { filter: "#", handler: () => undefined }));
    stage.link.take();
    await stage.now(stage.client.ack("orders", 1));
    await deliver(stage, 0, { group: "workers@#" });
    await stage.now(stage.client.ack("orders", 1));
    expect(said(stage)).toEqual([
      "$queue/orders/$ack qos1 message-id=1 group-id=workers",
      "puback 1",
      "$queue/orders/$ack qos1 message-id=1 group-id=workers@#",
    ]);
    await stage.finish();
  });

  test("without a group to name is ERR_QUEUE_ACK_MISSING_GROUP", async () => {
    const stage = await lab("fluxmq");
    await stage.refused(stage.client.ack("orders", "orders:1"), "ERR_QUEUE_ACK_MISSING_GROUP");
    await stage.refused(stage.client.ack("orders", "", { group: "g" }), "ERR_INVALID_ARGUMENT");
    await stage.refused(stage.client.ack("", "orders:1", { group: "g" }), "ERR_INVALID_TOPIC");
    await stage.finish();
  });

  test("of a delivery in hand settles that one, its PUBACK included", async () => {
    const { stage, got } = await held("fluxmq");
    await deliver(stage, 0);
    await deliver(stage, 1);
    await stage.now(stage.client.nack("orders", "orders:0", { group: "workers" }));
    await stage.now(stage.client.ack("orders", "orders:1"));
    expect(said(stage)).toEqual([
      NACK_ELSEWHERE,
      "$queue/orders/$ack qos1 message-id=orders:1 group-id=workers",
      "puback 2",
    ]);
    await stage.refused(at(got, 1).ack(), "ERR_ALREADY_SETTLED");
    await stage.finish();
  });

  test("before connect and after disconnect is ERR_NOT_CONNECTED", async () => {
    const stage = await lab("fluxmq");
    await stage.now(stage.client.disconnect());
    const { client } = stage;
    for (const call of [
      () => client.ack("orders", 1, { group: "g" }),
      () => client.publishToQueue("orders", "x"),
      () => client.subscribeToQueue("orders", "g"),
      () => client.subscribeToStream("orders"),
      () => client.unsubscribeFromQueue("orders"),
    ]) {
      await stage.refused(call(), "ERR_NOT_CONNECTED");
    }
    await stage.finish();
  });
});
