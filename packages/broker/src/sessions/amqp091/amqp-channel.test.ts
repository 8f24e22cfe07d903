import { type AmqpChannel, UnroutableError } from "polymq/amqp091";
import { encodeProperties } from "polymq/amqp091/codec";
import { VirtualClock } from "polymq/testing";
import { nodePlatform } from "polymq/transport";
import { describe, expect, test, vi } from "vitest";
import { MemoryMedium, MemoryStore } from "../../storage/memory-store.ts";
import { AmqpScene, headerFrame, moving, type RawClient, TEXT } from "./scene.test-support.ts";

const PUBLISH = { method: "basic.publish", immediate: false } as const;
const QUEUE = {
  method: "queue.declare",
  durable: false,
  passive: false,
  exclusive: false,
  autoDelete: false,
  noWait: false,
  arguments: {},
} as const;

describe("publishes", () => {
  test("are confirmed once they are durable, many with one acknowledgement", async () => {
    const release: (() => void)[] = [];
    const store = new MemoryStore(new MemoryMedium());
    const commit = store.commit.bind(store);
    await using scene = await AmqpScene.open({}, { store });
    const raw = await scene.raw().open();
    raw.send(1, { ...QUEUE, queue: "q", durable: true });
    raw.send(1, { method: "confirm.select", noWait: false });
    expect(await raw.take(2)).toEqual(["1 queue.declare-ok", "1 confirm.select-ok"]);
    store.commit = async (batch) => {
      await new Promise<void>((resolve) => release.push(resolve));
      await commit(batch);
    };
    for (let i = 0; i < 3; i++) {
      raw.send(1, { ...PUBLISH, exchange: "", routingKey: "q", mandatory: false });
      raw.write(headerFrame(1, 0, encodeProperties(TEXT, { deliveryMode: 2 })));
    }
    let isConfirmed = false;
    const confirmed = raw.next().then((said) => {
      isConfirmed = true;
      return said;
    });
    while (release.length === 0) await new Promise((resolve) => setImmediate(resolve));
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
    expect(isConfirmed).toBe(false);
    store.commit = commit;
    for (const each of release) each();
    expect(await confirmed).toBe("1 basic.ack 3 multiple");
  });

  test("that nobody gets come back before their acknowledgement", async () => {
    await using scene = await AmqpScene.open();
    const raw = await scene.raw().open();
    raw.send(1, { method: "confirm.select", noWait: true });
    raw.send(1, { ...PUBLISH, exchange: "", routingKey: "nobody", mandatory: true });
    raw.write(headerFrame(1, 0));
    expect(await raw.take(3)).toEqual(["1 basic.return", "1 header", "1 basic.ack 1"]);
  });

  test("that a queue refuses are refused", async () => {
    await using scene = await AmqpScene.open();
    const channel = await (await scene.client()).channel();
    const full = { "x-max-length": 1, "x-overflow": "reject-publish" };
    await channel.declareQueue("q", { arguments: full });
    await channel.publish("", "q", "1");
    await expect(channel.publish("", "q", "2")).rejects.toMatchObject({ code: "ERR_PUBLISH_REJECTED" });
    const other = { ...full, "x-overflow": "reject-publish-dlx" };
    await expect(channel.declareQueue("q", { arguments: other })).rejects.toMatchObject({
      peer: {
        code: 406,
        text: "PRECONDITION_FAILED - inequivalent arg 'x-overflow' for queue 'q' in vhost '/': received the value 'reject-publish-dlx' of type 'longstr' but current is the value 'reject-publish' of type 'longstr'",
      },
    });
  });

  test("that a queue of no length refuses are dead letters besides where it says so", async () => {
    await using scene = await AmqpScene.open();
    const channel = await (await scene.client()).channel();
    await channel.declareQueue("dead");
    const letters = { "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead" };
    const none = { "x-max-length": 0, "x-overflow": "reject-publish-dlx", ...letters };
    await channel.declareQueue("none", { arguments: none });
    await expect(channel.publish("", "none", "1")).rejects.toMatchObject({ code: "ERR_PUBLISH_REJECTED" });
    const dead = await channel.get("dead", { noAck: true });
    expect([dead?.text(), dead?.properties.headers?.["x-first-death-reason"]]).toEqual(["1", "maxlen"]);
    expect((await channel.checkQueue("none")).messageCount).toBe(0);
  });

  test.each<[string, Parameters<typeof encodeProperties>[1], string]>([
    [
      "another user's name",
      { userId: "root" },
      "406 PRECONDITION_FAILED - user_id property set to 'root' but authenticated user was 'guest'",
    ],
    [
      "an expiration that is no number",
      { expiration: "soon" },
      "406 PRECONDITION_FAILED - invalid expiration 'soon': no_integer",
    ],
    [
      "an answer that nobody waits for",
      { replyTo: "amq.rabbitmq.reply-to" },
      "406 PRECONDITION_FAILED - fast reply consumer does not exist",
    ],
    [
      "copies that are no list",
      { headers: { CC: "a" } },
      '406 PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,"CC",longstr}',
    ],
  ])("with %s close the channel", async (_, properties, text) => {
    await using scene = await AmqpScene.open();
    const raw = await scene.raw().open();
    raw.send(1, { ...PUBLISH, exchange: "", routingKey: "q", mandatory: false });
    raw.write(headerFrame(1, 0, encodeProperties(TEXT, properties)));
    expect(await raw.next()).toBe(`1 channel.close ${text}`);
  });

  test("that want to be delivered at once are not implemented (540)", async () => {
    await using scene = await AmqpScene.open();
    const raw = await scene.raw().open();
    raw.send(1, { ...PUBLISH, exchange: "", routingKey: "q", mandatory: false, immediate: true });
    raw.write(headerFrame(1, 0));
    expect(await raw.next()).toBe("0 connection.close 540 NOT_IMPLEMENTED - immediate=true");
  });

  test("with copies go to these keys as well, and nobody hears of the hidden ones", async () => {
    await using scene = await AmqpScene.open();
    const channel = await (await scene.client()).channel();
    for (const queue of ["a", "b", "c"]) await channel.declareQueue(queue);
    await channel.publish("", "a", "x", { headers: { CC: ["b"], BCC: ["c"], other: 1 } });
    const got = await Promise.all(["a", "b", "c"].map((queue) => channel.get(queue, { noAck: true })));
    expect(got.map((message) => message?.properties.headers)).toEqual(Array(3).fill({ CC: ["b"], other: 1 }));
    expect(got.map((message) => message?.routingKey)).toEqual(["a", "a", "a"]);
  });

  test("of the confirm's own channel are numbered from its mode on", async () => {
    await using scene = await AmqpScene.open();
    const raw = await scene.raw().open();
    raw.send(1, { ...PUBLISH, exchange: "", routingKey: "q", mandatory: false });
    raw.write(headerFrame(1, 0));
    raw.send(1, { method: "confirm.select", noWait: false });
    raw.send(1, { ...PUBLISH, exchange: "", routingKey: "q", mandatory: false });
    raw.write(headerFrame(1, 0));
    expect((await raw.take(2)).sort()).toEqual(["1 basic.ack 1", "1 confirm.select-ok"]);
  });
});

