import type { AmqpChannel, AmqpClient, AmqpMessage } from "polymq/amqp091";
import { encodeProperties, TypedField } from "polymq/amqp091/codec";
import { VirtualClock } from "polymq/testing";
import { nodePlatform } from "polymq/transport";
import { describe, expect, test } from "vitest";
import { LateClock } from "../late-clock.test-support.ts";
import { AmqpScene, headerFrame, moving, TEXT } from "./scene.test-support.ts";

/** The next messages of a consumer, which are acknowledged. */
async function take(consumer: AsyncIterable<AmqpMessage>, count: number): Promise<AmqpMessage[]> {
  const messages: AmqpMessage[] = [];
  for await (const message of consumer) {
    messages.push(message);
    if (messages.length === count) break;
  }
  return messages;
}

const texts = (messages: readonly AmqpMessage[]): string[] => messages.map((message) => message.text());

describe("a message whose properties do not fit into its client's frames", () => {
  test.each([
    ["a consumer", async (channel: AmqpChannel) => take(await channel.consume("q", { prefetch: 1 }), 1)],
    [
      "a consumer without acknowledgements",
      async (channel: AmqpChannel) => take(await channel.consume("q", { noAck: true }), 1),
    ],
    ["a get", async (channel: AmqpChannel) => [await channel.get("q")]],
    ["a get without acknowledgement", async (channel: AmqpChannel) => [await channel.get("q", { noAck: true })]],
  ] as const)("is a dead letter when %s comes to it, and the next one is delivered", async (_, read) => {
    await using scene = await AmqpScene.open();
    const wide = await (await scene.client()).channel();
    const narrow = await (await scene.client({ frameMax: 4_096 })).channel();
    await wide.declareQueue("dead");
    const letters = { "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead" };
    await wide.declareQueue("q", { arguments: letters });
    await wide.publish("", "q", "wide", { headers: { filler: "x".repeat(5_000) } });
    await wide.publish("", "q", "narrow");
    const [message] = await read(narrow);
    expect(message?.text()).toBe("narrow");
    const dead = await wide.get("dead", { noAck: true });
    expect([dead?.text(), dead?.properties.headers?.["x-first-death-reason"]]).toEqual(["wide", "rejected"]);
    expect(await wide.get("dead")).toBeNull();
  });
});

describe("what is unsettled when it ends", () => {
  /** Two consumers of one queue on the channels given, which have all of its twenty messages in hand. */
  async function withTwenty(channels: readonly AmqpChannel[], other: AmqpChannel): Promise<void> {
    await other.declareQueue("dead");
    const letters = { "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead" };
    await other.declareQueue("q", { arguments: letters });
    let count = 0;
    const all = new Promise<void>((resolve) => {
      const onMessage = (): Promise<void> => {
        if (++count === 20) resolve();
        return new Promise(() => undefined);
      };
      for (const channel of channels) void channel.consume("q", { handler: onMessage, prefetch: 15, concurrency: 15 });
    });
    for (let i = 0; i < 20; i++) await other.publish("", "q", `${i}`);
    await all;
  }

  async function left(other: AmqpChannel): Promise<[number, number]> {
    return [(await other.checkQueue("q")).messageCount, (await other.checkQueue("dead")).messageCount];
  }

  test("is there again after a channel with two consumers of one queue", async () => {
    await using scene = await AmqpScene.open();
    const other = await (await scene.client()).channel();
    const channel = await (await scene.client()).channel();
    await withTwenty([channel, channel], other);
    await expect(channel.checkQueue("missing")).rejects.toMatchObject({ peer: { code: 404 } });
    expect(await left(other)).toEqual([20, 0]);
  });

  test("is there again after a channel with a consumer and with messages that it got from the same queue", async () => {
    await using scene = await AmqpScene.open();
    const other = await (await scene.client()).channel();
    const channel = await (await scene.client()).channel();
    await other.declareQueue("q");
    for (let i = 0; i < 5; i++) await other.publish("", "q", `${i}`);
    for (let i = 0; i < 5; i++) await channel.get("q");
    await channel.consume("q", { prefetch: 15 });
    await expect(channel.checkQueue("missing")).rejects.toMatchObject({ peer: { code: 404 } });
    expect((await other.checkQueue("q")).messageCount).toBe(5);
  });

  test.each([
    ["is lost", async (client: AmqpClient) => client.destroy()],
    ["is closed", async (client: AmqpClient) => client.close()],
    [
      "is ended by the broker",
      async (_client: AmqpClient, channel: AmqpChannel) => {
        await expect(channel.declareExchange("x", "nonsense" as "direct")).rejects.toBeDefined();
      },
    ],
  ] as const)("is there again after two channels with a consumer each, when their connection %s", async (_, end) => {
    await using scene = await AmqpScene.open();
    const other = await (await scene.client()).channel();
    const client = await scene.client({ closeTimeoutMs: 10 });
    const channel = await client.channel();
    await withTwenty([channel, await client.channel()], other);
    await end(client, channel);
    await expect.poll(() => left(other)).toEqual([20, 0]);
  });
});

