/*
 * What a work queue is to do, written as plainly as possible: lists that are searched from the front, nothing shared with the code it checks.
 * The state is plain data, so that a copy of it is what a batch makes durable.
 */

/** A queue's settings as far as the model knows them. */
export interface ModelSettings {
  readonly name: string;
  readonly priorityMax: number;
  readonly maxDepth: number;
  readonly overflow: "reject" | "drop-head";
  readonly deliveryLimit: number;
  readonly visibilityTimeoutMs: number;
  readonly pendingMax: number;
}

interface ModelMessage {
  readonly offset: number;
  readonly key: string;
  readonly priority: number;
  readonly expiresAtMs: number;
  isDurable: boolean;
  isRemoved: boolean;
}

interface ModelEntry {
  status: "settled" | "pending" | "ready" | "waiting";
  count: number;
  consumer: string;
  dueMs: number;
  /** Rises with every delivery. */
  order: number;
}

interface ModelGroup {
  readonly id: string;
  readonly filter: string;
  /** The queue's first offset when the group was made. */
  readonly base: number;
  readonly entries: Map<number, ModelEntry>;
  members: string[];
  turn: number;
}

interface ModelQueue {
  readonly settings: ModelSettings;
  messages: ModelMessage[];
  first: number;
  next: number;
  readonly groups: ModelGroup[];
}

interface ModelConsumer {
  readonly queue: string;
  readonly group: string;
  credit: number;
  readonly got: string[];
}

/** What is compared of a group. */
export interface GroupFigures {
  readonly pending: number;
  readonly returned: number;
  readonly committed: number;
  readonly depth: number;
}

/** Queues, groups and consumers, and what of them is durable. */
export class QueueModel {
  nowMs = 0;
  queues: ModelQueue[];
  letters: string[] = [];
  readonly consumers = new Map<string, ModelConsumer>();
  #order = 0;
  #durable: { queues: ModelQueue[]; letters: string[] };
  /** Queues of which messages were taken out: what that makes room for is delivered at the end of the step. */
  readonly #thinned = new Set<ModelQueue>();
  /** A batch was made and what it says has not been delivered yet. */
  #isInFlight = false;

  constructor(settings: readonly ModelSettings[]) {
    this.queues = settings.map((one) => ({ settings: one, messages: [], first: 0, next: 0, groups: [] }));
    this.#durable = structuredClone({ queues: this.queues, letters: this.letters });
  }

  /** False when it is refused. */
  publish(name: string, key: string, priority: number, expiresAtMs: number): boolean {
    const queue = this.#queue(name);
    const { maxDepth, overflow, priorityMax } = queue.settings;
    if (overflow === "reject" && depthOf(queue) >= maxDepth) {
      this.#expireWaiting(queue);
      if (depthOf(queue) >= maxDepth) return false;
    } else if (overflow === "drop-head" && idleOf(queue) >= maxDepth) {
      this.#expireWaiting(queue);
      while (idleOf(queue) >= maxDepth) {
        const oldest = queue.messages.find((one) => isLive(queue, one) && !isPending(queue, one));
        if (oldest === undefined) break;
        this.#remove(queue, oldest, "maxlen");
      }
    }
    const offset = queue.next++;
    const kept = { offset, key, priority: Math.min(priority, priorityMax), expiresAtMs };
    this.#fillRoom();
    queue.messages.push({ ...kept, isDurable: false, isRemoved: false });
    return true;
  }

  subscribe(name: string, groupName: string, filter: string, consumer: string, credit: number): string {
    const queue = this.#queue(name);
    const id = filter === "" ? groupName : `${groupName}@${filter}`;
    let group = queue.groups.find((one) => one.id === id);
    if (group === undefined) {
      group = { id, filter, base: queue.first, entries: new Map(), members: [], turn: 0 };
      for (const one of queue.messages) if (one.isRemoved) settle(group, one.offset);
      queue.groups.push(group);
    }
    group.members.push(consumer);
    this.consumers.set(consumer, { queue: name, group: id, credit, got: [] });
    this.#pump(queue, group);
    this.#fillRoom();
    return id;
  }

