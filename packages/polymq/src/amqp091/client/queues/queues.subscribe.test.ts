import { describe, expect, test } from "vitest";
import { lab, stamps } from "./queue-lab.test-support.ts";
import type { AmqpQueueMessage } from "./queue-message.ts";
import type { AmqpTopicMessage } from "./topic-message.ts";

const QUEUE_ROUTE = ["$queue", "orders/eu/de"] as const;

describe("subscribeToQueue", () => {
  test("consumes $queue/<queue> with manual acknowledgement, the consumer group and the prefetch of the client", async () => {
    const { client, now, said } = await lab("fluxmq", { prefetch: 7 });
    await now(client.subscribeToQueue("orders", "workers", () => undefined));
    await now(client.subscribeToQueue("tasks/eu/#", "", { prefetch: 3, arguments: { x: 1 } }));
    await now(client.subscribeToQueue("jobs", "", { filter: "a/+", consumerTag: "t", exclusive: true }));
    expect(said("basic.consume")).toMatchObject([
      { queue: "$queue/orders", noAck: false, arguments: { "x-consumer-group": "workers" } },
      { queue: "$queue/tasks/eu/#", arguments: { x: 1 } },
      { queue: "$queue/jobs/a/+", consumerTag: "t", exclusive: true, arguments: {} },
    ]);
    expect(said("basic.qos").map((each) => each.prefetchCount)).toEqual([7, 3, 7]);
  });

  test("a message says what the server stamped on it", async () => {
    const { client, now, deliver } = await lab("polymq");
    const seen: AmqpQueueMessage[] = [];
    await now(client.subscribeToQueue("orders", "workers", (message) => void seen.push(message)));
    await deliver('{"n":1}', stamps(41, { "x-delivery-count": 2 }), QUEUE_ROUTE);
    const [message] = seen;
    expect(message).toMatchObject({
      queue: "orders",
      routingKey: "eu/de",
      messageId: "orders:41",
      groupId: "workers",
      offset: 41,
      deliveryCount: 2,
      sourceTopic: "$queue/orders",
      streamOffset: null,
      streamTimestamp: null,
      workAcked: null,
      workCommittedOffset: null,
      workGroup: null,
      redelivered: false,
    });
    expect([message?.text(), message?.json()]).toEqual(['{"n":1}', { n: 1 }]);
    expect(message?.properties.headers?.["queue"]).toBe("orders");
    await expect(message?.commit()).rejects.toMatchObject({ code: "ERR_INVALID_ARGUMENT" });
  });

  test("a header that no number can hold is ERR_INVALID_MESSAGE, and a body that is no JSON too", async () => {
    const { client, now, deliver } = await lab("polymq");
    const seen: AmqpQueueMessage[] = [];
    await now(client.subscribeToQueue("orders", "workers", (message) => void seen.push(message)));
    await deliver("{", { headers: { offset: "9007199254740993" } });
    expect(() => seen[0]?.offset).toThrow(expect.objectContaining({ code: "ERR_INVALID_MESSAGE" }));
    expect(() => seen[0]?.json()).toThrow(expect.objectContaining({ code: "ERR_INVALID_MESSAGE" }));
  });

  test("ack, nack and reject are basic.ack, basic.nack and basic.reject; a second one is ERR_ALREADY_SETTLED", async () => {
    const { broker, client, now, deliver } = await lab("fluxmq");
    const seen: AmqpQueueMessage[] = [];
    const handler = (message: AmqpQueueMessage): void => void seen.push(message);
    await now(client.subscribeToQueue("orders", "workers", { handler, ack: "manual", concurrency: 10 }));
    for (const body of ["a", "b", "c", "d"]) await deliver(body, stamps(1));
    seen[0]?.ack();
    seen[1]?.nack();
    seen[2]?.nack({ requeue: false });
    seen[3]?.reject();
    await broker.clock.settle();
    expect(broker.link.settled.sort()).toEqual(["ack a", "nack b requeue", "nack c", "reject d"]);
    expect(() => seen[3]?.ack()).toThrow(expect.objectContaining({ code: "ERR_ALREADY_SETTLED" }));
  });

  test("auto settles when the handler is done, onReceive before it runs", async () => {
    const { broker, client, now, deliver } = await lab("polymq");
    const order: string[] = [];
    const handler = async (message: AmqpQueueMessage): Promise<void> => {
      order.push(`${message.text()} ${broker.link.settled.length}`);
      await Promise.resolve();
      if (message.text() === "bad") throw new Error("no");
      if (message.text() === "by hand") message.reject();
    };
    const one = await now(client.subscribeToQueue("orders", "workers", { handler }));
    for (const body of ["ok", "bad", "by hand"]) await deliver(body, stamps(1));
    expect(broker.link.settled).toEqual(["ack ok", "nack bad requeue", "reject by hand"]);
    await now(one.unsubscribe());
    await now(client.subscribeToQueue("orders", "workers", { handler, whenHandlerFails: "reject" }));
    await deliver("bad", stamps(2));
    expect(broker.link.settled[3]).toBe("nack bad");
    await now(client.subscribeToQueue("others", "workers", { handler, ack: "onReceive" }));
    await deliver("bad", stamps(3));
    expect(broker.link.settled[4]).toBe("ack bad");
  });

  test("a loop acknowledges each message when the next one is asked for; leaving it ends the subscription", async () => {
    const { broker, client, now, said, deliver } = await lab("polymq");
    const subscription = await now(client.subscribeToQueue("orders", "workers"));
    for (const body of ["a", "b", "c"]) await deliver(body, stamps(1));
    const seen: string[] = [];
    const loop = async (): Promise<void> => {
      for await (const message of subscription) {
        seen.push(message.text());
        if (seen.length === 2) break;
      }
    };
    await now(loop());
    expect([seen, broker.link.settled]).toEqual([
      ["a", "b"],
      ["ack a", "nack c requeue"],
    ]);
    expect(said("basic.cancel")).toMatchObject([{ consumerTag: subscription.consumerTag }]);
    expect(await subscription.closed).toBeNull();
    // The same subscription may be made again.
    await now(client.subscribeToQueue("orders", "workers"));
  });

  test("the same again is ERR_INVALID_SUBSCRIBE_OPTION; FluxMQ allows one consumer of a queue, RabbitMQ one group", async () => {
    const again = { code: "ERR_INVALID_SUBSCRIBE_OPTION" };
    const ours = await lab("polymq");
    await ours.now(ours.client.subscribeToQueue("orders", "a"));
    await expect(ours.now(ours.client.subscribeToQueue("orders", "a"))).rejects.toMatchObject(again);
    await ours.now(ours.client.subscribeToQueue("orders", "b"));
    await ours.now(ours.client.subscribeToQueue("orders/x", "a"));
    for (const other of ["fluxmq", "rabbitmq"] as const) {
      const { client, now } = await lab(other);
      await now(client.subscribeToQueue("orders", "a"));
      await expect(now(client.subscribeToQueue("orders", "b"))).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
    }
  });

  test.each([[{ prefetch: -1 }], [{ concurrency: 0 }], [{ ack: "never" }], [{ handler: "f" }]])(
    "options %o are ERR_INVALID_SUBSCRIBE_OPTION",
    async (options) => {
      const { client } = await lab("polymq");
      const call = client.subscribeToQueue("orders", "workers", options as object);
      await expect(call).rejects.toMatchObject({ code: "ERR_INVALID_SUBSCRIBE_OPTION" });
      await expect(client.subscribeToQueue("orders", "a@b")).rejects.toMatchObject({
        code: "ERR_INVALID_SUBSCRIBE_OPTION",
      });
    },
  );

  test("RabbitMQ: consumes the queue by its bare name and declares it when it is not there", async () => {
    const { broker, client, now, said } = await lab("rabbitmq");
    broker.missing.add("orders");
    await now(client.subscribeToQueue("orders", "workers", () => undefined));
    expect(said("queue.declare")).toMatchObject([{ passive: true }, { durable: true }]);
    expect(said("basic.consume")).toMatchObject([{ queue: "orders", arguments: {} }]);
    await expect(client.subscribeToQueue("orders/eu", "w")).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
  });

  test("unsubscribeFromQueue ends all subscriptions to a queue, or those of a group or filter", async () => {
    const { client, now, said } = await lab("polymq");
    for (const [name, group] of [
      ["orders", "a"],
      ["orders", "b"],
      ["orders/x", "a"],
      ["tasks", "a"],
    ] as const) {
      await now(client.subscribeToQueue(name, group, { consumerTag: `${name} ${group}` }));
    }
    const ended = (): string[] => said("basic.cancel").map((each) => each.consumerTag);
    await now(client.unsubscribeFromQueue("orders", { group: "b" }));
    expect(ended()).toEqual(["orders b"]);
    await now(client.unsubscribeFromQueue("orders/x"));
    expect(ended()).toEqual(["orders b", "orders/x a"]);
    await now(client.unsubscribeFromQueue("orders"));
    expect(ended()).toEqual(["orders b", "orders/x a", "orders a"]);
    await now(client.unsubscribeFromQueue("orders"));
  });

  test("a cancel by the server ends the subscription with ERR_CONSUMER_CANCELLED", async () => {
    const { broker, client, now, tag, events } = await lab("fluxmq");
    const subscription = await now(client.subscribeToQueue("orders", "workers"));
    broker.link.send({ method: "basic.cancel", consumerTag: tag(), noWait: true });
    expect(await now(subscription.closed)).toMatchObject({ code: "ERR_CONSUMER_CANCELLED" });
    expect(events).toMatchObject([{ type: "consumerCancelled", queue: "$queue/orders" }]);
    await now(client.subscribeToQueue("orders", "workers"));
  });

  test("a refusal rejects with the server's reason, and a signal gives up waiting with ERR_ABORTED", async () => {
    const { broker, client, now, said } = await lab("rabbitmq");
    const refused = client.subscribeToQueue("refused", "g");
    await expect(now(refused)).rejects.toMatchObject({ code: "ERR_CHANNEL_CLOSED", peer: { code: 406 } });
    const abort = new AbortController();
    const given = client.subscribeToQueue("slow", "g", { signal: abort.signal });
    abort.abort();
    await expect(given).rejects.toMatchObject({ code: "ERR_ABORTED" });
    await broker.clock.settle();
    expect(said("basic.cancel").length).toBe(1);
    const late = { signal: AbortSignal.abort() };
    await expect(client.subscribeToQueue("slow", "g", late)).rejects.toMatchObject({ code: "ERR_ABORTED" });
  });

  test("is asked for again after a reconnect with its group; old deliveries are stale", async () => {
    const { broker, client, now, said, deliver, reconnect } = await lab("fluxmq");
    const seen: AmqpQueueMessage[] = [];
    const handler = (message: AmqpQueueMessage): void => void seen.push(message);
    await now(client.subscribeToQueue("orders", "workers", { handler, ack: "manual" }));
    await deliver("a", stamps(1));
    await reconnect();
    expect(said("basic.consume")).toMatchObject([{ arguments: { "x-consumer-group": "workers" } }]);
    expect(() => seen[0]?.ack()).toThrow(expect.objectContaining({ code: "ERR_STALE_DELIVERY" }));
    await deliver("a", stamps(1));
    seen[1]?.ack();
    await broker.clock.settle();
    expect(broker.link.settled).toEqual(["ack a"]);
  });
});

