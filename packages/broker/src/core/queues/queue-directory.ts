import { MessagingError } from "polymq/internal";
import type { Store } from "../../storage/store.ts";
import type { Router } from "../router.ts";
import type { Group, GroupFacts } from "./group.ts";
import { GroupSubscription } from "./group-subscription.ts";
import { HOSTED_PREFIX } from "./hosted-name.ts";
import { KeyFilter } from "./key-filter.ts";
import { Member } from "./members.ts";
import { Queue, type QueueContext } from "./queue.ts";
import { groupIdOf, ownFilter } from "./queue-address.ts";
import { QueueLog } from "./queue-log.ts";
import type { QueuePersistence } from "./queue-persistence.ts";
import type { CommitMode, GroupLifetime, GroupMode, QueueSubscribeRequest } from "./queue-port.ts";
import type { QueueRestorer } from "./queue-restore.ts";
import { type QueueDefinition, type QueueSettings, queueSettings, settingsDifference } from "./queue-settings.ts";
import type { GroupRecord } from "./queue-state.ts";
import { StreamGroup } from "./stream-group.ts";
import { WorkGroup } from "./work-group.ts";

/** What happens when somebody uses a queue that does not exist. */
export type AutoCreate = "durable" | "ephemeral" | "refuse";

/** Bounds of what queues take. */
export interface QueueLimits {
  /** Queues; 10,000 by default. Queues that are made for dead letters may exceed it, up to twice as many in all. */
  readonly queuesMax?: number;
  /** Groups of one queue; 1,000 by default. */
  readonly groupsPerQueueMax?: number;
  /** Groups of all queues together; 100,000 by default. */
  readonly groupsMax?: number;
  /** Characters of a group's filter; 1,024 by default. */
  readonly filterLengthMax?: number;
  /** Consumers in one group; 10,000 by default. */
  readonly membersPerGroupMax?: number;
  /** Bytes of bodies that are kept in memory although the store has them; 64 MiB by default. */
  readonly cacheBytesMax?: number;
  /** Bytes of bodies of queues in memory; 256 MiB by default. */
  readonly memoryBytesMax?: number;
}

/** What the directory works with. */
export interface QueueDirectoryOptions {
  readonly context: QueueContext;
  readonly router: Router;
  readonly store: Store | null;
  readonly persistence: QueuePersistence;
  readonly autoCreate: AutoCreate;
  readonly limits: Required<QueueLimits>;
}

/** How long a dead letter that was returned waits in a queue that was made for it; more with each further delivery. */
const DEAD_LETTER_RETRY_MS = 1_000;

/** A group to find or to make. */
export interface GroupRequest {
  readonly name: string;
  readonly filter: string;
  readonly mode: GroupMode;
  readonly commit: CommitMode;
  readonly lifetime: GroupLifetime;
}

/** Hears of queues that come and go. */
export interface QueueObserver {
  onMade(queue: Queue): void;
  /** Its consumers have been told; nobody finds it any more. */
  onDeleted(queue: Queue): void;
  /** A consumer joined, or somebody took a message. */
  onUsed(queue: Queue): void;
  /** The last consumer left. */
  onUnused(queue: Queue): void;
}

/** All queues by name, the topics they take, and their groups. Deletes ephemeral queues that nobody uses and that hold nothing. */
export class QueueDirectory implements QueueRestorer {
  readonly #context: QueueContext;
  readonly #router: Router;
  readonly #store: Store | null;
  readonly #persistence: QueuePersistence;
  readonly #autoCreate: AutoCreate;
  readonly limits: Required<QueueLimits>;
  observer: QueueObserver | null = null;
  readonly #queues = new Map<string, Queue>();
  #nextNumber = 1;
  /** Groups of all queues. */
  #groups = 0;

  constructor(options: QueueDirectoryOptions) {
    this.#context = options.context;
    this.#router = options.router;
    this.#store = options.store;
    this.#persistence = options.persistence;
    this.#autoCreate = options.autoCreate;
    this.limits = options.limits;
  }

  get size(): number {
    return this.#queues.size;
  }

  get(name: string): Queue | undefined {
    return this.#queues.get(name);
  }

