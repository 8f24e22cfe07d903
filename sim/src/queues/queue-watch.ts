import type { Hub, MemoryBroker } from "@polymq/broker/testing";

import type { GroupLedger, QueueLedger } from "./queue-ledger.ts";
import type { StreamLedger } from "./stream-ledger.ts";

type Join = Hub["queues"]["directory"]["join"];
type Request = Parameters<Join>[1];

/** A consumer, as the queue core sees it. */
export type CoreConsumer = Request["consumer"];

/** A membership in a group, as the queue core hands it out. */
export type CoreSubscription = ReturnType<Hub["queues"]["subscribe"]>;

/** One delivery, as the queue core makes it. */
export type CoreDelivery = Parameters<CoreConsumer["deliver"]>[0];

/** Told of a delivery and of the consumer that gets it. */
export type OnDelivery = (delivery: CoreDelivery, consumerId: string) => void;

/** Told that an acknowledgement or a rejection is durable. */
export type OnSettled = (
  place: { readonly queue: string; readonly group: string; readonly offset: number },
  said: "ack" | "reject",
) => void;

/** Tells of every delivery of a broker's queues at the moment at which the core makes it, whoever consumes. */
export function watchDeliveries(broker: MemoryBroker, onDelivery: OnDelivery): void {
  const { directory } = broker.hub.queues;
  const join: Join = directory.join.bind(directory);
  directory.join = (queue, request) => join(queue, { ...request, consumer: watched(request.consumer, onDelivery) });
}

/** Tells of what members have settled, once it is durable: of protocols that say nothing about it this is all that can be known. */
export function watchSettled(broker: MemoryBroker, onSettled: OnSettled): void {
  const { queues, committer } = broker.hub;
  const join: Join = queues.directory.join.bind(queues.directory);
  queues.directory.join = (queue, request) => {
    const joined = join(queue, request);
    const settle: typeof joined.settle = joined.settle.bind(joined);
    joined.settle = (offset, outcome) => {
      const result = settle(offset, outcome);
      const said = outcome.is;
      if (result !== "settled" || said === "nack") return result;
      const place = { queue: queue.name, group: joined.groupId, offset };
      committer.whenDurable({ onDurable: () => onSettled(place, said), onCommitFailed: () => undefined }, 0);
      return result;
    };
    return joined;
  };
}

/** Tells the groups of a ledger who has which message in hand. What is settled does not come again; a member loses what it has in hand in these ways alone. */
export function watchHolders(broker: MemoryBroker, ledger: QueueLedger, clock: { nowMs(): number }): void {
  const { directory } = broker.hub.queues;
  for (const { held } of ledger.groups) held.clear();
  const join: Join = directory.join.bind(directory);
  directory.join = (queue, request) => {
    const member = {};
    const groupOf = (id: string): GroupLedger | undefined =>
      ledger.groups.find((one) => one.queue === queue.name && one.group === id);
    const onDelivery: OnDelivery = ({ group, offset }) => groupOf(group)?.given(offset, member, clock.nowMs());
    const joined = join(queue, { ...request, consumer: watched(request.consumer, onDelivery) });
    const group = groupOf(joined.groupId);
    if (group === undefined) return joined;
    const settle: typeof joined.settle = joined.settle.bind(joined);
    joined.settle = (offset, outcome) => {
      if (outcome.is !== "nack") return settle(offset, outcome);
      // First: it may be given to somebody within the call.
      const takeBack = group.held.givenBack(offset, member);
      const result = settle(offset, outcome);
      if (result !== "settled") takeBack();
      return result;
    };
    for (const way of ["close", "recover"] as const) {
      const done = joined[way].bind(joined);
      joined[way] = () => {
        group.held.left(member);
        done();
      };
    }
    return joined;
  };
}

/** Tells the ledgers of a stream's groups what members that are no part of the simulation's own make of them: when they come, acknowledge and commit. */
export function watchReaders(broker: MemoryBroker, groups: readonly StreamLedger[]): void {
  const { queues, committer } = broker.hub;
  const ledgerOf = (queue: string, group: string): StreamLedger | undefined =>
    groups.find((ledger) => ledger.queue === queue && ledger.group === group);
  const whenDurable = (onDurable: () => void): void =>
    committer.whenDurable({ onDurable, onCommitFailed: () => undefined }, 0);
  const viewOf = (queue: string, group: string) => queues.get(queue)?.groups.find(({ id }) => id === group);
  const join: Join = queues.directory.join.bind(queues.directory);
  queues.directory.join = (queue, request) => {
    const ledger = ledgerOf(queue.name, request.group);
    if (ledger === undefined) return join(queue, request);
    if ((viewOf(queue.name, ledger.group)?.members.length ?? 0) === 0) ledger.mayGoBack();
    const joined = join(queue, request);
    const settle: typeof joined.settle = joined.settle.bind(joined);
    joined.settle = (offset, outcome) => {
      const result = settle(offset, outcome);
      if (result !== "settled" || outcome.is !== "ack" || ledger.commit !== "settled") return result;
      ledger.ackedOverWire(offset);
      const committed = viewOf(queue.name, ledger.group)?.committed ?? 0;
      whenDurable(() => ledger.durable(committed));
      return result;
    };
    return joined;
  };
  const commit = queues.commit.bind(queues);
  queues.commit = (queue, group, offset) => {
    const result = commit(queue, group, offset);
    if (result === "committed") ledgerOf(queue, group)?.asked(offset);
    return result;
  };
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
