import { describe, expect, test } from "vitest";
import type { MqttMessage } from "../message.ts";
import { consumer, deliver, lab, said } from "./queue-lab.test-support.ts";
import type { MqttQueueMessage } from "./queue-message.ts";

describe("a call from plain JavaScript", () => {
  test("with something else in the place of the options is ERR_INVALID_ARGUMENT, and sends nothing", async () => {
    const stage = await lab("polymq");
    const client = stage.client as unknown as Readonly<Record<string, (...args: unknown[]) => Promise<unknown>>>;
    const handler = (): void => undefined;
    const calls: [string, ...unknown[]][] = [
      ["subscribeToStream", "s", "group", { handler }],
      ["subscribeToStream", "s", null],
      ["subscribeToStream", "s", handler],
      ["subscribeToQueue", "q", "group", handler],
      ["subscribeToQueue", "q", "group", null, { handler }],
      ["subscribeToQueue", "q", "group", [{ handler }]],
      ["publishToQueue", "q", "text", "key"],
      ["unsubscribeFromQueue", "q", "group"],
      ["ack", "q", "q:1", "group"],
      ["nack", "q", "q:1", 500],
      ["reject", "q", "q:1", "reason"],
      ["reject", "q", "q:1", null],
    ];
    for (const [name, ...args] of calls) {
      const failed = stage.now(Promise.resolve(client[name]?.apply(stage.client, args)));
      await expect(failed, name).rejects.toMatchObject({ code: "ERR_INVALID_ARGUMENT" });
    }
    expect(stage.link.take("subscribe")).toEqual([]);
    await stage.finish();
  });
});

