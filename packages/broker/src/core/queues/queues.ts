// Hot path: `publish`, `capture` and `settle` run per message. No closure, promise, spread, iterator or regex in them.
import { type Clock, isMessagingError, MessagingError, type TextCodec, webText } from "polymq/internal";
import type { Committer } from "../../storage/committer.ts";
import type { Store } from "../../storage/store.ts";
import type { MessageView } from "../message.ts";
import type { Route, Router } from "../router.ts";
import type { Schedule } from "../schedule.ts";
import { DeadLetters } from "./dead-letters.ts";
import { enqueued, offerTo } from "./offer.ts";
import type { Queue, QueueContext } from "./queue.ts";
import { checkGroupName } from "./queue-address.ts";
import { type MoveRequest, moveMessages, peekMessages, purgeMessages } from "./queue-administration.ts";
import { QueueCache } from "./queue-cache.ts";
import { type AutoCreate, QueueDirectory, type QueueLimits } from "./queue-directory.ts";
import { inspectQueue, type QueueInspection } from "./queue-inspection.ts";
import type { QueueMessage } from "./queue-message.ts";
import { QueuePersistence } from "./queue-persistence.ts";
import type {
  CommitResult,
  EnqueueOptions,
  QueueSubscribeRequest,
  QueueSubscription,
  SettleOutcome,
  SettleResult,
} from "./queue-port.ts";
import { QueueRecordCodec } from "./queue-record.ts";
import { restoreQueues } from "./queue-restore.ts";
import type { QueueDefinition } from "./queue-settings.ts";
import { QueueStateCodec } from "./queue-state.ts";
import { StreamGroup } from "./stream-group.ts";

/** What {@link Queues} works with. */
export interface QueuesOptions {
  readonly clock: Clock;
  readonly schedule: Schedule;
  readonly committer: Committer;
  readonly router: Router;
  readonly store: Store | null;
  readonly onError: (error: unknown) => void;
  readonly autoCreate: AutoCreate;
  readonly limits?: QueueLimits;
  readonly text?: TextCodec;
}

/** When {@link Queues.delete} deletes. */
export interface DeleteConditions {
  /** `unused`: only without consumers. */
  readonly ifUnused?: boolean;
  /** Only without messages that somebody has still to settle. */
  readonly ifEmpty?: boolean;
}

/**
 * All queues: the door for sessions. Nothing here waits: what a call changes is durable with the committer's open batch, so whoever
 * acknowledges something asks `committer.whenDurable` afterwards. Messages are delivered once they are durable.
 */
export class Queues {
  /** For `core/` alone: the queues themselves, and what becomes of dead letters. */
  readonly directory: QueueDirectory;
  readonly letters: DeadLetters;
  readonly #router: Router;
  readonly #store: Store | null;
  readonly #text: TextCodec;
  readonly #cache: QueueCache;