describe("a dead letter", () => {
  const dying = (to: string, more: object = {}) => ({
    arguments: { "x-dead-letter-exchange": "", "x-dead-letter-routing-key": to, ...more },
  });

  test("has lost its expiration, which its first death tells, also when it dies again elsewhere", async () => {
    await using scene = await AmqpScene.open();
    const channel = await (await scene.client()).channel();
    await channel.declareQueue("dead");
    await channel.declareQueue("second", dying("dead"));
    await channel.declareQueue("first", dying("second"));
    await channel.publish("", "first", "x", { expiration: "60000", correlationId: "c" });
    (await channel.get("first"))?.reject({ requeue: false });
    const between = await channel.get("second");
    expect([between?.properties.expiration, between?.properties.correlationId]).toEqual([undefined, "c"]);
    between?.reject({ requeue: false });
    const { expiration, headers } = (await channel.get("dead", { noAck: true }))?.properties ?? {};
    const deaths = headers?.["x-death"] as Record<string, unknown>[];
    expect(expiration).toBeUndefined();
    expect(deaths.map((death) => [death["queue"], death["original-expiration"]])).toEqual([
      ["second", undefined],
      ["first", "60000"],
    ]);
  });

  test("knows its first death when it came round to the queue of that again", async () => {
    const clock = new VirtualClock();
    const scene = await AmqpScene.open({}, { platform: { ...nodePlatform(), clock } });
    const during = <T>(work: Promise<T>): Promise<T> => moving(clock, work, 1);
    const client = await during(scene.client({ heartbeatSeconds: 0 }));
    const channel = await during(client.channel());
    await during(channel.declareQueue("a", dying("b")));
    await during(channel.declareQueue("b", dying("a")));
    await during(channel.publish("", "a", "x"));
    for (const queue of ["a", "b", "a"]) {
      const message = await during(channel.get(queue));
      await clock.advance(10);
      message?.reject({ requeue: false });
    }
    const { headers } = (await during(channel.get("b", { noAck: true })))?.properties ?? {};
    const deaths = headers?.["x-death"] as Record<string, unknown>[];
    expect(deaths.map((death) => [death["queue"], death["count"]])).toEqual([
      ["a", 2],
      ["b", 1],
    ]);
    expect([headers?.["x-first-death-queue"], headers?.["x-last-death-queue"]]).toEqual(["a", "a"]);
    client.destroy();
    await during(scene.broker.close());
  });
});