describe("basic.recover", () => {
  test("is answered before anything comes again, so that a client knows what came before", async () => {
    await using scene = await AmqpScene.open();
    const raw = await scene.raw().open();
    const consume = { noLocal: false, noAck: false, exclusive: false, noWait: true, arguments: {} };
    raw.send(1, { ...QUEUE, queue: "q" }, { ...PUBLISH, exchange: "", routingKey: "q", mandatory: false });
    raw.write(headerFrame(1, 0));
    raw.send(1, { method: "basic.consume", queue: "q", consumerTag: "t", ...consume });
    expect(await raw.take(3)).toEqual(["1 queue.declare-ok", "1 basic.deliver", "1 header"]);
    raw.send(1, { method: "basic.recover", requeue: true });
    expect(await raw.take(3)).toEqual(["1 basic.recover-ok", "1 basic.deliver", "1 header"]);
    // Behind an answer that waits for the store as well.
    raw.send(1, { ...QUEUE, queue: "r", durable: true }, { method: "basic.recover", requeue: true });
    expect(await raw.take(4)).toEqual(["1 queue.declare-ok", "1 basic.recover-ok", "1 basic.deliver", "1 header"]);
    raw.send(1, { method: "basic.ack", deliveryTag: 3, multiple: false }, { ...QUEUE, queue: "q", passive: true });
    expect(await raw.next()).toBe("1 queue.declare-ok");
    raw.send(1, { method: "basic.recover", requeue: true }, { ...QUEUE, queue: "q", passive: true });
    expect(await raw.take(2)).toEqual(["1 basic.recover-ok", "1 queue.declare-ok"]);
  });
});

