/* What a stream and its groups are to do, written as plainly as possible; plain data, as the model of work queues. */
import type { CommitMode, StreamPosition } from "./queue-port.ts";
import type { BatchModel } from "./queue-world.test-support.ts";

/** The stream's settings as far as the model knows them. */
export interface StreamModelSettings {
  readonly name: string;
  readonly autoCommitIntervalMs: number;
  readonly messagesMax: number;
  readonly pendingMax: number;
  readonly deliveryLimit: number;
}

/** A delivery that is not settled; `idle`: the group reads it again when it comes to it. */
interface ModelHeld {
  readonly offset: number;
  status: "pending" | "ready" | "waiting" | "idle";
  consumer: string;
  count: number;
  dueMs: number;
}

interface ModelReader {
  readonly id: string;
  readonly filter: string;
  readonly commit: CommitMode;
  committed: number;
  cursor: number;
  commitDueMs: number;
  /** What lies between was delivered, or passed over. */
  deliveredFrom: number;
  deliveredTo: number;
  /** Only of a group that commits what is settled: everything below `doneBelow` is done, and these. */
  doneBelow: number;
  done: number[];
  held: ModelHeld[];
  members: string[];
  turn: number;
}

interface StreamState {
  first: number;
  messages: { readonly offset: number; readonly key: string; readonly atMs: number }[];
  next: number;
  groups: ModelReader[];
  letters: string[];
}

/** One stream, its groups and consumers, and what of them is durable. */
export class StreamModel implements BatchModel {
  nowMs = 0;
  state: StreamState = { first: 0, messages: [], next: 0, groups: [], letters: [] };
  readonly consumers = new Map<string, { readonly group: string; credit: number; readonly got: string[] }>();
  readonly settings: StreamModelSettings;
  #durable: StreamState = structuredClone(this.state);
  #durableNext = 0;
  #isInFlight = false;

  constructor(settings: StreamModelSettings) {
    this.settings = settings;
  }

  publish(key: string): void {
    this.state.messages.push({ offset: this.state.next++, key, atMs: this.nowMs });
  }

  subscribe(consumer: string, credit: number, wish: { name: string; filter: string; commit: CommitMode }): string {
    const id = wish.filter === "" ? wish.name : `${wish.name}@${wish.filter}`;
    let group = this.state.groups.find((one) => one.id === id);
    if (group === undefined) {
      const { first } = this.state;
      const { filter, commit } = wish;
      group = { id, filter, commit, ...standingAt(first), commitDueMs: Number.POSITIVE_INFINITY, members: [], turn: 0 };
      this.state.groups.push(group);
    }
    if (group.members.length === 0) {
      group.cursor = group.committed;
      group.held = group.held.filter((one) => one.offset >= group.committed);
      for (const one of group.held) one.status = "idle";
    }
    group.members.push(consumer);
    this.consumers.set(consumer, { group: id, credit, got: [] });
    return id;
  }

  /** Moves a group; a time is one of the model's. */
  seek(id: string, position: StreamPosition): void {
    const group = this.#group(id);
    const to = this.#find(position);
    if (to === null) return;
    Object.assign(group, standingAt(to));
  }

  give(consumer: string, credit: number): void {
    const one = this.consumers.get(consumer);
    if (one === undefined) return;
    one.credit += credit;
    this.#pump(this.#group(one.group));
  }

  leave(consumer: string): void {
    const group = this.#group(this.consumers.get(consumer)?.group ?? "");
    const at = group.members.indexOf(consumer);
    group.members.splice(at, 1);
    if (at < group.turn) group.turn--;
    this.consumers.delete(consumer);
    for (const one of group.held.slice()) {
      if (one.status === "pending" && one.consumer === consumer) this.#giveBack(group, one, 0);
    }
    this.#pump(group);
  }

  settle(id: string, offset: number, outcome: "ack" | "nack" | "reject", delayMs: number): string {
    const group = this.#group(id);
    if (group.commit === "settled") return this.#settleHeld(group, offset, outcome, delayMs);
    if (offset >= group.cursor) return "not-pending";
    if (outcome !== "nack" && group.commit === "auto") group.committed = Math.max(group.committed, offset + 1);
    return "settled";
  }