describe("subscribeToQueue", () => {
  test("sends one SUBSCRIBE at QoS 1 with the filter and the consumer group", async () => {
    const stage = await lab("fluxmq");
    const subscription = await stage.now(stage.client.subscribeToQueue("orders", "workers", { filter: "eu/#" }));
    expect(stage.link.take("subscribe")).toMatchObject([
      {
        filters: [
          { filter: "$queue/orders/eu/#", qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 },
        ],
        properties: { userProperties: [["consumer-group", "workers"]] },
      },
    ]);
    expect(subscription.filters).toEqual([{ filter: "$queue/orders/eu/#", reasonCode: 1 }]);
    await stage.finish();
  });

  test("sends each queue in a packet of its own, for the group holds for all filters of a packet", async () => {
    const stage = await lab("fluxmq");
    const both = [stage.client.subscribeToQueue("a", "g1"), stage.client.subscribeToQueue("b", "")];
    await stage.now(Promise.all(both));
    expect(stage.link.take("subscribe").map((each) => [each.filters.length, each.properties])).toEqual([
      [1, { userProperties: [["consumer-group", "g1"]] }],
      [1, null],
    ]);
    await stage.finish();
  });

  test("tells polymq's broker the prefetch", async () => {
    const stage = await lab("polymq");
    await stage.now(stage.client.subscribeToQueue("orders", "workers", { prefetch: 7 }));
    const userProperties = [
      ["consumer-group", "workers"],
      ["prefetch", "7"],
    ];
    expect(stage.link.take("subscribe")).toMatchObject([{ properties: { userProperties } }]);
    await stage.finish();
  });

  test("with MQTT 3.1.1 subscribes plainly, and the server chooses the group", async () => {
    const stage = await lab("v3");
    const got: MqttQueueMessage[] = [];
    await stage.now(stage.client.subscribeToQueue("orders", "", { handler: (message) => void got.push(message) }));
    expect(stage.link.take("subscribe")).toMatchObject([
      { filters: [{ filter: "$queue/orders", qos: 1 }], properties: null },
    ]);
    await deliver(stage, 3, { topic: "$queue/orders/eu" });
    expect(got[0]).toMatchObject({ queue: "orders", routingKey: "eu", messageId: "", groupId: "", offset: -1 });
    expect(got[0]).toMatchObject({ deliveryCount: 0, sourceTopic: null, streamOffset: null });
    expect(said(stage)).toEqual(["puback 1"]);
    await stage.finish();
  });

  test("is refused with the server's code, such as 0x83 for a group of another mode", async () => {
    const stage = await lab("fluxmq", { server: { onSubscribe: () => [0x83] } });
    const error = await stage.refused(stage.client.subscribeToQueue("orders", "workers"), "ERR_SUBSCRIBE_FAILED");
    expect(error.peer?.code).toBe(0x83);
    stage.server.options = {};
    await stage.now(stage.client.subscribeToQueue("orders", "workers"));
    await stage.finish();
  });

  test("options that make no sense, and a second subscription of the same group and filter, are ERR_INVALID_SUBSCRIBE_OPTION", async () => {
    const stage = await lab("fluxmq");
    await consumer(stage);
    const { client } = stage;
    const wrong = [
      { prefetch: 0 },
      { prefetch: 65_536 },
      { concurrency: 0 },
      { ack: "later" },
      { whenHandlerFails: "shrug" },
      { handler: 7 },
      {},
    ];
    for (const options of wrong) {
      await stage.refused(
        client.subscribeToQueue("orders", "workers", options as object),
        "ERR_INVALID_SUBSCRIBE_OPTION",
      );
    }
    await stage.refused(client.subscribeToQueue("orders", "a@b"), "ERR_INVALID_SUBSCRIBE_OPTION");
    await stage.refused(client.subscribeToQueue("orders", 7 as unknown as string), "ERR_INVALID_SUBSCRIBE_OPTION");
    await stage.finish();
  });

  test("asks again after every reconnect, also when the server kept the session", async () => {
    const stage = await lab("fluxmq", { cleanStart: false, reconnect: { initialDelayMs: 1 } });
    await consumer(stage, { filter: "eu/#" });
    stage.link.cut();
    await stage.clock.advance(10);
    expect(stage.of("connect").map((each) => each.sessionPresent)).toEqual([false, true]);
    expect(stage.link.take("subscribe")).toMatchObject([
      {
        filters: [{ filter: "$queue/orders/eu/#", qos: 1 }],
        properties: { userProperties: [["consumer-group", "workers"]] },
      },
    ]);
    await stage.finish();
  });

  test("is told in subscriptionLost when the server does not take it again", async () => {
    const stage = await lab("fluxmq", { reconnect: { initialDelayMs: 1 } });
    const subscription = await consumer(stage);
    stage.server.options = { onSubscribe: () => [0x87] };
    stage.link.cut();
    await stage.clock.advance(10);
    expect(stage.of("subscriptionLost")).toMatchObject([{ filter: "$queue/orders", error: { peer: { code: 0x87 } } }]);
    expect(subscription.ended).toBe(true);
    await stage.finish();
  });

  test("gives messages with for await, acknowledged when the next one is asked for", async () => {
    const stage = await lab("polymq");
    const subscription = await consumer(stage);
    const messages = subscription[Symbol.asyncIterator]();
    await deliver(stage, 0);
    await deliver(stage, 1);
    expect((await stage.now(messages.next())).value?.text()).toBe("m0");
    expect(said(stage)).toEqual([]);
    expect((await stage.now(messages.next())).value?.text()).toBe("m1");
    expect(said(stage)).toEqual(["puback 1"]);
    await stage.finish();
  });

  test("runs up to concurrency handlers at a time, and stops reading at prefetch", async () => {
    const stage = await lab("fluxmq");
    const running: MqttQueueMessage[] = [];
    const handler = (message: MqttQueueMessage): Promise<void> => {
      running.push(message);
      return new Promise(() => undefined);
    };
    const subscription = await consumer(stage, { handler, concurrency: 2, prefetch: 3 });
    for (let offset = 0; offset < 10; offset++) await deliver(stage, offset);
    expect(running.map((each) => each.offset)).toEqual([0, 1]);
    expect(subscription.buffered).toBe(3);
    await stage.finish();
  });
});