  give(consumer: string, credit: number): void {
    const one = this.consumers.get(consumer);
    if (one === undefined) return;
    one.credit += credit;
    const queue = this.#queue(one.queue);
    this.#pump(queue, this.#group(queue, one.group));
    this.#fillRoom();
  }

  leave(consumer: string): void {
    const one = this.consumers.get(consumer);
    if (one === undefined) return;
    const queue = this.#queue(one.queue);
    const group = this.#group(queue, one.group);
    const at = group.members.indexOf(consumer);
    group.members.splice(at, 1);
    if (at < group.turn) group.turn--;
    for (const [offset, entry] of byDelivery(group)) {
      if (entry.status === "pending" && entry.consumer === consumer) this.#giveBack(queue, group, offset, 0);
    }
    this.#pump(queue, group);
    this.#fillRoom();
    this.consumers.delete(consumer);
  }

  settle(name: string, groupId: string, offset: number, outcome: "ack" | "nack" | "reject", delayMs: number): string {
    const queue = this.#queue(name);
    const group = this.#group(queue, groupId);
    const entry = group.entries.get(offset);
    if (entry === undefined || entry.status === "settled") return "not-pending";
    if (outcome === "nack") {
      if (entry.status !== "pending") return "not-pending";
      this.#giveBack(queue, group, offset, delayMs);
    } else {
      settle(group, offset);
      if (outcome === "reject") this.letters.push(`rejected ${name} ${groupId} ${offset} ${entry.count}`);
    }
    this.#pump(queue, group);
    this.#fillRoom();
    return "settled";
  }

  purge(name: string): number {
    const queue = this.#queue(name);
    let removed = 0;
    for (const message of queue.messages) {
      if (isPending(queue, message)) continue;
      if (isLive(queue, message)) removed++;
      this.#remove(queue, message, null);
    }
    this.#fillRoom();
    return removed;
  }

  sweep(name: string): void {
    this.#expireWaiting(this.#queue(name));
  }