describe("transactions", () => {
  test("keep publishes and settlements until they are committed", async () => {
    await using scene = await AmqpScene.open();
    const client = await scene.client();
    const channel = await client.channel({ confirms: false });
    const other = await client.channel();
    await channel.declareQueue("q");
    await channel.txSelect();
    await channel.publish("", "q", "1");
    await channel.publish("", "q", "2");
    expect((await other.checkQueue("q")).messageCount).toBe(0);
    await channel.txCommit();
    expect((await other.checkQueue("q")).messageCount).toBe(2);
    (await channel.get("q"))?.ack();
    await channel.txCommit();
    expect((await other.get("q", { noAck: true }))?.text()).toBe("2");
    expect(await other.get("q")).toBeNull();
  });

  test("that are rolled back publish nothing and leave unsettled what was settled, to be settled anew under its tag (§1.9.2.3)", async () => {
    await using scene = await AmqpScene.open();
    const client = await scene.client();
    const channel = await client.channel({ confirms: false });
    const other = await client.channel();
    await channel.declareQueue("q");
    await other.publish("", "q", "kept");
    await channel.txSelect();
    (await channel.get("q"))?.ack();
    await channel.publish("", "q", "gone");
    await channel.txRollback();
    expect(await other.get("q")).toBeNull();
    await channel.recover();
    const again = await other.get("q", { noAck: true });
    expect([again?.text(), again?.redelivered, await other.get("q")]).toEqual(["kept", true, null]);
  });

  test("that are rolled back let the same delivery tags be settled in the next one, out of order too", async () => {
    await using scene = await AmqpScene.open();
    const client = await scene.client();
    const other = await client.channel();
    await other.declareQueue("q");
    for (const body of ["1", "2", "3"]) await other.publish("", "q", body);
    const raw = await scene.raw().open();
    const consume = { noLocal: false, noAck: false, exclusive: false, noWait: true, arguments: {} };
    raw.send(1, { method: "tx.select" }, { method: "basic.consume", queue: "q", consumerTag: "t", ...consume });
    const told = async (): Promise<string> => {
      for (;;) {
        const line = await raw.next();
        if (/^1 (tx|channel)\./.test(line)) return line;
      }
    };
    expect(await told()).toBe("1 tx.select-ok");
    for (let deliveries = 0; deliveries < 3; ) if ((await raw.next()).includes("basic.deliver")) deliveries++;
    const ack = (deliveryTag: number, multiple = false): void =>
      raw.send(1, { method: "basic.ack", deliveryTag, multiple });
    ack(2);
    ack(1);
    raw.send(1, { method: "tx.rollback" });
    expect(await told()).toBe("1 tx.rollback-ok");
    ack(2, true);
    raw.send(1, { method: "tx.commit" });
    expect(await told()).toBe("1 tx.commit-ok");
    ack(1);
    expect(await told()).toBe("1 channel.close 406 PRECONDITION_FAILED - unknown delivery tag 1");
    expect((await other.get("q", { noAck: true }))?.text()).toBe("3");
    expect(await other.get("q")).toBeNull();
  });

  test("keep what was settled in them over basic.recover, which brings the rest again", async () => {
    await using scene = await AmqpScene.open();
    const client = await scene.client();
    const channel = await client.channel({ confirms: false });
    const other = await client.channel();
    await channel.declareQueue("q");
    for (const body of ["1", "2", "3", "4"]) await other.publish("", "q", body);
    await channel.txSelect();
    (await channel.get("q"))?.ack();
    await channel.get("q");
    const seen: string[] = [];
    const consumer = await channel.consume("q", { handler: (message) => seen.push(message.text()), autoAck: false });
    await expect.poll(() => seen).toEqual(["3", "4"]);
    await channel.recover();
    await expect.poll(() => seen).toEqual(["3", "4", "2", "3", "4"]);
    await channel.txRollback();
    await channel.recover();
    await expect.poll(() => seen.slice(5).sort()).toEqual(["1", "2", "3", "4"]);
    await consumer.cancel();
    await channel.close();
    expect((await other.checkQueue("q")).messageCount).toBe(4);
  });

  test("whose acknowledgements are committed after basic.recover leave nothing of these behind", async () => {
    await using scene = await AmqpScene.open();
    const client = await scene.client();
    const channel = await client.channel({ confirms: false });
    const other = await client.channel();
    await channel.declareQueue("q");
    for (const body of ["1", "2"]) await other.publish("", "q", body);
    await channel.txSelect();
    (await channel.get("q"))?.ack();
    await channel.get("q");
    await channel.recover();
    await channel.txCommit();
    expect((await other.get("q", { noAck: true }))?.text()).toBe("2");
    expect(await other.get("q")).toBeNull();
  });

  test.each([
    ["an exchange that is not there", (channel: AmqpChannel) => channel.publish("missing", "k", "x"), 404],
    [
      "an expiration that is none",
      (channel: AmqpChannel) => channel.publish("", "q", "x", { expiration: "soon" }),
      406,
    ],
    ["copies that are no list", (channel: AmqpChannel) => channel.publish("", "q", "x", { headers: { CC: "a" } }), 406],
  ] as const)(
    "refuse a message with %s when it is published, not when they are committed",
    async (_, publish, code) => {
      await using scene = await AmqpScene.open();
      const channel = await (await scene.client()).channel({ confirms: false });
      await channel.txSelect();
      void publish(channel).catch(() => undefined);
      await expect(channel.txRollback()).rejects.toMatchObject({ peer: { code } });
    },
  );

  test("do nothing where a queue has no room for all of their messages: none is lost without a word", async () => {
    await using scene = await AmqpScene.open();
    const client = await scene.client();
    const channel = await client.channel({ confirms: false });
    const other = await client.channel();
    await channel.declareQueue("work");
    await channel.declareQueue("full", { arguments: { "x-max-length": 1, "x-overflow": "reject-publish" } });
    await other.publish("", "work", "w");
    await channel.txSelect();
    (await channel.get("work"))?.ack();
    for (const body of ["1", "2"]) await channel.publish("", "full", body);
    await expect(channel.txCommit()).rejects.toMatchObject({ peer: { code: 406 } });
    expect((await other.checkQueue("full")).messageCount).toBe(0);
    expect((await other.checkQueue("work")).messageCount).toBe(1);
  });

  test("say when a queue refused a message although there was no telling before", async () => {
    await using scene = await AmqpScene.open();
    const channel = await (await scene.client()).channel({ confirms: false });
    await channel.declareQueue("full", { arguments: { "x-max-length": 0, "x-overflow": "reject-publish" } });
    await channel.declareQueue("q");
    await channel.txSelect();
    await channel.publish("", "q", "x", { headers: { CC: ["full"] } });
    await expect(channel.txCommit()).rejects.toMatchObject({
      peer: { code: 406, text: "PRECONDITION_FAILED - partial tx completion" },
    });
  });

  test("send the messages to an exchange back that is gone when they are committed, and do all the rest", async () => {
    await using scene = await AmqpScene.open();
    const client = await scene.client();
    const channel = await client.channel({ confirms: false });
    const other = await client.channel();
    await channel.declareQueue("q");
    await channel.declareExchange("x", "direct");
    await channel.txSelect();
    const lost = channel.publish("x", "k", "1", { mandatory: true }).catch((error: unknown) => error);
    await channel.publish("", "q", "2");
    await channel.checkQueue("q");
    await other.deleteExchange("x");
    await channel.txCommit();
    expect((await other.checkQueue("q")).messageCount).toBe(1);
    await lost;
  });

  test("and confirms exclude each other", async () => {
    await using scene = await AmqpScene.open();
    const raw = await scene.raw().open();
    raw.send(1, { method: "confirm.select", noWait: true }, { method: "tx.select" });
    expect(await raw.next()).toBe("1 channel.close 406 PRECONDITION_FAILED - cannot switch from confirm to tx mode");
    raw.send(2, { method: "channel.open" }, { method: "tx.commit" });
    expect(await raw.take(2)).toEqual([
      "2 channel.open-ok",
      "2 channel.close 406 PRECONDITION_FAILED - channel is not transactional",
    ]);
    raw.send(3, { method: "channel.open" }, { method: "tx.select" }, { method: "confirm.select", noWait: false });
    const said = await raw.take(2);
    expect(said[1]).toBe("3 channel.close 406 PRECONDITION_FAILED - cannot switch from tx to confirm mode");
  });

  test("are bounded", async () => {
    await using scene = await AmqpScene.open({ amqp091: { transactionMax: 2 } });
    const channel = await (await scene.client()).channel({ confirms: false });
    await channel.txSelect();
    for (let i = 0; i < 3; i++) channel.publish("", "q", "x").catch(() => undefined);
    expect(await channel.closed).toMatchObject({ peer: { code: 406 } });
  });
});

