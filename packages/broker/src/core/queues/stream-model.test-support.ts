/* What a stream and its groups are to do, written as plainly as possible; plain data, as the model of work queues. */
import type { StreamPosition } from "./queue-port.ts";
import type { BatchModel } from "./queue-world.test-support.ts";

/** The stream's settings as far as the model knows them. */
export interface StreamModelSettings {
  readonly name: string;
  readonly autoCommitIntervalMs: number;
  readonly messagesMax: number;
}

interface ModelReader {
  readonly id: string;
  readonly filter: string;
  readonly commit: "auto" | "manual";
  committed: number;
  cursor: number;
  commitDueMs: number;
  members: string[];
  turn: number;
}

interface StreamState {
  first: number;
  messages: { readonly offset: number; readonly key: string; readonly atMs: number }[];
  next: number;
  groups: ModelReader[];
}

/** One stream, its groups and consumers, and what of them is durable. */
export class StreamModel implements BatchModel {
  nowMs = 0;
  state: StreamState = { first: 0, messages: [], next: 0, groups: [] };
  readonly consumers = new Map<string, { readonly group: string; credit: number; readonly got: number[] }>();
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

  subscribe(
    consumer: string,
    credit: number,
    wish: { name: string; filter: string; commit: "auto" | "manual" },
  ): string {
    const id = wish.filter === "" ? wish.name : `${wish.name}@${wish.filter}`;
    let group = this.state.groups.find((one) => one.id === id);
    if (group === undefined) {
      const { first } = this.state;
      const { filter, commit } = wish;
      const fresh = { committed: first, cursor: first, commitDueMs: Number.POSITIVE_INFINITY, members: [], turn: 0 };
      group = { id, filter, commit, ...fresh };
      this.state.groups.push(group);
    }
    if (group.members.length === 0) group.cursor = group.committed;
    group.members.push(consumer);
    this.consumers.set(consumer, { group: id, credit, got: [] });
    return id;
  }

  /** Moves a group; a time is one of the model's. */
  seek(id: string, position: StreamPosition): void {
    const group = this.#group(id);
    const to = this.#find(position);
    if (to === null) return;
    group.cursor = to;
    group.committed = to;
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
  }

  settle(id: string, offset: number, outcome: "ack" | "nack" | "reject"): string {
    const group = this.#group(id);
    if (offset >= group.cursor) return "not-pending";
    if (outcome !== "nack" && group.commit === "auto") group.committed = Math.max(group.committed, offset + 1);
    return "settled";
  }

  commit(id: string, offset: number): string {
    const group = this.#group(id);
    if (offset > group.cursor) return "invalid-offset";
    group.committed = offset;
    return "committed";
  }

  advance(ms: number): void {
    this.nowMs += ms;
    for (const group of this.state.groups) {
      if (group.commitDueMs > this.nowMs) continue;
      group.commitDueMs = Number.POSITIVE_INFINITY;
      if (group.members.length > 0) group.committed = Math.max(group.committed, group.cursor);
    }
  }

  onBatch(): void {
    this.deliver();
    const { state } = this;
    state.first = Math.max(state.first, state.next - this.settings.messagesMax);
    state.messages = state.messages.filter((one) => one.offset >= state.first);
    for (const group of state.groups) {
      group.cursor = Math.max(group.cursor, state.first);
      group.committed = Math.max(group.committed, state.first);
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
      group.cursor = group.committed;
    }
  }

  #group(id: string): ModelReader {
    const group = this.state.groups.find((one) => one.id === id);
    if (group === undefined) throw new Error(`the model has no group ${id}`);
    return group;
  }

  #pump(group: ModelReader): void {
    for (;;) {
      const consumer = this.#nextMember(group);
      if (consumer === null || group.cursor >= this.#durableNext) return;
      const message = this.state.messages.find((one) => one.offset === group.cursor);
      group.cursor++;
      const dueMs = this.nowMs + this.settings.autoCommitIntervalMs;
      if (group.commit === "auto") group.commitDueMs = Math.min(group.commitDueMs, dueMs);
      if (message === undefined || (group.filter !== "" && group.filter !== message.key)) continue;
      const member = this.consumers.get(consumer);
      if (member === undefined) throw new Error("a member that is no consumer");
      member.credit--;
      member.got.push(message.offset);
      group.turn = (group.members.indexOf(consumer) + 1) % group.members.length;
    }
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