  /** What has expired and waits goes, wherever it stands. */
  #expireWaiting(queue: ModelQueue): void {
    const expired = queue.messages.filter((one) => isWaiting(queue, one) && one.expiresAtMs <= this.nowMs);
    for (const message of expired) this.#remove(queue, message, "expired");
    this.#fillRoom();
  }

  /** Time passes; what is due on the way happens in its order. */
  advance(ms: number): void {
    const untilMs = this.nowMs + ms;
    for (;;) {
      const dueMs = Math.min(...this.queues.flatMap((queue) => queue.groups.map(nextDueMs)));
      if (dueMs > untilMs) break;
      this.nowMs = dueMs;
      for (const queue of this.queues) for (const group of queue.groups) this.#pump(queue, group);
      this.#fillRoom();
    }
    this.nowMs = untilMs;
  }

  /** A batch takes up everything; what the one before it made durable was delivered by now. */
  onBatch(): void {
    this.deliver();
    for (const queue of this.queues) trim(queue);
    this.#durable = structuredClone({ queues: this.queues, letters: this.letters });
    this.#isInFlight = true;
  }

  /** The batch is durable: its messages are delivered. */
  deliver(): void {
    if (!this.#isInFlight) return;
    this.#isInFlight = false;
    const durable = this.#durable.queues;
    for (const [i, queue] of this.queues.entries()) {
      const next = durable[i]?.next ?? 0;
      for (const one of queue.messages) if (one.offset < next) one.isDurable = true;
      for (const group of queue.groups) this.#pump(queue, group);
    }
    this.#fillRoom();
  }

  /** Only what was durable is left; what was out is to be delivered again. */
  reopen(): void {
    const { queues, letters } = structuredClone(this.#durable);
    this.queues = queues;
    this.letters = letters;
    this.#isInFlight = false;
    this.#thinned.clear();
    this.consumers.clear();
    for (const queue of queues) {
      for (const one of queue.messages) one.isDurable = true;
      for (const group of queue.groups) {
        group.members = [];
        group.turn = 0;
        for (const entry of group.entries.values()) if (entry.status !== "settled") entry.status = "ready";
      }
    }
  }

  clearLetters(): void {
    this.letters = [];
  }

  figures(name: string): { first: number; next: number; depth: number; groups: Record<string, GroupFigures> } {
    const queue = this.#queue(name);
    const groups = Object.fromEntries(queue.groups.map((group) => [group.id, figuresOf(queue, group)]));
    return { first: queue.first, next: queue.next, depth: depthOf(queue), groups };
  }

  #fillRoom(): void {
    for (const queue of this.#thinned) {
      this.#thinned.delete(queue); // delivering may find expired messages, which puts it back
      for (const group of queue.groups) this.#pump(queue, group);
    }
  }

  #queue(name: string): ModelQueue {
    const queue = this.queues.find((one) => one.settings.name === name);
    if (queue === undefined) throw new Error(`the model has no queue ${name}`);
    return queue;
  }

  #group(queue: ModelQueue, id: string): ModelGroup {
    const group = queue.groups.find((one) => one.id === id);
    if (group === undefined) throw new Error(`the model has no group ${id}`);
    return group;
  }

  /** What is due comes back before anything else happens to the group. */
  #takeBackDue(queue: ModelQueue, group: ModelGroup): void {
    for (const [offset, entry] of byDelivery(group)) {
      if (entry.status === "pending" && entry.dueMs <= this.nowMs) this.#giveBack(queue, group, offset, 0);
    }
    for (const entry of group.entries.values()) {
      if (entry.status === "waiting" && entry.dueMs <= this.nowMs) entry.status = "ready";
    }
  }

  #giveBack(queue: ModelQueue, group: ModelGroup, offset: number, delayMs: number): void {
    const entry = group.entries.get(offset);
    if (entry === undefined) return;
    const { deliveryLimit, name } = queue.settings;
    if (queue.messages.find((one) => one.offset === offset)?.isRemoved === true) {
      settle(group, offset);
      return;
    }
    if (deliveryLimit > 0 && entry.count >= deliveryLimit) {
      settle(group, offset);
      this.letters.push(`delivery-limit ${name} ${group.id} ${offset} ${entry.count}`);
      return;
    }
    entry.status = delayMs > 0 ? "waiting" : "ready";
    entry.dueMs = this.nowMs + delayMs;
  }

  #pump(queue: ModelQueue, group: ModelGroup): void {
    this.#takeBackDue(queue, group);
    for (;;) {
      const consumer = this.#nextMember(group);
      if (consumer === null) return;
      const message = this.#next(queue, group);
      if (message === null) return;
      const earlier = group.entries.get(message.offset)?.count ?? 0;
      const dueMs = this.nowMs + queue.settings.visibilityTimeoutMs;
      const entry: ModelEntry = { status: "pending", count: earlier + 1, consumer, dueMs, order: this.#order++ };
      group.entries.set(message.offset, entry);
      const member = this.consumers.get(consumer);
      if (member === undefined) throw new Error("a member that is no consumer");
      member.credit--;
      group.turn = (group.members.indexOf(consumer) + 1) % group.members.length;
      member.got.push(`${message.offset}/${earlier}`);
    }
  }

  #nextMember(group: ModelGroup): string | null {
    const count = group.members.length;
    for (let i = 0; i < count; i++) {
      const at = (group.turn + i) % count;
      const id = group.members[at] ?? "";
      if ((this.consumers.get(id)?.credit ?? 0) <= 0) continue;
      return id;
    }
    return null;
  }

  /** The message that is delivered next: highest priority, then lowest offset, of what is new or to come again; of the latter alone when the group is full. */
  #next(queue: ModelQueue, group: ModelGroup): ModelMessage | null {
    const { settings } = queue;
    for (;;) {
      const out = [...group.entries.values()].filter((one) => one.status !== "settled").length;
      const open = queue.messages.filter((one) => {
        const status = one.offset < group.base ? "settled" : group.entries.get(one.offset)?.status;
        return one.isDurable && (status === "ready" || (status === undefined && out < settings.pendingMax));
      });
      const top = open.sort((a, b) => b.priority - a.priority || a.offset - b.offset)[0];
      if (top === undefined) return null;
      const entry = group.entries.get(top.offset);
      if (top.isRemoved || !matches(group.filter, top.key)) settle(group, top.offset);
      else if (top.expiresAtMs <= this.nowMs) {
        this.#remove(queue, top, "expired");
        settle(group, top.offset);
      } else if (entry !== undefined && settings.deliveryLimit > 0 && entry.count >= settings.deliveryLimit) {
        settle(group, top.offset);
        this.letters.push(`delivery-limit ${settings.name} ${group.id} ${top.offset} ${entry.count}`);
      } else return top;
    }
  }

  /** Nobody gets the message any more, but for consumers that have it. */
  #remove(queue: ModelQueue, message: ModelMessage, reason: "expired" | "maxlen" | null): void {
    if (message.isRemoved) return;
    message.isRemoved = true;
    this.#thinned.add(queue);
    for (const group of queue.groups) {
      this.#takeBackDue(queue, group);
      if (group.entries.get(message.offset)?.status !== "pending") settle(group, message.offset);
    }
    if (reason !== null) this.letters.push(`${reason} ${queue.settings.name}  ${message.offset} 0`);
  }
}

