import type { Store } from "../../storage/store.ts";
import { corrupt, firstNumber, KIND, type Kind, kindPrefix, secondNumber } from "../records.ts";
import type { Group, KeptDeliveries } from "./group.ts";
import type { Queue } from "./queue.ts";
import { groupOfKey, queueOfKey } from "./queue-keys.ts";
import type { QueueSettings } from "./queue-settings.ts";
import type { GroupRecord, QueueStateCodec } from "./queue-state.ts";
import { StreamDeliveries } from "./stream-deliveries.ts";
import { StreamGroup } from "./stream-group.ts";
import { WorkGroup } from "./work-group.ts";

/** Makes queues and groups out of what was stored. */
export interface QueueRestorer {
  makeQueue(number: number, settings: QueueSettings): Queue;
  makeGroup(queue: Queue, number: number, record: GroupRecord): Group;
}

/**
 * Takes up stored queues. Of the messages only those are read that priorities ask for; what was delivered and not settled is found in the
 * groups' records.
 * @throws {MessagingError} ERR_STORE_CORRUPT
 */
export function restoreQueues(store: Store, codec: QueueStateCodec, restorer: QueueRestorer): void {
  new Restoration(store, codec, restorer).run();
}

class Restoration {
  readonly #store: Store;
  readonly #codec: QueueStateCodec;
  readonly #restorer: QueueRestorer;
  readonly #queues = new Map<number, Queue>();
  readonly #groups = new Map<string, Group>();
  readonly #work = new Map<WorkGroup, { readonly queue: Queue; readonly record: GroupRecord }>();
  /** Deliveries of messages that were out more than once. */
  readonly #counts = new Map<WorkGroup, Map<number, number>>();

  constructor(store: Store, codec: QueueStateCodec, restorer: QueueRestorer) {
    this.#store = store;
    this.#codec = codec;
    this.#restorer = restorer;
  }

  run(): void {
    this.#each(KIND.queue, (key, value) => this.#queue(firstNumber(key), value));
    this.#each(KIND.queueGroup, (key, value) => this.#group(key, value));
    this.#each(KIND.queuePage, (key, value) => this.#page(key, value));
    this.#each(KIND.queueCount, (key, value) => this.#count(key, value));
    this.#each(KIND.queueDelayed, (key, value) => this.#delayed(key, value));
    for (const [group, { queue, record }] of this.#work) this.#finish(group, queue, record);
    for (const group of this.#groups.values()) if (group instanceof StreamGroup) group.onRestored();
  }

  #each(kind: Kind, take: (key: Uint8Array, value: Uint8Array) => void): void {
    this.#store.scan(kindPrefix(kind), (key, value) => {
      take(key, value);
      return true;
    });
  }

  #queue(number: number, value: Uint8Array): void {
    const queue = this.#restorer.makeQueue(number, this.#codec.decodeSettings(value));
    const { log, lanes, removed } = queue;
    log.restore();
    removed.raise(log.first);
    this.#queues.set(number, queue);
    if (lanes === null) return;
    for (let offset = log.first; offset < log.next; offset++) {
      const message = log.read(offset);
      if (message !== null) lanes.add(offset, message.priority);
    }
  }

  #group(key: Uint8Array, value: Uint8Array): void {
    const queue = this.#mustHave(queueOfKey(key));
    const number = groupOfKey(key);
    const record = this.#codec.decodeGroup(value);
    if (number === 0) return queue.removed.raise(record.committed);
    const group = this.#restorer.makeGroup(queue, number, record);
    this.#groups.set(`${queue.number} ${number}`, group);
    if (group instanceof StreamGroup) group.restore(Math.max(record.committed, queue.log.first), record.positions);
    if (!(group instanceof WorkGroup)) return;
    group.settled.raise(Math.max(record.committed, queue.log.first));
    group.fresh.restore(record.positions);
    this.#work.set(group, { queue, record });
    this.#counts.set(group, new Map());
  }

  #page(key: Uint8Array, value: Uint8Array): void {
    const queue = this.#mustHave(queueOfKey(key));
    const number = groupOfKey(key);
    if (number === 0) return queue.removed.restore(secondNumber(key), value);
    this.#kept(key).settled.restore(secondNumber(key), value);
  }

  #count(key: Uint8Array, value: Uint8Array): void {
    const kept = this.#kept(key);
    const count = this.#codec.decodeCount(value);
    if (kept instanceof StreamDeliveries) kept.restoreCount(secondNumber(key), count);
    else if (kept instanceof WorkGroup) this.#counts.get(kept)?.set(secondNumber(key), count);
  }

  #delayed(key: Uint8Array, value: Uint8Array): void {
    const { delayed } = this.#mustHave(firstNumber(key));
    delayed.restore(secondNumber(key), this.#codec.decodeDelayed(value).dueAtMs);
  }

  /** What lies before a group's position and is not settled was out when the broker stopped. */
  #finish(group: WorkGroup, queue: Queue, record: GroupRecord): void {
    const { log, lanes } = queue;
    const counts = this.#counts.get(group);
    const end = Math.max(...record.positions, 0);
    for (let offset = Math.max(group.settled.base, log.first); offset < Math.min(end, log.next); offset++) {
      if (group.settled.has(offset)) continue;
      const priority = lanes === null ? 0 : (log.read(offset)?.priority ?? 0);
      if (!group.fresh.hasTaken(offset, priority)) continue;
      group.restore(offset, priority, counts?.get(offset) ?? 1);
    }
  }

  #kept(key: Uint8Array): KeptDeliveries {
    const kept = this.#groups.get(`${queueOfKey(key)} ${groupOfKey(key)}`)?.kept ?? null;
    if (kept === null) throw corrupt("a record of a group that is missing");
    return kept;
  }

  #mustHave(number: number): Queue {
    const queue = this.#queues.get(number);
    if (queue === undefined) throw corrupt(`a record of queue ${number}, which is missing`);
    return queue;
  }
}
