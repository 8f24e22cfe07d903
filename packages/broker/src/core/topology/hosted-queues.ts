import { isMessagingError } from "polymq/internal";
import { hostedName, hostOfQueue, nameInHost } from "../queues/hosted-name.ts";
import type { Queue } from "../queues/queue.ts";
import { purgeMessages } from "../queues/queue-administration.ts";
import type { QueueDirectory } from "../queues/queue-directory.ts";
import type { Schedule } from "../schedule.ts";
import type { TopologyShared } from "./exchange-registry.ts";
import { HostedQueue, messagesWaiting } from "./hosted-queue.ts";
import {
  declarationDifference,
  declarationFault,
  definitionOf,
  passingOf,
  type QueueDeclaration,
  queueDeclaration,
  settingsDifference,
} from "./queue-declaration.ts";
import {
  type DeclareQueueResult,
  type DeleteQueueResult,
  type HostedQueueDefinition,
  NAME_BYTES_MAX,
  type PurgeQueueResult,
  type QueueCounts,
  type QueueOwner,
  RESERVED_PREFIX,
} from "./topology-port.ts";

/** What the queues of a virtual host are looked after with. */
export interface HostedQueuesOptions {
  readonly host: string;
  readonly shared: TopologyShared;
  readonly directory: QueueDirectory;
  readonly schedule: Schedule;
  readonly randomBytes: (count: number) => Uint8Array;
}

/** The queues of a virtual host by their names there: how they were declared, whose they are, and when they go. */
export class HostedQueues {
  readonly #host: string;
  readonly #shared: TopologyShared;
  readonly #directory: QueueDirectory;
  readonly #schedule: Schedule;
  readonly #randomBytes: (count: number) => Uint8Array;
  readonly #hosted = new Map<Queue, HostedQueue>();
  readonly #byOwner = new Map<QueueOwner, Set<HostedQueue>>();

  constructor(options: HostedQueuesOptions) {
    this.#host = options.host;
    this.#shared = options.shared;
    this.#directory = options.directory;
    this.#schedule = options.schedule;
    this.#randomBytes = options.randomBytes;
  }

  /** The queue of this name, or null. */
  queue(name: string): Queue | null {
    return this.#directory.get(hostedName(this.#host, name)) ?? null;
  }

  /** The same with what is known of it here, or null. */
  find(name: string): HostedQueue | null {
    const queue = this.queue(name);
    return queue === null ? null : this.#of(queue);
  }

  /** All names, oldest first. */
  names(): string[] {
    const all = this.#directory.list().filter((queue) => hostOfQueue(queue.name) === this.#host);
    return all.map((queue) => nameInHost(queue.name));
  }

  /** What is known here of a queue, if anything. */
  known(queue: Queue): HostedQueue | undefined {
    return this.#hosted.get(queue);
  }

  counts(hosted: HostedQueue): QueueCounts {
    const { queue, name } = hosted;
    return { name, messages: messagesWaiting(queue), consumers: queue.consumerCount };
  }

  declare(definition: HostedQueueDefinition, owner: QueueOwner): DeclareQueueResult {
    if (this.#shared.text.byteLength(definition.name) > NAME_BYTES_MAX) {
      return { is: "invalid", field: "name", why: `more than ${NAME_BYTES_MAX} bytes` };
    }
    const existing = definition.name === "" ? null : this.find(definition.name);
    if (existing !== null) return this.#compare(existing, definition, owner);
    if (definition.name.startsWith(RESERVED_PREFIX)) return { is: "reserved" };
    const declaration = queueDeclaration(definition);
    const fault = declarationFault(declaration);
    if (fault !== null) return { is: "invalid", ...fault };
    return this.#create(definition.name === "" ? this.#freeName() : definition.name, declaration, owner);
  }

  delete(name: string, owner: QueueOwner, conditions: { ifUnused?: boolean; ifEmpty?: boolean }): DeleteQueueResult {
    const hosted = this.find(name);
    if (hosted === null) return { is: "not-found" };
    if (hosted.isLockedFor(owner)) return { is: "locked" };
    const { queue } = hosted;
    const messages = messagesWaiting(queue);
    if (conditions.ifUnused === true && queue.isUsed) return { is: "in-use" };
    if (conditions.ifEmpty === true && messages > 0) return { is: "not-empty" };
    this.#directory.delete(queue);
    return { is: "deleted", messages };
  }

  purge(name: string, owner: QueueOwner): PurgeQueueResult {
    const hosted = this.find(name);
    if (hosted === null) return { is: "not-found" };
    if (hosted.isLockedFor(owner)) return { is: "locked" };
    return { is: "purged", messages: purgeMessages(hosted.queue) };
  }