  constructor(options: QueuesOptions) {
    const { clock, schedule, committer, router, store, onError, autoCreate, limits = {} } = options;
    this.#router = router;
    this.#store = store;
    this.#text = options.text ?? webText();
    const persistence = new QueuePersistence({ committer, schedule, store, codec: new QueueStateCodec(this.#text) });
    const letters = new DeadLetters(
      (name, source) => this.directory.findDeadLetters(name, source),
      () => clock.epochMs(),
    );
    this.letters = letters;
    const bounds = fullLimits(limits);
    this.#cache = new QueueCache(bounds.cacheBytesMax, bounds.memoryBytesMax);
    const context: QueueContext = {
      clock,
      schedule,
      codec: new QueueRecordCodec(this.#text),
      cache: this.#cache,
      onError,
      touch: (queue, when) => persistence.touch(queue, when),
      bury: (queue, message, death) => letters.bury(queue, message, death),
    };
    this.directory = new QueueDirectory({ context, router, store, persistence, autoCreate, limits: bounds });
  }

  /** Takes up what is stored; to be called once, before anything else. @throws {MessagingError} ERR_STORE_CORRUPT */
  restore(): void {
    if (this.#store !== null) restoreQueues(this.#store, new QueueStateCodec(this.#text), this.directory);
  }

  /** Number of queues. */
  get count(): number {
    return this.directory.size;
  }

  /** Bytes of messages in memory: those of queues in memory, and those that the store has as well. */
  get bytesInMemory(): number {
    return this.#cache.memoryBytes + this.#cache.cachedBytes;
  }

  /**
   * Makes a queue. When it exists, `check` (the default) compares the definition with it and `update` changes it; kind, lifetime and
   * `priorityMax` cannot change.
   * @throws {MessagingError} ERR_INVALID_ARGUMENT, ERR_QUEUE_EXISTS, ERR_QUEUE_LIMIT
   */
  declare(
    definition: QueueDefinition,
    options: { readonly ifExists?: "check" | "update" } = {},
  ): { readonly is: "created" | "existing"; readonly queue: QueueInspection } {
    const { queue, isNew } = this.directory.declare(definition, options.ifExists ?? "check");
    return { is: isNew ? "created" : "existing", queue: inspectQueue(queue) };
  }

  has(name: string): boolean {
    return this.directory.get(name) !== undefined;
  }

  /** A picture of a queue, or null. */
  get(name: string): QueueInspection | null {
    const queue = this.directory.get(name);
    return queue === undefined ? null : inspectQueue(queue);
  }

  /** Pictures of all queues, oldest first. */
  list(): QueueInspection[] {
    return this.directory.list().map(inspectQueue);
  }

  /**
   * Deletes a queue and returns how many messages it held.
   * @throws {MessagingError} ERR_QUEUE_NOT_FOUND, ERR_QUEUE_IN_USE for a condition that does not hold
   */
  delete(name: string, conditions: DeleteConditions = {}): number {
    const queue = this.directory.mustHave(name);
    if (conditions.ifUnused === true && queue.isUsed) {
      throw new MessagingError("ERR_QUEUE_IN_USE", `queue ${name} has consumers`);
    }
    const { depth } = queue;
    if (conditions.ifEmpty === true && depth > 0) {
      throw new MessagingError("ERR_QUEUE_IN_USE", `queue ${name} holds ${depth} messages`);
    }
    this.directory.delete(queue);
    return depth;
  }

  /** Deletes a group, which then holds no message back any more. @throws {MessagingError} ERR_QUEUE_NOT_FOUND for the queue or the group */
  deleteGroup(name: string, groupId: string): void {
    const queue = this.directory.mustHave(name);
    const group = queue.groups.get(groupId);
    if (group === undefined) throw new MessagingError("ERR_QUEUE_NOT_FOUND", `queue ${name} has no group ${groupId}`);
    this.directory.deleteGroup(queue, group);
  }

  /** Removes all messages that nobody works on and returns how many; delayed ones go as well. @throws {MessagingError} ERR_QUEUE_NOT_FOUND */
  purge(name: string): number {
    return purgeMessages(this.directory.mustHave(name));
  }

  /** Up to `countMax` messages from an offset on that somebody has still to settle; fewer when they are large, but at least one. @throws {MessagingError} ERR_QUEUE_NOT_FOUND */
  peek(name: string, from: number, countMax: number): QueueMessage[] {
    return peekMessages(this.directory.mustHave(name), from, countMax);
  }

  /**
   * Moves messages that nobody works on to other queues, oldest first, in one batch, and returns how many. By default each dead letter goes
   * back to the queue in which it died.
   * @throws {MessagingError} ERR_QUEUE_NOT_FOUND for the source
   */
  move(name: string, request: MoveRequest = {}): number {
    return moveMessages(this.directory.mustHave(name), request, (target) => this.directory.get(target) ?? null);
  }

  /**
   * Takes a message whose topic is a queue address to every queue that takes that topic, each its own copy; when there is none, to
   * the queue that the address names, made if need be. Returns null when it is queued, or why it is not; then no queue has it.
   * ERR_INVALID_TOPIC for what is no address of a message, ERR_QUEUE_NOT_FOUND, ERR_QUEUE_FULL, ERR_MESSAGE_TOO_LARGE, ERR_QUEUE_LIMIT.
   * @param route the topic's route, when the caller has one whose version is still the router's
   */
  publish(
    message: MessageView,
    options: EnqueueOptions | null = null,
    route: Route = this.#router.route(message.topic),
  ): MessagingError | null {
    const { address } = route;
    if (address === null || address.is !== "publish") return notAnAddress(message.topic);
    let { queues } = route;
    if (queues.length === 0) {
      const refusal = this.#make(address.queue);
      if (refusal !== null) return refusal;
      queues = this.#router.route(message.topic).queues;
    }
    const bytes = message.payload.length;
    for (let i = 0; i < queues.length; i++) {
      const queue = queues[i] as Queue;
      const refusal = queue.refusal(bytes, options);
      if (refusal === null) continue;
      queue.overflow.onRefused(message, options, refusal);
      return refusal;
    }
    for (let i = 0; i < queues.length; i++) {
      const refusal = enqueued(queues[i] as Queue, message, options);
      if (refusal !== null) return refusal;
    }
    return null;
  }

  /** Why nothing can be published to an address, whatever queues there have room; or null. */
  foresee(route: Route): MessagingError | null {
    const { address } = route;
    if (address === null || address.is !== "publish") return notAnAddress("this address");
    return route.queues.length > 0 ? null : this.directory.makeRefusal(address.queue);
  }

  /**
   * Takes a message to one queue, whatever its topic. Its routing key there is "" unless the topic is that queue's address.
   * Returns null when it is queued, or why it is not: ERR_QUEUE_NOT_FOUND, ERR_QUEUE_FULL, ERR_MESSAGE_TOO_LARGE.
   */
  publishTo(name: string, message: MessageView, options: EnqueueOptions | null = null): MessagingError | null {
    const queue = this.directory.get(name);
    if (queue === undefined) return new MessagingError("ERR_QUEUE_NOT_FOUND", `there is no queue ${name}`);
    return offerTo(queue, message, options);
  }

  /** Takes a message of an ordinary topic to queues that take that topic; a queue that cannot take it counts it, the publisher is not concerned. */
  capture(message: MessageView, queues: readonly Queue[]): void {
    for (let i = 0; i < queues.length; i++) {
      const queue = queues[i] as Queue;
      if (offerTo(queue, message, null) !== null) queue.statistics.captureRefused++;
    }
  }

  /**
   * Makes a consumer a member of a group; group and queue are made when they are not there. A new group starts at the first message there is.
   * Nothing is delivered before {@link QueueSubscription.wake} is called.
   * @throws {MessagingError} ERR_QUEUE_NOT_FOUND, ERR_QUEUE_MODE_MISMATCH, ERR_QUEUE_LIMIT, ERR_INVALID_TOPIC for the filter, ERR_INVALID_ARGUMENT for a name
   */
  subscribe(queueName: string, request: QueueSubscribeRequest): QueueSubscription {
    checkGroupName(request.group);
    return this.directory.join(this.directory.findOrCreate(queueName), request);
  }

  /** Settles a delivery by its names. An entry that is to be delivered again can still be acknowledged or rejected. */
  settle(queueName: string, groupId: string, offset: number, outcome: SettleOutcome): SettleResult {
    const queue = this.directory.get(queueName);
    if (queue === undefined) return "unknown-queue";
    const group = queue.groups.get(groupId);
    return group === undefined ? "unknown-group" : group.settle(offset, outcome);
  }

  /** Sets where a stream group goes on after a restart: the next offset to read. It may go back, and not beyond what was delivered. */
  commit(queueName: string, groupId: string, offset: number): CommitResult {
    const queue = this.directory.get(queueName);
    if (queue === undefined) return "unknown-queue";
    const group = queue.groups.get(groupId);
    if (group === undefined) return "unknown-group";
    return group instanceof StreamGroup ? group.commitTo(offset) : "wrong-mode";
  }

  /** Removes what has expired or what retention lets go; called by the hub's sweep. */
  sweep(epochMs: number): void {
    for (const queue of this.directory.list()) queue.sweep(epochMs);
  }

  /** Makes the queue that an address names; returns why it cannot be made, or null. */
  #make(name: string): MessagingError | null {
    try {
      this.directory.findOrCreate(name);
      return null;
    } catch (error) {
      if (isMessagingError(error)) return error;
      throw error;
    }
  }
}

function notAnAddress(topic: string): MessagingError {
  return new MessagingError("ERR_INVALID_TOPIC", `no message can be published to ${topic}`);
}

function fullLimits(limits: QueueLimits): Required<QueueLimits> {
  return {
    queuesMax: limits.queuesMax ?? 10_000,
    groupsPerQueueMax: limits.groupsPerQueueMax ?? 1_000,
    groupsMax: limits.groupsMax ?? 100_000,
    filterLengthMax: limits.filterLengthMax ?? 1_024,
    membersPerGroupMax: limits.membersPerGroupMax ?? 10_000,
    cacheBytesMax: limits.cacheBytesMax ?? 64 * 1024 * 1024,
    memoryBytesMax: limits.memoryBytesMax ?? 256 * 1024 * 1024,
  };
}
