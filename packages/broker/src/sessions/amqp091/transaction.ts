import { ReplyCode } from "polymq/amqp091/codec";
import type { Publication } from "./publish-intake.ts";
import { ReplyError } from "./reply-error.ts";

/** Bounds of one transaction. */
export interface TransactionLimits {
  readonly transactionMax: number;
  readonly transactionBytesMax: number;
}

/** What one thing in a transaction does when it is committed or rolled back. */
interface Step {
  readonly commit: () => void;
  readonly rollback: () => void;
}

/** Publishes and settlements of one channel that wait for `tx.commit` (§1.9), within limits. */
export class Transaction {
  readonly #limits: TransactionLimits;
  #steps: Step[] = [];
  #bytes = 0;

  constructor(limits: TransactionLimits) {
    this.#limits = limits;
  }

  /** @throws {ReplyError} 406 when the transaction is as large as it may be */
  publish(publication: Publication, commit: () => void): void {
    this.#bytes += publication.body.length + publication.properties.length;
    this.add({ commit, rollback: () => undefined });
  }

  /** @throws {ReplyError} as {@link publish} */
  add(step: Step): void {
    this.#steps.push(step);
    const { transactionMax, transactionBytesMax } = this.#limits;
    if (this.#steps.length <= transactionMax && this.#bytes <= transactionBytesMax) return;
    throw new ReplyError(
      ReplyCode.PreconditionFailed,
      `a transaction has at most ${transactionMax} steps and ${transactionBytesMax} bytes`,
    );
  }

  commit(): void {
    const steps = this.#steps;
    this.#clear();
    for (const step of steps) step.commit();
  }

  rollback(): void {
    const steps = this.#steps;
    this.#clear();
    for (const step of steps) step.rollback();
  }

  #clear(): void {
    this.#steps = [];
    this.#bytes = 0;
  }
}
