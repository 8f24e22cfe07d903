import { MessagingError } from "../../base/errors.ts";
import type { MessageStore, StoreOperation } from "../../store/message-store.ts";

/** Told when an operation is stored (null) or could not be. */
export type Stored = (error: MessagingError | null) => void;

/**
 * Writes to a store in groups: what comes in while one batch is being written forms the next. Callbacks run in order, after
 * their batch is stored.
 */
export class StoreWriter {
  readonly #store: MessageStore;
  readonly #onFailed: (error: MessagingError) => void;
  #operations: StoreOperation[] = [];
  #callbacks: (Stored | null)[] = [];
  #writing: Promise<void> | null = null;

  /** @param onFailed told of a failed batch in which somebody passed no callback of his own */
  constructor(store: MessageStore, onFailed: (error: MessagingError) => void) {
    this.#store = store;
    this.#onFailed = onFailed;
  }

  /** Adds one operation; `done` is told when it is stored. */
  write(operation: StoreOperation, done: Stored | null): void {
    this.#operations.push(operation);
    this.#callbacks.push(done);
    this.#writing ??= this.#run();
  }

  /** Resolves when everything written so far is stored or has failed. */
  async idle(): Promise<void> {
    while (this.#writing !== null) await this.#writing;
  }

  async #run(): Promise<void> {
    // One turn of microtasks, so that what one chunk or one loop asks for goes into one batch.
    await null;
    while (this.#operations.length > 0) {
      const operations = this.#operations;
      const callbacks = this.#callbacks;
      this.#operations = [];
      this.#callbacks = [];
      const error = await this.#write(operations);
      if (error !== null && callbacks.includes(null)) this.#onFailed(error);
      for (const done of callbacks) done?.(error);
    }
    this.#writing = null;
  }

  async #write(operations: readonly StoreOperation[]): Promise<MessagingError | null> {
    try {
      await this.#store.write(operations);
      return null;
    } catch (cause) {
      return new MessagingError("ERR_STORE_FAILED", "the message store failed", { cause });
    }
  }
}
