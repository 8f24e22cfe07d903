import { type AmqpConnection, AmqpMap, type AmqpReceiver, type AmqpSession, typed } from "polymq/amqp10";
import { streamOffset } from "polymq/amqp10/rabbitmq";
import { VirtualClock } from "polymq/testing";
import { nodePlatform } from "polymq/transport";
import { describe, expect, test } from "vitest";
import { Amqp10Scene, takeTexts, textOf } from "./scene.test-support.ts";

const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);

describe("a queue over AMQP 1.0", () => {
  test("takes messages, says accepted, and delivers them in order", async () => {
    await using scene = await Amqp10Scene.open();
    const session = await scene.session();
    const sender = await session.createSender("$queue/orders");
    for (const each of ["a", "b", "c"]) expect(await sender.send(bytes(each))).toMatchObject({ type: "accepted" });
    const receiver = await session.createReceiver("$queue/orders");
    expect(await takeTexts(receiver, 3)).toEqual(["a", "b", "c"]);
  });

  test("tells all that it knows of a delivery (FluxMQ's names)", async () => {
    await using scene = await Amqp10Scene.open();
    const session = await scene.session();
    const sender = await session.createSender("$queue/orders/eu");
    await sender.send({
      properties: { messageId: "mine", subject: "s" },
      applicationProperties: { colour: "red", queue: "forged" },
      body: { type: "data", data: bytes("x") },
    });
    const receiver = await session.createReceiver("$queue/orders", { properties: { "consumer-group": "g" } });
    const { message } = await receiver.receive();
    expect(message.properties).toMatchObject({ messageId: "orders:0", to: "$queue/orders/eu", subject: "s" });
    const properties = Object.fromEntries([...(message.applicationProperties ?? [])]);
    expect(properties).toMatchObject({
      colour: "red",
      "message-id": "orders:0",
      "group-id": "g",
      queue: "orders",
      offset: "0",
      "x-source-topic": "$queue/orders/eu",
      protocol: "amqp1",
    });
    expect(textOf(message.data)).toBe("x");
  });
});