describe("permissions", () => {
  const USERS = {
    users: [
      { username: "all", password: "p" },
      {
        username: "some",
        password: "p",
        publish: ["$queue/mine", "open/#", "x/#"],
        subscribe: ["$queue/mine/#", "$queue/mine", "open/#"],
      },
    ],
  };
  const SOME = { username: "some", password: "p" };

  test("are asked for by a queue's address, a plain topic, or an exchange with the key below it", async () => {
    await using scene = await AmqpScene.open(USERS);
    const all = await (await scene.client({ username: "all", password: "p" })).channel();
    for (const queue of ["mine", "theirs"]) await all.declareQueue(queue);
    await all.declareExchange("x", "topic");
    const client = await scene.client(SOME);
    const allowed = await client.channel();
    await allowed.publish("", "mine", "1");
    await allowed.publish("", "open.a", "2");
    await allowed.publish("x", "a.b", "3");
    expect((await allowed.get("mine", { noAck: true }))?.text()).toBe("1");
    const refusal = { peer: { code: 403, text: expect.stringContaining("ACCESS_REFUSED - access to ") } };
    for (const attempt of [
      async () => (await client.channel()).get("theirs"),
      async () => (await client.channel()).consume("theirs"),
      async () => (await client.channel()).declareQueue("other"),
      async () => (await client.channel()).consume("closed.*"),
      async () => (await client.channel()).bindQueue("mine", "amq.topic", "closed.#"),
      async () => (await client.channel()).declareExchange("y", "fanout"),
    ]) {
      await expect(attempt()).rejects.toMatchObject(refusal);
    }
    const denied = await client.channel();
    denied.publish("", "theirs", "x").catch(() => undefined);
    expect(await denied.closed).toMatchObject(refusal);
  });

  test("that have to be asked for keep the order of what comes", async () => {
    const auth = {
      authorizePublish: async (_: unknown, topic: string) => {
        await new Promise((resolve) => setImmediate(resolve));
        return topic !== "$queue/no";
      },
      authorizeSubscribe: () => Promise.resolve(true),
      cacheMs: 0,
    };
    await using scene = await AmqpScene.open({ auth });
    const client = await scene.client();
    const channel = await client.channel();
    await channel.declareQueue("q");
    await Promise.all(["1", "2", "3"].map((body) => channel.publish("", "q", body)));
    const got: (string | undefined)[] = [];
    for (let i = 0; i < 3; i++) got.push((await channel.get("q", { noAck: true }))?.text());
    expect(got).toEqual(["1", "2", "3"]);
    await channel.declareQueue("no");
    channel.publish("", "no", "x").catch(() => undefined);
    expect(await channel.closed).toMatchObject({ peer: { code: 403 } });
    expect(scene.broker.inspect().metrics.messagesDenied).toBe(1);
  });
});