  /** Deletes what belongs to an owner. */
  release(owner: QueueOwner): void {
    for (const { queue } of Array.from(this.#byOwner.get(owner) ?? [])) this.#directory.delete(queue);
  }

  /** Takes up how a stored queue was declared. */
  restore(queue: Queue, declaration: QueueDeclaration): void {
    const name = nameInHost(queue.name);
    this.#adopt(new HostedQueue(queue, name, queueDeclaration({ name, ...declaration }), null));
  }

  /** Somebody consumes from it, or took a message: it does not end for want of use. */
  onUsed(queue: Queue): void {
    const hosted = this.#hosted.get(queue);
    if (hosted === undefined) return;
    if (queue.isUsed) hosted.wasUsed = true;
    this.#watch(hosted);
  }

  /** Its last consumer left: it is deleted when it is to go with that one. */
  onUnused(queue: Queue): void {
    const hosted = this.#hosted.get(queue);
    if (hosted === undefined) return;
    hosted.alone = null;
    if (hosted.wasUsed && hosted.declaration?.autoDelete === true) this.#directory.delete(queue);
    else this.#watch(hosted);
  }

  /** A queue is gone; returns what was known of it, with the bindings that still lead to it. */
  forget(queue: Queue): HostedQueue | null {
    const hosted = this.#hosted.get(queue);
    if (hosted === undefined) return null;
    this.#hosted.delete(queue);
    hosted.deadline?.cancel();
    if (hosted.owner !== null) {
      const owned = this.#byOwner.get(hosted.owner);
      owned?.delete(hosted);
      if (owned?.size === 0) this.#byOwner.delete(hosted.owner);
    }
    if (hosted.declaration !== null && queue.isStored) this.#shared.records.dropDeclaration(queue.number);
    return hosted;
  }

  #of(queue: Queue): HostedQueue {
    const known = this.#hosted.get(queue);
    if (known !== undefined) return known;
    const hosted = new HostedQueue(queue, nameInHost(queue.name), null, null);
    this.#hosted.set(queue, hosted);
    return hosted;
  }

  #compare(hosted: HostedQueue, definition: HostedQueueDefinition, owner: QueueOwner): DeclareQueueResult {
    if (hosted.isLockedFor(owner)) return { is: "locked" };
    const { declaration, queue } = hosted;
    const received = queueDeclaration(definition);
    const difference =
      declaration === null
        ? settingsDifference(queue.settings, definition, this.#shared.records.isKept)
        : declarationDifference(declaration, received);
    if (difference !== null) return difference;
    this.#watch(hosted);
    return { is: "existing", queue: this.counts(hosted) };
  }

  #create(name: string, declaration: QueueDeclaration, owner: QueueOwner): DeclareQueueResult {
    const queue = this.#make(name, declaration);
    if ("is" in queue) return queue;
    const hosted = new HostedQueue(queue, name, declaration, declaration.exclusive ? owner : null);
    if (hosted.owner !== null) {
      const owned = this.#byOwner.get(owner);
      if (owned === undefined) this.#byOwner.set(owner, new Set([hosted]));
      else owned.add(hosted);
    }
    if (queue.isStored) this.#shared.records.saveDeclaration(queue.number, declaration);
    this.#adopt(hosted);
    return { is: "created", queue: this.counts(hosted) };
  }

  #make(name: string, declaration: QueueDeclaration): Queue | Exclude<DeclareQueueResult, { readonly is: "created" }> {
    const queue = hostedName(this.#host, name);
    try {
      return this.#directory.declare(definitionOf(queue, name, declaration), "check").queue;
    } catch (error) {
      if (!isMessagingError(error)) throw error;
      if (error.code === "ERR_QUEUE_LIMIT") {
        return { is: "limit", what: "queues", countMax: this.#directory.limits.queuesMax };
      }
      const [field = "", ...why] = error.message.split(": ");
      return { is: "invalid", field, why: why.join(": ") };
    }
  }

  #adopt(hosted: HostedQueue): void {
    this.#hosted.set(hosted.queue, hosted);
    hosted.queue.expireOnTime();
    const passing = hosted.declaration === null ? null : passingOf(hosted.declaration.settings);
    if (passing !== null) hosted.queue.overflow.holdNothing(passing);
    this.#watch(hosted);
  }

  /** Has a queue deleted once nobody used it for as long as its declaration says; that time starts now. */
  #watch(hosted: HostedQueue): void {
    const expiresMs = hosted.declaration?.settings.expiresMs ?? null;
    if (expiresMs === null) return;
    hosted.deadline?.cancel();
    hosted.deadline = hosted.queue.isUsed
      ? null
      : this.#schedule.after(expiresMs, () => this.#directory.delete(hosted.queue));
  }

  #freeName(): string {
    for (;;) {
      const name = `${RESERVED_PREFIX}gen-${tokenOf(this.#randomBytes(16))}`;
      if (this.queue(name) === null) return name;
    }
  }
}

/** Short, so that texts about the queue fit into what replies may say. */
function tokenOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64url");
}
