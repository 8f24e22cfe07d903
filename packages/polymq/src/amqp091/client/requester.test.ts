import { describe, expect, test } from "vitest";
import { webText } from "../../bytes/text.ts";
import { encodeProperties } from "../codec/properties.ts";
import type { AmqpChannel } from "./channel.ts";
import type { AmqpMessage } from "./message.ts";
import { type Lab, lab, propertiesOf } from "./queues/queue-lab.test-support.ts";

/** Answers the request that was published at `index`. */
async function answer({ broker, said }: Lab, body: string, index = -1): Promise<void> {
  const { correlationId } = propertiesOf(broker.link.published.at(index));
  const [consume] = said("basic.consume").filter((each) => each.noAck);
  broker.link.deliver(consume?.consumerTag ?? "", body, encodeProperties(webText(), { correlationId }));
  await broker.clock.settle();
}

describe("request", () => {
  test("publishes with the address of direct reply-to and a correlation id, and resolves with its own answer", async () => {
    const stage = await lab("rabbitmq");
    const { broker, client, now, said } = stage;
    const channel = await now(client.channel());
    const first = channel.request("x", "rpc", "1", { type: "t" });
    const second = channel.request("", "rpc", "2");
    await broker.clock.settle();
    expect(said("basic.consume")).toMatchObject([{ queue: "amq.rabbitmq.reply-to", noAck: true }]);
    const sent = broker.link.published;
    expect(sent).toMatchObject([
      { exchange: "x", routingKey: "rpc", body: "1" },
      { exchange: "", body: "2" },
    ]);
    expect(propertiesOf(sent[0])).toMatchObject({ replyTo: "amq.rabbitmq.reply-to", type: "t" });
    await answer(stage, "two", 1);
    await answer(stage, "nobody asked");
    await answer(stage, "one", 0);
    expect([(await now(first)).text(), (await now(second)).text()]).toEqual(["one", "two"]);
  });

  test("several at once on a channel that is still opening consume answers once", async () => {
    const { broker, client, said } = await lab("rabbitmq");
    for (const body of ["a", "b"]) client.request("rpc", body).catch(() => undefined);
    await broker.clock.settle();
    expect([said("basic.consume").length, broker.link.published.length]).toEqual([1, 2]);
  });

  test("on FluxMQ, which has no direct reply-to, answers come to a topic that nobody else knows", async () => {
    const stage = await lab("fluxmq");
    const asked = stage.client.request("services/time", "?");
    await stage.broker.clock.settle();
    const [consume] = stage.said("basic.consume");
    expect(consume?.queue).toMatch(/^polymq-[0-9a-f]{16}-\d+$/);
    expect(propertiesOf(stage.broker.link.published[0]).replyTo).toBe(consume?.queue);
    await answer(stage, "noon");
    expect((await stage.now(asked)).text()).toBe("noon");
  });

  test("without an answer within timeoutMs it is ERR_TIMEOUT, and a signal gives up with ERR_ABORTED", async () => {
    const stage = await lab("rabbitmq");
    const { broker, client, now } = stage;
    const late = client.request("rpc", "x", { timeoutMs: 50 });
    late.catch(() => undefined);
    const abort = new AbortController();
    const given = client.request("rpc", "x", { signal: abort.signal });
    given.catch(() => undefined);
    await broker.clock.settle();
    abort.abort();
    await expect(now(given)).rejects.toMatchObject({ code: "ERR_ABORTED" });
    await broker.clock.advance(50);
    await expect(now(late)).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    await answer(stage, "too late", 0);
    await expect(client.request("rpc", "x", { timeoutMs: 0 })).rejects.toMatchObject({ code: "ERR_INVALID_ARGUMENT" });
    await now(client.close());
    expect(broker.clock.pendingTimers).toBe(0);
  });

  test.each([true, false])("one that no queue takes rejects with UnroutableError (confirms: %s)", async (confirms) => {
    const { client, now } = await lab("rabbitmq");
    const channel = await now(client.channel({ confirms }));
    const lost = now(channel.request("", "nowhere", "x"));
    await expect(lost).rejects.toMatchObject({ code: "ERR_UNROUTABLE", peer: { code: 312 } });
  });

  test("is answered although the handler that awaits it holds up the reading", async () => {
    const stage = await lab("rabbitmq");
    const { broker, client, now } = stage;
    const done: string[] = [];
    const channel = await now(client.channel());
    const handler = async (message: AmqpMessage): Promise<void> => {
      done.push(`${message.text()} ${(await channel.request("", "rpc", "?")).text()}`);
    };
    const consumer = await now(channel.consume("q", { handler, noAck: true, highWaterMark: 1 }));
    for (const body of ["a", "b", "c"]) broker.link.deliver(consumer.consumerTag, body);
    await broker.clock.settle();
    const [, replies] = stage.said("basic.consume");
    for (let i = 0; i < 3; i++) {
      const { correlationId } = propertiesOf(broker.link.published[i]);
      broker.link.deliver(replies?.consumerTag ?? "", `answer ${i}`, encodeProperties(webText(), { correlationId }));
      await broker.clock.settle();
    }
    expect(done).toEqual(["a answer 0", "b answer 1", "c answer 2"]);
  });

  test("a lost connection fails what the server has had, and sends the rest again", async () => {
    const stage = await lab("rabbitmq");
    const { broker, client, now, reconnect } = stage;
    const had = client.request("rpc", "had");
    had.catch(() => undefined);
    await broker.clock.settle();
    broker.confirms = "by hand";
    const unconfirmed = client.request("rpc", "unconfirmed");
    await broker.clock.settle();
    await reconnect();
    await expect(now(had)).rejects.toMatchObject({ code: "ERR_CONNECTION_LOST" });
    expect(broker.link.published.map((each) => each.body)).toEqual(["unconfirmed"]);
    await answer(stage, "yes");
    expect((await now(unconfirmed)).text()).toBe("yes");
  });

  test("what is open when the channel ends fails with its error", async () => {
    const { broker, client, now } = await lab("rabbitmq");
    const channel: AmqpChannel = await now(client.channel());
    const asked = channel.request("", "rpc", "x");
    asked.catch(() => undefined);
    await broker.clock.settle();
    broker.link.closeChannel(406, "PRECONDITION_FAILED");
    await expect(now(asked)).rejects.toMatchObject({ code: "ERR_CHANNEL_CLOSED", peer: { code: 406 } });
    await expect(channel.request("", "rpc", "x")).rejects.toMatchObject({ code: "ERR_CHANNEL_CLOSED" });
  });
});

describe("respond", () => {
  test("answers to replyTo with the correlation id, then acknowledges; a failure is rejected", async () => {
    const { broker, client, now, deliver, events } = await lab("rabbitmq");
    const consumer = await now(
      client.respond("rpc", (request) => {
        if (request.text() === "bad") throw new Error("no");
        return `echo ${request.text()}`;
      }),
    );
    await deliver("a", { replyTo: "amq.rabbitmq.reply-to.x", correlationId: "7" });
    await deliver("nobody waits");
    await deliver("bad", { replyTo: "r" });
    expect(broker.link.published).toMatchObject([
      { exchange: "", routingKey: "amq.rabbitmq.reply-to.x", body: "echo a" },
    ]);
    expect(propertiesOf(broker.link.published[0])).toMatchObject({ correlationId: "7", deliveryMode: 1 });
    expect(broker.link.settled).toEqual(["ack a", "ack nobody waits", "nack bad"]);
    expect(events.map((each) => each.type)).toEqual(["handlerError"]);
    await now(consumer.cancel());
    await expect(now(client.respond("refused", () => "", { prefetch: -1 }))).rejects.toMatchObject({
      code: "ERR_INVALID_OPTIONS",
    });
  });
});
