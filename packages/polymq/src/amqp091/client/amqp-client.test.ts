import { describe, expect, test } from "vitest";
import { webText } from "../../bytes/text.ts";
import { encodeProperties } from "../codec/properties.ts";
import { connected, FakeBroker, TestClient } from "./fake-broker.test-support.ts";
import type { AmqpMessage } from "./message.ts";

describe("connecting", () => {
  test("takes user, password and virtual host from the address, options from elsewhere", async () => {
    const broker = new FakeBroker();
    await broker.now(new TestClient(broker, { servers: "amqp://u:p%40@h/a%2Fb?heartbeat=5" }).connect());
    await broker.now(new TestClient(broker, { username: "x", password: "y", vhost: "v" }).connect());
    await broker.now(new TestClient(broker, { credentials: async () => ({ username: "c", password: "d" }) }).connect());
    await broker.now(new TestClient(broker, { mechanism: "EXTERNAL" }).connect());
    expect(broker.starts).toEqual(["PLAIN :u:p@", "PLAIN :x:y", "PLAIN :c:d", "EXTERNAL "]);
    expect(broker.vhosts).toEqual(["a/b", "v", "/", "/"]);
  });

  test("tries servers in order, and tells what refused", async () => {
    const broker = new FakeBroker();
    broker.down.add("a");
    const client = new TestClient(broker, { servers: ["amqp://a", "b:1"] });
    await broker.now(client.connect());
    expect([client.state, client.server]).toEqual(["connected", "amqp://b:1"]);
    const refused = new TestClient(broker, { servers: "b", vhost: "none" });
    await expect(broker.now(refused.connect())).rejects.toMatchObject({ code: "ERR_CONNECT_REJECTED" });
    expect(refused.state).toBe("disconnected");
  });

  test.each([
    { servers: [] },
    { servers: "http://a" },
    { frameMax: 100 },
    { servers: "amqp://a?heartbeat=x" },
    { reconnect: { maxDelayMs: -1 } },
  ])("refuses %o", (options) => {
    expect(() => new TestClient(new FakeBroker(), options)).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/ERR_(NO_SERVERS|INVALID_OPTIONS)/) }),
    );
  });

  test("close and disconnect end the connection in order and leave no timer", async () => {
    const { broker, client } = await connected();
    const channel = await broker.now(client.channel());
    await broker.now(client.disconnect());
    await expect(channel.publish("", "q", "x")).rejects.toMatchObject({ code: "ERR_NOT_CONNECTED" });
    await broker.now(client.connect());
    await broker.now(client.close());
    expect(await client.closed).toBeNull();
    expect([client.state, broker.clock.pendingTimers]).toEqual(["closed", 0]);
    await expect(client.connect()).rejects.toMatchObject({ code: "ERR_CLIENT_CLOSED" });
  });

  test("a new secret is answered", async () => {
    const { broker, client } = await connected();
    await broker.now(client.updateSecret("token"));
  });
});

