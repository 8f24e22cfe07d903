import { describe, expect, test } from "vitest";
import { webText } from "../../bytes/text.ts";
import { encodeProperties } from "../codec/properties.ts";
import { connected } from "./fake-broker.test-support.ts";
import type { AmqpMessage } from "./message.ts";

describe("a connection that breaks while the topology is restored", () => {
  test("is followed by the next one, on which everything is declared", async () => {
    const { broker, client } = await connected();
    const channel = await broker.now(client.channel());
    await broker.now(channel.declareExchange("x", "fanout"));
    await broker.now(channel.declareQueue("q"));
    broker.silent.add("queue.declare");
    broker.link.pair.cut();
    await broker.clock.advance(10);
    expect([broker.links.length, client.state]).toEqual([2, "reconnecting"]);
    broker.silent.clear();
    broker.link.pair.cut();
    await broker.clock.advance(5_000);
    expect([broker.links.length, client.state]).toEqual([3, "connected"]);
    const declared = broker.link.methods.map((each) => each.method);
    expect(declared).toEqual(["exchange.declare", "queue.declare", "confirm.select"]);
    await broker.now(channel.publish("", "q", "x"));
  });
});

describe("a server that does not answer while the topology is restored", () => {
  test("loses its connection after recoveryTimeoutMs to the next one", async () => {
    const { broker, client } = await connected({ recoveryTimeoutMs: 500 });
    const channel = await broker.now(client.channel());
    await broker.now(channel.consume("q"));
    broker.silent.add("basic.consume");
    broker.link.pair.cut();
    await broker.clock.advance(10);
    expect([broker.links.length, client.state]).toEqual([2, "reconnecting"]);
    broker.silent.clear();
    await broker.clock.advance(5_000);
    expect([broker.links.length, client.state]).toEqual([3, "connected"]);
    expect(broker.link.methods.map((each) => each.method)).toContain("basic.consume");
    await broker.now(client.close());
    expect(broker.clock.pendingTimers).toBe(0);
  });
});

describe("a server that allows fewer channels than the last one", () => {
  test("ends those that do not fit with ERR_CHANNEL_MAX, and the rest is restored", async () => {
    const { broker, client, events } = await connected();
    const [first, second, third] = [
      await broker.now(client.channel()),
      await broker.now(client.channel({ confirms: false })),
      await broker.now(client.channel()),
    ];
    await broker.now(first.declareQueue("q"));
    const [kept, lost] = [await broker.now(second.consume("q")), await broker.now(third.consume("q"))];
    broker.channelMax = 2;
    broker.down.add("a");
    broker.link.pair.cut();
    await broker.clock.settle();
    const waiting = third.publish("", "q", "x");
    waiting.catch(() => undefined);
    broker.down.clear();
    await broker.clock.advance(10_000);
    const full = { code: "ERR_CHANNEL_MAX" };
    expect(client.state).toBe("connected");
    await expect(broker.now(third.closed)).resolves.toMatchObject(full);
    await expect(broker.now(lost.closed)).resolves.toMatchObject(full);
    await expect(broker.now(waiting)).rejects.toMatchObject(full);
    await expect(broker.now(third.declareQueue("r"))).rejects.toMatchObject(full);
    expect(events.slice(1)).toMatchObject([{ type: "channelClosed", error: full }]);
    await broker.now(first.publish("", "q", "y"));
    const consumed = broker.link.methods.flatMap((each) => (each.method === "basic.consume" ? [each.consumerTag] : []));
    expect(consumed).toEqual([kept.consumerTag]);
    await expect(broker.now(client.channel())).rejects.toMatchObject(full);
  });

  test("has room for as many as it allows: the channel that declares is closed before", async () => {
    const { broker, client, events } = await connected();
    const channel = await broker.now(client.channel({ confirms: false }));
    await broker.now(channel.declareQueue("q"));
    broker.channelMax = 1;
    broker.link.pair.cut();
    await broker.clock.advance(10_000);
    expect([client.state, events.map((each) => each.type)]).toEqual(["connected", ["connectionLost"]]);
    await broker.now(channel.declareQueue("q"));
  });
});

