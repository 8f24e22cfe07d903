import { raceAbort } from "../../../base/abort.ts";
import { type Deferred, deferred } from "../../../base/deferred.ts";
import { MessagingError } from "../../../base/errors.ts";
import { noop } from "../../../base/noop.ts";
import type { DeliveryState, DeliveryStateInput } from "../../codec/tables.ts";
import type { RareTransferFields } from "../../codec/transfer.ts";
import type { AmqpValue } from "../../codec/values.ts";
import type { Outcome } from "../outcomes.ts";
import type { AmqpReceiver } from "../receiver.ts";
import type { AmqpCoordinator } from "./coordinator.ts";

/** Where a transaction is. `ending`: it is being committed or rolled back. */
export type TransactionState = "open" | "ending" | "committed" | "rolledBack";

/**
 * A transaction of a server (§4), begun by `AmqpCoordinator.begin`. Messages are sent in it with `{ transaction }` among the options of `send`, and settled in it
 * with `{ transaction }` in `accept`, `reject`, `release` and `modify`. It is rolled back when its coordinator's link or the connection is lost.
 */
export class AmqpTransaction {
  /** Its id, as the server gave it. */
  readonly id: AmqpValue;
  /** For senders: what a transfer says of it. */
  readonly rare: RareTransferFields;
  readonly #coordinator: AmqpCoordinator;
  #state: TransactionState = "open";
  /** Why it was rolled back without our asking. */
  #reason: MessagingError | null = null;
  /** Messages sent in it whose outcome is not known. */
  #open = 0;
  #failed: unknown = null;
  #idle: Deferred<void> | null = null;
  /** Of messages sent in it whose outcome is not known: takes back what has not left yet. */
  readonly #withdrawals = new Set<(why: MessagingError) => void>();
  /** Receivers whose settlements must leave before the discharge. */
  readonly #receivers = new Set<AmqpReceiver>();
  /** One object for each outcome, so that settlements become ranges. */
  readonly #states = new Map<string, DeliveryStateInput>();

  /** For the coordinator. */
  constructor(coordinator: AmqpCoordinator, id: AmqpValue) {
    this.#coordinator = coordinator;
    this.id = id;
    this.rare = { state: { type: "transactionalState", txnId: id } };
  }

  get state(): TransactionState {
    return this.#state;
  }

  /**
   * Makes everything that was sent and settled in it so. Waits for the outcomes of what was sent; where one was not accepted, the transaction is
   * rolled back instead. Resolves when the server has committed.
   * @throws {MessagingError} ERR_TRANSACTION_ROLLED_BACK with the server's reason or the message's error as its cause, ERR_TRANSACTION_UNKNOWN when the
   *   link was lost before the answer, ERR_TRANSACTION_ENDED, ERR_ABORTED when the signal fires first; the committing goes on
   */
  async commit(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    this.#begin();
    await raceAbort(this.#commit(), options.signal);
  }

  /**
   * Takes back everything that was sent and settled in it. Resolves when the server has, or when the link is lost, for then it does so by itself.
   * @throws {MessagingError} ERR_TRANSACTION_ENDED, ERR_ABORTED
   */
  async rollback(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    if (this.#state === "rolledBack") return;
    this.#begin();
    this.#withdraw(null);
    await raceAbort(this.#discharge("rollback"), options.signal);
  }

  /** For the coordinator: true when it was rolled back without our asking. */
  get wasLost(): boolean {
    return this.#reason !== null;
  }

  /** For senders and receivers. @throws {MessagingError} ERR_TRANSACTION_ENDED, ERR_TRANSACTION_ROLLED_BACK */
  check(): void {
    if (this.#state === "open") return;
    if (this.#state === "rolledBack") throw this.#rolledBack("the transaction was rolled back", this.#reason);
    throw new MessagingError("ERR_TRANSACTION_ENDED", "the transaction is over");
  }

  /** For senders: a message is sent in it. @param withdraw takes it back where it has not left yet: of a transaction that is rolled back nothing is sent any more */
  sending(outcome: Promise<Outcome | null>, withdraw: (why: MessagingError) => void): void {
    this.#open++;
    this.#withdrawals.add(withdraw);
    const over = (failure: unknown): void => {
      this.#withdrawals.delete(withdraw);
      this.#settled(failure);
    };
    outcome.then((known) => over(accepted(known) ? null : known), over);
  }

  /** For receivers: the state that says an outcome in it. */
  stateOf(receiver: AmqpReceiver, outcome: DeliveryStateInput): DeliveryStateInput {
    this.#receivers.add(receiver);
    const plain = outcome.type === "accepted" || outcome.type === "released";
    const known = plain ? this.#states.get(outcome.type) : undefined;
    if (known !== undefined) return known;
    const state: DeliveryStateInput = {
      type: "transactionalState",
      txnId: this.id,
      outcome: outcome as DeliveryState,
    };
    if (plain) this.#states.set(outcome.type, state);
    return state;
  }

  /** For the coordinator: the link is lost, and the transaction with it. */
  lost(reason: MessagingError): void {
    if (this.#state !== "open") return;
    this.#state = "rolledBack";
    this.#reason = reason;
    this.#withdraw(reason);
  }

  #withdraw(cause: MessagingError | null): void {
    for (const withdraw of this.#withdrawals) withdraw(this.#rolledBack("the transaction was rolled back", cause));
  }

  async #commit(): Promise<void> {
    await this.#sent();
    if (this.#failed !== null) {
      await this.#discharge("rollback").catch(noop);
      throw this.#rolledBack("a message sent in the transaction was not accepted", this.#failed);
    }
    await this.#discharge("commit");
  }

  #begin(): void {
    this.check();
    this.#state = "ending";
  }

  #sent(): Promise<void> | undefined {
    if (this.#open === 0) return undefined;
    this.#idle = deferred();
    return this.#idle.promise;
  }

  #settled(failure: unknown): void {
    this.#failed ??= failure;
    if (--this.#open === 0) this.#idle?.resolve();
  }

  async #discharge(how: "commit" | "rollback"): Promise<void> {
    for (const receiver of this.#receivers) receiver.flushSettlements();
    try {
      await this.#coordinator.discharge(this, how);
    } catch (error) {
      this.#state = "rolledBack";
      if (how === "rollback") return;
      throw this.#failure(error as MessagingError);
    }
    this.#state = how === "commit" ? "committed" : "rolledBack";
  }

  /** What the server refuses is rolled back; when the link is gone without a reason of its own, nobody knows. */
  #failure(error: MessagingError): MessagingError {
    if (error.peer !== null && (error.scope === "message" || error.scope === "link")) {
      return this.#rolledBack("the server rolled the transaction back", error);
    }
    return new MessagingError("ERR_TRANSACTION_UNKNOWN", "the link was lost before the server answered the commit", {
      cause: error,
    });
  }

  #rolledBack(what: string, cause: unknown): MessagingError {
    const peer = cause instanceof MessagingError && cause.peer !== null ? { peer: cause.peer } : {};
    return new MessagingError("ERR_TRANSACTION_ROLLED_BACK", what, { cause, ...peer });
  }
}

function accepted(outcome: Outcome | null): boolean {
  return outcome === null || ("type" in outcome && outcome.type === "accepted");
}