describe("publishing", () => {
  test("each promise settles with its own confirm, multiple ones included", async () => {
    const { broker, client } = await connected();
    broker.confirms = "by hand";
    const channel = await broker.now(client.channel());
    const done: number[] = [];
    for (const i of [1, 2, 3]) void channel.publish("", "q", `m${i}`).then(() => done.push(i));
    await broker.clock.settle();
    expect(done).toEqual([]);
    broker.link.confirmThrough(2);
    await broker.clock.settle();
    expect(done).toEqual([1, 2]);
    broker.link.confirmThrough(3);
    await broker.clock.settle();
    expect(done).toEqual([1, 2, 3]);
  });

  test("a refused, a returned and an unencodable message reject with typed errors", async () => {
    const { broker, client } = await connected();
    const channel = await broker.now(client.channel());
    const lost = channel.publish("", "nowhere", "lost", { mandatory: true });
    lost.catch(() => undefined);
    const fine = channel.publish("", "nowhere", "fine", { mandatory: false });
    await broker.clock.settle();
    await expect(lost).rejects.toMatchObject({ code: "ERR_UNROUTABLE", peer: { code: 312 } });
    await lost.catch((error) => expect(error.returned.text()).toBe("lost"));
    await fine;
    broker.confirms = "refuse";
    await expect(broker.now(channel.publish("", "q", "x"))).rejects.toMatchObject({ code: "ERR_PUBLISH_REJECTED" });
    await expect(channel.publish("", "k".repeat(256), "x")).rejects.toMatchObject({ code: "ERR_INVALID_ARGUMENT" });
  });

  test("waits beyond the window, and refuses beyond what may wait", async () => {
    const { broker, client } = await connected({ maxUnconfirmed: 2, maxWaitingMessages: 1 });
    broker.confirms = "by hand";
    const channel = await broker.now(client.channel());
    const body = new Uint8Array([97]);
    const sent = [1, 2, 3].map(() => channel.publish("", "q", body));
    body[0] = 98;
    await expect(channel.publish("", "q", "x")).rejects.toMatchObject({ code: "ERR_OUTBOUND_BACKPRESSURE" });
    await broker.clock.settle();
    expect(broker.link.published.length).toBe(2);
    broker.link.confirmThrough(2);
    await broker.clock.settle();
    expect(broker.link.published.map((each) => each.body)).toEqual(["a", "a", "a"]);
    broker.link.confirmThrough(3);
    await broker.now(Promise.all(sent));
  });

  test("waits for the next connection once the server has said that this one ends", async () => {
    const { broker, client } = await connected();
    const channel = await broker.now(client.channel());
    broker.link.engine.close(320, "CONNECTION_FORCED");
    broker.link.flush();
    const sent: Promise<void>[] = [];
    const publishEachTurn = (): void => {
      sent.push(channel.publish("", "q", "x"));
      if (sent.length < 20) broker.clock.nextTurn(publishEachTurn);
    };
    publishEachTurn();
    await broker.clock.settle();
    await broker.clock.advance(10_000);
    await broker.now(Promise.all(sent));
  });

  test("waits while the server has blocked the connection", async () => {
    const { broker, client } = await connected();
    const channel = await broker.now(client.channel());
    broker.link.engine.sendBlocked("memory");
    await broker.clock.settle();
    expect(client.blocked).toBe(true);
    const sent = channel.publish("", "q", "x");
    await broker.clock.settle();
    expect(broker.link.published).toEqual([]);
    broker.link.engine.sendBlocked(null);
    await broker.now(sent);
  });

  test("unconfirmed messages are published again after a loss with the ids and bodies that they had", async () => {
    const { broker, client } = await connected();
    broker.confirms = "by hand";
    const channel = await broker.now(client.channel());
    const big = "b".repeat(10_000);
    const sent = ["a", big, ""].map((body) => channel.publish("", "q", body, { type: "t" }));
    await broker.clock.settle();
    const first = broker.link.published;
    expect(first.map((each) => each.body)).toEqual(["a", big, ""]);
    broker.link.pair.cut();
    const late = channel.publish("", "q", "late");
    await broker.clock.advance(10);
    expect(broker.links.length).toBe(2);
    expect(broker.link.published.slice(0, 3)).toEqual(first);
    expect(new Set(first.map((each) => String(each.block))).size).toBe(3);
    broker.link.confirmThrough(4);
    await broker.now(Promise.all([...sent, late]));
  });

  test("one that was given up holds nothing back, and is not published again", async () => {
    const { broker, client } = await connected();
    broker.confirms = "by hand";
    const channel = await broker.now(client.channel());
    const given = new AbortController();
    const sent = channel.publish("", "q", "given up", { signal: given.signal, mandatory: true });
    await broker.clock.settle();
    given.abort();
    await expect(broker.now(sent)).rejects.toMatchObject({ code: "ERR_ABORTED" });
    await broker.now(channel.drained());
    const other = channel.publish("", "q", "other");
    broker.link.pair.cut();
    await broker.clock.advance(10);
    expect(broker.link.published.map((each) => each.body)).toEqual(["other"]);
    const closed = channel.close();
    broker.link.confirmThrough(1);
    await broker.now(Promise.all([other, closed]));
  });

  test("with whenConnectionLost reject they fail instead", async () => {
    const { broker, client } = await connected({ whenConnectionLost: "reject" });
    broker.confirms = "by hand";
    const channel = await broker.now(client.channel());
    const sent = channel.publish("", "q", "a");
    await broker.clock.settle();
    broker.link.pair.cut();
    await expect(broker.now(sent)).rejects.toMatchObject({ code: "ERR_CONNECTION_LOST" });
  });
});

