import {
  type Durability,
  type EntryVisitor,
  type LogRange,
  MemoryMedium,
  MemoryStore,
  type RecordVisitor,
  type StoreBatch,
} from "@polymq/broker/storage";
import { MessagingError } from "polymq/internal";
import type { Clock, Timer } from "polymq/transport";

/** How one commit's sync goes. */
export interface SyncFate {
  readonly delayMs: number;
  /** A failed sync may or may not have written its batch: nobody knows before the next opening. */
  readonly result: "synced" | "failed and lost" | "failed but written";
}

/** What a crash does to a batch whose sync was under way: all of it is on the disk, nothing, or a part that opening must throw away. */
export type CrashFate = "kept" | "lost" | "torn";

/** The disk: what was synced, and half a batch that a crash may have left. */
export class FaultMedium extends MemoryMedium {
  /** Batches that were applied so far. */
  batches = 0;
  /** A batch that was being written when the power went; it lacks its end, so it does not count. */
  torn: StoreBatch | null = null;
  /** Torn batches that an opening found and threw away. */
  tornDiscarded = 0;
}

/** What a {@link FaultStore} works with. */
export interface FaultStoreOptions {
  readonly clock: Clock;
  /** Asked once per commit. Default: synced at the next turn. */
  readonly fate?: (batch: StoreBatch) => SyncFate;
}

interface Pending {
  readonly batch: StoreBatch;
  readonly settled: Promise<void>;
  readonly timer: Timer;
}

/**
 * A store whose syncs take time, fail, and are overtaken by crashes. It keeps to the promises of every store: a batch is there whole or not at
 * all, and a commit resolves after its sync.
 */
export class FaultStore extends MemoryStore {
  override readonly durability: Durability = "fsync";
  readonly #medium: FaultMedium;
  readonly #clock: Clock;
  readonly #fate: (batch: StoreBatch) => SyncFate;
  #pending: Pending | null = null;
  #state: "open" | "failed" | "crashed" | "closed" = "open";

  constructor(medium: FaultMedium, options: FaultStoreOptions) {
    super(medium);
    this.#medium = medium;
    this.#clock = options.clock;
    this.#fate = options.fate ?? (() => ({ delayMs: 0, result: "synced" }));
    if (medium.torn !== null) {
      medium.torn = null;
      medium.tornDiscarded++;
    }
  }

  /** True while a batch waits for its sync. */
  get isSyncing(): boolean {
    return this.#pending !== null;
  }

  override get(key: Uint8Array): Uint8Array | null {
    this.#mustBeOpen();
    return super.get(key);
  }

  override scan(prefix: Uint8Array, visit: RecordVisitor): void {
    this.#mustBeOpen();
    super.scan(prefix, visit);
  }

  override logRange(log: number): LogRange {
    this.#mustBeOpen();
    return super.logRange(log);
  }

  override readLog(log: number, from: number, visit: EntryVisitor): void {
    this.#mustBeOpen();
    super.readLog(log, from, visit);
  }

  override commit(batch: StoreBatch): Promise<void> | null {
    this.#mustBeOpen();
    if (this.#pending !== null) throw new MessagingError("ERR_INVALID_ARGUMENT", "a commit is still running");
    if (batch.isEmpty) return null;
    const fate = this.#fate(batch);
    const ends: { settle?: () => void } = {};
    const settled = new Promise<void>((resolve, reject) => {
      ends.settle = () => {
        this.#pending = null;
        try {
          this.#sync(batch, fate);
          resolve();
        } catch (error) {
          reject(error);
        }
      };
    });
    const timer = this.#clock.setTimer(fate.delayMs, () => ends.settle?.());
    this.#pending = { batch, settled, timer };
    return settled;
  }

  override async close(): Promise<void> {
    if (this.#state === "crashed") return;
    await this.#pending?.settled.catch(ignore); // whoever made the commit is told
    this.#state = "closed";
    await super.close();
  }

  /** The process ends here: commits under way never settle. Only a loss of power tears. */
  crash(fate: CrashFate): void {
    this.#state = "crashed";
    const pending = this.#pending;
    this.#pending = null;
    if (pending === null) return;
    pending.timer.cancel();
    if (fate === "kept") this.#apply(pending.batch);
    else if (fate === "torn") this.#medium.torn = pending.batch;
  }

  #sync(batch: StoreBatch, fate: SyncFate): void {
    if (fate.result !== "failed and lost") this.#apply(batch);
    if (fate.result === "synced") return;
    this.#state = "failed";
    throw new MessagingError("ERR_STORE_FAILED", "the disk did not sync");
  }

  #apply(batch: StoreBatch): void {
    super.commit(batch); // complete at once
    this.#medium.batches++;
  }

  #mustBeOpen(): void {
    if (this.#state !== "open") throw new MessagingError("ERR_STORE_FAILED", `the store is ${this.#state}`);
  }
}

function ignore(): void {}
