import type { Hub, MemoryBroker } from "@polymq/broker/testing";

type Subscribe = Hub["queues"]["subscribe"];
type Request = Parameters<Subscribe>[1];

/** A consumer, as the queue core sees it. */
export type CoreConsumer = Request["consumer"];

/** A membership in a group, as the queue core hands it out. */
export type CoreSubscription = ReturnType<Subscribe>;

/** One delivery, as the queue core makes it. */
export type CoreDelivery = Parameters<CoreConsumer["deliver"]>[0];

/** Told of a delivery and of the consumer that gets it. */
export type OnDelivery = (delivery: CoreDelivery, consumerId: string) => void;

/** Tells of every delivery of a broker's queues at the moment at which the core makes it, whoever consumes. */
export function watchDeliveries(broker: MemoryBroker, onDelivery: OnDelivery): void {
  const { queues } = broker.hub;
  const subscribe: Subscribe = queues.subscribe.bind(queues);
  queues.subscribe = (queue, request) =>
    subscribe(queue, { ...request, consumer: watched(request.consumer, onDelivery) });
}

function watched(consumer: CoreConsumer, onDelivery: OnDelivery): CoreConsumer {
  return {
    id: consumer.id,
    get credit() {
      return consumer.credit;
    },
    deliver: (delivery) => {
      onDelivery(delivery, consumer.id);
      consumer.deliver(delivery);
    },
    onCancelled: (reason) => consumer.onCancelled(reason),
  };
}

/** The id of a message: what stands before the first "|" of its payload. */
export function idOf(payload: Uint8Array): string {
  return new TextDecoder().decode(payload).split("|")[0] ?? "";
}
