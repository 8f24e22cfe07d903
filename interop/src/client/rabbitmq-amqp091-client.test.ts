import { AmqpClient, type AmqpMessage, UnroutableError } from "polymq/amqp091";
import { faultProxy } from "polymq/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { requireOrSkip } from "../harness/require-or-skip.ts";
import { type Rabbitmq, startRabbitmq } from "../harness/start-rabbitmq.ts";

/** A promise and what resolves it. */
function withResolvers(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve: () => resolve() };
}

const tools = requireOrSkip("rabbitmq-server", "rabbitmqctl");

describe.skipIf(tools.skip)(tools.title("AmqpClient and RabbitMQ"), () => {
  let broker: Rabbitmq;

  beforeAll(async () => {
    broker = await startRabbitmq({ plugins: [] });
  });

  afterAll(async () => {
    await broker?.stop();
  });

  async function connected(port = broker.ports.amqp): Promise<AmqpClient> {
    const client = new AmqpClient({ servers: `amqp://127.0.0.1:${port}`, reconnect: { initialDelayMs: 50 } });
    await client.connect();
    return client;
  }

  test.each([
    ["classic", {}],
    ["quorum", { "x-queue-type": "quorum" }],
  ])(
    "a thousand confirmed messages of a %s queue come to a handler in order and are gone once handled",
    async (name, args) => {
      await using client = await connected();
      const channel = await client.channel();
      await channel.declareQueue(name, { arguments: args });
      const sent = Array.from({ length: 1_000 }, (_, i) =>
        channel.publish("", name, `m${i}`, { contentType: "text/plain" }),
      );
      await Promise.all(sent);
      const seen: string[] = [];
      const all = withResolvers();
      const consumer = await channel.consume(name, {
        handler: (message) => {
          seen.push(message.text());
          if (seen.length === sent.length) all.resolve();
        },
      });
      await all.promise;
      await consumer.cancel();
      expect(seen).toEqual(sent.map((_, i) => `m${i}`));
      expect(await channel.checkQueue(name)).toMatchObject({ messageCount: 0, consumerCount: 0 });
      expect(await channel.deleteQueue(name)).toBe(0);
    },
  );

  test("an iteration settles by hand; what is not settled comes again", async () => {
    await using client = await connected();
    const channel = await client.channel();
    const { queue } = await channel.declareQueue();
    for (const body of ["a", "b", "c"]) await channel.publish("", queue, body);
    const seen: string[] = [];
    for await (const message of await channel.consume(queue)) {
      seen.push(`${message.text()}${message.redelivered ? " again" : ""}`);
      if (seen.length === 2) message.nack();
      else message.ack();
      expect(() => message.ack()).toThrow(expect.objectContaining({ code: "ERR_ALREADY_SETTLED" }));
      if (seen.length === 4) break;
    }
    expect(seen.sort()).toEqual(["a", "b", "b again", "c"]);
  });

  test("a mandatory message without a queue rejects its own publish with the message", async () => {
    await using client = await connected();
    const channel = await client.channel();
    const lost = channel.publish("", "nowhere", "lost", { mandatory: true, headers: { n: 1 } });
    const fine = channel.publish("", "nowhere", "fine");
    const error = await lost.then(
      () => null,
      (cause: unknown) => cause,
    );
    expect(error).toBeInstanceOf(UnroutableError);
    expect((error as UnroutableError).returned.text()).toBe("lost");
    await fine;
  });

  test("a channel that the server closes rejects what is under way with its words", async () => {
    await using client = await connected();
    const channel = await client.channel();
    const refused = { code: "ERR_CHANNEL_CLOSED", peer: { code: 404 } };
    const publish = channel.publish("missing", "k", "x");
    await expect(publish).rejects.toMatchObject(refused);
    await expect(channel.checkQueue("x")).rejects.toMatchObject(refused);
    expect(await channel.closed).toMatchObject(refused);
    await (await client.channel()).declareQueue();
  });

  test("get, purge, exchanges and bindings do as they are told", async () => {
    await using client = await connected();
    const channel = await client.channel();
    await channel.declareExchange("logs", "topic", { durable: false, autoDelete: true });
    const { queue } = await channel.declareQueue();
    await channel.bindQueue(queue, "logs", "a.*");
    await channel.publish("logs", "a.b", "1");
    await channel.publish("logs", "b.b", "2");
    await channel.publish("logs", "a.c", "3", { headers: { big: 2n ** 60n } });
    const first = await channel.get(queue);
    expect([first?.text(), first?.messageCount, first?.routingKey, first?.exchange]).toEqual(["1", 1, "a.b", "logs"]);
    first?.ack();
    expect(await channel.purgeQueue(queue)).toBe(1);
    expect(await channel.get(queue)).toBeNull();
  });

  test("a wrong password and a virtual host that is not there are told apart", async () => {
    const at = `127.0.0.1:${broker.ports.amqp}`;
    const wrong = new AmqpClient({ servers: `amqp://guest:wrong@${at}` });
    await expect(wrong.connect()).rejects.toMatchObject({ code: "ERR_AUTH_FAILED", peer: { code: 403 } });
    const missing = new AmqpClient({ servers: `amqp://${at}/missing` });
    await expect(missing.connect()).rejects.toMatchObject({ code: "ERR_CONNECT_REJECTED", peer: { code: 530 } });
    await using amqplain = new AmqpClient({ servers: `amqp://${at}`, mechanism: "AMQPLAIN" });
    await amqplain.connect();
  });

  /** A client through a proxy, and what cuts its connection and resolves when it is back. */
  async function cuttable(): Promise<{ readonly client: AmqpClient; readonly cut: () => Promise<void> }> {
    const proxy = await faultProxy({ target: { host: "127.0.0.1", port: broker.ports.amqp } });
    const client = await connected(proxy.port);
    void client.closed.then(() => proxy.close());
    const cut = async (): Promise<void> => {
      const back = withResolvers();
      client.once("connect", back.resolve);
      proxy.cut("rst");
      await back.promise;
    };
    return { client, cut };
  }

  test("what the server deletes by itself does not come back with the connection", async () => {
    const { client, cut } = await cuttable();
    await using _ = client;
    const channel = await client.channel();
    await channel.declareExchange("fleeting", "fanout", { autoDelete: true });
    await channel.declareQueue("fleeting", { autoDelete: true });
    await channel.bindQueue("fleeting", "fleeting");
    await (await channel.consume("fleeting")).cancel();
    await cut();
    const missing = { code: "ERR_CHANNEL_CLOSED", peer: { code: 404 } };
    await expect((await client.channel()).checkQueue("fleeting")).rejects.toMatchObject(missing);
    await expect((await client.channel()).checkExchange("fleeting")).rejects.toMatchObject(missing);
  });

  test("recover takes nothing from the channel while acknowledgements and deliveries are under way, and no message is missing", async () => {
    await using client = await connected();
    const publisher = await client.channel();
    await publisher.declareQueue("recovered");
    const count = 1_000;
    await Promise.all(Array.from({ length: count }, (_, i) => publisher.publish("", "recovered", String(i))));
    const channel = await client.channel();
    const seen = new Set<string>();
    const all = withResolvers();
    const consumer = await channel.consume("recovered", {
      prefetch: 20,
      concurrency: 10,
      handler: async (message) => {
        await new Promise((resolve) => setImmediate(resolve));
        if (seen.add(message.text()).size === count) all.resolve();
      },
    });
    for (let i = 0; i < 20; i++) await channel.recover();
    await all.promise;
    await consumer.cancel();
    await channel.close();
    expect(await channel.closed).toBeNull();
    expect(await publisher.checkQueue("recovered")).toMatchObject({ messageCount: 0 });
    await publisher.deleteQueue("recovered");
  });

  test("a transaction of acknowledgements alone is lost with its connection: its commit says so, and the message comes again", async () => {
    const { client, cut } = await cuttable();
    await using _ = client;
    const publisher = await client.channel();
    await publisher.declareQueue("settled");
    await publisher.publish("", "settled", "x");
    const channel = await client.channel({ confirms: false });
    await channel.txSelect();
    (await channel.get("settled"))?.ack();
    await cut();
    await expect(channel.txCommit()).rejects.toMatchObject({ code: "ERR_CONNECTION_LOST" });
    const again = await channel.get("settled");
    expect([again?.text(), again?.redelivered]).toEqual(["x", true]);
    again?.ack();
    await channel.txCommit();
    expect(await publisher.deleteQueue("settled")).toBe(0);
  });

  test("after a cut connection topology, consumers and unconfirmed publishes are back", async () => {
    const proxy = await faultProxy({ target: { host: "127.0.0.1", port: broker.ports.amqp } });
    await using client = await connected(proxy.port);
    const channel = await client.channel();
    await channel.declareExchange("x", "fanout", { durable: false, autoDelete: true });
    await channel.declareQueue("cut");
    await channel.bindQueue("cut", "x");
    const named = await channel.declareQueue();
    await channel.bindQueue(named.queue, "x");
    const seen = new Set<string>();
    const firsts: AmqpMessage[] = [];
    const all = withResolvers();
    await channel.consume("cut", {
      autoAck: false,
      handler: (message) => {
        expect(message.properties.messageId).toMatch(/^[0-9a-f]{16}-[0-9a-f]{12}$/);
        seen.add(message.text());
        if (message.text() === "first") firsts.push(message);
        else message.ack();
        if (seen.size === 202 && firsts.length === 2) all.resolve();
      },
    });
    const other = await channel.consume(named.queue, { handler: () => undefined });
    await channel.publish("x", "", "first");
    const back = new Promise<void>((resolve) => void client.once("connect", () => resolve()));
    const sent = Array.from({ length: 200 }, (_, i) => channel.publish("x", "", `m${i}`));
    proxy.cut("rst");
    await back;
    await Promise.all(sent);
    await channel.publish("x", "", "last");
    await all.promise;
    expect(() => firsts[0]?.ack()).toThrow(expect.objectContaining({ code: "ERR_STALE_DELIVERY" }));
    expect(firsts[1]?.properties.messageId).toBe(firsts[0]?.properties.messageId);
    firsts[1]?.ack();
    expect(other.queue).not.toBe(named.queue);
    expect((await channel.checkQueue(named.queue)).queue).toBe(other.queue);
    await channel.deleteQueue("cut");
    await client.close();
    await proxy.close();
  });
});
