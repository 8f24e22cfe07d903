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
