/** Queues as an application sees them: `MqttClient` against a broker on a socket. */
import { afterEach, describe, expect, test, vi } from "vitest";
import { Got, Opened, publishAll, WAIT } from "./queue-clients.test-support.ts";

const opened = new Opened();
const started = opened.broker.bind(opened);
const client = opened.client.bind(opened);

afterEach(() => opened.close());

describe("a queue over MQTT", () => {
  test("keeps messages until a consumer comes, gives them in order and forgets them when they are acknowledged", async () => {
    const broker = await started();
    const from = await client(broker, { clientId: "from" });
    await publishAll(from, "orders", ["a", "b", "c"]);
    const got = new Got();
    await from.subscribeToQueue("orders", "workers", got);
    expect(await got.texts(3)).toEqual(["a", "b", "c"]);
    const first = await got.at(0);
    expect(first).toMatchObject({ messageId: "orders:0", groupId: "workers", queue: "orders", offset: 0 });
    expect(first).toMatchObject({ deliveryCount: 0, sourceTopic: "$queue/orders", topic: "$queue/orders" });
    expect(first.userProperties).toContainEqual(["client_id", "from"]);
    expect(first.userProperties).toContainEqual(["protocol", "mqtt"]);
    await vi.waitFor(() => expect(broker.inspect().queues[0]?.depth).toBe(0), WAIT);
  });

  test("shares messages among the members of a group, and gives every group all of them", async () => {
    const broker = await started();
    const from = await client(broker);
    const [one, two, other] = [new Got(), new Got(), new Got()];
    await (await client(broker)).subscribeToQueue("orders", "workers", one);
    await (await client(broker)).subscribeToQueue("orders", "workers", two);
    await (await client(broker)).subscribeToQueue("orders", "audit", other);
    await publishAll(from, "orders", ["a", "b", "c", "d"]);
    expect(await other.texts(4)).toEqual(["a", "b", "c", "d"]);
    await vi.waitFor(() => expect(one.messages.length + two.messages.length).toBe(4), WAIT);
    expect(await one.texts(2)).toEqual(["a", "c"]);
    expect(await two.texts(2)).toEqual(["b", "d"]);
  });

  test("two groups of one client on one connection are told apart, and left one by one", async () => {
    const broker = await started();
    const both = await client(broker);
    const [a, b] = [new Got(), new Got()];
    await both.subscribeToQueue("orders", "a", a);
    await both.subscribeToQueue("orders", "b", b);
    await both.publishToQueue("orders", "1");
    expect([await a.texts(1), await b.texts(1)]).toEqual([["1"], ["1"]]);
    await both.unsubscribeFromQueue("orders", { group: "a" });
    await both.publishToQueue("orders", "2");
    expect(await b.texts(2)).toEqual(["1", "2"]);
    expect(a.messages).toHaveLength(1);
  });

  test("a filter makes a group of its own that sees what matches it", async () => {
    const broker = await started();
    const from = await client(broker);
    const [images, all] = [new Got(), new Got()];
    await from.subscribeToQueue("media", "g", { filter: "images/#", ...images });
    await from.subscribeToQueue("media", "g", { ...all });
    for (const routingKey of ["images/a", "video/b", "images"]) {
      await from.publishToQueue("media", routingKey, { routingKey });
    }
    expect(await all.texts(3)).toEqual(["images/a", "video/b", "images"]);
    expect(await images.texts(2)).toEqual(["images/a", "images"]);
    expect(await images.at(0)).toMatchObject({ groupId: "g@images/#", routingKey: "images/a" });
    expect(await all.at(0)).toMatchObject({ groupId: "g" });
  });

  test("one publish lands in every queue that takes its topic; ordinary topics are captured", async () => {
    const broker = await started({
      queues: [{ name: "all", topics: ["$queue/orders/#", "sensors/+/temp"] }, { name: "orders" }],
    });
    const from = await client(broker);
    const [all, orders] = [new Got(), new Got()];
    await from.subscribeToQueue("all", "g", all);
    await from.subscribeToQueue("orders", "g", orders);
    await from.publishToQueue("orders", "1", { routingKey: "eu" });
    await from.publish("sensors/7/temp", "22", { qos: 1 });
    expect(await all.texts(2)).toEqual(["1", "22"]);
    expect(await orders.texts(1)).toEqual(["1"]);
    const sources = all.messages.map(({ topic, sourceTopic, queue }) => [topic, sourceTopic, queue]);
    expect(sources).toEqual([
      ["$queue/all/$queue/orders/eu", "$queue/orders/eu", "all"],
      ["$queue/all/sensors/7/temp", "sensors/7/temp", "all"],
    ]);
  });

  test("ack is confirmed; a second one of the same message is refused", async () => {
    const broker = await started();
    const worker = await client(broker);
    const got = new Got();
    await worker.subscribeToQueue("orders", "workers", { ack: "manual", ...got });
    await worker.publishToQueue("orders", "a");
    const message = await got.at(0);
    await message.ack();
    expect(broker.inspect().queues[0]).toMatchObject({ depth: 0, statistics: { acked: 1 } });
    await expect(worker.ack("orders", message.messageId, { group: "workers" })).rejects.toMatchObject({
      code: "ERR_PUBLISH_REJECTED",
      peer: { code: 0x80 },
    });
  });

  test("nack brings a message back at once, also to the same consumer, with its count; PUBACK after it settles nothing", async () => {
    const broker = await started();
    const worker = await client(broker);
    const got = new Got();
    await worker.subscribeToQueue("orders", "workers", { ack: "manual", ...got });
    await publishAll(worker, "orders", ["a", "b"]);
    await got.texts(2);
    await (await got.at(0)).nack();
    const again = await got.at(2);
    expect([again.text(), again.deliveryCount]).toEqual(["a", 1]);
    expect(broker.inspect().queues[0]).toMatchObject({ depth: 2, statistics: { nacked: 1, redelivered: 1, acked: 0 } });
    await again.ack();
    expect(broker.inspect().queues[0]?.depth).toBe(1);
  });

  test("nack with a delay brings it back later", async () => {
    const broker = await started();
    const worker = await client(broker);
    const got = new Got();
    await worker.subscribeToQueue("orders", "workers", { ack: "manual", ...got });
    await worker.publishToQueue("orders", "a");
    await (await got.at(0)).nack({ delayMs: 20 });
    const again = await got.at(1);
    expect(again.deliveryCount).toBe(1);
    await again.nack({ delayMs: 600_000 });
    expect(broker.inspect().queues[0]?.groups[0]).toMatchObject({ pending: 0, returned: 1 });
  });

  test("rejected, over-delivered, expired and crowded-out messages are read at $queue/$dlq/<queue>, with why", async () => {
    const broker = await started({
      queues: [
        { name: "orders", deliveryLimit: 2 },
        { name: "small", maxDepth: 1, overflow: "drop-head" },
        { name: "short", ttlMs: 1 },
      ],
    });
    const worker = await client(broker);
    const undertaker = new Got();
    await worker.subscribeToQueue("$dlq/orders", "g", undertaker);
    await worker.subscribeToQueue("$dlq/small", "g", undertaker);
    await worker.subscribeToQueue("$dlq/short", "g", undertaker);
    const got = new Got();
    const subscription = await worker.subscribeToQueue("orders", "workers", { ack: "manual", ...got });
    await worker.publishToQueue("orders", "bad", { routingKey: "eu", properties: { mine: "1" } });
    await (await got.at(0)).reject("no such item");
    expect(await undertaker.texts(1)).toEqual(["bad"]);
    const dead = await undertaker.at(0);
    expect(dead).toMatchObject({ queue: "$dlq/orders", routingKey: "eu", sourceTopic: "$queue/orders/eu" });
    const filtered = new Got();
    await worker.subscribeToQueue("$dlq/orders", "filtered", { filter: "eu/#", ...filtered });
    expect((await filtered.at(0)).topic).toBe("$queue/$dlq/orders/eu");
    expect(dead.deadLetter).toMatchObject({ reason: "rejected", queue: "orders", offset: 0, count: 1 });
    expect(dead.userProperties).toContainEqual(["mine", "1"]);
    expect(dead.userProperties).toContainEqual(["x-dead-letter-detail", "no such item"]);

    await worker.publishToQueue("orders", "hopeless");
    await (await got.at(1)).nack();
    await (await got.at(2)).nack();
    expect((await undertaker.at(1)).deadLetter).toMatchObject({ reason: "delivery-limit", count: 2 });

    await subscription.unsubscribe();
    await publishAll(worker, "small", ["crowded", "newer"]);
    expect((await undertaker.at(2)).deadLetter).toMatchObject({ reason: "maxlen", queue: "small" });
    await worker.publishToQueue("short", "late");
    await vi.waitFor(async () => {
      // What is given back after its time is over is not delivered again.
      const held = await worker.subscribeToQueue("short", "g", { ack: "manual" });
      await held.unsubscribe();
      expect(undertaker.messages).toHaveLength(4);
    }, WAIT);
    expect((await undertaker.at(3)).deadLetter).toMatchObject({ reason: "expired", queue: "short" });
  });

  test("a failing handler's message comes again until it succeeds", async () => {
    const broker = await started();
    const worker = await client(broker);
    const counts: number[] = [];
    await worker.subscribeToQueue("orders", "workers", {
      handler: (message) => {
        counts.push(message.deliveryCount);
        if (message.deliveryCount < 2) throw new Error("not yet");
      },
    });
    await worker.publishToQueue("orders", "a");
    await vi.waitFor(() => expect(broker.inspect().queues[0]?.statistics.acked).toBe(1), WAIT);
    expect(counts).toEqual([0, 1, 2]);
  });

  test("a consumer that leaves gives back what it holds at once, whether it unsubscribes, disconnects or is cut off", async () => {
    const broker = await started();
    const stays = await client(broker);
    for (const how of ["unsubscribe", "disconnect", "destroy"] as const) {
      const leaves = await client(broker);
      const held = new Got();
      const subscription = await leaves.subscribeToQueue(how, "g", { ack: "manual", ...held });
      await publishAll(stays, how, ["a", "b"]);
      await held.texts(2);
      const got = new Got();
      await stays.subscribeToQueue(how, "g", got);
      if (how === "unsubscribe") await subscription.unsubscribe();
      else await leaves[how]();
      expect(await got.texts(2)).toEqual(["a", "b"]);
      expect(got.messages.map((message) => message.deliveryCount)).toEqual([1, 1]);
    }
  });

  test("prefetch bounds what a consumer holds, so that others get the rest", async () => {
    const broker = await started();
    const from = await client(broker);
    const [slow, quick] = [new Got(), new Got()];
    await (await client(broker)).subscribeToQueue("orders", "g", { ack: "manual", prefetch: 2, ...slow });
    await publishAll(from, "orders", ["1", "2", "3", "4", "5"]);
    await slow.texts(2);
    await (await client(broker)).subscribeToQueue("orders", "g", quick);
    expect(await quick.texts(3)).toEqual(["3", "4", "5"]);
    expect(slow.messages).toHaveLength(2);
    await (await slow.at(0)).ack();
    await from.publishToQueue("orders", "6");
    await vi.waitFor(() => expect(slow.messages.length + quick.messages.length).toBe(6), WAIT);
  });

  test("the receive maximum bounds it as well, and PUBACKs open it again", async () => {
    const broker = await started();
    const worker = await client(broker, { receiveMaximum: 2 });
    const got = new Got();
    await worker.subscribeToQueue("orders", "g", { ack: "manual", prefetch: 50, ...got });
    await publishAll(worker, "orders", ["1", "2", "3"]);
    await got.texts(2);
    expect(broker.inspect().queues[0]?.groups[0]?.pending).toBe(2);
    await (await got.at(0)).ack();
    expect(await got.texts(3)).toEqual(["1", "2", "3"]);
  });

  test("a full queue and a message that is too large are refused with 0x97, an address that means nothing with 0x90", async () => {
    const broker = await started({ queues: [{ name: "small", maxDepth: 1, maxMessageBytes: 10 }] });
    const from = await client(broker);
    const refusal = async (call: Promise<unknown>): Promise<unknown> =>
      await call.then(
        () => "taken",
        (error: { peer?: { code: number } }) => error.peer?.code,
      );
    for (const qos of [1, 2] as const) {
      expect(await refusal(from.publishToQueue("small", "more than ten bytes", { qos }))).toBe(0x97);
    }
    await from.publishToQueue("small", "1", { qos: 2 });
    expect(await refusal(from.publishToQueue("small", "2", { qos: 2 }))).toBe(0x97);
    expect(await refusal(from.publish("$queue/small/$ack/x", "", { qos: 1 }))).toBe(0x90);
    expect(await refusal(from.publish("$queue/small/$commit", "", { qos: 1 }))).toBe(0x83);
    expect(await refusal(from.publish("$queue/small/$ack", "", { qos: 1 }))).toBe(0x80);
    expect(broker.inspect().queues[0]?.next).toBe(1);
  });

  test("a queue that is not there is made, or refused where the broker is told so", async () => {
    const broker = await started({ autoCreateQueues: "refuse" });
    const from = await client(broker);
    await expect(from.publishToQueue("none", "x")).rejects.toMatchObject({ peer: { code: 0x90 } });
    await expect(from.subscribeToQueue("none", "g")).rejects.toMatchObject({
      peer: { code: 0x83, text: expect.stringContaining("none") },
    });
    expect(broker.inspect().queues).toEqual([]);
  });

  test("QoS 0 on a work queue is refused with 0x83", async () => {
    const broker = await started();
    const plain = await client(broker);
    await expect(plain.subscribe("$queue/orders", { qos: 0 })).rejects.toMatchObject({ peer: { code: 0x83 } });
    await expect(plain.subscribe("$queue/#", { qos: 1 })).rejects.toMatchObject({ peer: { code: 0x8f } });
  });

  test("what a publisher says in the broker's name is not passed on, nor anything that begins with _flux.", async () => {
    const broker = await started();
    const from = await client(broker, { clientId: "from" });
    const got = new Got();
    await from.subscribeToQueue("orders", "g", got);
    const forged = {
      "message-id": "bank:1",
      queue: "bank",
      offset: "99",
      "group-id": "root",
      "delivery-count": "9",
      client_id: "root",
      external_id: "root",
      "x-dead-letter-reason": "rejected",
      "x-stream-offset": "0",
      "x-work-acked": "true",
      "_flux.secret": "1",
      mine: "kept",
    };
    await from.publishToQueue("orders", "x", { properties: forged });
    const message = await got.at(0);
    expect(message).toMatchObject({ messageId: "orders:0", queue: "orders", offset: 0, deliveryCount: 0 });
    expect(message).toMatchObject({ deadLetter: null, streamOffset: null, workAcked: null });
    const names = message.userProperties.map(([name]) => name).sort();
    expect(names).toEqual(
      [
        "message-id",
        "group-id",
        "queue",
        "offset",
        "x-source-topic",
        "delivery-count",
        "client_id",
        "protocol",
        "mine",
      ].sort(),
    );
  });

  test("priorities go first, and delayed messages come when they are due", async () => {
    const broker = await started({ queues: [{ name: "orders", priorityMax: 9 }] });
    const from = await client(broker);
    await from.publishToQueue("orders", "later", { deliverAfterMs: 30 });
    await from.publishToQueue("orders", "low", { priority: 1 });
    await from.publishToQueue("orders", "high", { priority: 9 });
    const got = new Got();
    await from.subscribeToQueue("orders", "g", got);
    expect(await got.texts(3)).toEqual(["high", "low", "later"]);
  });

  test("retain and wills on a queue's address are ordinary messages of the queue", async () => {
    const broker = await started();
    const got = new Got();
    const worker = await client(broker);
    await worker.subscribeToQueue("orders", "g", got);
    await worker.publish("$queue/orders", "retained", { qos: 1, retain: true });
    const willing = await client(broker, { will: { topic: "$queue/orders", payload: "will", qos: 1 } });
    await willing.destroy();
    expect(await got.texts(2)).toEqual(["retained", "will"]);
    expect(broker.inspect().retainedCount).toBe(0);
  });

  test("permissions hold for queue addresses as for topics", async () => {
    const broker = await started({
      users: [
        { username: "worker", password: "p", publish: ["$queue/orders/#"], subscribe: ["$queue/orders/#"] },
        { username: "guest", password: "p", publish: ["#"], subscribe: ["#"] },
      ],
    });
    const worker = await client(broker, { username: "worker", password: "p" });
    const got = new Got();
    await worker.subscribeToQueue("orders", "g", got);
    await worker.publishToQueue("orders", "x");
    expect((await got.at(0)).userProperties).toContainEqual(["external_id", "worker"]);
    const guest = await client(broker, { username: "guest", password: "p" });
    await expect(guest.publishToQueue("orders", "x")).rejects.toMatchObject({ peer: { code: 0x87 } });
    await expect(guest.subscribeToQueue("orders", "g")).rejects.toMatchObject({ peer: { code: 0x87 } });
    await expect(worker.publishToQueue("other", "x")).rejects.toMatchObject({ peer: { code: 0x87 } });
  });
});

test("messages and settlements that wait for the application's permission keep their order", async () => {
  const asked: string[] = [];
  const authorizePublish = async (_who: unknown, topic: string): Promise<boolean> => {
    asked.push(topic);
    await new Promise((resolve) => setImmediate(resolve));
    return !topic.includes("secret");
  };
  const broker = await started({ auth: { authorizePublish, cacheMs: 0 } });
  const worker = await client(broker);
  const got = new Got();
  await worker.subscribeToQueue("orders", "g", { ack: "manual", ...got });
  const texts = ["a", "b", "c", "d"];
  await Promise.all(texts.map((text) => worker.publishToQueue("orders", text)));
  expect(await got.texts(4)).toEqual(texts);
  await expect(worker.publishToQueue("secret", "x")).rejects.toMatchObject({ peer: { code: 0x87 } });
  for (const message of got.messages) await message.ack();
  expect(broker.inspect().queues.map(({ name, depth }) => [name, depth])).toEqual([["orders", 0]]);
  expect(asked).toContain("$queue/orders/$ack");
});
