import { MessagingError } from "../../base/errors.ts";
import type { Method, MethodOf } from "../codec/method-types.ts";

/** What a transaction asks of its channel. */
export interface TransactionOwner {
  /** Resolves when what was published is on its way; null when it is. @throws {MessagingError} ERR_NOT_CONNECTED, ERR_CHANNEL_CLOSED */
  drained(): Promise<void> | null;
  ask(method: MethodOf<"tx.commit" | "tx.rollback">): Promise<Method>;
}

/** The transaction of one channel: all of it is committed or nothing, also when a connection is lost in between. */
export class Transaction {
  readonly #owner: TransactionOwner;
  /** `begun`: something was published since the last commit or rollback. `lost`: the connection went then, or when something was settled in it. */
  #is: "none" | "empty" | "begun" | "lost" = "none";

  constructor(owner: TransactionOwner) {
    this.#owner = owner;
  }

  /** True once `tx.select` was answered: each connection is told anew. */
  get selected(): boolean {
    return this.#is !== "none";
  }

  select(): void {
    if (this.#is === "none") this.#is = "empty";
  }

  published(): void {
    if (this.#is === "empty") this.#is = "begun";
  }

  /** The connection is gone, and with it what was published and settled. */
  suspend(settled: boolean): void {
    if (this.#is === "begun" || (this.#is === "empty" && settled)) this.#is = "lost";
  }

  /** @throws {MessagingError} ERR_CONNECTION_LOST for one that was lost: the rest of it is rolled back */
  async commit(): Promise<void> {
    if (!(await this.#end("tx.commit"))) return;
    throw new MessagingError("ERR_CONNECTION_LOST", "the transaction was lost with its connection");
  }

  async rollback(): Promise<void> {
    await this.#end("tx.rollback");
  }

  /** Ends it; true when it was lost, so that it can only be rolled back. */
  async #end(method: "tx.commit" | "tx.rollback"): Promise<boolean> {
    // What waits for room belongs to it. Else it ends now: what is settled from here on belongs to the next one.
    const waits = this.#owner.drained();
    if (waits !== null) await waits;
    const lost = this.#is === "lost";
    const answered = this.#owner.ask({ method: lost ? "tx.rollback" : method });
    if (this.#is !== "none") this.#is = "empty";
    await answered;
    return lost;
  }
}
