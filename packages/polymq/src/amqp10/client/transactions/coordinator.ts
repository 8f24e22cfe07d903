import { abortedError, onAbort, raceAbort } from "../../../base/abort.ts";
import { MessagingError } from "../../../base/errors.ts";
import { noop } from "../../../base/noop.ts";
import type { CoordinatorInput } from "../../codec/tables.ts";
import type { LifeState, Lifetime } from "../lifetime.ts";
import type { Outcome } from "../outcomes.ts";
import { AmqpSender } from "../sender.ts";
import type { AmqpSession } from "../session.ts";
import { AmqpTransaction } from "./transaction.ts";

/** Settings of a coordinator. */
export interface CoordinatorOptions {
  /** What the coordinator should be able to do (§4.5.2). Default `amqp:local-transactions` and `amqp:multi-txns-per-ssn`. */
  readonly capabilities?: readonly string[];
  readonly signal?: AbortSignal;
}

const OUTCOMES = ["amqp:accepted:list", "amqp:rejected:list", "amqp:released:list", "amqp:modified:list"];

/** The link to a coordinator: what is sent on it is lost with the connection, and with it all transactions. */
class CoordinatorLink extends AmqpSender {
  readonly #target: CoordinatorInput;
  readonly #lost: (reason: MessagingError) => void;

  constructor(session: AmqpSession, options: CoordinatorOptions, lost: (reason: MessagingError) => void) {
    super(session, null, { whenConnectionLost: "fail", source: { outcomes: OUTCOMES } });
    this.#target = {
      type: "coordinator",
      capabilities: options.capabilities ?? ["amqp:local-transactions", "amqp:multi-txns-per-ssn"],
    };
    this.#lost = lost;
  }

  protected override get target(): CoordinatorInput {
    return this.#target;
  }

  protected override suspended(reason: MessagingError): void {
    this.#lost(reason);
    super.suspended(reason);
    // What had not left concerns transactions that are gone.
    this.dropWaiting(reason);
  }

  protected override over(reason: MessagingError): void {
    this.#lost(reason);
    super.over(reason);
  }
}

/** Begins transactions, made by `AmqpSession.createCoordinator`. Its link comes back after a reconnect; its transactions do not. */
export class AmqpCoordinator {
  readonly #link: CoordinatorLink;
  readonly #open = new Set<AmqpTransaction>();

  private constructor(session: AmqpSession, options: CoordinatorOptions) {
    this.#link = new CoordinatorLink(session, options, (reason) => {
      for (const transaction of this.#open) transaction.lost(reason);
      this.#open.clear();
    });
  }

  /** For the session. */
  static async attach(session: AmqpSession, options: CoordinatorOptions): Promise<AmqpCoordinator> {
    let made: AmqpCoordinator | null = null;
    await session.open(options.signal, () => {
      made = new AmqpCoordinator(session, options);
      return made.#link;
    });
    return made as unknown as AmqpCoordinator;
  }

  get state(): LifeState {
    return this.#life().state;
  }

  /** The error that ended it; null while it is open, and after an orderly end of ours. */
  get error(): MessagingError | null {
    return this.#life().error;
  }

  /** What the server's coordinator says that it can do. */
  get capabilities(): readonly string[] {
    const { target } = this.#link.remote;
    return target !== null && "type" in target && target.type === "coordinator" ? target.capabilities : [];
  }

  /**
   * Begins a transaction; resolves when the server has (§4.2).
   * @throws {MessagingError} ERR_PUBLISH_REJECTED with the server's reason, ERR_ABORTED, and the error that ended link, session or connection
   */
  async begin(options: { readonly signal?: AbortSignal } = {}): Promise<AmqpTransaction> {
    const { signal } = options;
    if (signal?.aborted) throw abortedError(signal);
    let gaveUp = false;
    const release = onAbort(signal, () => {
      gaveUp = true;
    });
    const declaring = this.#declare().then((transaction) => {
      // Nobody waits for it any more.
      if (gaveUp) transaction.rollback().catch(noop);
      return transaction;
    });
    try {
      return await raceAbort(declaring, signal);
    } finally {
      release();
    }
  }

  /**
   * Does `work` in a transaction, which is committed when its promise resolves and rolled back when it rejects. Resolves with what `work` gave.
   * @throws {MessagingError} as `begin` and `AmqpTransaction.commit`, and whatever `work` throws
   */
  async run<T>(work: (transaction: AmqpTransaction) => Promise<T> | T): Promise<T> {
    const transaction = await this.begin();
    let result: T;
    try {
      result = await work(transaction);
    } catch (error) {
      if (transaction.state === "open") await transaction.rollback();
      throw error;
    }
    // One that the server has rolled back meanwhile is told by the commit.
    if (transaction.state === "open" || transaction.wasLost) await transaction.commit();
    return result;
  }

  /** Detaches; the server rolls back what is open. Resolves when it has. */
  async close(): Promise<void> {
    await this.#link.close();
  }

  /** Closes the coordinator, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** For transactions: ends one (§4.3). */
  async discharge(transaction: AmqpTransaction, how: "commit" | "rollback"): Promise<void> {
    const composite = { type: "discharge", txnId: transaction.id, fail: how === "rollback" } as const;
    const discharging = this.#link.send({ body: { type: "composite", composite } });
    discharging.then(
      () => this.#open.delete(transaction),
      () => this.#open.delete(transaction),
    );
    await discharging;
  }

  async #declare(): Promise<AmqpTransaction> {
    const composite = { type: "declare" } as const;
    const outcome = (await this.#link.send({ body: { type: "composite", composite } })) as Outcome;
    if (!("type" in outcome) || outcome.type !== "declared") {
      throw new MessagingError("ERR_NOT_SUPPORTED_BY_SERVER", "the server answered a declare with something else");
    }
    const transaction = new AmqpTransaction(this, outcome.txnId);
    this.#open.add(transaction);
    return transaction;
  }

  #life(): Lifetime {
    return this.#link.life;
  }
}