describe("a $queue/ address", () => {
  test("is a queue that is made when it is used, and its deliveries tell all that there is to know", async () => {
    await using scene = await AmqpScene.open({ users: [{ username: "ann", password: "p" }] });
    const channel = await (await scene.client({ username: "ann", password: "p" })).channel();
    const consumer = await channel.consume("$queue/tasks", { arguments: { "x-consumer-group": "workers" } });
    await channel.publish("", "$queue/tasks/eu/1", "x", {
      messageId: "mine",
      contentType: "text/plain",
      headers: { own: true, queue: "forged" },
    });
    const [message] = await take(consumer, 1);
    expect([message?.exchange, message?.routingKey, message?.redelivered]).toEqual(["$queue", "tasks/eu/1", false]);
    const { headers, ...rest } = message?.properties ?? {};
    expect(rest).toEqual({ messageId: "tasks:0", contentType: "text/plain", deliveryMode: 2 });
    expect(headers).toEqual({
      own: true,
      "group-id": "workers",
      queue: "tasks",
      offset: "0",
      "x-source-topic": "$queue/tasks/eu/1",
      "x-delivery-count": 0,
      client_id: expect.stringMatching(/^amqp091:/),
      protocol: "amqp",
      external_id: "ann",
    });
  });

  test("with a filter gets only what matches", async () => {
    await using scene = await AmqpScene.open();
    const channel = await (await scene.client()).channel();
    const consumer = await channel.consume("$queue/tasks/eu/+", { arguments: { "x-consumer-group": "g" } });
    for (const key of ["us/1", "eu/1", "eu/1/2", "eu/2"]) await channel.publish("", `$queue/tasks/${key}`, key);
    const messages = await take(consumer, 2);
    expect([texts(messages), messages[0]?.properties.headers?.["group-id"]]).toEqual([["eu/1", "eu/2"], "g@eu/+"]);
  });

  test("is 404 where queues are not made", async () => {
    await using scene = await AmqpScene.open({ autoCreateQueues: "refuse" });
    const channel = await (await scene.client()).channel();
    await expect(channel.consume("$queue/none")).rejects.toMatchObject({ peer: { code: 404 } });
  });

  test("gives each group its own copy, and consumers without a group share one", async () => {
    await using scene = await AmqpScene.open();
    const channel = await (await scene.client()).channel();
    const grouped = ["a", "b"].map((group) =>
      channel.consume("$queue/q", { arguments: { "x-consumer-group": group } }),
    );
    const [a, b] = await Promise.all(grouped);
    const [c, d] = await Promise.all([
      channel.consume("$queue/q", { prefetch: 1 }),
      channel.consume("q", { prefetch: 1 }),
    ]);
    await channel.publish("", "$queue/q", "1");
    await channel.publish("", "$queue/q", "2");
    if (a === undefined || b === undefined) throw new Error("no consumers");
    expect([texts(await take(a, 2)), texts(await take(b, 2))]).toEqual([
      ["1", "2"],
      ["1", "2"],
    ]);
    const shared = [...(await take(c, 1)), ...(await take(d, 1))];
    expect(texts(shared).sort()).toEqual(["1", "2"]);
  });
});