describe("transactions", () => {
  test("select, commit and roll back on a channel without confirms, and are selected again after a reconnect", async () => {
    const { broker, client } = await connected();
    const confirming = await broker.now(client.channel());
    await expect(broker.now(confirming.txSelect())).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
    const channel = await broker.now(client.channel({ confirms: false }));
    await broker.now(channel.txSelect());
    await channel.publish("", "q", "x");
    await broker.now(channel.txCommit());
    await broker.now(channel.txRollback());
    const said = (): string[] =>
      broker.link.methods.map((each) => each.method).filter((each) => each.startsWith("tx."));
    expect(said()).toEqual(["tx.select", "tx.commit", "tx.rollback"]);
    broker.link.pair.cut();
    await broker.clock.advance(10);
    expect(said()).toEqual(["tx.select"]);
  });
});

describe("a transaction that is open when the connection is lost", () => {
  test("is not committed in parts: its commit fails, and the next one is whole", async () => {
    const { broker, client } = await connected();
    const channel = await broker.now(client.channel({ confirms: false }));
    await broker.now(channel.txSelect());
    await channel.publish("", "q", "lost");
    broker.link.pair.cut();
    await broker.clock.advance(10);
    await channel.publish("", "q", "rest");
    await expect(broker.now(channel.txCommit())).rejects.toMatchObject({ code: "ERR_CONNECTION_LOST" });
    await channel.publish("", "q", "next");
    await broker.now(channel.txCommit());
    const said = broker.link.methods.map((each) => each.method).filter((each) => each.startsWith("tx."));
    expect(said).toEqual(["tx.select", "tx.rollback", "tx.commit"]);
  });

  test.each(["ack", "nack", "reject"] as const)("fails its commit when it held nothing but %s", async (how) => {
    const { broker, client } = await connected();
    const channel = await broker.now(client.channel({ confirms: false }));
    const consumer = await broker.now(channel.consume("q"));
    const messages = consumer[Symbol.asyncIterator]();
    const take = async (body: string): Promise<AmqpMessage> => {
      broker.link.deliver(consumer.consumerTag, body);
      const { value } = await broker.now(messages.next());
      return value as AmqpMessage;
    };
    const cut = async (): Promise<void> => {
      broker.link.pair.cut();
      await broker.clock.advance(10_000);
    };
    (await take("before"))[how]();
    await broker.now(channel.txSelect());
    await cut();
    (await take("a"))[how]();
    await cut();
    await expect(broker.now(channel.txCommit())).rejects.toMatchObject({ code: "ERR_CONNECTION_LOST" });
    (await take("b"))[how]();
    await broker.now(channel.txCommit());
    await cut();
    (await take("c"))[how]();
    await broker.now(channel.txRollback());
    await cut();
    await broker.now(channel.txCommit());
  });

  test("does not take what is settled after the call that ends it", async () => {
    const { broker, client } = await connected();
    const channel = await broker.now(client.channel({ confirms: false }));
    const consumer = await broker.now(channel.consume("q"));
    await broker.now(channel.txSelect());
    const messages = consumer[Symbol.asyncIterator]();
    const take = async (body: string): Promise<AmqpMessage> => {
      broker.link.deliver(consumer.consumerTag, body);
      return (await broker.now(messages.next())).value as AmqpMessage;
    };
    (await take("lost")).ack();
    broker.link.pair.cut();
    await broker.clock.advance(10_000);
    const [rest, next] = [await take("rest"), await take("next")];
    rest.ack();
    const ended = channel.txCommit();
    next.ack();
    await expect(broker.now(ended)).rejects.toMatchObject({ code: "ERR_CONNECTION_LOST" });
    await broker.now(channel.txCommit());
    expect(broker.link.settledBefore).toEqual([1, 2]);
  });

  test("and empty then is nothing to lose", async () => {
    const { broker, client } = await connected();
    const channel = await broker.now(client.channel({ confirms: false }));
    await broker.now(channel.txSelect());
    await channel.publish("", "q", "x");
    await broker.now(channel.txCommit());
    broker.link.pair.cut();
    await broker.clock.advance(10);
    await channel.publish("", "q", "y");
    await broker.now(channel.txCommit());
  });

  test("a commit waits for what is published before it and has to wait for room", async () => {
    const { broker, client } = await connected();
    const channel = await broker.now(client.channel({ confirms: false }));
    await broker.now(channel.txSelect());
    broker.link.engine.sendBlocked("memory");
    await broker.clock.settle();
    const sent = channel.publish("", "q", "x");
    const committed = channel.txCommit();
    await broker.clock.settle();
    expect(broker.link.methods.map((each) => each.method)).not.toContain("tx.commit");
    broker.link.engine.sendBlocked(null);
    await broker.now(Promise.all([sent, committed]));
    expect(broker.link.published.map((each) => each.body)).toEqual(["x"]);
  });
});