describe("outcomes of a queue's deliveries", () => {
  test("released comes back without counting, modified with delivery-failed counts (§3.4.4, §3.4.5)", async () => {
    await using scene = await Amqp10Scene.open();
    const session = await scene.session();
    await (await session.createSender("$queue/q")).send(bytes("x"));
    const receiver = await session.createReceiver("$queue/q", { credit: 1 });
    const first = await receiver.receive();
    expect(first.message.header?.deliveryCount ?? 0).toBe(0);
    await first.release();
    const second = await receiver.receive();
    expect(second.message.header?.deliveryCount ?? 0).toBe(0);
    await second.modify({ deliveryFailed: true, messageAnnotations: { "x-opt-why": "busy" } });
    const third = await receiver.receive();
    expect(third.message.header?.deliveryCount).toBe(1);
    expect(third.message.messageAnnotations?.get("x-opt-why")).toBe("busy");
    await third.accept();
  });

  test.each([
    ["rejected", "broken", "broken"],
    ["modified with undeliverable-here", null, "undeliverable here"],
  ] as const)("%s goes to the dead letters", async (_, reason, detail) => {
    await using scene = await Amqp10Scene.open();
    const session = await scene.session();
    await (await session.createSender("$queue/q")).send(bytes("x"));
    const receiver = await session.createReceiver("$queue/q");
    const delivery = await receiver.receive();
    if (reason === null) await delivery.modify({ undeliverableHere: true });
    else await delivery.reject({ condition: "amqp:decode-error", description: reason });
    const letters = await session.createReceiver("$queue/$dlq/q");
    const { message } = await letters.receive();
    expect(message.applicationProperties?.get("x-dead-letter-reason")).toBe("rejected");
    expect(message.applicationProperties?.get("x-dead-letter-detail")).toBe(detail);
  });

  test("what is unsettled goes back when its link ends", async () => {
    await using scene = await Amqp10Scene.open();
    const session = await scene.session();
    await (await session.createSender("$queue/q")).send(bytes("x"));
    const receiver = await session.createReceiver("$queue/q");
    await receiver.receive();
    await receiver.close();
    const other = await session.createReceiver("$queue/q");
    expect(await takeTexts(other, 1)).toEqual(["x"]);
  });

  test("what is unsettled goes back when its connection is lost", async () => {
    await using scene = await Amqp10Scene.open();
    const connection = await scene.connection();
    const session = await connection.createSession();
    await (await session.createSender("$queue/q")).send(bytes("x"));
    await (await session.createReceiver("$queue/q")).receive();
    connection.destroy();
    const other = await (await scene.session()).createReceiver("$queue/q");
    expect(await takeTexts(other, 1)).toEqual(["x"]);
  });

  test("deliveries that are sent settled count as acknowledged", async () => {
    await using scene = await Amqp10Scene.open();
    const session = await scene.session();
    await (await session.createSender("$queue/q")).send(bytes("x"));
    const receiver = await session.createReceiver("$queue/q", { senderSettlementMode: "settled" });
    const delivery = await receiver.receive();
    expect(delivery.settled).toBe(true);
    expect(scene.broker.inspect().queues.find((one) => one.settings.name === "q")?.depth).toBe(0);
  });

  test("a receiver that settles second is told when its outcome is stored (§2.6.12)", async () => {
    await using scene = await Amqp10Scene.open();
    const session = await scene.session();
    await (await session.createSender("$queue/q")).send(bytes("x"));
    const receiver = await session.createReceiver("$queue/q", { settlementMode: "second" });
    const delivery = await receiver.receive();
    await delivery.accept();
    expect(delivery.settled).toBe(true);
  });

  test("a receiver that settles second is told when its outcome comes too late (§2.6.12)", async () => {
    const clock = new VirtualClock();
    const queues = [{ name: "q", visibilityTimeoutMs: 1_000, deliveryLimit: 1 }];
    const scene = await Amqp10Scene.open({ queues }, { platform: { ...nodePlatform(), clock } });
    const during = async <T>(work: Promise<T>): Promise<T> => {
      work.catch(() => undefined);
      for (let i = 0; i < 3; i++) await clock.settle();
      return work;
    };
    const client = await during(scene.connection({ idleTimeoutMs: 0, connectTimeoutMs: 0 }));
    const session = await during(client.createSession());
    await during((await during(session.createSender("$queue/q"))).send(bytes("x")));
    const receiver = await during(session.createReceiver("$queue/q", { settlementMode: "second" }));
    const delivery = await during(receiver.receive());
    await clock.advance(1_000);
    expect(scene.broker.inspect().queues.find((one) => one.settings.name === "$dlq/q")?.depth).toBe(1);
    await expect(during(delivery.accept())).rejects.toMatchObject({
      code: "ERR_STALE_DELIVERY",
      peer: { code: "amqp:not-found" },
    });
    client.destroy();
    const closing = scene.broker.close();
    await clock.advance(10_000);
    await closing;
  });

  test("what a receiver had not taken when it was closed has not been delivered, for the count", async () => {
    await using scene = await Amqp10Scene.open();
    const session = await scene.session();
    const sender = await session.createSender("$queue/q");
    for (const each of ["1", "2"]) await sender.send(bytes(each));
    const first = await session.createReceiver("$queue/q");
    await first.receive();
    await expect.poll(() => first.bufferedMessages).toBe(1);
    await first.close();
    const second = await session.createReceiver("$queue/q");
    const [taken, waited] = await second.receive({ max: 2 });
    expect([taken, waited].map((each) => each?.message.header?.deliveryCount ?? 0)).toEqual([1, 0]);
  });

  test("what came again to the same receiver is not given back by releasing its first delivery late (§3.4.4)", async () => {
    const clock = new VirtualClock();
    const queues = [{ name: "q", visibilityTimeoutMs: 1_000 }];
    const scene = await Amqp10Scene.open({ queues }, { platform: { ...nodePlatform(), clock } });
    const during = async <T>(work: Promise<T>): Promise<T> => {
      work.catch(() => undefined);
      for (let i = 0; i < 3; i++) await clock.settle();
      return work;
    };
    const client = await during(scene.connection({ idleTimeoutMs: 0, connectTimeoutMs: 0 }));
    const session = await during(client.createSession());
    await during((await during(session.createSender("$queue/q"))).send(bytes("x")));
    const receiver = await during(session.createReceiver("$queue/q"));
    const first = await during(receiver.receive());
    await clock.advance(1_000);
    const second = await during(receiver.receive());
    await during(first.release());
    expect([second.message.header?.deliveryCount, receiver.prefetched()]).toEqual([1, null]);
    await during(second.release());
    expect((await during(receiver.receive())).message.header?.deliveryCount).toBe(1);
    client.destroy();
    const closing = scene.broker.close();
    await clock.advance(10_000);
    await closing;
  });

  test("a sender whose receiver settles second gets its outcome (§2.6.12)", async () => {
    await using scene = await Amqp10Scene.open();
    const session = await scene.session();
    const sender = await session.createSender("$queue/q", { receiverSettlementMode: "second" });
    expect(await sender.send(bytes("x"))).toMatchObject({ type: "accepted" });
  });
});