describe("a stream", () => {
  const STREAM = { arguments: { "x-queue-type": "stream" } };

  test.each<[string, unknown, string[]]>([
    ["first", "first", ["0", "1", "2", "3"]],
    ["last", "last", ["3"]],
    ["an offset", 2, ["2", "3"]],
    ["an offset as text", "2", ["2", "3"]],
    ["an offset by name", "offset=3", ["3"]],
    ["a timestamp", new TypedField("T", 1), ["0", "1", "2", "3"]],
    ["a timestamp in milliseconds", `timestamp=${Date.UTC(2002, 0)}`, ["0", "1", "2", "3"]],
    ["a timestamp in seconds", "timestamp=1000", ["0", "1", "2", "3"]],
    ["so long ago", "1h", ["0", "1", "2", "3"]],
  ])("is read from %s", async (_, offset, expected) => {
    await using scene = await AmqpScene.open();
    const channel = await (await scene.client()).channel();
    await channel.declareQueue("s", STREAM);
    for (let i = 0; i < 4; i++) await channel.publish("", "s", String(i));
    const consumer = await channel.consume("s", { arguments: { "x-stream-offset": offset as string } });
    const messages = await take(consumer, expected.length);
    expect(texts(messages)).toEqual(expected);
    expect(messages.at(-1)?.properties.headers?.["x-stream-offset"]).toBe(3);
  });

  test("is read from the next message without an offset", async () => {
    await using scene = await AmqpScene.open();
    const channel = await (await scene.client()).channel();
    await channel.declareQueue("s", STREAM);
    await channel.publish("", "s", "old");
    const consumer = await channel.consume("s");
    await channel.publish("", "s", "new");
    expect(texts(await take(consumer, 1))).toEqual(["new"]);
  });

  test("refuses a position that is none with 406", async () => {
    await using scene = await AmqpScene.open();
    const channel = await (await scene.client()).channel();
    await channel.declareQueue("s", STREAM);
    const wrong = channel.consume("s", { arguments: { "x-stream-offset": "soon" } });
    await expect(wrong).rejects.toMatchObject({ peer: { code: 406 } });
  });

  test("tells offset and time as integers, and its group goes on behind what was committed", async () => {
    await using scene = await AmqpScene.open();
    const channel = await (await scene.client()).channel();
    await channel.declareQueue("s", STREAM);
    for (let i = 0; i < 5; i++) await channel.publish("", "s", String(i));
    const args = { "x-consumer-group": "g", "x-auto-commit": false, "x-stream-offset": "first" };
    const consumer = await channel.consume("$queue/s", { arguments: args });
    const [, , third] = await take(consumer, 3);
    const headers = third?.properties.headers ?? {};
    expect([headers["x-stream-offset"], headers["offset"], headers["group-id"]]).toEqual([2, "2", "g"]);
    expect(typeof headers["x-stream-timestamp"]).toBe("number");
    await channel.publish("", "$queue/s/$commit", "", { headers: { "x-group-id": "g", "x-offset": 2 } });
    const again = await channel.consume("$queue/s", { arguments: { "x-consumer-group": "g", "x-auto-commit": false } });
    expect(texts(await take(again, 1))).toEqual(["2"]);
  });

  test("refuses a commit that cannot be", async () => {
    await using scene = await AmqpScene.open();
    const channel = await (await scene.client()).channel();
    await channel.declareQueue("s", STREAM);
    const commit = channel.publish("", "$queue/s/$commit", "", { headers: { "x-group-id": "nobody", "x-offset": 2 } });
    await expect(commit).rejects.toMatchObject({ code: "ERR_PUBLISH_REJECTED" });
  });
});

