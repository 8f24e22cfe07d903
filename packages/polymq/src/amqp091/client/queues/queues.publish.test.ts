import { describe, expect, test } from "vitest";
import { lab, propertiesOf } from "./queue-lab.test-support.ts";

describe("publishToQueue", () => {
  test("publishes to $queue/<queue> of the default exchange with a timestamp, and resolves with the confirm", async () => {
    const { broker, client, now } = await lab("fluxmq");
    await now(client.publishToQueue("orders", "a"));
    await now(client.publishToQueue("orders/eu", "b", { contentType: "text/plain", headers: { n: 1 } }));
    await now(client.publishToQueue("$queue/orders", "c", { routingKey: "us/ny" }));
    const sent = broker.link.published;
    expect(sent.map((each) => [each.exchange, each.routingKey, each.body])).toEqual([
      ["", "$queue/orders", "a"],
      ["", "$queue/orders/eu", "b"],
      ["", "$queue/orders/us/ny", "c"],
    ]);
    expect(propertiesOf(sent[1])).toMatchObject({ contentType: "text/plain", headers: { n: 1 }, deliveryMode: 2 });
    expect(propertiesOf(sent[0]).timestamp).toBe(Math.floor(broker.clock.epochMs() / 1_000));
  });

  test.each(["", "/x", "+/x", "a/$ack", "a/$commit/b", "a\0b"])(
    "a queue called %j is ERR_INVALID_TOPIC",
    async (name) => {
      const { client } = await lab("fluxmq");
      await expect(client.publishToQueue(name, "x")).rejects.toMatchObject({ code: "ERR_INVALID_TOPIC" });
    },
  );

  test("a refusal of the server rejects, and the next publish has another channel after a close", async () => {
    const { broker, client, now } = await lab("fluxmq");
    broker.confirms = "refuse";
    await expect(now(client.publishToQueue("q", "x"))).rejects.toMatchObject({ code: "ERR_PUBLISH_REJECTED" });
    broker.confirms = "by hand";
    const lost = client.publishToQueue("q", "y");
    lost.catch(() => undefined);
    await broker.clock.settle();
    broker.link.closeChannel(403, "ACCESS_REFUSED");
    await expect(now(lost)).rejects.toMatchObject({ code: "ERR_CHANNEL_CLOSED", peer: { code: 403 } });
    broker.confirms = "at once";
    await now(client.publishToQueue("q", "z"));
    expect(broker.link.published.map((each) => each.body)).toEqual(["x", "y", "z"]);
  });

  test("a channel on which the server goes on refusing gives way to another; what it has under way is confirmed first", async () => {
    const { broker, client, now } = await lab("rabbitmq");
    const refused = { code: "ERR_PUBLISH_REJECTED" };
    await now(client.publishToQueue("q", "first"));
    const old = broker.link.channel;
    broker.confirms = "refuse";
    await expect(now(client.publishToQueue("q", "young"))).rejects.toMatchObject(refused);
    expect(broker.link.channel).toBe(old);
    await broker.clock.advance(1_000);
    broker.confirms = "by hand";
    const open = client.publishToQueue("q", "open");
    await broker.clock.settle();
    broker.confirms = "refuse";
    await expect(now(client.publishToQueue("q", "refused"))).rejects.toMatchObject(refused);
    broker.confirms = "at once";
    await now(client.publishToQueue("q", "other"));
    expect(broker.link.channel).not.toBe(old);
    expect(old?.usable).toBe(true);
    if (old !== null) broker.link.engine.confirm(old, 3);
    broker.link.flush();
    await now(open);
    await broker.clock.settle();
    expect(old?.usable).toBe(false);
    expect(broker.link.published.map((each) => each.body)).toEqual(["first", "young", "open", "refused", "other"]);
  });

  test("a channel that refused begins anew with the next connection, with what it had under way", async () => {
    const { broker, client, now } = await lab("rabbitmq");
    await now(client.publishToQueue("q", "first"));
    await broker.clock.advance(1_000);
    broker.confirms = "by hand";
    const open = client.publishToQueue("q", "open");
    await broker.clock.settle();
    broker.confirms = "refuse";
    await expect(now(client.publishToQueue("q", "x"))).rejects.toMatchObject({ code: "ERR_PUBLISH_REJECTED" });
    broker.confirms = "at once";
    broker.down.add("a");
    broker.link.pair.cut();
    await broker.clock.settle();
    const waiting = client.publishToQueue("q", "waiting");
    broker.down.clear();
    await broker.clock.advance(5_000);
    await now(Promise.all([open, waiting]));
    expect(broker.link.published.map((each) => each.body)).toEqual(["open", "waiting"]);
  });

  test("deliverAfterMs is the header x-delay on polymq's broker and ERR_UNSUPPORTED elsewhere", async () => {
    const ours = await lab("polymq");
    await ours.now(ours.client.publishToQueue("q", "x", { deliverAfterMs: 500, headers: { a: 1 } }));
    expect(propertiesOf(ours.broker.link.published[0]).headers).toEqual({ a: 1, "x-delay": 500 });
    for (const other of ["fluxmq", "rabbitmq"] as const) {
      const { client } = await lab(other);
      const refused = client.publishToQueue("q", "x", { deliverAfterMs: 500 });
      await expect(refused).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
    }
  });

  test("RabbitMQ: a queue that is not there is declared once as a durable quorum queue; messages are mandatory", async () => {
    const { broker, client, now, said } = await lab("rabbitmq");
    broker.missing.add("orders");
    await now(Promise.all(["a", "b"].map((body) => client.publishToQueue("orders", body))));
    await now(client.publishToQueue("orders", "c"));
    expect(said("queue.declare")).toMatchObject([
      { queue: "orders", passive: true },
      { queue: "orders", passive: false, durable: true, arguments: { "x-queue-type": "quorum" } },
    ]);
    const sent = broker.link.published;
    expect(sent.map((each) => [each.exchange, each.routingKey, each.body])).toEqual([
      ["", "orders", "a"],
      ["", "orders", "b"],
      ["", "orders", "c"],
    ]);
    await expect(client.publishToQueue("orders/eu", "x")).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
    await expect(now(client.publishToQueue("nowhere", "x"))).rejects.toMatchObject({ code: "ERR_UNROUTABLE" });
  });

  test("a body may be changed as soon as the call returns, also while the queue is being looked for", async () => {
    const { broker, client, now } = await lab("rabbitmq");
    const body = new Uint8Array([97]);
    const sent = client.publishToQueue("orders", body);
    body[0] = 98;
    await now(sent);
    expect(broker.link.published[0]?.body).toBe("a");
  });
});

