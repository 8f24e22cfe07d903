import { describe, expect, test } from "vitest";
import type { AmqpChannel } from "./channel.ts";
import { connected, type FakeBroker } from "./fake-broker.test-support.ts";

/** What is declared and bound on the next connection. */
async function restored(broker: FakeBroker): Promise<string[]> {
  broker.link.pair.cut();
  await broker.clock.advance(10_000);
  return broker.link.methods.flatMap((each) => {
    if (each.method === "queue.declare") return [each.queue];
    if (each.method === "exchange.declare") return [each.exchange];
    if (each.method === "queue.bind") return [`${each.exchange} to ${each.queue}`];
    return each.method === "exchange.bind" ? [`${each.source} to ${each.destination}`] : [];
  });
}

async function bound(broker: FakeBroker, channel: AmqpChannel): Promise<void> {
  await broker.now(channel.declareQueue("q", { autoDelete: true }));
  await broker.now(channel.bindQueue("q", "amq.fanout"));
}

describe("an auto-delete queue", () => {
  test("that never had a consumer comes back", async () => {
    const { broker, client } = await connected();
    await bound(broker, await broker.now(client.channel()));
    expect(await restored(broker)).toEqual(["q", "amq.fanout to q"]);
  });

  test("whose last consumer was cancelled is gone, and does not come back with its bindings", async () => {
    const { broker, client } = await connected();
    const channel = await broker.now(client.channel());
    await bound(broker, channel);
    const [first, second] = [await broker.now(channel.consume("q")), await broker.now(channel.consume("q"))];
    await broker.now(first.cancel());
    expect(await restored(broker)).toEqual(["q", "amq.fanout to q"]);
    await broker.now(second.cancel());
    expect(await restored(broker)).toEqual([]);
  });

  test("whose last consumer is cancelled while there is no connection does not come back", async () => {
    const { broker, client } = await connected();
    const channel = await broker.now(client.channel());
    await bound(broker, channel);
    const consumer = await broker.now(channel.consume("q"));
    broker.down.add("a");
    broker.link.pair.cut();
    await broker.clock.settle();
    await broker.now(consumer.cancel());
    broker.down.clear();
    await broker.clock.advance(10_000);
    expect(await restored(broker)).toEqual([]);
  });

  test.each([
    ["we close", (_: FakeBroker, channel: AmqpChannel) => channel.close()],
    [
      "the server closes",
      async (broker: FakeBroker) => {
        broker.link.closeChannel(406, "PRECONDITION_FAILED - no");
        await broker.clock.settle();
      },
    ],
    [
      "the server took its consumer from",
      async (broker: FakeBroker, _: AmqpChannel, consumerTag: string) => {
        broker.link.send({ method: "basic.cancel", consumerTag, noWait: true });
        await broker.clock.settle();
      },
    ],
  ])("whose last consumer was on a channel that %s does not come back", async (_, ends) => {
    const { broker, client } = await connected();
    const channel = await broker.now(client.channel());
    await bound(broker, channel);
    const { consumerTag } = await broker.now(channel.consume("q"));
    await broker.now(ends(broker, channel, consumerTag));
    expect(await restored(broker)).toEqual([]);
  });

  test("which another channel consumes as well comes back", async () => {
    const { broker, client } = await connected();
    const [one, other] = [await broker.now(client.channel()), await broker.now(client.channel())];
    await bound(broker, one);
    await broker.now(one.consume("q"));
    await broker.now(other.consume("q"));
    await broker.now(one.close());
    expect(await restored(broker)).toEqual(["q", "amq.fanout to q"]);
  });

  test("with a name from the server is known by the name that it has now", async () => {
    const { broker, client } = await connected();
    const channel = await broker.now(client.channel());
    const { queue } = await broker.now(channel.declareQueue("", { autoDelete: true }));
    const consumer = await broker.now(channel.consume(queue));
    expect(await restored(broker)).toEqual([""]);
    await broker.now(consumer.cancel());
    expect(await restored(broker)).toEqual([]);
  });

  test("that refused its only consumer is still there, and comes back", async () => {
    const { broker, client } = await connected();
    const channel = await broker.now(client.channel());
    await bound(broker, channel);
    broker.silent.add("basic.consume");
    const refused = channel.consume("q");
    refused.catch(() => undefined);
    await broker.clock.settle();
    broker.link.closeChannel(403, "ACCESS_REFUSED - queue 'q' in exclusive use");
    await expect(broker.now(refused)).rejects.toMatchObject({ code: "ERR_CHANNEL_CLOSED" });
    expect(await restored(broker)).toEqual(["q", "amq.fanout to q"]);
  });
});

describe("an auto-delete exchange", () => {
  test("is gone with the last binding from it, and so is what hung on that alone", async () => {
    const { broker, client } = await connected();
    const channel = await broker.now(client.channel());
    for (const name of ["outer", "inner"])
      await broker.now(channel.declareExchange(name, "fanout", { autoDelete: true }));
    await broker.now(channel.declareQueue("q"));
    await broker.now(channel.bindExchange("inner", "outer"));
    await broker.now(channel.bindQueue("q", "inner", "1"));
    await broker.now(channel.bindQueue("q", "inner", "2"));
    await broker.now(channel.unbindQueue("q", "inner", "1"));
    expect(await restored(broker)).toEqual(["outer", "inner", "q", "outer to inner", "inner to q"]);
    await broker.now(channel.unbindQueue("q", "inner", "2"));
    expect(await restored(broker)).toEqual(["q"]);
  });

  test("is gone with a queue that was the last one bound to it", async () => {
    const { broker, client } = await connected();
    const channel = await broker.now(client.channel());
    await broker.now(channel.declareExchange("x", "fanout", { autoDelete: true }));
    await broker.now(channel.declareQueue("q"));
    await broker.now(channel.bindQueue("q", "x"));
    await broker.now(channel.deleteQueue("q"));
    expect(await restored(broker)).toEqual([]);
  });

  test("that nothing was bound to yet comes back", async () => {
    const { broker, client } = await connected();
    const channel = await broker.now(client.channel());
    await broker.now(channel.declareExchange("x", "fanout", { autoDelete: true }));
    expect(await restored(broker)).toEqual(["x"]);
  });
});