describe("plain topics", () => {
  test("reach consumers of patterns, with dots for slashes", async () => {
    await using scene = await AmqpScene.open();
    const channel = await (await scene.client()).channel();
    const dotted = await channel.consume("sensors.*.temp");
    const slashed = await channel.consume("sensors/#");
    await channel.publish("", "sensors.a.temp", "1");
    await channel.publish("amq.topic", "sensors.b.temp", "2");
    await channel.publish("", "sensors.b.humidity", "3");
    const some = await take(dotted, 2);
    expect(some.map((m) => [m.text(), m.exchange, m.routingKey])).toEqual([
      ["1", "", "sensors.a.temp"],
      ["2", "amq.topic", "sensors.b.temp"],
    ]);
    expect(texts(await take(slashed, 3))).toEqual(["1", "2", "3"]);
  });

  test("are no queues: a name without wildcard or slash is 404", async () => {
    await using scene = await AmqpScene.open();
    const channel = await (await scene.client()).channel();
    await expect(channel.consume("sensors.a")).rejects.toMatchObject({
      peer: { code: 404, text: "NOT_FOUND - no queue 'sensors.a' in vhost '/'" },
    });
  });

  test("wait within limits for a consumer that does not settle, the oldest go first", async () => {
    await using scene = await AmqpScene.open({ sessions: { queuedMessagesMax: 2 } });
    const channel = await (await scene.client()).channel();
    const got: AmqpMessage[] = [];
    const consumer = await channel.consume("t/#", { prefetch: 1, autoAck: false, handler: (m) => void got.push(m) });
    for (let i = 0; i < 5; i++) await channel.publish("", "t/a", String(i));
    got[0]?.ack();
    while (got.length < 2) await channel.checkExchange("amq.topic");
    expect([texts(got), scene.broker.inspect().metrics.messagesDroppedSlow]).toEqual([["0", "3"], 2]);
    await consumer.cancel();
    expect(scene.broker.inspect().subscriptionCount).toBe(0);
  });

  test("larger ones than the limit in bytes wait as well, those whose lifetime is over go", async () => {
    const clock = new LateClock();
    const platform = { ...nodePlatform(), clock };
    await using scene = await AmqpScene.open({ sessions: { queuedBytesMax: 2_000 } }, { platform });
    const channel = await (await scene.client()).channel();
    const got: AmqpMessage[] = [];
    await channel.consume("t/#", { prefetch: 1, autoAck: false, handler: (m) => void got.push(m) });
    const large = "x".repeat(5_000);
    for (const each of ["0", "1", large]) {
      await channel.publish("", "t/a", each, each === "1" ? { expiration: "1000" } : {});
    }
    clock.lateMs = 1_001;
    got[0]?.ack();
    while (got.length < 2) await channel.checkExchange("amq.topic");
    expect(texts(got)).toEqual(["0", large]);
  });
});

describe("what is unsettled", () => {
  test("is bounded for the whole channel where that was asked", async () => {
    await using scene = await AmqpScene.open();
    const raw = await scene.raw().open();
    raw.send(1, {
      method: "queue.declare",
      queue: "q",
      passive: false,
      durable: false,
      exclusive: false,
      autoDelete: false,
      noWait: true,
      arguments: {},
    });
    raw.send(1, { method: "basic.qos", prefetchSize: 0, prefetchCount: 1, global: true });
    for (const consumerTag of ["a", "b"]) {
      raw.send(1, {
        method: "basic.consume",
        queue: "q",
        consumerTag,
        noLocal: false,
        noAck: false,
        exclusive: false,
        noWait: true,
        arguments: {},
      });
    }
    expect(await raw.next()).toBe("1 basic.qos-ok");
    const channel = await (await scene.client()).channel();
    for (let i = 0; i < 3; i++) await channel.publish("", "q", String(i));
    expect(await raw.take(3)).toEqual(["1 basic.deliver", "1 header", "1 body 0"]);
    expect((await channel.checkQueue("q")).messageCount).toBe(2);
    raw.send(1, { method: "basic.ack", deliveryTag: 1, multiple: false });
    expect(await raw.take(3)).toEqual(["1 basic.deliver", "1 header", "1 body 1"]);
  });

  test("waits while the client has asked for no content", async () => {
    await using scene = await AmqpScene.open();
    const raw = await scene.raw().open();
    raw.send(1, {
      method: "queue.declare",
      queue: "q",
      passive: false,
      durable: false,
      exclusive: false,
      autoDelete: false,
      noWait: true,
      arguments: {},
    });
    raw.send(1, { method: "channel.flow", active: false });
    raw.send(1, {
      method: "basic.consume",
      queue: "q",
      consumerTag: "a",
      noLocal: false,
      noAck: true,
      exclusive: false,
      noWait: false,
      arguments: {},
    });
    expect(await raw.take(2)).toEqual(["1 channel.flow-ok", "1 basic.consume-ok"]);
    const channel = await (await scene.client()).channel();
    await channel.publish("", "q", "x");
    expect((await channel.checkQueue("q")).messageCount).toBe(1);
    raw.send(1, { method: "channel.flow", active: true });
    expect(await raw.take(4)).toEqual(["1 channel.flow-ok", "1 basic.deliver", "1 header", "1 body x"]);
  });

  test("is delivered again after its connection is lost", async () => {
    await using scene = await AmqpScene.open();
    const [one, two] = [await scene.client(), await scene.client()];
    const [lost, channel] = [await one.channel(), await two.channel()];
    await channel.declareQueue("q");
    await channel.publish("", "q", "x");
    await take(await lost.consume("q"), 1);
    one.destroy();
    const [again] = await take(await channel.consume("q"), 1);
    expect([again?.text(), again?.redelivered, again?.properties.headers]).toEqual([
      "x",
      true,
      { "x-delivery-count": 1 },
    ]);
  });

  test("cannot grow beyond the channel's own limit, whatever the prefetch", async () => {
    await using scene = await AmqpScene.open({ amqp091: { unsettledMax: 3 } });
    const channel = await (await scene.client()).channel();
    await channel.declareQueue("q");
    for (let i = 0; i < 5; i++) await channel.publish("", "q", "x");
    await take(await channel.consume("q", { prefetch: 0 }), 3);
    expect((await channel.checkQueue("q")).messageCount).toBe(2);
  });
});

