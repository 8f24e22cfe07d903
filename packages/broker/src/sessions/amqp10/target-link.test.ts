import { rabbitmqExchange, rabbitmqQueue } from "polymq/amqp10/rabbitmq";
import { describe, expect, test } from "vitest";
import { Amqp10Scene, takeTexts, textOf } from "./scene.test-support.ts";

const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);

describe("addresses of RabbitMQ 4", () => {
  test("a queue by any name, and an exchange with a routing key", async () => {
    await using scene = await Amqp10Scene.open();
    const channel = await (await scene.amqp091()).channel();
    await channel.declareQueue("my/queue #1");
    await channel.declareExchange("my exchange", "topic");
    await channel.bindQueue("my/queue #1", "my exchange", "a.#");
    const session = await scene.session();
    await (await session.createSender(rabbitmqQueue("my/queue #1"))).send(bytes("1"));
    await (await session.createSender(rabbitmqExchange("my exchange", "a.b"))).send({
      properties: { messageId: "mine" },
      body: { type: "data", data: bytes("2") },
    });
    const receiver = await session.createReceiver(rabbitmqQueue("my/queue #1"));
    expect(await takeTexts(receiver, 1)).toEqual(["1"]);
    const { message } = await receiver.receive();
    expect([textOf(message.data), message.properties?.messageId, message.applicationProperties]).toEqual([
      "2",
      "mine",
      null,
    ]);
    expect(message.messageAnnotations?.get("x-routing-key")).toBe("a.b");
  });

  test("what an exchange leads nowhere is released", async () => {
    await using scene = await Amqp10Scene.open();
    const sender = await (await scene.session()).createSender("/exchanges/amq.direct/nowhere");
    await expect(sender.send(bytes("x"))).rejects.toMatchObject({ code: "ERR_MESSAGE_RELEASED" });
  });

  test("a headers exchange looks at application properties", async () => {
    await using scene = await Amqp10Scene.open();
    const channel = await (await scene.amqp091()).channel();
    await channel.declareQueue("red");
    await channel.bindQueue("red", "amq.headers", "", { "x-match": "all", colour: "red" });
    const sender = await (await scene.session()).createSender("/exchanges/amq.headers");
    const message = (colour: string) => ({
      applicationProperties: { colour },
      body: { type: "data" as const, data: bytes(colour) },
    });
    await expect(sender.send(message("blue"))).rejects.toMatchObject({ code: "ERR_MESSAGE_RELEASED" });
    expect(await sender.send(message("red"))).toMatchObject({ type: "accepted" });
  });

  test.each(["/queues/none", "/exchanges/none/k", "/queues/", "/queues/a%ZZ", "$share/x", "a/+/b"])(
    "%s is no node, and the link is refused",
    async (address) => {
      await using scene = await Amqp10Scene.open();
      const session = await scene.session();
      await expect(session.createSender(address)).rejects.toMatchObject({ code: "ERR_LINK_DETACHED" });
      expect(session.state).toBe("open");
    },
  );
});

describe("the anonymous relay", () => {
  test("takes each message to where it says", async () => {
    await using scene = await Amqp10Scene.open();
    const session = await scene.session();
    const relay = await session.createRelay();
    await relay.send("$queue/a", bytes("1"));
    await relay.send("$queue/b", bytes("2"));
    expect(await takeTexts(await session.createReceiver("$queue/a"), 1)).toEqual(["1"]);
    expect(await takeTexts(await session.createReceiver("$queue/b"), 1)).toEqual(["2"]);
  });

  test("rejects a message that does not say where it goes", async () => {
    await using scene = await Amqp10Scene.open();
    const sender = await (await scene.session()).createSender(null);
    await expect(sender.send(bytes("x"))).rejects.toMatchObject({ peer: { code: "amqp:precondition-failed" } });
  });
});

