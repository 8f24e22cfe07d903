// Hot path: `touch` runs per message, the rest once per batch. No closure, promise, spread, iterator or regex in `touch`.
import type { StoreBatch } from "../../storage/batch.ts";
import type { BatchSource, CommitListener, Committer } from "../../storage/committer.ts";
import type { Store } from "../../storage/store.ts";
import { KIND, recordKeyOf } from "../records.ts";
import type { Deadline, Schedule } from "../schedule.ts";
import type { Group, KeptDeliveries } from "./group.ts";
import type { Queue } from "./queue.ts";
import { groupKey } from "./queue-keys.ts";
import type { QueueStateCodec } from "./queue-state.ts";
import type { SettledPages } from "./settled-pages.ts";

/** How long a change that needs no batch of its own waits for somebody else's. */
const LAZY_MS = 100;

/** What the records of queues are written with. */
export interface QueuePersistenceOptions {
  readonly committer: Committer;
  readonly schedule: Schedule;
  readonly store: Store | null;
  readonly codec: QueueStateCodec;
}

/**
 * Keeps the store in step with queues. Whatever one turn causes goes in one batch: appended messages, what groups have settled, dead letters,
 * truncation. When the batch is durable, its messages are delivered. How far first deliveries got is stored with the next batch that
 * is made anyway, or a little later: a crash in between repeats deliveries, and delays nobody.
 */
export class QueuePersistence implements BatchSource, CommitListener {
  readonly #committer: Committer;
  readonly #schedule: Schedule;
  readonly #store: Store | null;
  readonly #codec: QueueStateCodec;
  #dirty: Queue[] = [];
  #inFlight: Queue[] = [];
  /** Changes of queues that are to be told when they are durable wait for the open batch. */
  #awaitsBatch = false;
  /** While a batch is filled, trimming changes what is written right behind it. */
  #isFilling = false;
  #lazy: Deadline | null = null;
  /** Deletions of queues and groups. */
  #endings: ((batch: StoreBatch) => void)[] = [];

  constructor(options: QueuePersistenceOptions) {
    this.#committer = options.committer;
    this.#schedule = options.schedule;
    this.#store = options.store;
    this.#codec = options.codec;
    this.#committer.addSource(this);
  }

  /** Lists a queue for the next batch; `soon` makes one. */
  touch(queue: Queue, when: "soon" | "lazy"): void {
    if (this.#isFilling) return;
    if (!queue.isDirty) {
      queue.isDirty = true;
      this.#dirty.push(queue);
    }
    if (when === "soon") {
      if (this.#awaitsBatch) return;
      this.#awaitsBatch = true;
      this.#committer.whenDurable(this, 0);
    } else if (!this.#awaitsBatch && this.#lazy === null) {
      this.#lazy = this.#schedule.after(LAZY_MS, () => {
        this.#lazy = null;
        this.#committer.touch();
      });
    }
  }

  fill(batch: StoreBatch): void {
    this.#awaitsBatch = false;
    this.#lazy?.cancel();
    this.#lazy = null;
    const dirty = this.#dirty;
    this.#dirty = this.#inFlight;
    this.#dirty.length = 0;
    this.#inFlight = dirty;
    this.#isFilling = true;
    try {
      for (let i = 0; i < dirty.length; i++) this.#fillQueue(dirty[i] as Queue, batch);
    } finally {
      this.#isFilling = false;
    }
    const endings = this.#endings;
    if (endings.length === 0) return;
    this.#endings = [];
    for (const end of endings) end(batch);
  }

  /** The batch under way is durable: what it appended is delivered. */
  onDurable(): void {
    const durable = this.#inFlight;
    this.#inFlight = [];
    for (let i = 0; i < durable.length; i++) (durable[i] as Queue).onDurable();
  }

  onCommitFailed(): void {
    // Nothing of it is delivered, and the hub stops.
  }

  /** Stores a queue's settings. */
  saveQueue(queue: Queue): void {
    if (!queue.isStored) return;
    const value = this.#codec.encodeSettings(queue.settings);
    this.#end((batch) => batch.put(recordKeyOf(KIND.queue, queue.number), value));
  }