describe("a consumer that is cancelled while its channel is restored", () => {
  test("is not started again", async () => {
    const { broker, client } = await connected();
    const channel = await broker.now(client.channel());
    const [first, second] = [await broker.now(channel.consume("a")), await broker.now(channel.consume("b"))];
    for (const each of ["basic.consume", "basic.cancel"]) broker.silent.add(each);
    broker.link.pair.cut();
    await broker.clock.advance(10);
    const cancelled = second.cancel();
    await broker.clock.settle();
    broker.silent.clear();
    broker.link.send({ method: "basic.consume-ok", consumerTag: first.consumerTag });
    await broker.clock.settle();
    broker.link.send({ method: "basic.cancel-ok", consumerTag: second.consumerTag });
    await broker.now(cancelled);
    const consumed = broker.link.methods.flatMap((each) => (each.method === "basic.consume" ? [each.queue] : []));
    expect([client.state, consumed]).toEqual(["connected", ["a"]]);
  });
});

describe("names of server-named queues", () => {
  test("stand for the queue until it is deleted", async () => {
    const { broker, client } = await connected();
    const channel = await broker.now(client.channel());
    const { queue } = await broker.now(channel.declareQueue());
    broker.link.pair.cut();
    await broker.clock.advance(10);
    await broker.now(channel.bindQueue(queue, "x"));
    await broker.now(channel.deleteQueue(queue));
    await broker.now(channel.bindQueue(queue, "x"));
    const said = broker.link.methods.flatMap((each) => (each.method === "queue.bind" ? [each.queue] : []));
    expect(said).toEqual(["gen-2", "gen-1"]);
  });
});

describe("recover", () => {
  test("asks for everything unsettled again; what was in hand can no longer be settled", async () => {
    const { broker, client } = await connected();
    const channel = await broker.now(client.channel());
    const consumer = await broker.now(channel.consume("q"));
    for (const body of ["a", "waits"]) broker.link.deliver(consumer.consumerTag, body);
    const messages = consumer[Symbol.asyncIterator]();
    const { value: first } = await broker.now(messages.next());
    await broker.now(channel.recover());
    await broker.now(channel.recover({ requeue: false }));
    const said = broker.link.methods.filter((each) => each.method === "basic.recover");
    expect(said).toMatchObject([{ requeue: true }, { requeue: false }]);
    expect(() => first?.ack()).toThrow(expect.objectContaining({ code: "ERR_ALREADY_SETTLED" }));
    broker.link.deliver(consumer.consumerTag, "a");
    const { value: again } = await broker.now(messages.next());
    again?.ack();
    await broker.clock.settle();
    expect(broker.link.settled).toEqual(["ack a"]);
  });
});

describe("recover", () => {
  test("leaves to the server what is on its way while it is asked: it delivers that again", async () => {
    const { broker, client } = await connected();
    const channel = await broker.now(client.channel());
    const seen: string[] = [];
    const consumer = await broker.now(channel.consume("q", { handler: (each) => void seen.push(each.text()) }));
    broker.silent.add("basic.recover");
    const recovered = channel.recover();
    await broker.clock.settle();
    broker.link.deliver(consumer.consumerTag, "early");
    await broker.clock.settle();
    expect([seen, broker.link.settled]).toEqual([[], []]);
    broker.link.send({ method: "basic.recover-ok" });
    broker.link.deliver(consumer.consumerTag, "again");
    await broker.now(recovered);
    expect([seen, broker.link.settled]).toEqual([["again"], ["ack again"]]);
  });

  test("takes nothing from a consumer that acknowledges nothing", async () => {
    const { broker, client } = await connected();
    const channel = await broker.now(client.channel());
    const consumer = await broker.now(channel.consume("q", { noAck: true }));
    broker.link.deliver(consumer.consumerTag, "a");
    broker.silent.add("basic.recover");
    const recovered = channel.recover();
    await broker.clock.settle();
    broker.link.deliver(consumer.consumerTag, "b");
    broker.link.send({ method: "basic.recover-ok" });
    await broker.now(recovered);
    const messages = consumer[Symbol.asyncIterator]();
    const bodies = [await broker.now(messages.next()), await broker.now(messages.next())];
    expect(bodies.map(({ value }) => value?.text())).toEqual(["a", "b"]);
  });
});