describe("dispatch", () => {
  test("goes by the queue property, whatever follows the queue in the topic", async () => {
    const stage = await lab("fluxmq");
    const got: string[] = [];
    await stage.now(
      stage.client.subscribeToQueue("orders", "w", { handler: (m) => void got.push(`orders ${m.topic}`) }),
    );
    await stage.now(stage.client.subscribeToQueue("mqtt", "w", { handler: (m) => void got.push(`mqtt ${m.topic}`) }));
    await deliver(stage, 0, { group: "w", topic: "$queue/orders/eu/images" });
    await deliver(stage, 1, { group: "w", queue: "mqtt", topic: "$queue/mqtt/$queue/orders/x" });
    expect(got).toEqual(["orders $queue/orders/eu/images", "mqtt $queue/mqtt/$queue/orders/x"]);
    await stage.finish();
  });

  test("tells groups of one queue apart by the group as delivered", async () => {
    const stage = await lab("fluxmq");
    const got: string[] = [];
    const join = (group: string, filter?: string): Promise<unknown> =>
      stage.now(
        stage.client.subscribeToQueue("orders", group, {
          ...(filter === undefined ? {} : { filter }),
          handler: (message) => void got.push(`${group} ${filter ?? ""} ${message.offset}`),
        }),
      );
    await join("a");
    await join("b");
    await join("a", "#");
    await deliver(stage, 0, { group: "b" });
    await deliver(stage, 1, { group: "a@#" });
    await deliver(stage, 2, { group: "a" });
    expect(got).toEqual(["b  0", "a # 1", "a  2"]);
    await stage.finish();
  });

  test.each([
    ["workers-7", "workers", "workers-7"],
    ["c", "c", "c"],
    ["-c", "-c", "-c"],
  ])(
    "with MQTT 3.1.1 and the client id %s names no group but %s, or %s of a stream",
    async (clientId, own, ofStream) => {
      const stage = await lab("v3", { clientId });
      for (const group of ["", own]) await stage.now(stage.client.subscribeToQueue(`orders${group}`, group));
      await stage.refused(stage.client.subscribeToQueue("orders", "other"), "ERR_QUEUE_GROUP_REQUIRES_V5");
      await stage.now(stage.client.subscribeToStream("events", { group: ofStream }));
      await stage.refused(stage.client.subscribeToStream("more", { group: "other" }), "ERR_QUEUE_GROUP_REQUIRES_V5");
      expect(stage.link.take("subscribe").map((packet) => packet.filters[0]?.filter)).toEqual([
        "$queue/orders",
        `$queue/orders${own}`,
        "$queue/events",
      ]);
      await stage.now(stage.client.unsubscribeFromQueue(`orders${own}`, { group: own }));
      await stage.finish();
    },
  );

  test("of MQTT 3.1.1 goes by the topic's queue, then by the filter", async () => {
    const stage = await lab("v3");
    const got: string[] = [];
    const join = (queue: string): Promise<unknown> =>
      stage.now(stage.client.subscribeToQueue(queue, "", { handler: (m) => void got.push(`${queue} ${m.topic}`) }));
    await join("orders/eu/#");
    await join("orders/us/#");
    await join("ordersX");
    for (const topic of ["$queue/orders/us/x", "$queue/orders/eu", "$queue/ordersX"])
      stage.link.publish(topic, "", { qos: 1 });
    await stage.clock.settle();
    expect(got).toEqual(["orders/us/# $queue/orders/us/x", "orders/eu/# $queue/orders/eu", "ordersX $queue/ordersX"]);
    await stage.finish();
  });

  test("of a retained message without queue properties goes to plain subscriptions only", async () => {
    const stage = await lab("fluxmq");
    const queue: unknown[] = [];
    const plain: MqttMessage[] = [];
    await consumer(stage, { handler: (message) => void queue.push(message) });
    await stage.now(stage.client.subscribe("$queue/#", { qos: 1, handler: (message) => void plain.push(message) }));
    stage.link.publish("$queue/orders", "old", { qos: 1, retain: true });
    await stage.clock.settle();
    expect([queue.length, plain.length]).toEqual([0, 1]);
    await stage.finish();
  });

  test("leaves deliveries alone that nobody subscribed to as a queue: a plain subscription gets them", async () => {
    const stage = await lab("fluxmq");
    const plain: string[] = [];
    await stage.now(
      stage.client.subscribe("$queue/orders", { qos: 1, handler: (message) => void plain.push(message.topic) }),
    );
    await deliver(stage, 0);
    expect(plain).toEqual(["$queue/orders"]);
    await stage.finish();
  });

  test("a resumed session's deliveries wait for the subscription that takes them", async () => {
    const stage = await lab("fluxmq", { cleanStart: false, server: { onConnect: () => ({ sessionPresent: true }) } });
    await deliver(stage, 4);
    const got: number[] = [];
    await consumer(stage, { handler: (message) => void got.push(message.offset) });
    expect(got).toEqual([4]);
    await stage.finish();
  });
});

