import { raceAbort, throwIfAborted } from "../../base/abort.ts";
import { type Deferred, deferred } from "../../base/deferred.ts";
import type { MessagingError } from "../../base/errors.ts";
import { noop } from "../../base/noop.ts";
import { type End, endError } from "../engine/end.ts";

/** Where a connection, session or link is in its life. */
export type LifeState = "opening" | "open" | "closing" | "closed";

/** What connections, sessions and links have in common: they open once, end once, and both can be waited for. */
export class Lifetime {
  /** Resolves when it is over: with the error that ended it, or null after an orderly end of ours. Never rejects. */
  readonly closed: Promise<MessagingError | null>;
  readonly #closed: Deferred<MessagingError | null> = deferred<MessagingError | null>();
  readonly #opened: Deferred<void> = deferred<void>();
  #state: LifeState = "opening";
  #error: MessagingError | null = null;
  /** What whoever still waits for something gets; also after an orderly end. */
  #reason: MessagingError | null = null;

  constructor() {
    this.closed = this.#closed.promise;
    // Whoever opens it waits for this promise; it may end before anybody does.
    this.#opened.promise.catch(noop);
  }

  get state(): LifeState {
    return this.#state;
  }

  /** The error that ended it, or null. */
  get error(): MessagingError | null {
    return this.#error;
  }

  /** The error of calls that come after the end; null before. */
  get reason(): MessagingError | null {
    return this.#reason;
  }

  open(): void {
    if (this.#state !== "opening") return;
    this.#state = "open";
    this.#opened.resolve();
  }

  closing(): void {
    if (this.#state !== "closed") this.#state = "closing";
  }

  /** It is over as `end` says, or because of `ours` where we know more than that. */
  end(end: End, ours?: MessagingError): void {
    if (this.#state === "closed") return;
    const reason = ours ?? endError(end);
    this.#reason = reason;
    this.#error = ours === undefined && end.by === "us" && end.error === null ? null : reason;
    this.#state = "closed";
    this.#opened.reject(reason);
    this.#closed.resolve(this.#error);
  }

  /** Waits until it is open. When the signal fires first, `giveUp` is called. @throws {MessagingError} why it did not open, ERR_ABORTED */
  async whenOpen(signal: AbortSignal | undefined, giveUp: () => void): Promise<void> {
    try {
      throwIfAborted(signal);
      await raceAbort(this.#opened.promise, signal);
      // Some peers refuse with an answer like any other and the end right behind it.
      if (this.#reason !== null) throw this.#reason;
    } catch (error) {
      giveUp();
      throw error;
    }
  }

  /** Waits until it is over. @throws {MessagingError} ERR_ABORTED; the closing goes on */
  async whenClosed(signal: AbortSignal | undefined): Promise<void> {
    await raceAbort(this.closed, signal);
  }
}
