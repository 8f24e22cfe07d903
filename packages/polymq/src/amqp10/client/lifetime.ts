import { raceAbort, throwIfAborted } from "../../base/abort.ts";
import { type Deferred, deferred } from "../../base/deferred.ts";
import type { MessagingError } from "../../base/errors.ts";
import { noop } from "../../base/noop.ts";
import { type End, endError } from "../engine/end.ts";

/** Where a connection, session or link is in its life; `reconnecting`: the connection is lost and being made again, and all on it will come back. */
export type LifeState = "opening" | "open" | "reconnecting" | "closing" | "closed";

/** What connections, sessions and links have in common: they open, perhaps again and again, end once, and both can be waited for. */
export class Lifetime {
  /** Resolves when it is over: with the error that ended it, or null after an orderly end of ours. Never rejects. */
  readonly closed: Promise<MessagingError | null>;
  readonly #closed: Deferred<MessagingError | null> = deferred<MessagingError | null>();
  #opened: Deferred<void> = deferred<void>();
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
    if (this.#state !== "opening" && this.#state !== "reconnecting") return;
    this.#state = "open";
    this.#opened.resolve();
  }

  /** The connection is lost and will come back: it is to be opened again. Whoever waits for that since the last time gets `reason`. */
  suspend(reason: MessagingError): void {
    this.#state = "reconnecting";
    this.#opened.reject(reason);
    this.#opened = deferred<void>();
    this.#opened.promise.catch(noop);
  }

  /** True while it will outlive a lost connection: open, or lost and not yet back. */
  get lasting(): boolean {
    return this.#state === "open" || this.#state === "reconnecting";
  }

  closing(): void {
    if (this.#state !== "closed") this.#state = "closing";
  }

  /** It is over as `end` says, or because of `ours` where we know more than that. */
  end(end: End, ours?: MessagingError): void {
    const reason = ours ?? endError(end);
    this.finish(ours === undefined && end.by === "us" && end.error === null ? null : reason, reason);
  }

  /** It is over: with an error, or in order; `reason` is for whoever still waits for something of it. */
  finish(error: MessagingError | null, reason: MessagingError): void {
    if (this.#state === "closed") return;
    this.#reason = reason;
    this.#error = error;
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