describe("consuming", () => {
  test("a handler acknowledges when it is done, and gives back what it failed on", async () => {
    const { broker, client, events } = await connected();
    const channel = await broker.now(client.channel());
    const handler = (message: AmqpMessage): Promise<void> =>
      message.text() === "bad" ? Promise.reject(new Error("no")) : Promise.resolve();
    const consumer = await broker.now(channel.consume("q", { handler, prefetch: 5 }));
    for (const body of ["a", "bad", "c"]) broker.link.deliver(consumer.consumerTag, body);
    await broker.clock.settle();
    expect(broker.link.settled.sort()).toEqual(["ack a", "ack c", "nack bad requeue"]);
    expect(events.map((each) => each.type)).toEqual(["handlerError"]);
    expect(broker.link.methods).toContainEqual(expect.objectContaining({ method: "basic.qos", prefetchCount: 5 }));
  });

  test("one settlement may be for all before it on the channel as well", async () => {
    const { broker, client } = await connected();
    const channel = await broker.now(client.channel());
    const consumer = await broker.now(channel.consume("q"));
    const messages = consumer[Symbol.asyncIterator]();
    const got: AmqpMessage[] = [];
    for (const body of ["a", "b", "c", "d"]) {
      broker.link.deliver(consumer.consumerTag, body);
      got.push((await broker.now(messages.next())).value as AmqpMessage);
    }
    const [a, b, c, d] = got;
    b?.ack({ multiple: true });
    await broker.clock.settle();
    expect(broker.link.settled).toEqual(["ack a", "ack b"]);
    expect(() => a?.ack()).toThrow(expect.objectContaining({ code: "ERR_ALREADY_SETTLED" }));
    d?.nack({ multiple: true, requeue: false });
    await broker.clock.settle();
    expect(broker.link.settled.slice(2)).toEqual(["nack c", "nack d"]);
    expect(() => c?.nack({ multiple: true })).toThrow(expect.objectContaining({ code: "ERR_ALREADY_SETTLED" }));
  });

  test("a handler gets its confirm, however much comes for a consumer that nothing bounds", async () => {
    const { broker, client } = await connected();
    const channel = await broker.now(client.channel());
    const done: string[] = [];
    const handler = async (message: AmqpMessage): Promise<void> => {
      await channel.publish("", "q", "answer");
      done.push(message.text());
    };
    const consumer = await broker.now(channel.consume("q", { handler, noAck: true, highWaterMark: 2 }));
    const bodies = ["a", "b", "c", "d", "e", "f"];
    for (const body of bodies) broker.link.deliver(consumer.consumerTag, body);
    await broker.clock.settle();
    expect(done).toEqual(bodies);
  });

  test("reading stops while an iteration that nothing bounds is behind, and goes on with it", async () => {
    const { broker, client } = await connected();
    const channel = await broker.now(client.channel());
    const consumer = await broker.now(channel.consume("q", { noAck: true, highWaterMark: 2 }));
    for (const body of ["a", "b", "c", "d"]) {
      broker.link.deliver(consumer.consumerTag, body);
      await broker.clock.settle();
    }
    const messages = consumer[Symbol.asyncIterator]();
    const seen: (string | undefined)[] = [];
    for (let i = 0; i < 4; i++) seen.push((await broker.now(messages.next())).value?.text());
    expect(seen).toEqual(["a", "b", "c", "d"]);
  });

  test("what comes while a consumer without acknowledgements is cancelled is not refused", async () => {
    const { broker, client } = await connected();
    const channel = await broker.now(client.channel());
    const seen: string[] = [];
    const handler = (message: AmqpMessage): void => void seen.push(message.text());
    const consumer = await broker.now(channel.consume("q", { handler, noAck: true }));
    const cancelled = consumer.cancel();
    broker.link.deliver(consumer.consumerTag, "late");
    await broker.now(cancelled);
    expect([seen, broker.link.settled]).toEqual([["late"], []]);
    expect(await consumer.closed).toBeNull();
  });

  test("what waits for an iteration is given back when its consumer is cancelled", async () => {
    const { broker, client } = await connected();
    const channel = await broker.now(client.channel());
    const consumer = await broker.now(channel.consume("q"));
    for (const body of ["a", "b"]) broker.link.deliver(consumer.consumerTag, body);
    await broker.clock.settle();
    await broker.now(consumer.cancel());
    await broker.clock.settle();
    expect(broker.link.settled).toEqual(["nack a requeue", "nack b requeue"]);
    expect(await broker.now(consumer[Symbol.asyncIterator]().next())).toEqual({ done: true, value: undefined });
  });

  test("arguments that cannot be encoded fail the call, and nothing else later", async () => {
    const { broker, client } = await connected({ channelMax: 2 });
    const channel = await broker.now(client.channel());
    broker.silent.add("basic.qos");
    const args = { x: Symbol("x") } as never;
    await expect(broker.now(channel.consume("q", { arguments: args }))).rejects.toThrow();
    for (let i = 0; i < 2; i++) {
      const declared = client.declareStreamQueue({ name: "s", arguments: args });
      await expect(broker.now(declared)).rejects.not.toMatchObject({ code: "ERR_CHANNEL_MAX" });
    }
    broker.link.pair.cut();
    await broker.clock.advance(5_000);
    expect(client.state).toBe("connected");
  });

  test("text that is no UTF-8 in properties ends nothing: it is replaced", async () => {
    const { broker, client } = await connected();
    const channel = await broker.now(client.channel());
    const types: unknown[] = [];
    const handler = (message: AmqpMessage): void => void types.push(message.properties.type);
    const consumer = await broker.now(channel.consume("q", { handler }));
    const block = encodeProperties(webText(), { type: "abc" });
    block[block.length - 2] = 0xff;
    broker.link.deliver(consumer.consumerTag, "x", block);
    const nul = encodeProperties(webText(), { type: "abc" });
    nul[nul.length - 2] = 0;
    broker.link.deliver(consumer.consumerTag, "y", nul);
    await broker.clock.settle();
    expect(types).toEqual(["a\ufffdc", "a\0c"]);
    expect(client.state).toBe("connected");
  });

  test("a cancel by the server ends the consumer with a typed error", async () => {
    const { broker, client, events } = await connected();
    const channel = await broker.now(client.channel());
    const consumer = await broker.now(channel.consume("q"));
    broker.link.send({ method: "basic.cancel", consumerTag: consumer.consumerTag, noWait: true });
    const next = consumer[Symbol.asyncIterator]().next();
    await expect(broker.now(next)).rejects.toMatchObject({ code: "ERR_CONSUMER_CANCELLED" });
    expect(await consumer.closed).toMatchObject({ code: "ERR_CONSUMER_CANCELLED" });
    expect(events.map((each) => each.type)).toEqual(["consumerCancelled"]);
  });

  test("a channel that the server closes fails its calls and consumers", async () => {
    const { broker, client } = await connected();
    const channel = await broker.now(client.channel());
    const consumer = await broker.now(channel.consume("q"));
    const declared = channel.declareQueue("refused");
    const refused = { code: "ERR_CHANNEL_CLOSED", peer: { code: 406 } };
    await expect(broker.now(declared)).rejects.toMatchObject(refused);
    expect(await consumer.closed).toMatchObject(refused);
    await expect(channel.get("q")).rejects.toMatchObject(refused);
  });
});

