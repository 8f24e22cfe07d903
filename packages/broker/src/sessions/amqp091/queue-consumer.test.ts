import { expect, test } from "vitest";
import type { QueueDelivery, SettleOutcome } from "../../core/queues/queue-port.ts";
import type { HostedSubscription } from "../../core/topology/topology-port.ts";
import type { ChannelConsumer } from "./consumer.ts";
import { AmqpQueueConsumer, type ConsumerLink } from "./queue-consumer.ts";
import type { Unsettled } from "./unsettled.ts";

/** A consumer with a delivery in hand, and what it tells its channel. */
function scene(mode: "work" | "stream" = "work"): {
  consumer: AmqpQueueConsumer;
  inHand: Unsettled[];
  told: string[];
  settled: unknown[];
} {
  const settled: unknown[] = [];
  const inHand: Unsettled[] = [];
  const told: string[] = [];
  const link: ConsumerLink = {
    room: 10,
    deliver: (_terms, _delivery, unsettled) => {
      if (unsettled !== null) inHand.push(unsettled);
      return true;
    },
    onCancelled: (_consumer: ChannelConsumer) => told.push("cancelled"),
    onLeft: (_consumer: ChannelConsumer) => told.push("left"),
  };
  const terms = { tag: "t", tagBytes: new Uint8Array(0), noAck: false, prefetch: 10, isStamped: false };
  const consumer = new AmqpQueueConsumer("c", link, terms);
  consumer.start({
    mode,
    wake: () => undefined,
    settle: (offset: number, { is }: SettleOutcome, ticket: number) => {
      settled.push([offset, is, ticket]);
      return "settled";
    },
    close: () => told.push("closed"),
  } as unknown as HostedSubscription);
  for (let offset = 0; offset < 2; offset++) consumer.deliver({ offset, ticket: 10 + offset } as QueueDelivery);
  return { consumer, inHand, told, settled };
}

test("a settlement says which delivery of the message it means", () => {
  const { inHand, settled } = scene();
  inHand[0]?.requeue();
  inHand[1]?.reject();
  expect(settled).toEqual([
    [0, "nack", 10],
    [1, "reject", 11],
  ]);
});

test("a consumer that is cancelled leaves its group with the last message that it has in hand, and its channel forgets it", () => {
  const { consumer, inHand, told } = scene();
  expect(consumer.cancel()).toBe("leaving");
  inHand[0]?.ack();
  expect(told).toEqual([]);
  inHand[1]?.requeue();
  expect(told).toEqual(["closed", "left"]);
});

test("a consumer that is leaving is forgotten when its queue is deleted, and the client is not told", () => {
  const { consumer, told } = scene();
  consumer.cancel();
  consumer.onCancelled("queue-deleted");
  expect(told).toEqual(["left"]);
});

test("a consumer of a stream is over when it is cancelled", () => {
  const { consumer, told } = scene("stream");
  expect(consumer.cancel()).toBe("over");
  expect(told).toEqual(["closed"]);
});