describe("what a consumer without acknowledgements has not read when the connection is lost", () => {
  test("is read all the same: the server does not have it any more", async () => {
    const { broker, client } = await connected();
    const channel = await broker.now(client.channel());
    const consumer = await broker.now(channel.consume("q", { noAck: true }));
    broker.link.deliver(consumer.consumerTag, "a");
    await broker.clock.settle();
    broker.link.pair.cut();
    await broker.clock.advance(10_000);
    const { value } = await broker.now(consumer[Symbol.asyncIterator]().next());
    expect(value?.text()).toBe("a");
  });
});

describe("exchange-to-exchange bindings", () => {
  test("are made, taken away, and restored while they stand", async () => {
    const { broker, client } = await connected();
    const channel = await broker.now(client.channel());
    for (const name of ["a", "b"]) await broker.now(channel.declareExchange(name, "topic"));
    await broker.now(channel.bindExchange("b", "a", "k.#", { n: 1 }));
    await broker.now(channel.bindExchange("b", "a", "other"));
    await broker.now(channel.unbindExchange("b", "a", "other"));
    const said = (): unknown[] =>
      broker.link.methods.flatMap((each) =>
        each.method === "exchange.bind" || each.method === "exchange.unbind" ? [[each.method, each.routingKey]] : [],
      );
    expect(said()).toEqual([
      ["exchange.bind", "k.#"],
      ["exchange.bind", "other"],
      ["exchange.unbind", "other"],
    ]);
    broker.link.pair.cut();
    await broker.clock.advance(10);
    expect(said()).toEqual([["exchange.bind", "k.#"]]);
  });
});

describe("what a server begins", () => {
  test("a close of the connection is told with its code, and the client comes back", async () => {
    const { broker, client, events } = await connected();
    broker.link.engine.close(320, "CONNECTION_FORCED - maintenance");
    broker.link.flush();
    await broker.clock.settle();
    expect(events[0]).toMatchObject({
      type: "connectionLost",
      error: { code: "ERR_SERVER_DISCONNECT", peer: { code: 320, text: "CONNECTION_FORCED - maintenance" } },
    });
    await broker.clock.advance(5_000);
    expect([client.state, broker.links.length]).toEqual(["connected", 2]);
  });

  test("blocked and unblocked are events with the reason", async () => {
    const { broker, client } = await connected();
    const told: string[] = [];
    client.on("blocked", (event) => void told.push(`blocked ${event.reason}`));
    client.on("unblocked", () => void told.push(`unblocked ${client.blocked}`));
    broker.link.engine.sendBlocked("low on disk");
    await broker.clock.settle();
    expect(client.blocked).toBe(true);
    broker.link.engine.sendBlocked(null);
    await broker.clock.settle();
    expect(told).toEqual(["blocked low on disk", "unblocked false"]);
    broker.link.engine.sendBlocked("again");
    await broker.clock.settle();
    broker.link.pair.cut();
    await broker.clock.settle();
    expect(told.slice(2)).toEqual(["blocked again", "unblocked false"]);
  });

  test("an answer to update-secret resolves, and without a connection it is ERR_NOT_CONNECTED", async () => {
    const { broker, client } = await connected();
    await broker.now(client.updateSecret(new Uint8Array([1, 2]), "expires"));
    expect(broker.secrets).toEqual(["\u0001\u0002 expires"]);
    broker.silent.add("connection.update-secret");
    const open = client.updateSecret("x");
    open.catch(() => undefined);
    await broker.clock.settle();
    broker.down.add("a");
    broker.link.pair.cut();
    await expect(broker.now(open)).rejects.toMatchObject({ code: "ERR_CONNECTION_LOST" });
    await expect(client.updateSecret("x")).rejects.toMatchObject({ code: "ERR_NOT_CONNECTED" });
  });

  test("a secret that the server answers with the end of the connection fails with its words", async () => {
    const { broker, client } = await connected();
    broker.silent.add("connection.update-secret");
    const open = client.updateSecret("x");
    await broker.clock.settle();
    broker.link.engine.close(530, "NOT_ALLOWED - expired");
    broker.link.flush();
    await expect(broker.now(open)).rejects.toMatchObject({ code: "ERR_SERVER_DISCONNECT", peer: { code: 530 } });
  });

  test("a message for a consumer that is gone is given back", async () => {
    const { broker, client } = await connected();
    const channel = await broker.now(client.channel());
    const consumer = await broker.now(channel.consume("q"));
    await broker.now(consumer.cancel());
    broker.link.deliver(consumer.consumerTag, "late", encodeProperties(webText(), {}));
    await broker.clock.settle();
    expect(broker.link.settled).toEqual(["nack late requeue"]);
  });
});
