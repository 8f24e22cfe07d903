import type fc from "fast-check";
import { VirtualClock } from "polymq/testing";
import type { StoreBatch } from "../../storage/batch.ts";
import { MemoryMedium, MemoryStore } from "../../storage/memory-store.ts";
import { Hub } from "../hub.ts";
import type { QueueSubscription } from "./queue-port.ts";
import type { TestConsumer } from "./queue-scene.test-support.ts";
import type { QueueDefinition } from "./queue-settings.ts";

/** What a model must know of time and storage. */
export interface BatchModel {
  /** A batch takes up everything; what the one before it made durable was delivered by now. */
  onBatch(): void;
  /** The batch is durable: its messages are delivered. */
  deliver(): void;
  /** Time passes; what is due on the way happens in its order. */
  advance(ms: number): void;
  /** Only what was durable is left. */
  reopen(): void;
}

/** A memory store that can fail a commit before or after it took effect, as a crash would. */
class CrashingStore extends MemoryStore {
  crash: "never" | "before" | "after" = "never";
  readonly #onBatch: () => void;

  constructor(medium: MemoryMedium, onBatch: () => void) {
    super(medium);
    this.#onBatch = onBatch;
  }

  override commit(batch: StoreBatch): Promise<void> | null {
    if (this.crash === "before") throw new Error("crashed before the commit");
    this.#onBatch();
    const done = super.commit(batch);
    if (this.crash === "after") throw new Error("crashed after the commit");
    return done;
  }
}

/** The hub under test. */
export class RealQueues {
  readonly clock: VirtualClock = new VirtualClock();
  readonly #medium = new MemoryMedium();
  readonly #model: BatchModel;
  readonly #queues: readonly QueueDefinition[];
  readonly consumers = new Map<string, { readonly consumer: TestConsumer; readonly subscription: QueueSubscription }>();
  readonly errors: unknown[] = [];
  hub: Hub;
  #store: CrashingStore;
  #batches = 0;
  /** While time passes the model lags behind: it takes its copy afterwards. */
  #isPassing = false;
  nextConsumer = 1;

  constructor(model: BatchModel, queues: readonly QueueDefinition[]) {
    this.#model = model;
    this.#queues = queues;
    this.#store = this.#makeStore();
    this.hub = this.#open();
    this.run();
  }

  run(): void {
    this.clock.advanceSync(0);
    this.#model.deliver();
  }

  pass(ms: number): void {
    this.run();
    this.#isPassing = true;
    this.clock.advanceSync(ms);
    this.#model.advance(ms);
    this.#isPassing = false;
    const before = this.#batches;
    this.hub.committer.touch();
    this.clock.advanceSync(0);
    // Everything was stored on the way, so nothing was left for a batch.
    if (this.#batches === before) this.#model.onBatch();
    this.#model.deliver();
  }

  stop(): void {
    void this.hub.close();
    this.run();
    this.#reopen();
  }

  /** The open batch is lost. */
  crash(): void {
    this.hub.schedule.close();
    this.#store.crash = "before";
    this.#reopen();
  }

  /** The store fails while it commits; what was to be delivered then is not. */
  crashInCommit(when: "before" | "after"): void {
    this.hub.schedule.close();
    this.#store.crash = when;
    this.clock.advanceSync(0);
    this.#reopen();
  }

  #reopen(): void {
    this.#model.reopen();
    this.consumers.clear();
    this.#store = this.#makeStore();
    this.hub = this.#open();
    this.clock.advanceSync(0);
  }

  #makeStore(): CrashingStore {
    return new CrashingStore(this.#medium, () => {
      this.#batches++;
      if (!this.#isPassing) this.#model.onBatch();
    });
  }

  #open(): Hub {
    return Hub.open({
      clock: this.clock,
      store: this.#store,
      sweepIntervalMs: 2_000_000_000,
      onError: (error) => this.errors.push(error),
      queues: this.#queues,
    });
  }
}

/** One step: what is done to both, and compared. */
export class Step<Model extends BatchModel> implements fc.Command<Model, RealQueues> {
  readonly #text: string;
  readonly #do: (model: Model, real: RealQueues) => void;

  constructor(text: string, run: (model: Model, real: RealQueues) => void) {
    this.#text = text;
    this.#do = run;
  }

  check(): boolean {
    return true;
  }

  run(model: Model, real: RealQueues): void {
    this.#do(model, real);
  }

  toString(): string {
    return this.#text;
  }
}

/** One of several, or undefined of none. */
export function pickFrom<T>(items: readonly T[], pick: number): T | undefined {
  return items.length === 0 ? undefined : items[pick % items.length];
}

/** The dead letters in a queue, a line each. */
export function lettersIn(real: RealQueues, queue: string): string[] {
  return real.hub.queues.peek(queue, 0, 1_000_000).map(({ deadLetter: one }) => {
    return `${one?.reason} ${one?.queue} ${one?.group} ${one?.offset} ${one?.count}`;
  });
}
