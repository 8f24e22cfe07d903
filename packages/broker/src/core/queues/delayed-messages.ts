import { corrupt } from "../records.ts";
import type { Deadline } from "../schedule.ts";
import { Heap } from "./heap.ts";
import type { Enqueueable, Queue, QueueContext } from "./queue.ts";

/** Messages that may wait in one queue for their time. */
export const DELAYED_MAX = 100_000;

/** What is known of a message before its time. */
export interface DelayedFacts {
  readonly keyStart: number;
  readonly priority: number;
  readonly dueAtMs: number;
}

/** One message that waits for its time. */
export interface Delayed {
  readonly number: number;
  readonly dueAtMs: number;
  /** Its record; null once the store has it. */
  record: Uint8Array | null;
  state: "waiting" | "appended";
  isStored: boolean;
}

/** The messages of a queue that are to be appended later. With a store, their bodies lie there, and only their times are in memory. */
export class DelayedMessages {
  readonly #queue: Queue;
  readonly #context: QueueContext;
  readonly #heap = new Heap<Delayed>(isDueBefore);
  #next = 1;
  #deadline: Deadline | null = null;
  /** What the store does not know yet; taken by `queue-persistence.ts`. */
  changes: Delayed[] = [];
  /** Written with the batch under way. */
  inFlight: Delayed[] = [];
  /** Reads a stored record back; set by whoever stores it. */
  load: (number: number) => Uint8Array | null = () => null;

  constructor(queue: Queue, context: QueueContext) {
    this.#queue = queue;
    this.#context = context;
  }

  get count(): number {
    return this.#heap.length;
  }

  /** Keeps a message until its time. The caller has checked that there are fewer than {@link DELAYED_MAX}. */
  add(message: Enqueueable, facts: DelayedFacts): void {
    const { keyStart, priority, dueAtMs } = facts;
    const createdAtMs = this.#context.clock.epochMs();
    const { expiresAtMs } = message;
    const place = { offset: 0, startBytes: 0, keyStart, priority, createdAtMs, expiresAtMs, deadLetter: null };
    const record = this.#context.codec.encode(message, place);
    const delayed: Delayed = { number: this.#next++, dueAtMs, record, state: "waiting", isStored: false };
    this.#heap.push(delayed);
    this.changes.push(delayed);
    this.#queue.touch("soon");
    this.#arm();
  }

  /** Takes up a stored one. */
  restore(number: number, dueAtMs: number): void {
    this.#next = Math.max(this.#next, number + 1);
    this.#heap.push({ number, dueAtMs, record: null, state: "waiting", isStored: true });
    this.#arm();
  }

  /** Takes all away; returns how many there were. */
  clear(): number {
    const { length } = this.#heap;
    for (let one = this.#heap.pop(); one !== undefined; one = this.#heap.pop()) this.#leave(one);
    this.#deadline?.cancel();
    this.#deadline = null;
    return length;
  }

  /** What the batch under way wrote need not be in memory any more. */
  onDurable(): void {
    if (this.inFlight.length === 0) return;
    for (const delayed of this.inFlight) delayed.record = null;
    this.inFlight = [];
  }

  close(): void {
    this.#deadline?.cancel();
    this.#deadline = null;
  }

  #arm(): void {
    const dueAtMs = this.#heap.peek()?.dueAtMs ?? Number.POSITIVE_INFINITY;
    if (this.#deadline !== null && this.#deadline.atMs <= dueAtMs) return;
    this.#deadline?.cancel();
    this.#deadline =
      dueAtMs === Number.POSITIVE_INFINITY ? null : this.#context.schedule.at(dueAtMs, () => this.#run());
  }

  #run(): void {
    this.#deadline = null;
    const nowMs = this.#context.clock.epochMs();
    for (let top = this.#heap.peek(); top !== undefined && top.dueAtMs <= nowMs; top = this.#heap.peek()) {
      this.#heap.pop();
      const record = top.record ?? this.load(top.number);
      this.#leave(top);
      if (record === null) {
        this.#context.onError(corrupt(`delayed message ${top.number} of queue ${this.#queue.name} is missing`));
        continue;
      }
      const message = this.#context.codec.decode(0, record);
      // Confirmed long ago: no limit can refuse it any more.
      this.#queue.append(message, message.keyStart, message.priority, null);
    }
    this.#arm();
  }

  /** Its record goes in the batch that has the appended message. */
  #leave(delayed: Delayed): void {
    delayed.state = "appended";
    if (delayed.isStored) this.changes.push(delayed);
    this.#queue.touch("soon");
  }
}

function isDueBefore(a: Delayed, b: Delayed): boolean {
  return a.dueAtMs < b.dueAtMs || (a.dueAtMs === b.dueAtMs && a.number < b.number);
}
