import { type AmqpSession, connect } from "polymq/amqp10";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { next } from "./amqp10-broker.test-support.ts";
import { RheaBroker } from "./rhea-broker.test-support.ts";

// rhea keeps no types of numbers, so a message's are not asked for here.
describe("the AMQP 1.0 client and rhea as a broker", () => {
  const broker = new RheaBroker();
  let url = "";
  let session: AmqpSession;
  let close: () => Promise<void>;

  beforeAll(async () => {
    url = `amqp://127.0.0.1:${await broker.listen()}`;
  });

  beforeEach(async () => {
    const connection = await connect(url);
    close = () => connection.close();
    session = await connection.createSession();
  });

  afterEach(() => close());

  afterAll(() => broker.stop());

  test("a thousand messages are accepted and come back whole and in order", async () => {
    const bodies = Array.from({ length: 1_000 }, (_, i) => new Uint8Array(i === 500 ? 400_000 : 1 + (i % 300)).fill(i));
    const sender = await session.createSender("order");
    await Promise.all(bodies.map((body) => sender.send(body)));
    const receiver = await session.createReceiver("order");
    for (const [i, body] of bodies.entries()) {
      const delivery = await next(receiver);
      expect(Buffer.compare(delivery.message.data ?? Buffer.of(), body), `message ${i}`).toBe(0);
      await delivery.accept();
    }
  });

  test("properties and application properties arrive as they were sent", async () => {
    const properties = {
      messageId: "m",
      correlationId: "c",
      subject: "s",
      replyTo: "r",
      contentType: "a/b",
      groupId: "g",
    };
    const sent = {
      properties,
      applicationProperties: { text: "t", yes: true },
      header: { durable: true, priority: 5 },
    };
    await (await session.createSender("parts")).send({ ...sent, body: { type: "value", value: { k: ["v"] } } });
    const { message } = await next(await session.createReceiver("parts"));
    expect(message.properties).toMatchObject(properties);
    expect(message.header).toMatchObject(sent.header);
    expect([message.applicationProperties?.get("text"), message.applicationProperties?.get("yes")]).toEqual([
      "t",
      true,
    ]);
    expect(message.body).toMatchObject({ type: "value" });
  });

  test("a released message and a modified one come again", async () => {
    await (await session.createSender("again")).send("x");
    const receiver = await session.createReceiver("again");
    await (await next(receiver)).release();
    await (await next(receiver)).modify({ deliveryFailed: true });
    await (await next(receiver)).accept();
  });

  test("a refused address is a typed error with the broker's condition, and the session goes on", async () => {
    await expect(session.createSender("refused/nowhere")).rejects.toMatchObject({
      code: "ERR_LINK_DETACHED",
      peer: { protocol: "amqp10", code: "amqp:not-found" },
    });
    await (await session.createSender("after")).send("x");
    await (await next(await session.createReceiver("after"))).accept();
  });

  test("manual credit brings so many messages and no more", async () => {
    const sender = await session.createSender("credit");
    for (let i = 0; i < 3; i++) await sender.send(`${i}`);
    const receiver = await session.createReceiver("credit", { credit: "manual" });
    receiver.issueCredit(2);
    expect(await receiver.receive({ max: 3, timeoutMs: 500 })).toHaveLength(2);
    receiver.issueCredit(1);
    expect(await receiver.receive({ max: 1, timeoutMs: 5_000 })).toHaveLength(1);
  });

  test("a dynamic node can be sent to", async () => {
    const receiver = await session.createReceiver(null, { source: { dynamic: true } });
    await (await session.createSender(receiver.address)).send("answer");
    expect((await next(receiver)).message.body).toEqual({ type: "value", value: "answer" });
  });
});