describe("direct reply-to", () => {
  test("brings answers to the channel that asked, and to nobody after its end", async () => {
    await using scene = await AmqpScene.open();
    const [asking, answering] = [await scene.client(), await scene.client()];
    const [client, server] = [await asking.channel(), await answering.channel()];
    await server.declareQueue("rpc");
    const answers = await client.consume("amq.rabbitmq.reply-to", { noAck: true });
    await client.publish("", "rpc", "ping", { replyTo: "amq.rabbitmq.reply-to", correlationId: "1" });
    const request = await server.get("rpc", { noAck: true });
    const replyTo = request?.properties.replyTo ?? "";
    expect(replyTo).toMatch(/^amq\.rabbitmq\.reply-to\.\S{20,}$/);
    await server.publish("", replyTo, "pong", { correlationId: "1" });
    const [answer] = await take(answers, 1);
    expect([answer?.text(), answer?.properties.correlationId]).toEqual(["pong", "1"]);
    await client.close();
    await expect(server.publish("", replyTo, "late", { mandatory: true })).rejects.toMatchObject({
      returned: { replyCode: 312, replyText: "NO_ROUTE" },
    });
  });

  test("leaves out answers for a client that does not read them", async () => {
    await using scene = await AmqpScene.open({ sessions: { unsentBytesMax: 65_536 } });
    const server = await (await scene.client()).channel();
    await server.declareQueue("rpc");
    const raw = await scene.raw().open();
    const consume = { method: "basic.consume", queue: "amq.rabbitmq.reply-to", consumerTag: "t" } as const;
    raw.send(1, { ...consume, noLocal: false, noAck: true, exclusive: false, noWait: false, arguments: {} });
    expect(await raw.next()).toBe("1 basic.consume-ok");
    raw.send(1, { method: "basic.publish", exchange: "", routingKey: "rpc", mandatory: false, immediate: false });
    raw.write(headerFrame(1, 0, encodeProperties(TEXT, { replyTo: "amq.rabbitmq.reply-to" })));
    let request: AmqpMessage | null = null;
    while (request === null) request = await server.get("rpc", { noAck: true });
    raw.pause();
    const answer = new Uint8Array(32_768);
    for (let i = 0; i < 100; i++) await server.publish("", request.properties.replyTo ?? "", answer);
    expect(scene.broker.inspect().metrics.messagesDroppedSlow).toBeGreaterThan(80);
  });

  test("has no acknowledgements (406)", async () => {
    await using scene = await AmqpScene.open();
    const channel = await (await scene.client()).channel();
    await expect(channel.consume("amq.rabbitmq.reply-to")).rejects.toMatchObject({
      peer: { code: 406, text: "PRECONDITION_FAILED - reply consumer cannot acknowledge" },
    });
  });
});
