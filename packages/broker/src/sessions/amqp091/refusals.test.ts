import type { AmqpChannel } from "polymq/amqp091";
import { describe, expect, test } from "vitest";
import { AmqpScene } from "./scene.test-support.ts";

type Call = (channel: AmqpChannel) => Promise<unknown>;

const OF_Q = "for queue 'q' in vhost '/'";

/** Codes and texts as RabbitMQ 3.10 says them. */
describe("a channel ends, in RabbitMQ's words, when a client", () => {
  test.each<[string, Call, number, string]>([
    [
      "looks for the default exchange",
      (channel) => channel.checkExchange(""),
      403,
      "ACCESS_REFUSED - operation not permitted on the default exchange",
    ],
    [
      "deletes an exchange that is there from the beginning",
      (channel) => channel.deleteExchange("amq.direct"),
      403,
      "ACCESS_REFUSED - deletion of system exchange 'amq.direct' in vhost '/' not allowed",
    ],
    [
      "matches headers in a way that there is none of",
      (channel) => channel.bindQueue("q", "amq.headers", "", { "x-match": "some" }),
      406,
      'PRECONDITION_FAILED - Invalid x-match field value <<"some">>; expected all, any, all-with-x, or any-with-x',
    ],
    [
      "matches headers by a number",
      (channel) => channel.bindQueue("q", "amq.headers", "", { "x-match": 5 }),
      406,
      "PRECONDITION_FAILED - Invalid x-match field type signedint; expected longstr",
    ],
    [
      "gives a text for a number",
      (channel) => channel.declareQueue("q", { arguments: { "x-message-ttl": "a" } }),
      406,
      `PRECONDITION_FAILED - invalid arg 'x-message-ttl' ${OF_Q}: "expected integer, got longstr"`,
    ],
    [
      "declares a queue of a type that there is none of",
      (channel) => channel.declareQueue("q", { arguments: { "x-queue-type": "nope" } }),
      406,
      `PRECONDITION_FAILED - invalid arg 'x-queue-type' ${OF_Q}: "unsupported queue type 'nope'"`,
    ],
    [
      "declares a queue with another number",
      async (channel) => {
        await channel.declareQueue("timed", { arguments: { "x-message-ttl": 6 } });
        await channel.declareQueue("timed", { arguments: { "x-message-ttl": 5 } });
      },
      406,
      "PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue 'timed' in vhost '/': received '5' but current is '6'",
    ],
    [
      "wants a queue for itself that is for everybody",
      (channel) => channel.declareQueue("q", { durable: true, exclusive: true }),
      405,
      "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.",
    ],
    [
      "looks for somebody who waits for answers, and nobody does",
      (channel) => channel.checkQueue("amq.rabbitmq.reply-to.nobody"),
      404,
      "NOT_FOUND - no queue 'amq.rabbitmq.reply-to.nobody' in vhost '/'",
    ],
  ])("%s", async (_, call, code, text) => {
    await using scene = await AmqpScene.open();
    const channel = await (await scene.client()).channel();
    await channel.declareQueue("q");
    await expect(call(channel)).rejects.toMatchObject({ peer: { code, text } });
  });
});

test("what is not bound can be unbound, also when there is no such queue or exchange", async () => {
  await using scene = await AmqpScene.open();
  const channel = await (await scene.client()).channel();
  await channel.declareQueue("q");
  await channel.unbindQueue("q", "amq.direct", "k");
  await channel.unbindQueue("missing", "amq.direct", "k");
  await channel.unbindQueue("q", "missing", "k");
  await channel.unbindExchange("missing", "amq.direct", "k");
});