  commit(id: string, offset: number): string {
    const group = this.#group(id);
    if (offset > group.cursor) return "invalid-offset";
    if (group.commit === "settled" && isDone(group, offset)) {
      group.doneBelow = offset;
      group.done = [];
    } else raiseDone(group, offset);
    // What nobody has in hand and lies before it is not read again.
    group.held = group.held.filter((one) => one.status !== "idle" || one.offset >= offset);
    group.committed = offset;
    return "committed";
  }

  advance(ms: number): void {
    const untilMs = this.nowMs + ms;
    for (;;) {
      const dueMs = Math.min(...this.state.groups.map(nextDueMs));
      if (dueMs > untilMs) break;
      this.nowMs = dueMs;
      for (const group of this.state.groups) {
        if (group.commitDueMs <= dueMs) {
          group.commitDueMs = Number.POSITIVE_INFINITY;
          if (group.members.length > 0) group.committed = Math.max(group.committed, group.cursor);
        }
        this.#pump(group);
      }
    }
    this.nowMs = untilMs;
  }

  onBatch(): void {
    this.deliver();
    const { state } = this;
    state.first = Math.max(state.first, state.next - this.settings.messagesMax);
    state.messages = state.messages.filter((one) => one.offset >= state.first);
    for (const group of state.groups) {
      group.cursor = Math.max(group.cursor, state.first);
      raiseDone(group, state.first);
      const floor = group.commit === "settled" ? group.doneBelow : state.first;
      group.held = group.held.filter((one) => one.status !== "idle" || one.offset >= state.first);
      group.committed = Math.max(group.committed, floor);
    }
    this.#durable = structuredClone(state);
    this.#isInFlight = true;
  }

  deliver(): void {
    if (!this.#isInFlight) return;
    this.#isInFlight = false;
    this.#durableNext = this.#durable.next;
    for (const group of this.state.groups) this.#pump(group);
  }

  reopen(): void {
    this.state = structuredClone(this.#durable);
    this.#durableNext = this.state.next;
    this.#isInFlight = false;
    this.consumers.clear();
    for (const group of this.state.groups) {
      group.members = [];
      group.turn = 0;
      group.commitDueMs = Number.POSITIVE_INFINITY;
      if (group.commit === "settled") standAgain(group);
      else Object.assign(group, standingAt(group.committed));
    }
  }

  figures(): object[] {
    return this.state.groups.map(({ id, committed, cursor, held }) => {
      const pending = held.filter((one) => one.status === "pending").length;
      return { id, committed, cursor, pending, returned: held.length - pending };
    });
  }

  #group(id: string): ModelReader {
    const group = this.state.groups.find((one) => one.id === id);
    if (group === undefined) throw new Error(`the model has no group ${id}`);
    return group;
  }

  #settleHeld(group: ModelReader, offset: number, outcome: "ack" | "nack" | "reject", delayMs: number): string {
    const held = group.held.find((one) => one.offset === offset);
    if (held === undefined || (outcome === "nack" && held.status !== "pending")) return "not-pending";
    if (outcome === "nack") this.#giveBack(group, held, delayMs);
    else this.#finish(group, offset);
    if (outcome === "reject") this.#bury("rejected", group, held);
    this.#pump(group);
    return "settled";
  }