describe("credit", () => {
  test("no more comes than there is credit for, and a drain gives back what is left (§2.6.7)", async () => {
    await using scene = await Amqp10Scene.open();
    const session = await scene.session();
    const sender = await session.createSender("$queue/q");
    for (const each of ["a", "b", "c"]) await sender.send(bytes(each));
    const receiver = await session.createReceiver("$queue/q", { credit: "manual" });
    receiver.issueCredit(2);
    expect(await takeTexts(receiver, 2)).toEqual(["a", "b"]);
    expect(receiver.prefetched()).toBeNull();
    receiver.issueCredit(5);
    await receiver.drainCredit();
    expect(textOf(receiver.prefetched()?.message.data ?? null)).toBe("c");
    expect(receiver.prefetched()).toBeNull();
  });

  test("a sender can send more than its first credit", async () => {
    await using scene = await Amqp10Scene.open({ amqp10: { linkCredit: 4 } });
    const session = await scene.session();
    const sender = await session.createSender("$queue/q");
    await Promise.all(Array.from({ length: 50 }, (_, i) => sender.send(bytes(String(i)))));
    const receiver = await session.createReceiver("$queue/q");
    expect(await takeTexts(receiver, 50)).toEqual(Array.from({ length: 50 }, (_, i) => String(i)));
  });

  test("messages of many frames go both ways", async () => {
    await using scene = await Amqp10Scene.open();
    const session = await scene.session({ maxFrameSize: 4_096 });
    const sender = await session.createSender("$queue/q");
    const large = new Uint8Array(1_000_000).map((_, i) => i % 251);
    await sender.send(large);
    const receiver = await session.createReceiver("$queue/q");
    const delivery = await receiver.receive();
    expect(Buffer.compare(delivery.message.data ?? bytes(""), large)).toBe(0);
  });
});

describe("refused messages", () => {
  test.each([
    ["a full queue", "$queue/full", "amqp:resource-limit-exceeded"],
    ["a message that is too large for its queue", "$queue/small", "amqp:link:message-size-exceeded"],
  ] as const)("%s", async (_, address, condition) => {
    await using scene = await Amqp10Scene.open({
      queues: [
        { name: "full", maxDepth: 1 },
        { name: "small", maxMessageBytes: 2 },
      ],
    });
    const session = await scene.session();
    const sender = await session.createSender(address);
    if (address.endsWith("full")) await sender.send(bytes("x"));
    await expect(sender.send(bytes("xyz"))).rejects.toMatchObject({
      code: "ERR_PUBLISH_REJECTED",
      peer: { code: condition },
    });
    expect(sender.state).toBe("open");
  });

  test("a link to a queue that may not be made is refused", async () => {
    await using scene = await Amqp10Scene.open({ autoCreateQueues: "refuse" });
    const session = await scene.session();
    await expect(session.createReceiver("$queue/q")).rejects.toMatchObject({ peer: { code: "amqp:not-found" } });
    const sender = await session.createSender("$queue/q");
    await expect(sender.send(bytes("x"))).rejects.toMatchObject({ peer: { code: "amqp:not-found" } });
    await expect(session.createSender("/queues/none")).rejects.toMatchObject({ peer: { code: "amqp:not-found" } });
  });

  test("a sender knows the largest message that the broker takes", async () => {
    await using scene = await Amqp10Scene.open({ amqp10: { maximumMessageSize: 100_000 } });
    const session = await scene.session();
    const sender = await session.createSender("$queue/q");
    await expect(sender.send(new Uint8Array(200_000))).rejects.toMatchObject({ code: "ERR_PACKET_TOO_LARGE" });
  });
});

