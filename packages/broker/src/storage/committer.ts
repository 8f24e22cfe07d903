// Hot path: runs per message. No closure, promise, spread, iterator or regex here, except once per batch.
import { isMessagingError, MessagingError } from "polymq/internal";
import { StoreBatch } from "./batch.ts";
import type { Store } from "./store.ts";

/** Whoever waits for a commit. `token` is its own number, such as the id of what it will acknowledge. */
export interface CommitListener {
  /** Everything that was changed before `whenDurable` was called is durable as configured. */
  onDurable(token: number): void;
  /** It will never be: nothing may be acknowledged. */
  onCommitFailed(token: number, error: MessagingError): void;
}

/** Whoever has changes to store; asked once per batch, right before the commit. */
export interface BatchSource {
  /** Adds all changes since the last call. */
  fill(batch: StoreBatch): void;
}

/** What a {@link Committer} works with. */
export interface CommitterOptions {
  /** Where batches go; null when nothing is kept. */
  readonly store: Store | null;
  /** Makes `endTurn` be called once at the end of the current turn. */
  readonly arm: () => void;
  /** The store failed; nothing is stored or acknowledged from now on. Told once, before the listeners are. */
  readonly onFailed: (error: MessagingError) => void;
  /** A listener threw; the others are served all the same. */
  readonly onListenerError: (error: unknown) => void;
}

type State =
  | { readonly is: "idle" }
  | { readonly is: "committing" }
  | { readonly is: "failed"; readonly error: MessagingError };

/**
 * Group commit. What is changed during a turn, or while a commit runs, becomes one batch; listeners are called, in the
 * order in which they came, only after their batch is durable. It is the only place that acknowledgements start from, so nothing can be
 * acknowledged before it is stored. After a failed commit everybody who waits or comes later is refused.
 */
export class Committer {
  readonly #store: Store | null;
  readonly #arm: () => void;
  readonly #onFailed: (error: MessagingError) => void;
  readonly #onListenerError: (error: unknown) => void;
  readonly #sources: BatchSource[] = [];
  #state: State = { is: "idle" };
  #armed = false;
  /** True when a source has something for the next batch. */
  #touched = false;
  #waiting = new Waiters();
  #inFlight = new Waiters();
  #openBatch = 1;
  #durableBatch = 0;
  #commits = 0;

  constructor(options: CommitterOptions) {
    this.#store = options.store;
    this.#arm = options.arm;
    this.#onFailed = options.onFailed;
    this.#onListenerError = options.onListenerError;
  }

  /** The number of the batch that changes made now will belong to; it rises by one per batch. */
  get openBatch(): number {
    return this.#openBatch;
  }

  /** All batches up to this number are durable. */
  get durableBatch(): number {
    return this.#durableBatch;
  }

  /** Batches written to the store so far. */
  get commits(): number {
    return this.#commits;
  }

  /** The error that ended writing, or null. */
  get failure(): MessagingError | null {
    return this.#state.is === "failed" ? this.#state.error : null;
  }

  /** Asks `source` for changes from now on. */
  addSource(source: BatchSource): void {
    this.#sources.push(source);
  }

  /** A source has a change: a commit will follow at the end of this turn or after the running commit. */
  touch(): void {
    this.#touched = true;
    this.#armOnce();
  }

  /** Calls `listener` once everything changed so far is durable: at the earliest at the end of this turn, never inside this call. */
  whenDurable(listener: CommitListener, token: number): void {
    this.#waiting.push(listener, token);
    this.#armOnce();
  }