  #giveBack(group: ModelReader, held: ModelHeld, delayMs: number): void {
    if (isDone(group, held.offset)) return this.#finish(group, held.offset);
    if (held.count >= this.settings.deliveryLimit) {
      this.#finish(group, held.offset);
      this.#bury("delivery-limit", group, held);
      return;
    }
    held.status = delayMs > 0 ? "waiting" : "ready";
    held.dueMs = this.nowMs + delayMs;
  }

  #bury(reason: string, group: ModelReader, { offset, count }: ModelHeld): void {
    if (offset < this.state.first) return;
    this.state.letters.push(`${reason} ${this.settings.name} ${group.id} ${offset} ${count}`);
  }

  #finish(group: ModelReader, offset: number): void {
    group.held = group.held.filter((one) => one.offset !== offset);
    group.done.push(offset);
    raiseDone(group, group.doneBelow);
    group.committed = Math.max(group.committed, group.doneBelow);
  }

  /** The offset that is delivered next: the lowest that was given back, else the next one of the log; null when there is none. */
  #take(group: ModelReader): number | null {
    const [ready] = group.held.filter((one) => one.status === "ready").sort((a, b) => a.offset - b.offset);
    if (ready !== undefined) return ready.offset;
    const open = group.held.filter((one) => one.status !== "idle").length;
    if (open >= this.settings.pendingMax || group.cursor >= this.#durableNext) return null;
    const dueMs = this.nowMs + this.settings.autoCommitIntervalMs;
    if (group.commit === "auto") group.commitDueMs = Math.min(group.commitDueMs, dueMs);
    return group.cursor++;
  }

  #pump(group: ModelReader): void {
    if (group.members.length === 0) return;
    for (const one of group.held) if (one.status === "waiting" && one.dueMs <= this.nowMs) one.status = "ready";
    for (;;) {
      const consumer = this.#nextMember(group);
      if (consumer === null) return;
      const offset = this.#take(group);
      if (offset === null) return;
      const message = this.state.messages.find((one) => one.offset === offset);
      const isWanted = message !== undefined && (group.filter === "" || group.filter === message.key);
      if (isWanted && !isDone(group, offset)) this.#deliver(group, offset, consumer);
      else if (group.commit === "settled") this.#finish(group, offset);
    }
  }

  #deliver(group: ModelReader, offset: number, consumer: string): void {
    const member = this.consumers.get(consumer);
    if (member === undefined) throw new Error("a member that is no consumer");
    let count = offset >= group.deliveredFrom && offset < group.deliveredTo ? 1 : 0;
    group.deliveredTo = Math.max(group.deliveredTo, offset + 1);
    if (group.commit === "settled") {
      const earlier = group.held.find((one) => one.offset === offset);
      count = earlier?.count ?? count;
      group.held = group.held.filter((one) => one !== earlier);
      group.held.push({ offset, status: "pending", consumer, count: count + 1, dueMs: 0 });
    }
    member.credit--;
    member.got.push(`${offset}/${count}`);
    group.turn = (group.members.indexOf(consumer) + 1) % group.members.length;
  }

  #nextMember(group: ModelReader): string | null {
    for (let i = 0; i < group.members.length; i++) {
      const id = group.members[(group.turn + i) % group.members.length] ?? "";
      if ((this.consumers.get(id)?.credit ?? 0) > 0) return id;
    }
    return null;
  }

  #find(position: StreamPosition): number | null {
    const { first, next, messages } = this.state;
    switch (position.at) {
      case "resume":
        return null;
      case "first":
        return first;
      case "last":
        return Math.max(first, next - 1);
      case "next":
        return next;
      case "offset":
        return Math.min(next, Math.max(first, position.offset));
      case "timestamp":
        return messages.find((one) => one.atMs >= position.epochMs)?.offset ?? next;
    }
  }
}

/** A group that knows what was settled, and of what was out how often. */
function standAgain(group: ModelReader): void {
  group.cursor = group.committed;
  group.deliveredFrom = group.committed;
  group.deliveredTo = Math.max(group.deliveredTo, group.committed);
  group.held = group.held.filter((one) => one.count > 1 && !isDone(group, one.offset));
  for (const one of group.held) one.status = "idle";
}

/** A group that knows nothing of what lies behind this position. */
function standingAt(position: number) {
  return {
    committed: position,
    cursor: position,
    deliveredFrom: position,
    deliveredTo: position,
    doneBelow: position,
    done: [] as number[],
    held: [] as ModelHeld[],
  };
}

/** Everything below an offset is done, and what follows without a gap. */
function raiseDone(group: ModelReader, offset: number): void {
  group.doneBelow = Math.max(group.doneBelow, offset);
  while (group.done.includes(group.doneBelow)) group.doneBelow++;
}

function isDone(group: ModelReader, offset: number): boolean {
  return group.commit === "settled" && (offset < group.doneBelow || group.done.includes(offset));
}

/** When something of the group is due by itself. */
function nextDueMs(group: ModelReader): number {
  const waiting = group.held.filter((one) => one.status === "waiting" && group.members.length > 0);
  return Math.min(group.commitDueMs, ...waiting.map((one) => one.dueMs));
}
