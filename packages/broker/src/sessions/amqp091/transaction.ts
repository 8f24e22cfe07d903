import { ReplyCode } from "polymq/amqp091/codec";
import type { Publication } from "./publish-intake.ts";
import { ReplyError } from "./reply-error.ts";
import type { Unsettled } from "./unsettled.ts";

/** Bounds of one transaction. */
export interface TransactionLimits {
  readonly transactionMax: number;
  readonly transactionBytesMax: number;
}

/** Publishes and settlements of one channel that wait for `tx.commit` (§1.9), within limits. */
export class Transaction {
  readonly #limits: TransactionLimits;
  /** What to do at the commit. */
  #steps: (() => void)[] = [];
  #published: Publication[] = [];
  /** Delivery tags of what was settled, and the deliveries. */
  #tags: number[] = [];
  #settled: Unsettled[] = [];
  #bytes = 0;

  constructor(limits: TransactionLimits) {
    this.#limits = limits;
  }

  /** Messages that wait for the commit. */
  get published(): readonly Publication[] {
    return this.#published;
  }

  /** @throws {ReplyError} 406 when the transaction is as large as it may be */
  publish(publication: Publication, commit: () => void): void {
    this.#bytes += publication.body.length + publication.properties.length;
    this.#published.push(publication);
    this.#add(commit);
  }

  /** @throws {ReplyError} as {@link publish} */
  settle(message: Unsettled, tag: number, commit: () => void): void {
    this.#tags.push(tag);
    this.#settled.push(message);
    this.#add(commit);
  }

  commit(): void {
    const steps = this.#steps;
    this.#clear();
    for (const step of steps) step();
  }

  /** Forgets all of it; what was settled in it is the client's again, unsettled, until it says so anew or asks for `basic.recover` (§1.9.2.3). */
  rollback(restore: (tags: readonly number[], messages: readonly Unsettled[]) => void): void {
    restore(this.#tags, this.#settled);
    this.#clear();
  }

  #add(step: () => void): void {
    this.#steps.push(step);
    const { transactionMax, transactionBytesMax } = this.#limits;
    if (this.#steps.length <= transactionMax && this.#bytes <= transactionBytesMax) return;
    throw new ReplyError(
      ReplyCode.PreconditionFailed,
      `a transaction has at most ${transactionMax} steps and ${transactionBytesMax} bytes`,
    );
  }

  #clear(): void {
    this.#steps = [];
    this.#published = [];
    this.#tags = [];
    this.#settled = [];
    this.#bytes = 0;
  }
}