describe("unsubscribeFromQueue", () => {
  test("sends UNSUBSCRIBE for the queue's filter, and polymq's broker is told the group", async () => {
    for (const [role, properties] of [
      ["fluxmq", null],
      ["polymq", { userProperties: [["consumer-group", "workers"]] }],
    ] as const) {
      const stage = await lab(role);
      const subscription = await consumer(stage);
      await stage.now(stage.client.unsubscribeFromQueue("orders"));
      expect(stage.link.take("unsubscribe")).toMatchObject([{ filters: ["$queue/orders"], properties }]);
      expect(subscription.ended).toBe(true);
      await stage.finish();
    }
  });

  test("with a group or filter ends only that subscription", async () => {
    const stage = await lab("polymq");
    const a = await stage.now(stage.client.subscribeToQueue("orders", "a"));
    const b = await stage.now(stage.client.subscribeToQueue("orders", "b"));
    const c = await stage.now(stage.client.subscribeToQueue("orders", "b", { filter: "eu" }));
    await stage.now(stage.client.unsubscribeFromQueue("orders", { group: "a" }));
    expect([a.ended, b.ended, c.ended]).toEqual([true, false, false]);
    await stage.now(stage.client.unsubscribeFromQueue("orders", { filter: "eu" }));
    expect([b.ended, c.ended]).toEqual([false, true]);
    await stage.finish();
  });

  test("leaves what FluxMQ still sends without PUBACK, so that it goes to others", async () => {
    const stage = await lab("fluxmq");
    const got: number[] = [];
    await consumer(stage, { handler: (message) => void got.push(message.offset) });
    await stage.now(stage.client.unsubscribeFromQueue("orders"));
    stage.link.take();
    await deliver(stage, 0);
    expect([got, said(stage)]).toEqual([[], []]);
    await stage.finish();
  });

  test("lets go of what it holds after UNSUBSCRIBE has left, where the broker takes it back then", async () => {
    const stage = await lab("polymq");
    const subscription = await consumer(stage);
    await deliver(stage, 0);
    await deliver(stage, 1);
    expect(subscription.buffered).toBe(2);
    await stage.now(subscription.unsubscribe());
    await deliver(stage, 2);
    expect(stage.link.types()).toEqual(["unsubscribe", "puback", "puback", "puback"]);
    await stage.finish();
  });

  test("without a subscription does nothing", async () => {
    const stage = await lab("fluxmq");
    await stage.now(stage.client.unsubscribeFromQueue("orders"));
    expect(stage.link.take()).toEqual([]);
    await stage.finish();
  });
});

describe("subscribeToStream", () => {
  test("subscribes as to a queue and gives the stream's facts", async () => {
    const stage = await lab("fluxmq");
    const got: MqttQueueMessage[] = [];
    await stage.now(
      stage.client.subscribeToStream("events", { group: "g", handler: (message) => void got.push(message) }),
    );
    expect(stage.link.take("subscribe")).toMatchObject([
      { filters: [{ filter: "$queue/events", qos: 1 }], properties: { userProperties: [["consumer-group", "g"]] } },
    ]);
    await deliver(stage, 7, {
      queue: "events",
      group: "g",
      more: [
        ["x-stream-offset", "7"],
        ["x-stream-timestamp", "1700000000000"],
        ["x-work-committed-offset", "9"],
        ["x-work-acked", "true"],
        ["x-work-group", "shippers"],
      ],
    });
    expect(got[0]).toMatchObject({ offset: 7, streamOffset: 7, streamTimestampMs: 1_700_000_000_000 });
    expect(got[0]).toMatchObject({ workCommittedOffset: 9, workAcked: true, workGroup: "shippers" });
    await stage.finish();
  });

  test("tells polymq's broker where to begin, once: after a reconnect reading goes on", async () => {
    const stage = await lab("polymq", { reconnect: { initialDelayMs: 1 } });
    for (const [from, wire] of [
      ["first", "first"],
      [{ offset: 12 }, "offset=12"],
      [{ timestamp: 1_700_000_000_000 }, "timestamp=1700000000000"],
    ] as const) {
      const subscription = await stage.now(stage.client.subscribeToStream("events", { group: "g", from }));
      const [packet] = stage.link.take("subscribe");
      expect(packet?.properties?.userProperties).toEqual([
        ["consumer-group", "g"],
        ["prefetch", "100"],
        ["x-queue-type", "stream"],
        ["x-stream-offset", wire],
      ]);
      if (from !== "first") await stage.now(subscription.unsubscribe());
      else {
        stage.link.cut();
        await stage.clock.advance(10);
        const [again] = stage.link.take("subscribe");
        expect(again?.properties?.userProperties).not.toContainEqual(["x-stream-offset", wire]);
        await stage.now(subscription.unsubscribe());
      }
    }
    await stage.finish();
  });

  test("from is ERR_UNSUPPORTED on a server that cannot be told, ERR_INVALID_SUBSCRIBE_OPTION when it makes no sense", async () => {
    const stage = await lab("fluxmq");
    await stage.refused(stage.client.subscribeToStream("events", { from: "last" }), "ERR_UNSUPPORTED");
    const wrong = { from: { offset: -1 } };
    await stage.refused(stage.client.subscribeToStream("events", wrong), "ERR_INVALID_SUBSCRIBE_OPTION");
    await stage.finish();
  });
});

