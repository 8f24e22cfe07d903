import { MessagingError } from "polymq/internal";
import type { Clock } from "polymq/transport";
import type { StoreBatch } from "../storage/batch.ts";
import type { Durability, EntryVisitor, LogRange, RecordVisitor, Store } from "../storage/store.ts";

/** What a commit that failed has left in the store: nothing, or all of its batch, as when only the answer was lost. */
export type FailedCommit = "lost" | "written";

/** A store before another one, whose commits may be late or fail. It keeps to what every store promises, an error of the medium included: nothing works after it. */
export class FaultyStore implements Store {
  readonly durability: Durability;
  readonly #inner: Store;
  readonly #clock: Clock;
  /** How long commits wait before they begin; Infinity until they are let go. */
  #delayMs = 0;
  #fails: FailedCommit | null = null;
  #hasFailed = false;
  #running: Promise<void> | null = null;
  /** Lets the commit that waits begin. */
  #wake: (() => void) | null = null;
  #delayed = 0;
  #failed = 0;

  constructor(inner: Store, clock: Clock) {
    this.#inner = inner;
    this.#clock = clock;
    this.durability = inner.durability;
  }

  /** Commits that had to wait so far. */
  get delayedCount(): number {
    return this.#delayed;
  }

  /** Commits that were made to fail so far: 0 or 1. */
  get failedCount(): number {
    return this.#failed;
  }

  /** Commits from now on begin so much later. */
  delay(ms: number): void {
    this.#delayMs = ms;
  }

  /** Commits wait no more; the one that waits begins now. */
  release(): void {
    this.#delayMs = 0;
    this.#wake?.();
  }

  /** How the next commit fails, or null. */
  fail(left: FailedCommit | null): void {
    this.#fails = left;
  }

  get(key: Uint8Array): Uint8Array | null {
    return this.#working().get(key);
  }

  scan(prefix: Uint8Array, visit: RecordVisitor): void {
    this.#working().scan(prefix, visit);
  }

  logRange(log: number): LogRange {
    return this.#working().logRange(log);
  }

  logs(): number[] {
    return this.#working().logs();
  }

  readLog(log: number, from: number, visit: EntryVisitor): void {
    this.#working().readLog(log, from, visit);
  }

  commit(batch: StoreBatch): Promise<void> | null {
    const inner = this.#working();
    if (this.#running !== null) throw new MessagingError("ERR_INVALID_ARGUMENT", "a commit is still running");
    if (batch.isEmpty || (this.#delayMs === 0 && this.#fails === null)) return inner.commit(batch);
    const running = this.#commit(inner, batch).finally(() => {
      this.#running = null;
    });
    this.#running = running;
    return running;
  }

  async close(): Promise<void> {
    await this.#running?.catch(ignore); // whoever made the commit is told
    await this.#inner.close();
  }

  async #commit(inner: Store, batch: StoreBatch): Promise<void> {
    if (this.#delayMs > 0) await this.#wait(this.#delayMs);
    const left = this.#fails;
    this.#fails = null;
    if (left !== "lost") await inner.commit(batch);
    if (left === null) return;
    this.#failed++;
    this.#hasFailed = true;
    throw new MessagingError("ERR_STORE_FAILED", "the commit was made to fail");
  }

  #wait(delayMs: number): Promise<void> {
    this.#delayed++;
    return new Promise((resolve) => {
      const timer = delayMs === Number.POSITIVE_INFINITY ? null : this.#clock.setTimer(delayMs, resolve);
      this.#wake = () => {
        timer?.cancel();
        resolve();
      };
    });
  }

  #working(): Store {
    if (this.#hasFailed) throw new MessagingError("ERR_STORE_FAILED", "the store has failed");
    return this.#inner;
  }
}

function ignore(): void {}
