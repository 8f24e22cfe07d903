// Hot path: `onDelivery` and `onDurable` run per message. No closure, promise, spread, iterator or regex on their usual way.
import { ACCEPTED, type AmqpValue, Condition, type DeliveryStateInput, RELEASED } from "polymq/amqp10/codec";
import { Deque, isMessagingError } from "polymq/internal";
import type { Decision } from "../../auth/decision-cache.ts";
import type { CommitListener } from "../../storage/committer.ts";
import type { TargetAddress } from "./addresses.ts";
import type { Amqp10Connection } from "./amqp10-connection.ts";
import type { EngineReceiver, Incoming, IncomingLink, PeerState } from "./amqp10-types.ts";
import { errorFor, Refused } from "./refused.ts";

/** A link on which a client sends: takes its messages over, and says `accepted` once they are durable. */
export class TargetLink implements IncomingLink, CommitListener {
  readonly #connection: Amqp10Connection;
  readonly #link: EngineReceiver;
  /** Null for an anonymous relay (each message says where it goes). */
  readonly #address: TargetAddress | null;
  /** Deliveries whose outcome waits for a commit, the oldest first. */
  readonly #waiting = new Deque<Incoming>();
  /** Deliveries that were taken and whose client has not been told, or has not settled them (receiver settle mode second). */
  #open = 0;
  #isOver = false;

  readonly #onEnd: (() => void) | null;

  constructor(
    connection: Amqp10Connection,
    link: EngineReceiver,
    address: TargetAddress | null,
    onEnd: (() => void) | null = null,
  ) {
    this.#connection = connection;
    this.#link = link;
    this.#address = address;
    this.#onEnd = onEnd;
  }

  /** The link is open: gives its first credit. */
  start(): void {
    this.#giveCredit();
  }

  onDelivery(delivery: Incoming): void {
    this.#open++;
    const { gate } = this.#connection;
    if (gate.isOpen) this.#check(delivery);
    else gate.after(() => this.#check(delivery));
  }

  onSettled(delivery: Incoming): void {
    if (delivery.said !== null) this.#done();
  }

  wake(): void {
    this.#giveCredit();
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#waiting.clear();
    this.#onEnd?.();
  }

  // CommitListener

  onDurable(): void {
    const delivery = this.#waiting.shift();
    if (delivery !== undefined && !this.#isOver) this.#settle(delivery, ACCEPTED);
  }

  onCommitFailed(): void {
    // Never accepted: the client keeps the message and sends it again to a broker that can store it.
  }

  /** Says what became of a delivery. */
  #settle(delivery: Incoming, state: DeliveryStateInput): void {
    this.#link.settle(delivery, state);
    // In mode second its place is taken until the client has settled it.
    if (delivery.settled || !this.#link.settlesSecond) this.#done();
  }

  #done(): void {
    this.#open--;
    this.#giveCredit();
  }

  /** Half of the credit at a time, and none while memory or disk are short. */
  #giveCredit(): void {
    const link = this.#link;
    if (this.#isOver || this.#connection.isHeldBack) return;
    const window = this.#connection.context.settings.linkCredit;
    if (link.credit + this.#open <= window >> 1 || link.credit === 0) {
      const more = window - link.credit - this.#open;
      if (more > 0) link.addCredit(more);
    }
  }

  #check(delivery: Incoming): void {
    if (this.#isOver) return;
    try {
      this.#take(delivery);
    } catch (error) {
      this.#refuse(delivery, error);
    }
  }

  #take(delivery: Incoming): void {
    const { connection, message } = this.#prepared(delivery);
    const to = this.#address ?? connection.relayAddress(message.messageProperties?.to);
    const decision = connection.mayPublish(to.acl);
    if (decision === true) this.#publish(delivery, to);
    else this.#askFirst(delivery, to, decision);
  }

  #prepared(delivery: Incoming): {
    readonly connection: Amqp10Connection;
    readonly message: Amqp10Connection["message"];
  } {
    const connection = this.#connection;
    if (delivery.messageFormat !== 0) {
      throw new Refused(Condition.notImplemented, `message format ${delivery.messageFormat}`);
    }
    const { message } = connection;
    message.read(delivery.payload);
    connection.checkUser(message.messageProperties?.userId ?? null);
    return { connection, message };
  }

  #askFirst(delivery: Incoming, to: TargetAddress, decision: Decision): void {
    const { gate, message, context } = this.#connection;
    message.end();
    gate.pass(decision, (allowed) => {
      if (this.#isOver) return;
      try {
        if (!allowed) {
          context.metrics.messagesDenied++;
          throw new Refused(Condition.unauthorizedAccess, `publishing to ${to.acl} is not allowed`);
        }
        message.read(delivery.payload);
        this.#publish(delivery, to);
      } catch (error) {
        this.#refuse(delivery, error);
      }
    });
  }

  #publish(delivery: Incoming, to: TargetAddress): void {
    const { publisher, message, context } = this.#connection;
    const isSettled = delivery.settled;
    const inTransaction = transactionOf(delivery.state);
    if (inTransaction !== null) return this.#post(delivery, to, inTransaction);
    const published = publisher.publish(message, to, isSettled);
    message.end();
    if (isSettled) return this.#done();
    if (published === "unroutable") return this.#settle(delivery, RELEASED);
    this.#waiting.push(delivery);
    context.hub.committer.whenDurable(this, 0);
  }

  /** Sent in a transaction (§4.4.1): its outcome stands, if that is committed. */
  #post(delivery: Incoming, to: TargetAddress, txnId: AmqpValue): void {
    const { transactions, message, publisher } = this.#connection;
    publisher.check(message, to);
    const bytes = message.copy();
    message.end();
    const provisional = transactions.post(txnId, to, bytes);
    if (delivery.settled) return this.#done();
    this.#settle(delivery, provisional);
  }

  #refuse(delivery: Incoming, error: unknown): void {
    const { context, message } = this.#connection;
    message.end();
    if (!(error instanceof Refused || isMessagingError(error))) context.metrics.internalErrors++;
    if (!delivery.settled) return this.#settle(delivery, { type: "rejected", error: errorFor(error) });
    const inTransaction = transactionOf(delivery.state);
    if (inTransaction !== null) this.#connection.transactions.spoil(inTransaction, errorFor(error));
    this.#done();
  }
}

/** The transaction that a transfer belongs to, or null. */
function transactionOf(state: PeerState): AmqpValue | null {
  return state !== null && "type" in state && state.type === "transactionalState" ? state.txnId : null;
}
