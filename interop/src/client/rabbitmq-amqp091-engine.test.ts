import { type BasicProperties, PublishFlag, saslAmqplain, saslPlain, TypedField, webText } from "polymq/amqp091/codec";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { requireOrSkip } from "../harness/require-or-skip.ts";
import { type Rabbitmq, startRabbitmq } from "../harness/start-rabbitmq.ts";
import { EngineLink } from "./amqp091-engine-link.test-support.ts";

const TEXT = webText();
const GUEST = { username: "guest", password: "guest" };
const DECLARE = {
  passive: false,
  durable: false,
  exclusive: false,
  autoDelete: false,
  noWait: false,
  arguments: {},
} as const;

const tools = requireOrSkip("rabbitmq-server", "rabbitmqctl");

describe.skipIf(tools.skip)(tools.title("the AMQP 0-9-1 engine and RabbitMQ"), () => {
  let broker: Rabbitmq;

  beforeAll(async () => {
    broker = await startRabbitmq({ plugins: [] });
  });

  afterAll(async () => {
    await broker?.stop();
  });

  async function opened(): Promise<EngineLink> {
    const link = new EngineLink(saslPlain(TEXT, GUEST));
    await link.dial(broker.ports.amqp);
    await link.untilTold("open");
    return link;
  }

  test("a thousand messages are confirmed, come back whole and in order, and are gone once acknowledged", async () => {
    using link = await opened();
    const channel = link.openChannel();
    await link.request(channel, { method: "queue.declare", queue: "q1", ...DECLARE });
    await link.request(channel, { method: "confirm.select", noWait: false });
    const bodies = Array.from({ length: 1_000 }, (_, i) => new Uint8Array(i === 500 ? 400_000 : i % 300).fill(i));
    for (const [i, body] of bodies.entries()) link.publish(channel, "q1", body, { message: `m${i}` });
    await link.until(() => link.confirmed.length === bodies.length);
    expect([...link.confirmed].sort()).toEqual(bodies.map((_, i) => `m${i}`).sort());

    const consume = { noLocal: false, noAck: false, exclusive: false, noWait: false, arguments: {} };
    await link.request(channel, { method: "basic.consume", queue: "q1", consumerTag: "", ...consume });
    await link.until(() => link.received.length === bodies.length);
    expect(
      link.received.map((each) => Buffer.compare(each.body, bodies[each.deliveryTag - 1] ?? Buffer.of(1, 2))),
    ).toEqual(bodies.map(() => 0));
    for (const { deliveryTag } of link.received) expect(link.ack(channel, deliveryTag)).toBe(true);
    link.close();
    await link.untilTold("closed: asked");
    // What had not been acknowledged would be back in the queue by now.
    using second = await opened();
    const queue = { method: "queue.declare", queue: "q1", ...DECLARE, passive: true } as const;
    expect(await second.request(second.openChannel(), queue)).toMatchObject({ messageCount: 0 });
  });

  test("all properties and header types come back as they were", async () => {
    using link = await opened();
    const channel = link.openChannel();
    await link.request(channel, { method: "queue.declare", queue: "q2", ...DECLARE });
    const properties: BasicProperties = {
      contentType: "text/plain",
      contentEncoding: "utf-8",
      headers: {
        text: "grün",
        big: 9_007_199_254_740_993n,
        small: -5,
        half: 0.5,
        yes: true,
        nothing: null,
        list: [1, "two", { three: 3 }],
        bytes: Uint8Array.of(0, 255),
        at: new TypedField("T", 1_700_000_000),
        decimal: new TypedField("D", { scale: 2, unscaled: 314 }),
      },
      deliveryMode: 2,
      priority: 7,
      correlationId: "c",
      replyTo: "r",
      expiration: "60000",
      messageId: "m",
      timestamp: 1_700_000_000,
      type: "t",
      userId: "guest",
      appId: "a",
      clusterId: "x",
    };
    link.publish(channel, "q2", Uint8Array.of(1), { properties });
    const narrow = {
      b: new TypedField("b", -1),
      s: new TypedField("s", -2),
      I: new TypedField("I", -3),
      f: new TypedField("f", 1.5),
    };
    link.publish(channel, "q2", Uint8Array.of(2), { properties: { headers: narrow } });
    const consume = { noLocal: false, noAck: true, exclusive: false, noWait: false, arguments: {} };
    await link.request(channel, { method: "basic.consume", queue: "q2", consumerTag: "tag", ...consume });
    await link.until(() => link.received.length === 2);
    expect(link.received[0]?.properties).toEqual(properties);
    expect(link.received[1]?.properties.headers).toEqual({ b: -1, s: -2, I: -3, f: 1.5 });
  });

  test("a message that cannot be routed is returned, then confirmed", async () => {
    using link = await opened();
    const channel = link.openChannel();
    await link.request(channel, { method: "confirm.select", noWait: false });
    link.publish(channel, "nowhere", Uint8Array.of(1), { flags: PublishFlag.Mandatory, message: "m" });
    await link.until(() => link.confirmed.length === 1);
    expect([link.confirmed, link.lines.at(-1)]).toEqual([["m"], "returned 312 NO_ROUTE"]);
  });

  test("an error closes its channel alone, and the number is used again", async () => {
    using link = await opened();
    const channel = link.openChannel();
    void link.request(channel, { method: "queue.declare", queue: "missing", ...DECLARE, passive: true });
    await link.untilTold(`channel ${channel.id} closed: 404`);
    const again = link.openChannel();
    expect(again.id).toBe(channel.id);
    const reply = await link.request(again, { method: "queue.declare", queue: "", ...DECLARE, exclusive: true });
    expect(reply.method).toBe("queue.declare-ok");
  });

  test("AMQPLAIN gets in; a wrong password and an unknown virtual host are refused", async () => {
    using plain = new EngineLink(saslAmqplain(TEXT, GUEST));
    await plain.dial(broker.ports.amqp);
    await plain.untilTold("open AMQPLAIN 131072");
    using wrong = new EngineLink(saslPlain(TEXT, { username: "guest", password: "no" }));
    await wrong.dial(broker.ports.amqp);
    await wrong.untilTold("refused in authentication: 403");
    using nowhere = new EngineLink(saslPlain(TEXT, GUEST), "nowhere");
    await nowhere.dial(broker.ports.amqp);
    await nowhere.untilTold("refused in opening: 530");
  });
});