describe("a queue that several protocols share", () => {
  test("hands each message to one member of a group, whatever it speaks", async () => {
    await using scene = await Amqp10Scene.open();
    const session = await scene.session();
    const receiver = await session.createReceiver("$queue/tasks", { properties: { "consumer-group": "g" }, credit: 1 });
    const mqtt = await scene.mqtt();
    const got: string[] = [];
    let wanted = (): void => undefined;
    const whole = new Promise<void>((resolve) => {
      wanted = resolve;
    });
    await mqtt.subscribeToQueue("tasks", "g", {
      handler: (message) => {
        got.push(message.text());
        if (got.length === 1) wanted();
      },
    });
    const publisher = await scene.mqtt();
    for (const each of ["1", "2"]) await publisher.publishToQueue("tasks", each);
    got.push(...(await takeTexts(receiver, 1)));
    await whole;
    expect(got.sort()).toEqual(["1", "2"]);
  });

  test("keeps what the publisher said, from MQTT and AMQP 0-9-1", async () => {
    await using scene = await Amqp10Scene.open();
    const mqtt = await scene.mqtt();
    await mqtt.publish("$queue/q/eu", "1", {
      qos: 1,
      properties: { contentType: "text/plain", userProperties: [["a", "b"]] },
    });
    const channel = await (await scene.amqp091()).channel();
    await channel.publish("", "$queue/q", "2", { correlationId: "c", headers: { n: 5 } });
    const receiver = await (await scene.session()).createReceiver("$queue/q");
    const [first, second] = [(await receiver.receive()).message, (await receiver.receive()).message];
    expect([first.properties?.contentType, first.applicationProperties?.get("a")]).toEqual(["text/plain", "b"]);
    expect(first.properties?.to).toBe("$queue/q/eu");
    expect([second.properties?.correlationId, second.applicationProperties?.get("protocol")]).toEqual(["c", "amqp"]);
  });
});

describe("streams over AMQP 1.0", () => {
  const STREAM = { queues: [{ name: "s", kind: "stream" as const }] };

  async function filled(scene: Amqp10Scene) {
    const session = await scene.session();
    const sender = await session.createSender("$queue/s");
    for (const each of ["0", "1", "2", "3"]) await sender.send(bytes(each));
    return session;
  }

  test.each([
    ["earliest", ["0", "1", "2", "3"]],
    ["first", ["0", "1", "2", "3"]],
    ["offset=2", ["2", "3"]],
    [2, ["2", "3"]],
    ["last", ["3"]],
    ["timestamp=0", ["0", "1", "2", "3"]],
  ] as const)("are read from the cursor %s", async (cursor, texts) => {
    await using scene = await Amqp10Scene.open(STREAM);
    const session = await filled(scene);
    const receiver = await session.createReceiver("$queue/s", { properties: { cursor } });
    expect(await takeTexts(receiver, texts.length)).toEqual(texts);
  });

  test("are read from the position that RabbitMQ's filter says", async () => {
    await using scene = await Amqp10Scene.open(STREAM);
    const session = await filled(scene);
    const receiver = await session.createReceiver("/queues/s", {
      source: { filters: [streamOffset({ offset: 1 })] },
      whenFilterIgnored: "fail",
    });
    const { message } = await receiver.receive();
    expect([textOf(message.data), message.messageAnnotations?.get("x-stream-offset")]).toEqual([
      "1",
      typed("ulong", 1),
    ]);
  });

  test("a group goes on behind what it has settled", async () => {
    await using scene = await Amqp10Scene.open(STREAM);
    const session = await filled(scene);
    const group = { properties: { "consumer-group": "g" } };
    const first = await session.createReceiver("$queue/s", group);
    expect(await takeTexts(first, 2)).toEqual(["0", "1"]);
    await first.close();
    expect(await takeTexts(await session.createReceiver("$queue/s", group), 2)).toEqual(["2", "3"]);
  });

  test("what an attach says may have strings for keys, as FluxMQ wants them, and then counts the same", async () => {
    await using scene = await Amqp10Scene.open(STREAM);
    const session = await filled(scene);
    const worded = new AmqpMap([
      ["consumer-group", "w"],
      ["cursor", "offset=2"],
      ["auto-commit", "false"],
    ]);
    const first = await session.createReceiver("$queue/s", { properties: worded });
    expect(await takeTexts(first, 2)).toEqual(["2", "3"]);
    await first.close();
    const again = new AmqpMap([["consumer-group", "w"]]);
    // Committed by hand, and nobody has: the group is where it began.
    expect(await takeTexts(await session.createReceiver("$queue/s", { properties: again }), 1)).toEqual(["2"]);
  });

  test("a group that commits by hand goes on where it is told to", async () => {
    await using scene = await Amqp10Scene.open(STREAM);
    const session = await filled(scene);
    const manual = { properties: { "consumer-group": "g", "auto-commit": false } };
    const first = await session.createReceiver("$queue/s", manual);
    expect(await takeTexts(first, 3)).toEqual(["0", "1", "2"]);
    const commit = await session.createSender("$queue/s/$commit");
    const body = { type: "data" as const, data: bytes("") };
    await commit.send({ applicationProperties: { "x-group-id": "g", "x-offset": "1" }, body });
    await first.close();
    expect(await takeTexts(await session.createReceiver("$queue/s", manual), 1)).toEqual(["1"]);
  });

  test("a position that is none is refused", async () => {
    await using scene = await Amqp10Scene.open(STREAM);
    const session = await scene.session();
    await expect(session.createReceiver("$queue/s", { properties: { cursor: "somewhere" } })).rejects.toMatchObject({
      peer: { code: "amqp:invalid-field" },
    });
  });
});