describe("publish", () => {
  test("goes to the default exchange as it is; RabbitMQ gets it at amq.topic with dots for slashes and back", async () => {
    const fluxmq = await lab("fluxmq");
    await fluxmq.now(fluxmq.client.publish("sensors/temp", "22.5", { type: "t" }));
    expect(fluxmq.broker.link.published).toMatchObject([{ exchange: "", routingKey: "sensors/temp", body: "22.5" }]);
    const rabbitmq = await lab("rabbitmq");
    await rabbitmq.now(rabbitmq.client.publish("sensors/v1.0/temp", "22.5"));
    expect(rabbitmq.broker.link.published).toMatchObject([{ exchange: "amq.topic", routingKey: "sensors.v1/0.temp" }]);
  });

  test("a topic below $queue/ is a queue's", async () => {
    const { broker, client, now } = await lab("rabbitmq");
    await now(client.publish("$queue/orders", "x"));
    expect(broker.link.published).toMatchObject([{ exchange: "", routingKey: "orders" }]);
    await expect(client.publish("$queue/orders/$ack", "x")).rejects.toMatchObject({ code: "ERR_INVALID_TOPIC" });
  });

  test.each(["", "a/+", "#"])("a topic called %j is ERR_INVALID_TOPIC", async (topic) => {
    const { client } = await lab("fluxmq");
    await expect(client.publish(topic, "x")).rejects.toMatchObject({ code: "ERR_INVALID_TOPIC" });
  });

  test("is ERR_NOT_CONNECTED before connect and after disconnect, and waits while reconnecting", async () => {
    const { broker, client, now } = await lab("fluxmq");
    broker.down.add("a");
    broker.link.pair.cut();
    await broker.clock.settle();
    expect(client.state).toBe("reconnecting");
    const waiting = client.publish("t", "late");
    broker.down.clear();
    await broker.clock.advance(2_000);
    await now(waiting);
    expect(broker.link.published.map((each) => each.body)).toEqual(["late"]);
    await now(client.disconnect());
    await expect(client.publish("t", "x")).rejects.toMatchObject({ code: "ERR_NOT_CONNECTED" });
  });
});

describe("the dialect", () => {
  test("comes from the product that the server names, unless the option says it", async () => {
    expect((await lab("fluxmq")).client.dialect).toBe("fluxmq");
    expect((await lab("polymq")).client.dialect).toBe("polymq");
    expect((await lab("rabbitmq")).client.dialect).toBe("rabbitmq");
    expect((await lab("rabbitmq", { dialect: "polymq" })).client.dialect).toBe("polymq");
    await expect(lab("rabbitmq", { dialect: "kafka" as "auto" })).rejects.toMatchObject({
      code: "ERR_INVALID_OPTIONS",
    });
  });
});

describe("what is published to a queue of RabbitMQ that nobody has seen yet", () => {
  test("is sent as it was when it was published, in order, also once the queue is there", async () => {
    const { broker, client, now } = await lab("rabbitmq");
    const body = new Uint8Array(1);
    const sent: Promise<void>[] = [];
    const publish = (text: string): void => {
      body[0] = text.charCodeAt(0);
      sent.push(client.publishToQueue("q", body));
      body[0] = 0;
    };
    publish("a");
    publish("b");
    await now(Promise.all(sent));
    publish("c");
    await now(Promise.all(sent));
    expect(broker.link.published.map((each) => each.body)).toEqual(["a", "b", "c"]);
  });

  test("is bounded while the server does not answer", async () => {
    const { broker, client } = await lab("rabbitmq", { maxWaitingMessages: 2, maxWaitingBytes: 10 });
    broker.silent.add("queue.declare");
    const sent = ["123", "12345678", "4", "5"].map((body) =>
      client.publishToQueue("q", body).catch((error) => error.code),
    );
    await broker.clock.settle();
    client.destroy();
    await broker.clock.settle();
    expect(await Promise.all(sent)).toEqual([
      "ERR_CONNECTION_LOST",
      "ERR_OUTBOUND_BACKPRESSURE",
      "ERR_CONNECTION_LOST",
      "ERR_OUTBOUND_BACKPRESSURE",
    ]);
  });
});
