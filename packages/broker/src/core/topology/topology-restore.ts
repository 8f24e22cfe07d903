import type { Store } from "../../storage/store.ts";
import { hostOfQueue } from "../queues/hosted-name.ts";
import type { Queue } from "../queues/queue.ts";
import { corrupt, firstNumber, KIND, type Kind, kindPrefix } from "../records.ts";
import { readArguments } from "./binding-arguments.ts";
import type { QueueDeclaration } from "./queue-declaration.ts";
import type { BindingRecord, ExchangeRecord, TopologyRecords } from "./topology-records.ts";
import type { Host } from "./virtual-host.ts";

/**
 * Takes up stored declarations of queues, exchanges and bindings, in the order in which they were made, and returns the highest number of an exchange or
 * binding, or 0. @throws {MessagingError} ERR_STORE_CORRUPT when a record is damaged or refers to something that is missing
 */
export function restoreTopology(
  store: Store,
  records: TopologyRecords,
  queues: readonly Queue[],
  hostNamed: (name: string) => Host,
): number {
  let last = 0;
  const each = (kind: Kind, take: (number: number, value: Uint8Array) => void): void => {
    store.scan(kindPrefix(kind), (key, value) => {
      take(firstNumber(key), value);
      return true;
    });
  };
  const byNumber = new Map(queues.filter((queue) => queue.isStored).map((queue) => [queue.number, queue]));
  each(KIND.declaration, (number, value) => {
    const queue = byNumber.get(number);
    if (queue === undefined) throw corrupt(`the declaration of queue ${number}, which is missing`);
    hostNamed(hostOfQueue(queue.name)).queues.restore(queue, records.read<QueueDeclaration>(value, isDeclaration));
  });
  each(KIND.exchange, (number, value) => {
    const record = records.read<ExchangeRecord>(value, isExchange);
    hostNamed(record.host).registry.restoreExchange(number, record);
    last = Math.max(last, number);
  });
  each(KIND.binding, (number, value) => {
    restoreBinding(number, records.read<BindingRecord>(value, isBinding), hostNamed);
    last = Math.max(last, number);
  });
  return last;
}

function restoreBinding(number: number, record: BindingRecord, hostNamed: (name: string) => Host): void {
  const { registry, queues } = hostNamed(record.host);
  const source = registry.get(record.source);
  const destination = record.to === "queue" ? queues.find(record.destination) : registry.get(record.destination);
  if (source === undefined || destination === undefined || destination === null) {
    throw corrupt(`binding ${number} of something that is missing`);
  }
  registry.restoreBinding(number, { source, destination, key: record.key, arguments: argumentsOf(record) });
}

function argumentsOf(record: BindingRecord): ReturnType<typeof readArguments> {
  try {
    return readArguments(record.arguments);
  } catch {
    throw corrupt("the arguments of a binding"); // what is wrong with them says no more
  }
}

function isDeclaration(record: QueueDeclaration): boolean {
  return typeof record.durable === "boolean" && typeof record.settings?.kind === "string";
}

function isExchange(record: ExchangeRecord): boolean {
  return typeof record.host === "string" && ["direct", "fanout", "topic", "headers"].includes(record.kind);
}

function isBinding(record: BindingRecord): boolean {
  return typeof record.host === "string" && typeof record.key === "string" && typeof record.arguments === "string";
}