describe("dynamic nodes", () => {
  test("carry answers to requests, and end with their link", async () => {
    await using scene = await Amqp10Scene.open();
    const [asking, answering] = [await scene.session(), await scene.session()];
    await answering.createResponder("$queue/service", (request) => ({
      body: { type: "data", data: bytes(`${textOf(request.data)}!`) },
    }));
    const requester = await asking.createRequester("$queue/service");
    const answer = await requester.request({ body: { type: "data", data: bytes("hello") } });
    expect(textOf(answer.data)).toBe("hello!");
    const before = scene.broker.inspect().queues.length;
    await requester.close();
    expect(scene.broker.inspect().queues.length).toBe(before - 1);
  });

  test("take answers from MQTT", async () => {
    await using scene = await Amqp10Scene.open();
    const session = await scene.session();
    const receiver = await session.createReceiver(null, { source: { dynamic: true } });
    const mqtt = await scene.mqtt();
    await mqtt.publish(receiver.address ?? "", "answer", { qos: 1 });
    expect(await takeTexts(receiver, 1)).toEqual(["answer"]);
  });

  test("are nobody else's to receive from", async () => {
    await using scene = await Amqp10Scene.open();
    const receiver = await (await scene.session()).createReceiver(null, { source: { dynamic: true } });
    const other = await scene.session();
    await expect(other.createReceiver(receiver.address ?? "")).rejects.toMatchObject({
      peer: { code: "amqp:resource-locked" },
    });
  });
});

describe("permissions", () => {
  const users = [
    {
      username: "ann",
      password: "a",
      publish: ["$queue/in/#", "$queue/in", "pub/#"],
      subscribe: ["sub/#", "$queue/in"],
    },
  ];

  test("a link to what a user may not publish to, or receive from, is refused", async () => {
    await using scene = await Amqp10Scene.open({ users });
    const session = await scene.session({ sasl: { username: "ann", password: "a" } });
    const unauthorized = { peer: { code: "amqp:unauthorized-access" } };
    await expect(session.createSender("$queue/out")).rejects.toMatchObject(unauthorized);
    await expect(session.createReceiver("pub/a")).rejects.toMatchObject(unauthorized);
    const sender = await session.createSender("$queue/in/key");
    expect(await sender.send(bytes("x"))).toMatchObject({ type: "accepted" });
    const relay = await session.createSender(null);
    const message = { properties: { to: "elsewhere" }, body: { type: "data" as const, data: bytes("x") } };
    await expect(relay.send(message)).rejects.toMatchObject(unauthorized);
  });

  test("a hook that takes its time keeps the order", async () => {
    const decisions: (() => void)[] = [];
    await using scene = await Amqp10Scene.open({
      auth: {
        authorizePublish: () => new Promise<boolean>((resolve) => decisions.push(() => resolve(true))),
        cacheMs: 0,
      },
    });
    const session = await scene.session();
    const opening = session.createSender("$queue/q");
    await expect.poll(() => decisions.length).toBe(1);
    decisions.shift()?.();
    const sender = await opening;
    const sent = ["a", "b", "c"].map((each) => sender.send(bytes(each)));
    for (let i = 0; i < 3; i++) {
      await expect.poll(() => decisions.length).toBeGreaterThan(0);
      decisions.shift()?.();
    }
    await Promise.all(sent);
    expect(await takeTexts(await session.createReceiver("$queue/q"), 3)).toEqual(["a", "b", "c"]);
  });

  test("a message names no other user", async () => {
    await using scene = await Amqp10Scene.open({ users });
    const session = await scene.session({ sasl: { username: "ann", password: "a" } });
    const sender = await session.createSender("$queue/in");
    const from = (user: string) => ({
      properties: { userId: bytes(user) },
      body: { type: "data" as const, data: bytes("x") },
    });
    expect(await sender.send(from("ann"))).toMatchObject({ type: "accepted" });
    await expect(sender.send(from("bob"))).rejects.toMatchObject({ peer: { code: "amqp:unauthorized-access" } });
  });
});