function settle(group: ModelGroup, offset: number): void {
  if (offset < group.base) return;
  group.entries.set(offset, { status: "settled", count: 0, consumer: "", dueMs: 0, order: 0 });
}

function byDelivery(group: ModelGroup): [number, ModelEntry][] {
  return [...group.entries].sort(([, a], [, b]) => a.order - b.order);
}

function nextDueMs(group: ModelGroup): number {
  const due = [...group.entries.values()].filter((one) => one.status === "pending" || one.status === "waiting");
  return Math.min(Number.POSITIVE_INFINITY, ...due.map((one) => one.dueMs));
}

function isUnsettled(group: ModelGroup, offset: number): boolean {
  return offset >= group.base && group.entries.get(offset)?.status !== "settled";
}

function isPending(queue: ModelQueue, message: ModelMessage): boolean {
  return queue.groups.some((group) => group.entries.get(message.offset)?.status === "pending");
}

function isLive(queue: ModelQueue, message: ModelMessage): boolean {
  if (message.isRemoved) return false;
  return queue.groups.length === 0 || queue.groups.some((group) => isUnsettled(group, message.offset));
}

/** True when somebody has still to work on it and nobody of those does. */
function isWaiting(queue: ModelQueue, message: ModelMessage): boolean {
  if (message.isRemoved) return false;
  if (queue.groups.length === 0) return true;
  return queue.groups.some(
    (group) => isUnsettled(group, message.offset) && group.entries.get(message.offset)?.status !== "pending",
  );
}

function figuresOf(queue: ModelQueue, group: ModelGroup): GroupFigures {
  const entries = [...group.entries.values()];
  const open = queue.messages.filter((one) => isUnsettled(group, one.offset));
  return {
    pending: entries.filter((one) => one.status === "pending").length,
    returned: entries.filter((one) => one.status === "ready" || one.status === "waiting").length,
    committed: open[0]?.offset ?? queue.next,
    depth: open.length,
  };
}

function depthOf(queue: ModelQueue): number {
  if (queue.groups.length === 0) return queue.messages.filter((one) => !one.isRemoved).length;
  return Math.max(...queue.groups.map((group) => figuresOf(queue, group).depth));
}

function idleOf(queue: ModelQueue): number {
  if (queue.groups.length === 0) return depthOf(queue);
  return Math.max(
    ...queue.groups.map((group) => {
      const { depth, pending } = figuresOf(queue, group);
      return depth - pending;
    }),
  );
}

/** Messages at the head that no group needs, or that were removed when there is none, go. */
function trim(queue: ModelQueue): void {
  const isNeeded = (one: ModelMessage): boolean =>
    queue.groups.length === 0 ? !one.isRemoved : queue.groups.some((group) => isUnsettled(group, one.offset));
  while (queue.messages[0] !== undefined && !isNeeded(queue.messages[0])) {
    const [gone] = queue.messages.splice(0, 1);
    if (gone === undefined) return;
    queue.first = gone.offset + 1;
    for (const group of queue.groups) group.entries.delete(gone.offset);
  }
}

function matches(filter: string, key: string): boolean {
  if (filter === "" || filter === "#") return true;
  if (key === "") return false;
  const [levels, parts] = [filter.split("/"), key.split("/")];
  for (const [i, level] of levels.entries()) {
    if (level === "#") return true;
    if (i >= parts.length || (level !== "+" && level !== parts[i])) return false;
  }
  return parts.length === levels.length;
}