  /** Resolves once everything changed so far is durable. @throws {MessagingError} ERR_STORE_FAILED */
  flush(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.whenDurable({ onDurable: () => resolve(), onCommitFailed: (_token, error) => reject(error) }, 0);
    });
  }

  /** To be called once at the end of a turn that armed it. */
  endTurn(): void {
    this.#armed = false;
    if (this.#state.is === "idle") this.#start();
    else if (this.#state.is === "failed") this.#refuseAll(this.#state.error);
  }

  #armOnce(): void {
    if (this.#armed) return;
    this.#armed = true;
    this.#arm();
  }

  #start(): void {
    const batch = new StoreBatch();
    const running = this.#openBatch++;
    this.#touched = false;
    const waiters = this.#inFlight;
    this.#inFlight = this.#waiting;
    this.#waiting = waiters;
    let done: Promise<void> | null = null;
    try {
      for (let i = 0; i < this.#sources.length; i++) this.#sources[i]?.fill(batch);
      if (this.#store !== null && !batch.isEmpty) {
        this.#commits++;
        done = this.#store.commit(batch);
      }
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (done === null) {
      this.#settle(running);
      return;
    }
    this.#state = { is: "committing" };
    done.then(
      () => {
        this.#state = { is: "idle" };
        this.#settle(running);
        // What gathered meanwhile has waited long enough: it need not wait for the turn's end as well.
        if (this.#state.is === "idle" && (this.#touched || this.#waiting.length > 0)) this.#start();
      },
      (error: unknown) => this.#fail(error),
    );
  }

  #settle(batch: number): void {
    this.#durableBatch = batch;
    this.#inFlight.tell(null, this.#onListenerError);
  }

  #fail(cause: unknown): void {
    const error = isMessagingError(cause)
      ? cause
      : new MessagingError("ERR_STORE_FAILED", "a commit failed", { cause });
    this.#state = { is: "failed", error };
    this.#onFailed(error);
    this.#refuseAll(error);
  }

  #refuseAll(error: MessagingError): void {
    this.#inFlight.tell(error, this.#onListenerError);
    const waiting = this.#waiting;
    this.#waiting = new Waiters();
    waiting.tell(error, this.#onListenerError);
  }
}

/** Tokens for which there is room at first, and again after more were needed. */
const FIRST_TOKENS = 1_024;

/**
 * Listeners and their tokens in order: no object per waiting acknowledgement. The tokens of one listener that come one after the other, as those of a chunk
 * of input do, are a run.
 */
class Waiters {
  /** The listener of each run, and where its tokens end. */
  readonly #listeners: CommitListener[] = [];
  readonly #ends: number[] = [];
  #tokens: Float64Array = new Float64Array(FIRST_TOKENS);
  length = 0;
  #last: CommitListener | null = null;

  push(listener: CommitListener, token: number): void {
    if (this.length === this.#tokens.length) this.#grow();
    this.#tokens[this.length++] = token;
    if (listener === this.#last) this.#ends[this.#ends.length - 1] = this.length;
    else this.#begin(listener);
  }

  /** Tells all in order that what they wait for is durable, or why it never will be, and forgets them. */
  tell(error: MessagingError | null, onListenerError: (thrown: unknown) => void): void {
    let i = 0;
    for (let run = 0; run < this.#listeners.length; run++) {
      const listener = this.#listeners[run] as CommitListener;
      const end = this.#ends[run] as number;
      while (i < end) {
        const token = this.#tokens[i++] as number;
        try {
          if (error === null) listener.onDurable(token);
          else listener.onCommitFailed(token, error);
        } catch (thrown) {
          onListenerError(thrown);
        }
      }
    }
    this.#clear();
  }

  #clear(): void {
    this.#listeners.length = 0;
    this.#ends.length = 0;
    this.length = 0;
    this.#last = null;
    if (this.#tokens.length > FIRST_TOKENS) this.#tokens = new Float64Array(FIRST_TOKENS);
  }

  #begin(listener: CommitListener): void {
    this.#last = listener;
    this.#listeners.push(listener);
    this.#ends.push(this.length);
  }

  #grow(): void {
    const grown = new Float64Array(this.#tokens.length * 2);
    grown.set(this.#tokens);
    this.#tokens = grown;
  }
}
