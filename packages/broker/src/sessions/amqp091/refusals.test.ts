import type { AmqpChannel } from "polymq/amqp091";
import { describe, expect, test } from "vitest";
import { AmqpScene } from "./scene.test-support.ts";

type Call = (channel: AmqpChannel) => Promise<unknown>;
/** What a client does, how, and what it is told. */
type Refusal = [string, Call, number, string];

const QUORUM = { arguments: { "x-queue-type": "quorum" } };

const OF_Q = "for queue 'q' in vhost '/'";

/** Codes and texts as RabbitMQ 3.10 says them. */
describe("a channel ends, in RabbitMQ's words, when a client", () => {
  test.each<Refusal>([
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
      "PRECONDITION_FAILED - Invalid x-match field type signedint (value 5); expected longstr",
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
      "declares a queue of another type",
      (channel) => channel.declareQueue("q", { arguments: { "x-queue-type": "quorum" } }),
      406,
      "PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'q' in vhost '/': received the value 'quorum' of type 'longstr' but current is none",
    ],
    [
      "declares a queue with other dead letters",
      async (channel) => {
        await channel.declareQueue("dying", { arguments: { "x-dead-letter-exchange": "a" } });
        await channel.declareQueue("dying", { arguments: { "x-dead-letter-exchange": "b" } });
      },
      406,
      "PRECONDITION_FAILED - inequivalent arg 'x-dead-letter-exchange' for queue 'dying' in vhost '/': received 'b' but current is 'a'",
    ],
    [
      "names an exchange for dead letters by a number",
      (channel) => channel.declareQueue("r", { arguments: { "x-dead-letter-exchange": 1 } }),
      406,
      "PRECONDITION_FAILED - invalid type 'signedint' for arg 'x-dead-letter-exchange' in queue 'r' in vhost '/'",
    ],
    [
      "names an alternate exchange by a number",
      (channel) => channel.declareExchange("x", "direct", { arguments: { "alternate-exchange": 1 } }),
      406,
      "PRECONDITION_FAILED - invalid type 'signedint' for arg 'alternate-exchange' in exchange 'x' in vhost '/'",
    ],
    [
      "declares a quorum queue for itself",
      (channel) => channel.declareQueue("r", { ...QUORUM, durable: true, exclusive: true }),
      406,
      "PRECONDITION_FAILED - invalid property 'exclusive-owner' for queue 'r' in vhost '/'",
    ],
    [
      "declares a quorum queue that goes with its consumers",
      (channel) => channel.declareQueue("r", { ...QUORUM, autoDelete: true }),
      406,
      "PRECONDITION_FAILED - invalid property 'auto-delete' for queue 'r' in vhost '/'",
    ],
    [
      "declares a quorum queue that no restart leaves",
      (channel) => channel.declareQueue("r", { ...QUORUM, durable: false }),
      406,
      "PRECONDITION_FAILED - invalid property 'non-durable' for queue 'r' in vhost '/'",
    ],
    [
      "declares a stream that no restart leaves",
      (channel) => channel.declareQueue("r", { arguments: { "x-queue-type": "stream" }, durable: false }),
      406,
      "PRECONDITION_FAILED - invalid property 'non-durable' for queue 'r' in vhost '/'",
    ],
    [
      "limits the deliveries of a classic queue",
      (channel) => channel.declareQueue("r", { arguments: { "x-delivery-limit": 3 } }),
      406,
      "PRECONDITION_FAILED - invalid arg 'x-delivery-limit' for queue 'r' in vhost '/' of queue type rabbit_classic_queue",
    ],
    [
      "limits the age of messages of a classic queue",
      (channel) => channel.declareQueue("r", { arguments: { "x-max-age": "7D" } }),
      406,
      "PRECONDITION_FAILED - invalid arg 'x-max-age' for queue 'r' in vhost '/' of queue type rabbit_classic_queue",
    ],
    ...["x-message-ttl", "x-max-priority", "x-overflow"].map(
      (name): Refusal => [
        `declares a stream with ${name}`,
        (channel) => channel.declareQueue("r", { arguments: { "x-queue-type": "stream", [name]: 5 } }),
        406,
        `PRECONDITION_FAILED - invalid arg '${name}' for queue 'r' in vhost '/' of queue type rabbit_stream_queue`,
      ],
    ),
    [
      "deletes a queue that should be empty and is not",
      async (channel) => {
        await channel.publish("", "q", "x");
        await channel.deleteQueue("q", { ifEmpty: true });
      },
      406,
      "PRECONDITION_FAILED - queue 'q' in vhost '/' not empty",
    ],
    [
      "consumes with a priority that is no number",
      (channel) => channel.consume("q", { arguments: { "x-priority": "a" } }),
      406,
      `PRECONDITION_FAILED - invalid arg 'x-priority' ${OF_Q}: "expected integer, got longstr"`,
    ],
    ...(
      [
        ["soon", "no_integer"],
        ["", "no_integer"],
        ["1.5", '{leftover_string,".5"}'],
        ["-1", "{value_negative,-1}"],
        ["99999999999999", "{value_too_large,99999999999999}"],
      ] as const
    ).map(
      ([expiration, why]): Refusal => [
        `publishes with the expiration "${expiration}"`,
        (channel) => channel.publish("", "q", "x", { expiration }),
        406,
        `PRECONDITION_FAILED - invalid expiration '${expiration}': ${why}`,
      ],
    ),
    [
      "publishes copies to something else than a list",
      (channel) => channel.publish("", "q", "x", { headers: { BCC: "a" } }),
      406,
      'PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,"BCC",longstr}',
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

test("the queue of another connection is told whole, however the server has named it", async () => {
  await using scene = await AmqpScene.open();
  const { queue } = await (await (await scene.client()).channel()).declareQueue();
  const other = await (await scene.client()).channel();
  const text = expect.stringMatching(
    /^RESOURCE_LOCKED - .*'amq\.gen-[\w-]{22}' in vhost '\/'.* original declaration\.$/,
  );
  await expect(other.checkQueue(queue)).rejects.toMatchObject({ peer: { code: 405, text } });
});

test.each(["+5", "0000000000060000"])("an expiration of %s is a number", async (expiration) => {
  await using scene = await AmqpScene.open();
  const channel = await (await scene.client()).channel();
  await channel.declareQueue("q");
  await channel.publish("", "q", "x", { expiration });
});

test("an answer that nobody waits for any more is not routed", async () => {
  await using scene = await AmqpScene.open();
  const channel = await (await scene.client()).channel();
  const answer = channel.publish("", "amq.rabbitmq.reply-to.gone", "x", { mandatory: true });
  await expect(answer).rejects.toMatchObject({ code: "ERR_UNROUTABLE", peer: { code: 312, text: "NO_ROUTE" } });
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