  /** Removes a queue with everything that belongs to it. */
  dropQueue(queue: Queue): void {
    queue.isDirty = true; // nothing of it is to be listed any more
    this.#dirty = this.#dirty.filter((other) => other !== queue);
    if (!queue.isStored) {
      queue.log.release();
      return;
    }
    this.#end((batch) => {
      queue.delayed.clear();
      for (const delayed of queue.delayed.changes) {
        if (delayed.isStored) batch.delete(recordKeyOf(KIND.queueDelayed, queue.number, delayed.number));
      }
      for (const group of queue.groups.values()) this.#dropGroup(queue, group, batch);
      this.#dropPages(queue, 0, queue.removed, batch);
      batch.delete(groupKey(KIND.queueGroup, queue.number, 0));
      batch.delete(recordKeyOf(KIND.queue, queue.number));
      queue.log.drop(batch);
    });
  }

  /** Removes a group's records. */
  dropGroup(queue: Queue, group: Group): void {
    if (queue.isStored && group.lifetime !== "members") this.#end((batch) => this.#dropGroup(queue, group, batch));
  }

  /** Reads a delayed message back. @throws {MessagingError} ERR_STORE_CORRUPT, ERR_STORE_FAILED */
  loadDelayed(queue: Queue, number: number): Uint8Array | null {
    const value = this.#store?.get(recordKeyOf(KIND.queueDelayed, queue.number, number)) ?? null;
    return value === null ? null : this.#codec.decodeDelayed(value).record.slice();
  }

  #end(ending: (batch: StoreBatch) => void): void {
    this.#endings.push(ending);
    this.#committer.touch();
  }

  #fillQueue(queue: Queue, batch: StoreBatch): void {
    queue.isDirty = false;
    queue.trim();
    queue.flightNext = queue.log.next;
    queue.log.fill(batch);
    if (!queue.isStored) return this.#forget(queue);
    for (const group of queue.groups.values()) {
      if (!group.isDirty) continue;
      if (group.lifetime !== "members") this.#fillGroup(queue, group, batch);
      else if (group.kept !== null) forgetChanges(group.kept);
    }
    this.#fillRemoved(queue, batch);
    const { changes } = queue.delayed;
    if (changes.length === 0) return;
    queue.delayed.changes = [];
    for (const delayed of changes) {
      const key = recordKeyOf(KIND.queueDelayed, queue.number, delayed.number);
      if (delayed.state === "waiting" && delayed.record !== null) {
        batch.put(key, this.#codec.encodeDelayed(delayed.dueAtMs, delayed.record));
        delayed.isStored = true;
        queue.delayed.inFlight.push(delayed);
      } else if (delayed.isStored) batch.delete(key);
    }
  }

  /** What was taken out of the queue is stored as the progress of group 0. */
  #fillRemoved(queue: Queue, batch: StoreBatch): void {
    const { removed, log } = queue;
    if (removed.base > log.first && removed.base !== queue.removedBaseStored) {
      queue.removedBaseStored = removed.base;
      batch.put(
        groupKey(KIND.queueGroup, queue.number, 0),
        this.#codec.encodeGroup({ ...REMOVED, committed: removed.base }),
      );
    }
    removed.write((page, bits) => this.#putPage(groupKey(KIND.queuePage, queue.number, 0, page), bits, batch));
  }

  /** Lists of changes that nobody stores. */
  #forget(queue: Queue): void {
    queue.delayed.changes = [];
    for (const group of queue.groups.values()) {
      if (group.kept !== null) forgetChanges(group.kept);
    }
  }

  #fillGroup(queue: Queue, group: Group, batch: StoreBatch): void {
    group.isDirty = false;
    const { mode, commit, name, committed, kept } = group;
    const lifetime = group.lifetime === "passing" ? "passing" : "lasting";
    const positions = group.positions();
    const value = this.#codec.encodeGroup({
      mode,
      commit,
      lifetime,
      name,
      filter: group.filter.text,
      committed,
      positions,
    });
    batch.put(groupKey(KIND.queueGroup, queue.number, group.number), value);
    if (kept === null) return;
    kept.settled.write((page, bits) =>
      this.#putPage(groupKey(KIND.queuePage, queue.number, group.number, page), bits, batch),
    );
    const changed = kept.countChanges;
    if (changed.length === 0) return;
    kept.countChanges = [];
    for (const entry of changed) {
      entry.isCountListed = false;
      const key = groupKey(KIND.queueCount, queue.number, group.number, entry.offset);
      // One delivery is what the group's position says of everything before it.
      if (entry.state !== "done" && entry.count !== 1) {
        batch.put(key, this.#codec.encodeCount(entry.count));
        entry.isCountStored = true;
      } else if (entry.isCountStored) {
        batch.delete(key);
        entry.isCountStored = false;
      }
    }
  }

  #dropGroup(queue: Queue, group: Group, batch: StoreBatch): void {
    batch.delete(groupKey(KIND.queueGroup, queue.number, group.number));
    const { kept } = group;
    if (kept === null) return;
    this.#dropPages(queue, group.number, kept.settled, batch);
    for (const entry of kept.entries()) {
      if (entry.isCountStored) batch.delete(groupKey(KIND.queueCount, queue.number, group.number, entry.offset));
    }
    for (const entry of kept.countChanges) {
      if (entry.isCountStored) batch.delete(groupKey(KIND.queueCount, queue.number, group.number, entry.offset));
    }
  }

  #dropPages(queue: Queue, group: number, pages: SettledPages, batch: StoreBatch): void {
    pages.drop((page) => batch.delete(groupKey(KIND.queuePage, queue.number, group, page)));
  }

  #putPage(key: Uint8Array, bits: Uint8Array | null, batch: StoreBatch): void {
    if (bits === null) batch.delete(key);
    else batch.put(key, bits);
  }
}

/** Lists of changes that nobody stores. */
function forgetChanges(kept: KeptDeliveries): void {
  for (const entry of kept.countChanges) entry.isCountListed = false;
  kept.countChanges = [];
  kept.settled.discard();
}

const REMOVED = { mode: "work", commit: "auto", lifetime: "lasting", name: "", filter: "", positions: [] } as const;
