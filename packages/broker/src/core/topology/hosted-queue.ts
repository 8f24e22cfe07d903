import type { Queue } from "../queues/queue.ts";
import { WorkGroup } from "../queues/work-group.ts";
import type { Deadline } from "../schedule.ts";
import type { Binding } from "./exchange.ts";
import type { QueueDeclaration } from "./queue-declaration.ts";
import { type QueueOwner, SHARED_GROUP } from "./topology-port.ts";

/** What a queue is besides its messages: how it was declared, whose it is, and which bindings lead to it. */
export class HostedQueue {
  readonly is: "queue" = "queue";
  readonly queue: Queue;
  /** Its name in its virtual host. */
  readonly name: string;
  /** How it was declared; null for a queue that another protocol or the broker's options made. */
  declaration: QueueDeclaration | null;
  /** To whom an exclusive queue belongs. */
  readonly owner: QueueOwner | null;
  readonly incoming: Set<Binding> = new Set();
  /** True once it had a consumer. */
  wasUsed = false;
  /** The consumer that has it alone. */
  alone: object | null = null;
  /** When it goes for want of use. */
  deadline: Deadline | null = null;

  constructor(queue: Queue, name: string, declaration: QueueDeclaration | null, owner: QueueOwner | null) {
    this.queue = queue;
    this.name = name;
    this.declaration = declaration;
    this.owner = owner;
  }

  get isStored(): boolean {
    return this.queue.isStored;
  }

  /** True when somebody else's. */
  isLockedFor(owner: QueueOwner): boolean {
    return this.owner !== null && this.owner !== owner;
  }
}

/** Messages of a queue that wait for a consumer of the shared group; while that is not there, of the group that has most of them. */
export function messagesWaiting(queue: Queue): number {
  const shared = queue.groups.get(SHARED_GROUP);
  if (shared instanceof WorkGroup) return shared.depth - shared.pendingCount;
  let most = -1;
  for (const group of queue.groups.values()) {
    if (group instanceof WorkGroup) most = Math.max(most, group.depth - group.pendingCount);
  }
  return most < 0 ? queue.depth : most;
}