describe("recovery", () => {
  test("restores queues under new names, bindings and consumers; old deliveries are stale", async () => {
    const { broker, client } = await connected();
    const channel = await broker.now(client.channel());
    await broker.now(channel.declareExchange("x", "fanout"));
    const { queue } = await broker.now(channel.declareQueue());
    await broker.now(channel.bindQueue(queue, "x", "k"));
    await broker.now(channel.declareQueue("gone"));
    await broker.now(channel.bindQueue("gone", "x", "k"));
    await broker.now(channel.deleteQueue("gone"));
    const seen: AmqpMessage[] = [];
    const handler = (message: AmqpMessage): void => void seen.push(message);
    const consumer = await broker.now(channel.consume(queue, { handler, autoAck: false, consumerTag: "t" }));
    broker.link.deliver("t", "a");
    await broker.clock.settle();
    broker.link.pair.cut();
    await broker.clock.advance(10);
    expect(client.state).toBe("connected");
    const restored = broker.link.methods.map((method) => ({ ...method }));
    expect(restored.map((each) => each.method)).toEqual([
      "exchange.declare",
      "queue.declare",
      "queue.bind",
      "confirm.select",
      "basic.qos",
      "basic.consume",
    ]);
    expect(restored[2]).toMatchObject({ queue: "gen-2", exchange: "x", routingKey: "k" });
    expect(restored[5]).toMatchObject({ queue: "gen-2", consumerTag: "t" });
    expect(consumer.queue).toBe("gen-2");
    expect(() => seen[0]?.ack()).toThrow(expect.objectContaining({ code: "ERR_STALE_DELIVERY" }));
    broker.link.deliver("t", "b");
    await broker.clock.settle();
    seen[1]?.ack();
    expect(() => seen[1]?.nack()).toThrow(expect.objectContaining({ code: "ERR_ALREADY_SETTLED" }));
    await broker.clock.settle();
    expect(broker.link.settled).toEqual(["ack b"]);
  });

  test("gives up after maxAttempts, and everything that waits fails", async () => {
    const { broker, client } = await connected({ reconnect: { maxAttempts: 2 } });
    const channel = await broker.now(client.channel());
    broker.down.add("a");
    broker.link.pair.cut();
    const waiting = channel.publish("", "q", "x");
    waiting.catch(() => undefined);
    await broker.clock.advance(10_000);
    await expect(waiting).rejects.toMatchObject({ code: "ERR_RECONNECT_EXHAUSTED" });
    expect(client.state).toBe("disconnected");
  });
});