  /** All queues, oldest first. */
  list(): Queue[] {
    return Array.from(this.#queues.values());
  }

  /** The queue of this name. @throws {MessagingError} ERR_QUEUE_NOT_FOUND */
  mustHave(name: string): Queue {
    const queue = this.#queues.get(name);
    if (queue === undefined) throw new MessagingError("ERR_QUEUE_NOT_FOUND", `there is no queue ${name}`);
    return queue;
  }

  /** The queue of this name, made as the broker's settings say when there is none. @throws {MessagingError} ERR_QUEUE_NOT_FOUND, ERR_QUEUE_LIMIT */
  findOrCreate(name: string): Queue {
    const existing = this.#queues.get(name);
    if (existing !== undefined) return existing;
    if (this.#autoCreate === "refuse") throw new MessagingError("ERR_QUEUE_NOT_FOUND", `there is no queue ${name}`);
    return this.#create(queueSettings({ name, lifetime: this.#autoCreate }));
  }

  /** Why {@link findOrCreate} would not make a queue, or null. */
  makeRefusal(name: string): MessagingError | null {
    if (this.#autoCreate === "refuse") return new MessagingError("ERR_QUEUE_NOT_FOUND", `there is no queue ${name}`);
    const isFull = this.#queues.size >= this.limits.queuesMax;
    return isFull ? new MessagingError("ERR_QUEUE_LIMIT", `there are ${this.limits.queuesMax} queues`) : null;
  }

  /**
   * The queue for the dead letters of another. One that is made takes what the other takes, and keeps it until somebody has settled it: it has no
   * limit of depth, time or deliveries, and delays what is returned. Null when there can be no further one.
   */
  findDeadLetters(name: string, source: Queue): Queue | null {
    const existing = this.#queues.get(name);
    if (existing !== undefined) return existing;
    const countMax = 2 * this.limits.queuesMax; // or a queue made as the last one would lose its dead letters
    if (this.#queues.size >= countMax) return null;
    const { lifetime, maxMessageBytes, priorityMax } = source.settings;
    const unlimited = { maxDepth: 0, ttlMs: 0, deliveryLimit: 0, retry: { delayMs: DEAD_LETTER_RETRY_MS } };
    const definition = { name, lifetime, maxMessageBytes, priorityMax, deadLetter: { enabled: false }, ...unlimited };
    return this.#create(queueSettings(definition), countMax);
  }

  /**
   * Makes a queue, or compares it with the one that exists, or changes that one's settings.
   * @throws {MessagingError} ERR_INVALID_ARGUMENT; ERR_QUEUE_EXISTS when it exists and is otherwise, or cannot be changed that way; ERR_QUEUE_LIMIT
   */
  declare(
    definition: QueueDefinition,
    ifExists: "check" | "update",
  ): { readonly queue: Queue; readonly isNew: boolean } {
    const settings = queueSettings(definition);
    const existing = this.#queues.get(settings.name);
    if (existing === undefined) return { queue: this.#create(settings), isNew: true };
    const difference = settingsDifference(existing.settings, settings);
    if (difference === null) return { queue: existing, isNew: false };
    const fixed = fixedDifference(existing.settings, settings);
    if (ifExists === "check" || fixed !== null) {
      throw new MessagingError("ERR_QUEUE_EXISTS", `queue ${settings.name} exists with another ${fixed ?? difference}`);
    }
    this.#update(existing, settings);
    return { queue: existing, isNew: false };
  }

  /** Deletes a queue with its messages and groups; consumers are told. Harmless when it is gone. */
  delete(queue: Queue): void {
    if (this.#queues.get(queue.name) !== queue) return;
    this.#queues.delete(queue.name);
    this.#groups -= queue.groups.size;
    this.#router.uncapture(queue, filtersOf(queue.settings));
    queue.close("queue-deleted");
    this.#persistence.dropQueue(queue);
    this.observer?.onDeleted(queue);
  }

  /**
   * Makes a consumer a member of a group of a queue, which is made when it is not there. The group's name was checked.
   * @throws {MessagingError} ERR_QUEUE_MODE_MISMATCH, ERR_QUEUE_LIMIT, ERR_INVALID_TOPIC for the filter
   */
  join(queue: Queue, request: QueueSubscribeRequest): GroupSubscription {
    const mode = request.mode ?? (queue.settings.kind === "stream" ? "stream" : "work");
    const { filter = "", commit = "auto", lifetime = "lasting" } = request;
    const group = this.findOrCreateGroup(queue, { name: request.group, filter, mode, commit, lifetime });
    if (group.members.list.length >= this.limits.membersPerGroupMax) {
      throw new MessagingError("ERR_QUEUE_LIMIT", `group ${group.id} has as many consumers as allowed`);
    }
    if (request.distribution !== undefined) group.members.distribution = request.distribution;
    if (lifetime === "lasting" && group.lifetime === "passing") {
      group.lifetime = "lasting";
      group.isDirty = true;
      queue.touch("soon");
    }
    group.expiry?.cancel();
    group.expiry = null;
    const member = new Member(request.consumer, request.priority);
    group.join(member);
    if (group instanceof StreamGroup) group.seek(request.from ?? { at: "resume" });
    this.used(queue);
    return new GroupSubscription(queue.name, group, member, () => this.#onLeft(queue, group));
  }

  /** Somebody uses a queue: it does not go for want of that. */
  used(queue: Queue): void {
    this.observer?.onUsed(queue);
  }

  /** A queue's group, made when it is not there. @throws {MessagingError} ERR_QUEUE_MODE_MISMATCH, ERR_QUEUE_LIMIT, ERR_INVALID_TOPIC */
  findOrCreateGroup(queue: Queue, request: GroupRequest): Group {
    const { name, mode, commit, lifetime } = request;
    const id = groupIdOf(name, request.filter);
    const existing = queue.groups.get(id);
    if (existing !== undefined) {
      // "@" may be in a name as well: two pairs of name and filter can make one id.
      const isOther = existing.filter.text !== request.filter;
      if (existing.mode === mode && !isOther) return existing;
      const how = isOther ? "has another filter" : `is in ${existing.mode} mode`;
      throw new MessagingError("ERR_QUEUE_MODE_MISMATCH", `group ${id} of queue ${queue.name} ${how}`);
    }
    if (mode === "stream" && queue.settings.kind !== "stream") {
      throw new MessagingError("ERR_QUEUE_MODE_MISMATCH", `queue ${queue.name} is no stream`);
    }
    this.#checkRoom(queue, request.filter);
    const filter = new KeyFilter(request.filter);
    const facts = { number: queue.nextGroupNumber++, id, name, filter, commit, lifetime };
    const group = this.#addGroup(queue, mode, facts);
    const { log, removed } = queue;
    if (removed.countAbove > 0 || removed.base > log.first) {
      for (let offset = log.first; offset < log.next; offset++) if (removed.has(offset)) group.onRemoved(offset);
    }
    queue.touch("soon");
    return group;
  }

  /** Deletes a group; its members are told. What it has not settled and nobody else either stays. */
  deleteGroup(queue: Queue, group: Group): void {
    if (group instanceof WorkGroup) removeSettled(queue, group);
    queue.groups.delete(group.id);
    this.#groups--;
    queue.onRegrouped();
    const members = group.members.list.slice();
    group.close();
    for (const member of members) member.consumer.onCancelled("group-deleted");
    this.#persistence.dropGroup(queue, group);
    queue.touch("soon"); // it may have held the head back
    if (members.length > 0) this.#onUnused(queue);
  }

  #onLeft(queue: Queue, group: Group): void {
    const isLast = group.lifetime === "members" && group.members.list.length === 0;
    if (isLast && queue.groups.get(group.id) === group) this.deleteGroup(queue, group);
    else this.#watchGroup(queue, group);
    this.#onUnused(queue);
  }

  #onUnused(queue: Queue): void {
    if (queue.isUsed || this.#queues.get(queue.name) !== queue) return;
    this.observer?.onUnused(queue);
    if (this.#queues.get(queue.name) === queue) this.#watch(queue);
  }

  /** Has a group deleted once nobody was in it for as long as the queue says; that time starts now. */
  #watchGroup(queue: Queue, group: Group): void {
    group.expiry?.cancel();
    group.expiry = null;
    const { groupExpiresAfterMs, passingGroupExpiresAfterMs } = queue.settings;
    const ms = group.lifetime === "passing" ? passingGroupExpiresAfterMs : groupExpiresAfterMs;
    if (ms === 0 || group.members.list.length > 0 || queue.groups.get(group.id) !== group) return;
    group.expiry = this.#context.schedule.after(ms, () => this.deleteGroup(queue, group));
  }

  /** Has an ephemeral queue deleted once it was unused and empty for long enough. */
  #watch(queue: Queue): void {
    if (queue.settings.lifetime !== "ephemeral" || queue.isUsed) return;
    queue.expiry?.cancel();
    queue.expiry = this.#context.schedule.after(queue.settings.expiresAfterMs, () => {
      if (queue.isUsed) return;
      if (queue.depth === 0 && queue.delayed.count === 0) this.delete(queue);
      else this.#watch(queue);
    });
  }

  makeQueue(number: number, settings: QueueSettings): Queue {
    this.#nextNumber = Math.max(this.#nextNumber, number + 1);
    return this.#add(number, settings);
  }

  makeGroup(queue: Queue, number: number, record: GroupRecord): Group {
    queue.nextGroupNumber = Math.max(queue.nextGroupNumber, number + 1);
    const { name, commit, mode, lifetime } = record;
    const filter = new KeyFilter(record.filter);
    const id = groupIdOf(name, record.filter);
    const group = this.#addGroup(queue, mode, { number, id, name, filter, commit, lifetime });
    group.isDirty = false;
    this.#watchGroup(queue, group);
    return group;
  }

  #create(settings: QueueSettings, countMax = this.limits.queuesMax): Queue {
    if (this.#queues.size >= countMax) {
      throw new MessagingError("ERR_QUEUE_LIMIT", `there are ${this.#queues.size} queues`);
    }
    const queue = this.#add(this.#nextNumber++, settings);
    this.#persistence.saveQueue(queue);
    this.#watch(queue);
    return queue;
  }

  #add(number: number, settings: QueueSettings): Queue {
    const { codec, cache } = this.#context;
    const store = settings.lifetime === "durable" ? this.#store : null;
    const log = new QueueLog({ number, store, codec, cache });
    const queue = new Queue(this.#context, settings, log, store !== null);
    queue.delayed.load = (delayed) => this.#persistence.loadDelayed(queue, delayed);
    this.#queues.set(queue.name, queue);
    this.#router.capture(queue, filtersOf(settings));
    this.observer?.onMade(queue);
    return queue;
  }

  /** @throws {MessagingError} ERR_QUEUE_LIMIT, ERR_INVALID_TOPIC when there can be no group with this filter */
  #checkRoom(queue: Queue, filter: string): void {
    const { groupsPerQueueMax, groupsMax, filterLengthMax } = this.limits;
    if (filter.length > filterLengthMax) {
      const text = `a group's filter of ${filter.length} characters, the limit is ${filterLengthMax}`;
      throw new MessagingError("ERR_INVALID_TOPIC", text);
    }
    if (queue.groups.size >= groupsPerQueueMax || this.#groups >= groupsMax) this.#dropPassing(queue);
    if (queue.groups.size >= groupsPerQueueMax) {
      throw new MessagingError("ERR_QUEUE_LIMIT", `queue ${queue.name} has ${queue.groups.size} groups`);
    }
    if (this.#groups >= groupsMax) {
      throw new MessagingError("ERR_QUEUE_LIMIT", `all queues together have ${this.#groups} groups`);
    }
  }

  /** A group that is to go anyway makes room for another one: the one that is to go first. */
  #dropPassing(queue: Queue): void {
    let first: Group | null = null;
    for (const group of queue.groups.values()) {
      if (group.lifetime !== "passing" || group.expiry === null) continue;
      if (first === null || group.expiry.atMs < (first.expiry?.atMs ?? 0)) first = group;
    }
    if (first !== null) this.deleteGroup(queue, first);
  }

  #addGroup(queue: Queue, mode: GroupMode, facts: GroupFacts): Group {
    const { first } = queue.log;
    const group = mode === "stream" ? new StreamGroup(queue, facts, first) : new WorkGroup(queue, facts, first);
    queue.groups.set(facts.id, group);
    this.#groups++;
    queue.onRegrouped(); // what others have settled is new to it
    return group;
  }