test("an unroutable mandatory publish rejects with the message that came back", async () => {
  await using scene = await AmqpScene.open();
  const channel = await (await scene.client()).channel();
  await expect(channel.publish("amq.direct", "k", "x", { mandatory: true })).rejects.toBeInstanceOf(UnroutableError);
});

describe("when memory is short", () => {
  const published = (raw: RawClient): void => {
    raw.send(1, { ...PUBLISH, exchange: "", routingKey: "q", mandatory: false });
    raw.write(headerFrame(1, 0));
  };

  test("a client is told with its first message, and not read any more; those that only consume go on and are told nothing", async () => {
    await using scene = await AmqpScene.open({ resources: { memoryBytesMax: 1 } });
    const client = await scene.client();
    const reader = await client.channel();
    await reader.declareQueue("q");
    const raw = await scene.raw().open();
    raw.send(1, { method: "confirm.select", noWait: true });
    published(raw);
    expect(await raw.take(2)).toEqual(["0 connection.blocked", "1 basic.ack 1"]);
    published(raw);
    await (await reader.get("q"))?.ack();
    for (let i = 0; i < 5; i++) expect((await reader.checkQueue("q")).messageCount).toBe(0);
    expect(client.blocked).toBe(false);
  });

  test("a client that published before and only consumes now is heard, and a blocked one is told when there is room again", async () => {
    const clock = new VirtualClock();
    const rss = vi.spyOn(process.memoryUsage, "rss").mockReturnValue(10);
    const scene = await AmqpScene.open(
      { resources: { memoryBytesMax: 100 } },
      { platform: { ...nodePlatform(), clock } },
    );
    const during = <T>(work: Promise<T>): Promise<T> => moving(clock, work, 1);
    const raw = scene.raw(clock);
    await during(raw.open());
    raw.send(1, { ...QUEUE, queue: "q" }, { method: "confirm.select", noWait: true });
    published(raw);
    expect(await during(raw.take(2))).toEqual(["1 queue.declare-ok", "1 basic.ack 1"]);
    rss.mockReturnValue(100);
    await clock.advance(1_000);
    raw.send(1, { method: "basic.get", queue: "q", noAck: false });
    expect(await during(raw.take(2))).toEqual(["1 basic.get-ok", "1 header"]);
    published(raw);
    expect(await during(raw.take(2))).toEqual(["0 connection.blocked", "1 basic.ack 2"]);
    published(raw);
    rss.mockReturnValue(95);
    await clock.advance(1_000);
    rss.mockReturnValue(94);
    await clock.advance(1_000);
    expect(await during(raw.take(2))).toEqual(["0 connection.unblocked", "1 basic.ack 3"]);
    rss.mockRestore();
    raw.end();
    await during(scene.broker.close());
  });
});

test("dead letters find their way through a headers exchange by the headers of their publisher", async () => {
  await using scene = await AmqpScene.open();
  const channel = await (await scene.client()).channel();
  await channel.declareQueue("dead-a");
  await channel.bindQueue("dead-a", "amq.headers", "", { "x-match": "all", kind: "a" });
  await channel.declareQueue("q", { arguments: { "x-dead-letter-exchange": "amq.headers" } });
  await channel.publish("", "q", "other", { headers: { kind: "b" } });
  await channel.publish("", "q", "mine", { headers: { kind: "a" } });
  for (let i = 0; i < 2; i++) await (await channel.get("q"))?.reject({ requeue: false });
  const dead = await channel.get("dead-a", { noAck: true });
  expect(dead?.text()).toBe("mine");
  expect(await channel.get("dead-a")).toBeNull();
});