describe("a queue message", () => {
  test("carries what the server says of it, and the payload", async () => {
    const stage = await lab("polymq");
    const got: MqttQueueMessage[] = [];
    await consumer(stage, { ack: "manual", handler: (message) => void got.push(message) });
    await deliver(stage, 41, {
      topic: "$queue/orders/eu/7",
      payload: '{"n":1}',
      more: [
        ["delivery-count", "3"],
        ["mine", "x"],
      ],
    });
    const [message] = got;
    expect(message).toMatchObject({ messageId: "orders:41", groupId: "workers", offset: 41, queue: "orders" });
    expect(message).toMatchObject({ deliveryCount: 3, sourceTopic: "$queue/orders/eu/7", routingKey: "eu/7" });
    expect(message).toMatchObject({ topic: "$queue/orders/eu/7", streamOffset: null, deadLetter: null });
    expect(message?.json()).toEqual({ n: 1 });
    expect(message?.text()).toBe('{"n":1}');
    expect(message?.userProperties).toContainEqual(["mine", "x"]);
    expect(message?.properties?.userProperties).toHaveLength(7);
    expect([...(message?.payload ?? [])]).toHaveLength(7);
    await stage.finish();
  });

  test("of a dead-letter queue says why, whence, how often and since when", async () => {
    const stage = await lab("polymq");
    const got: MqttQueueMessage[] = [];
    await stage.now(
      stage.client.subscribeToQueue("$dlq/orders", "g", { handler: (message) => void got.push(message) }),
    );
    expect(stage.link.take("subscribe")).toMatchObject([{ filters: [{ filter: "$queue/$dlq/orders" }] }]);
    const more = [
      ["x-dead-letter-reason", "rejected"],
      ["x-dead-letter-queue", "orders"],
      ["x-dead-letter-offset", "5"],
      ["x-dead-letter-count", "2"],
      ["x-first-death-ms", "1700000000000"],
    ] as const;
    await deliver(stage, 0, { queue: "$dlq/orders", group: "g", more });
    const deadLetter = { reason: "rejected", queue: "orders", offset: 5, count: 2, firstDeathMs: 1_700_000_000_000 };
    expect(got[0]?.deadLetter).toEqual(deadLetter);
    await stage.finish();
  });

  test("does not take a publisher's word for stream facts or a delivery", async () => {
    const stage = await lab("fluxmq");
    const got: MqttQueueMessage[] = [];
    await consumer(stage, { handler: (message) => void got.push(message) });
    const forged = [
      ["offset", "999"],
      ["queue", "bank"],
      ["x-stream-offset", "999"],
      ["x-work-acked", "true"],
    ] as const;
    const own = [
      ["message-id", "orders:1"],
      ["group-id", "workers"],
      ["queue", "orders"],
      ["offset", "1"],
    ] as const;
    stage.link.publish("$queue/orders", "x", { qos: 1, properties: { userProperties: [...forged, ...own] } });
    await stage.clock.settle();
    expect(got[0]).toMatchObject({ queue: "orders", offset: 1, streamOffset: null, workAcked: null });
    await stage.finish();
  });

  test("with an offset above 2^53 - 1 is ERR_INVALID_MESSAGE, and a legacy sequence is read as offset", async () => {
    const stage = await lab("fluxmq");
    const got: MqttQueueMessage[] = [];
    await consumer(stage, { handler: (message) => void got.push(message) });
    for (const pair of [
      ["offset", "9007199254740992"],
      ["sequence", "5"],
    ] as const) {
      stage.link.publish("$queue/orders", "", { qos: 1, properties: { userProperties: [["queue", "orders"], pair] } });
    }
    await stage.clock.settle();
    expect(() => got[0]?.offset).toThrow(expect.objectContaining({ code: "ERR_INVALID_MESSAGE" }));
    expect(got[1]?.offset).toBe(5);
    await stage.finish();
  });
});