  #update(queue: Queue, settings: QueueSettings): void {
    this.#router.uncapture(queue, filtersOf(queue.settings));
    const timeoutBeforeMs = queue.settings.visibilityTimeoutMs;
    queue.settings = settings;
    for (const group of queue.groups.values()) {
      if (group instanceof WorkGroup && settings.visibilityTimeoutMs !== timeoutBeforeMs) group.restartTimeouts();
      this.#watchGroup(queue, group);
    }
    this.#router.capture(queue, filtersOf(settings));
    this.#persistence.saveQueue(queue);
    queue.pump();
  }
}

/** A field that cannot change and is different, or null. */
function fixedDifference(a: QueueSettings, b: QueueSettings): string | null {
  if (a.kind !== b.kind) return "kind";
  if (a.lifetime !== b.lifetime) return "lifetime";
  return a.priorityMax === b.priorityMax ? null : "priorityMax";
}

/** The last work group goes: what it has settled is done with, as it would have been once all before that had left. */
function removeSettled(queue: Queue, group: WorkGroup): void {
  for (const other of queue.groups.values()) if (other !== group && other.mode === "work") return;
  const { retention, kind } = queue.settings;
  const isKept = kind === "stream" || retention.ageMs > 0 || retention.bytes > 0 || retention.messages > 0;
  if (isKept || group.settled.countAbove === 0) return;
  const { log } = queue;
  for (let offset = log.first; offset < log.next; offset++) if (group.settled.has(offset)) queue.remove(offset);
}

/** All filters of topics whose messages a queue takes; some queues have no address of their own. */
function filtersOf(settings: QueueSettings): readonly string[] {
  const { name, topics } = settings;
  return name.startsWith(HOSTED_PREFIX) ? topics : [ownFilter(name), ...topics];
}