describe("subscribe", () => {
  test("consumes the filter without acknowledgements and gives topics with slashes", async () => {
    const { client, now, said, deliver } = await lab("fluxmq");
    const seen: string[] = [];
    await now(client.subscribe("sensors/#", (message) => void seen.push(`${message.topic} ${message.text()}`)));
    expect(said("basic.consume")).toMatchObject([{ queue: "sensors/#", noAck: true }]);
    await deliver("22.5", {}, ["", "sensors.temp"]);
    expect(seen).toEqual(["sensors/temp 22.5"]);
  });

  test("by hand if asked: a message is acknowledged or given back", async () => {
    const { broker, client, now, said, deliver } = await lab("polymq");
    const handler = (message: AmqpTopicMessage): void => message.ack();
    await now(client.subscribe("a/+", { handler, ack: "manual" }));
    expect(said("basic.consume")).toMatchObject([{ noAck: false }]);
    await deliver("x");
    await broker.clock.settle();
    expect(broker.link.settled).toEqual(["ack x"]);
  });

  test("RabbitMQ: a queue of its own bound to amq.topic, which comes back under a new name and goes for good", async () => {
    const { client, now, said, deliver, reconnect } = await lab("rabbitmq");
    const seen: string[] = [];
    const subscription = await now(client.subscribe("sensors/+/v1.0/#", (message) => void seen.push(message.topic)));
    expect(said("queue.declare")).toMatchObject([{ queue: "", exclusive: true, autoDelete: true }]);
    const binding = { queue: "gen-1", exchange: "amq.topic", routingKey: "sensors.*.v1/0.#" };
    expect(said("queue.bind")).toMatchObject([binding]);
    await deliver("x", {}, ["amq.topic", "sensors.a.v1/0.b"]);
    expect(seen).toEqual(["sensors/a/v1.0/b"]);
    await reconnect();
    expect(said("queue.bind")).toMatchObject([{ ...binding, queue: "gen-2" }]);
    expect(said("basic.consume")).toMatchObject([{ queue: "gen-2" }]);
    await now(client.unsubscribe("sensors/+/v1.0/#"));
    await now(subscription.closed);
    expect(said("basic.cancel").length).toBe(1);
    await reconnect();
    expect(said("queue.declare")).toEqual([]);
  });

  test.each(["", "a/#/b", "a/b+", "#a"])("a filter called %j is ERR_INVALID_TOPIC", async (filter) => {
    const { client } = await lab("fluxmq");
    await expect(client.subscribe(filter)).rejects.toMatchObject({ code: "ERR_INVALID_TOPIC" });
  });

  test("unsubscribe without a connection settles, and the subscription does not come back", async () => {
    const { broker, client, now, said } = await lab("polymq");
    const subscription = await now(client.subscribe("a"));
    broker.down.add("a");
    broker.link.pair.cut();
    await broker.clock.settle();
    await now(subscription[Symbol.asyncDispose]());
    broker.down.clear();
    await broker.clock.advance(2_000);
    expect([client.state, said("basic.consume")]).toEqual(["connected", []]);
  });
});