describe("what is unsettled when it ends", () => {
  test.each([
    ["a link", async (receiver: AmqpReceiver) => receiver.close()],
    ["a session", async (_receiver: AmqpReceiver, session: AmqpSession) => session.close()],
    [
      "a connection",
      async (_receiver: AmqpReceiver, _session: AmqpSession, connection: AmqpConnection) => connection.close(),
    ],
    [
      "a lost connection",
      async (_receiver: AmqpReceiver, _session: AmqpSession, connection: AmqpConnection) => connection.destroy(),
    ],
  ] as const)("is there again after %s, whoever else of it receives from the queue", async (what, end) => {
    await using scene = await Amqp10Scene.open();
    const other = await scene.session();
    const sender = await other.createSender("$queue/q");
    for (let i = 0; i < 20; i++) await sender.send(bytes(`${i}`));
    const connection = await scene.connection();
    const session = await connection.createSession();
    const first = await session.createReceiver("$queue/q", { credit: 15 });
    const second = await session.createReceiver("$queue/q", { credit: 15 });
    for (let i = 0; i < 15; i++) await first.receive();
    for (let i = 0; i < 5; i++) await second.receive();
    await end(first, session, connection);
    if (what === "a link") await second.close();
    const texts = await takeTexts(await other.createReceiver("$queue/q"), 20);
    expect(texts.map(Number).sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i));
  });
});

describe("delays", () => {
  test("a message is delivered later, and a message that is given back as well", async () => {
    const clock = new VirtualClock();
    const scene = await Amqp10Scene.open({}, { platform: { ...nodePlatform(), clock } });
    const during = async <T>(work: Promise<T>): Promise<T> => {
      for (let i = 0; i < 3; i++) await clock.settle();
      return work;
    };
    const client = await during(scene.connection({ idleTimeoutMs: 0, connectTimeoutMs: 0 }));
    const session = await during(client.createSession());
    const sender = await during(session.createSender("$queue/q"));
    const receiver = await during(session.createReceiver("$queue/q"));
    const annotations = { "x-opt-delivery-delay": typed("ulong", 1_000) };
    await during(sender.send({ messageAnnotations: annotations, body: { type: "data", data: bytes("x") } }));
    await clock.advance(999);
    expect(receiver.prefetched()).toBeNull();
    await clock.advance(1);
    await receiver.prefetched()?.modify({ deliveryFailed: true, messageAnnotations: annotations });
    await clock.advance(999);
    expect(receiver.prefetched()).toBeNull();
    await clock.advance(1);
    expect(receiver.prefetched()?.message.header?.deliveryCount).toBe(1);
    client.destroy();
    const closing = scene.broker.close();
    await clock.advance(10_000);
    await closing;
  });
});
