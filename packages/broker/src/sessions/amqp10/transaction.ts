import { ACCEPTED, Condition, type DeliveryState, type DeliveryStateInput } from "polymq/amqp10/codec";
import type { TargetAddress } from "./addresses.ts";
import type { Sent } from "./amqp10-types.ts";
import type { QueuedDelivery } from "./queue-source.ts";
import { Refused } from "./refused.ts";

/** Bounds of one transaction. */
export interface TransactionLimits {
  readonly transactionMax: number;
  readonly transactionBytesMax: number;
}

/** A message that is published when its transaction is committed. */
export interface PostedMessage {
  readonly to: TargetAddress;
  /** The whole message, in bytes of its own. */
  readonly bytes: Uint8Array;
}

/** An outcome that counts when its transaction is committed. */
export interface RetiredDelivery {
  readonly item: QueuedDelivery;
  readonly delivery: Sent;
  readonly outcome: DeliveryState | null;
  /** The client has settled it already. */
  readonly settled: boolean;
}

/** What was sent and settled in one transaction (§4.4), within limits. */
export class Transaction {
  readonly posted: PostedMessage[] = [];
  readonly retired: RetiredDelivery[] = [];
  /** What is said of a message that was sent in it; one object, so that neighbours become a range. */
  readonly provisional: DeliveryStateInput;
  readonly #limits: TransactionLimits;
  #bytes = 0;
  /** Why it can only be rolled back, or null. */
  failure: Refused | null = null;

  constructor(id: Uint8Array, limits: TransactionLimits) {
    this.provisional = { type: "transactionalState", txnId: id, outcome: ACCEPTED };
    this.#limits = limits;
  }

  post(message: PostedMessage): void {
    this.#bytes += message.bytes.length;
    this.#checkRoom();
    this.posted.push(message);
  }

  retire(delivery: RetiredDelivery): void {
    this.retired.push(delivery);
    if (this.posted.length + this.retired.length > this.#limits.transactionMax) this.fail(this.#tooLarge());
  }

  /** From now on it can only be rolled back. */
  fail(why: Refused): void {
    this.failure ??= why;
  }

  /** Lets go of the messages. */
  drop(): void {
    this.posted.length = 0;
    this.#bytes = 0;
  }

  #checkRoom(): void {
    const { transactionMax, transactionBytesMax } = this.#limits;
    if (this.posted.length + this.retired.length < transactionMax && this.#bytes <= transactionBytesMax) return;
    const why = this.#tooLarge();
    this.fail(why);
    throw why;
  }

  #tooLarge(): Refused {
    const { transactionMax, transactionBytesMax } = this.#limits;
    return new Refused(
      Condition.resourceLimitExceeded,
      `a transaction has at most ${transactionMax} steps and ${transactionBytesMax} bytes`,
    );
  }
}
