import {
  type AmqpErrorInput,
  type AmqpValue,
  Condition,
  type DeliveryState,
  type DeliveryStateInput,
} from "polymq/amqp10/codec";
import type { Deadline } from "../../core/schedule.ts";
import type { TargetAddress } from "./addresses.ts";
import type { Amqp10Connection } from "./amqp10-connection.ts";
import type { Incoming, Sent } from "./amqp10-types.ts";
import { RELEASE, terminalState } from "./outcomes.ts";
import type { QueuedDelivery } from "./queue-source.ts";
import { Refused } from "./refused.ts";
import { Transaction } from "./transaction.ts";

/** Who declared a transaction: it is rolled back when that is over. */
export type TransactionOwner = object;

interface Open {
  readonly transaction: Transaction;
  readonly owner: TransactionOwner;
  readonly deadline: Deadline;
}

/** What a client says of a delivery in a transaction. */
export interface Retirement {
  readonly state: Extract<DeliveryState, { readonly type: "transactionalState" }>;
  readonly settled: boolean;
}

/** The transactions of one connection (§4). */
export class Transactions {
  readonly #connection: Amqp10Connection;
  readonly #open = new Map<number, Open>();
  #last = 0;

  constructor(connection: Amqp10Connection) {
    this.#connection = connection;
  }

  /** Begins one and returns its id. @throws {Refused} with as many open as allowed */
  declare(owner: TransactionOwner): Uint8Array {
    const { settings, hub } = this.#connection.context;
    if (this.#open.size >= settings.transactionsMax) {
      throw new Refused(
        Condition.resourceLimitExceeded,
        `a connection has at most ${settings.transactionsMax} transactions`,
      );
    }
    const number = ++this.#last;
    const id = idOf(number);
    const transaction = new Transaction(id, settings);
    const deadline = hub.schedule.after(settings.transactionTimeoutMs, () => {
      transaction.fail(new Refused(Condition.transactionTimeout, "the transaction took too long"));
      this.#rollback(transaction);
    });
    this.#open.set(number, { transaction, owner, deadline });
    return id;
  }

  /**
   * Ends one. A commit does all of it, in one batch of the store, or none.
   * @throws {Refused} when it cannot be committed, and is rolled back
   */
  discharge(id: AmqpValue, how: "commit" | "rollback"): void {
    const number = numberOf(id);
    const open = this.#find(id);
    this.#open.delete(number);
    open.deadline.cancel();
    const { transaction } = open;
    const failure = how === "commit" ? (transaction.failure ?? this.#obstacle(transaction)) : null;
    if (how === "commit" && failure === null) return this.#commit(transaction);
    this.#rollback(transaction);
    if (failure !== null) throw failure;
  }

  /** A message is sent in a transaction; returns what is said of it for now. @throws {Refused} for an unknown one, or when it is too large or over */
  post(id: AmqpValue, to: TargetAddress, bytes: Uint8Array): DeliveryStateInput {
    const { transaction } = this.#find(id);
    if (transaction.failure !== null) throw transaction.failure;
    transaction.post({ to, bytes });
    return transaction.provisional;
  }

  /** Something that the client takes for a part of it could not be done, and the client cannot be told: it can only be rolled back. */
  spoil(id: AmqpValue, { description }: AmqpErrorInput): void {
    const open = this.#open.get(numberOf(id));
    const why = `a settled message was not taken: ${description}`;
    open?.transaction.fail(new Refused(Condition.transactionRollback, why));
  }

  /** A delivery's outcome is said in a transaction. One that is unknown is as if nothing was said: the delivery goes back. */
  retire(item: QueuedDelivery, delivery: Sent, retirement: Retirement): void {
    const { state, settled } = retirement;
    const outcome = terminalState(state.outcome);
    const open = this.#open.get(numberOf(state.txnId));
    if (open === undefined || open.transaction.failure !== null) {
      if (settled) item.source.settle(item, RELEASE);
      return;
    }
    item.source.enlist(item);
    open.transaction.retire({ item, delivery, outcome, settled });
  }

  /** Rolls back what `owner` declared, or all. */
  end(owner: TransactionOwner | null): void {
    for (const [number, open] of Array.from(this.#open)) {
      if (owner !== null && open.owner !== owner) continue;
      this.#open.delete(number);
      open.deadline.cancel();
      this.#rollback(open.transaction);
    }
  }

  #find(id: AmqpValue): Open {
    const open = this.#open.get(numberOf(id));
    if (open === undefined) throw new Refused(Condition.transactionUnknownId, "there is no such transaction");
    return open;
  }

  /** Why not all of it can be done, or null. */
  #obstacle(transaction: Transaction): Refused | null {
    for (const { item } of transaction.retired) {
      if (!item.source.holds(item)) {
        return new Refused(Condition.transactionRollback, "a delivery's time to settle it ran out");
      }
    }
    return this.#connection.publisher.obstacle(transaction.posted);
  }

  #commit(transaction: Transaction): void {
    const { publisher, message, context } = this.#connection;
    const { held } = context.hub;
    held.isCommitting = true;
    try {
      for (const { to, bytes } of transaction.posted) {
        message.read(bytes);
        publisher.publish(message, to, false);
        message.end();
      }
    } finally {
      held.isCommitting = false;
    }
    for (const retired of transaction.retired) retired.item.source.commit(retired);
    transaction.drop();
  }

  #rollback(transaction: Transaction): void {
    for (const retired of transaction.retired) retired.item.source.rollback(retired);
    transaction.retired.length = 0;
    transaction.drop();
  }
}

const ID_BYTES = 4;

function idOf(number: number): Uint8Array {
  return Uint8Array.of(number >>> 24, number >>> 16, number >>> 8, number);
}

/** -1 for what is no id of ours. */
function numberOf(id: AmqpValue | Incoming["state"]): number {
  if (!(id instanceof Uint8Array) || id.length !== ID_BYTES) return -1;
  return new DataView(id.buffer, id.byteOffset, ID_BYTES).getUint32(0);
}
