// Hot path: `credit`, `deliver` and `settle` run per message. No closure, promise, spread, iterator or regex on their usual way.
import { Condition, type DeliveryState, type DeliveryStateInput, SenderSettleMode } from "polymq/amqp10/codec";
import type { End } from "polymq/amqp10/engine";
import { isMessagingError } from "polymq/internal";
import type { CancelReason, QueueConsumer, QueueDelivery, SettleOutcome } from "../../core/queues/queue-port.ts";
import type { HostedSubscription } from "../../core/topology/topology-port.ts";
import type { Amqp10Connection } from "./amqp10-connection.ts";
import type { EngineSender, OutgoingLink, PeerState, Sent, SentItem } from "./amqp10-types.ts";
import { ACK, FAILED, settleOutcome, terminalState } from "./outcomes.ts";
import { said } from "./refused.ts";
import { sendDelivery } from "./send-delivery.ts";
import type { RetiredDelivery } from "./transaction.ts";

/** How deliveries of one link are made. */
export interface QueueSourceTerms {
  /** What deliveries tell: `stamped` all that the broker knows, under the names of `$queue/` addresses; `subscribed` the topic that they come from. */
  readonly form: "plain" | "stamped" | "subscribed";
  /** Decides whether a message comes; others are passed over. Null: all come. */
  readonly selects: ((delivery: QueueDelivery) => boolean) | null;
  /** What counts for a delivery that the client settles without an outcome; null gives it back. */
  readonly defaultOutcome: DeliveryState | null;
  /** The link has left its group. @param closed the client is done with what stays beyond links */
  readonly onEnd: ((closed: boolean) => void) | null;
}

/** One delivery of a queue that the client has not settled. */
export class QueuedDelivery implements SentItem {
  readonly source: QueueSource;
  readonly offset: number;
  readonly ticket: number;
  readonly note: Uint8Array | null;
  /** True once its outcome counts: a client may repeat it, as long as it has not been told that the delivery is settled. */
  isDone = false;

  constructor(source: QueueSource, { offset, ticket, note }: QueueDelivery) {
    this.source = source;
    this.offset = offset;
    this.ticket = ticket;
    this.note = note;
  }

  onOutcome(delivery: Sent, state: PeerState, settled: boolean): void {
    this.source.onOutcome(this, delivery, state, settled);
  }
}

/** A link on which a client receives from a queue. */
export class QueueSource implements QueueConsumer, OutgoingLink {
  readonly id: string;
  readonly #connection: Amqp10Connection;
  readonly #link: EngineSender;
  readonly #terms: QueueSourceTerms;
  /** Deliveries are settled when they are sent. */
  readonly #isSettled: boolean;
  #subscription: HostedSubscription | null = null;
  #unsettled = 0;
  /** Deliveries whose outcome is part of an open transaction. */
  readonly #enlisted = new Set<QueuedDelivery>();
  #isStarved = false;
  /** Deliveries may leave: the client's attach is answered. */
  #isOpen = false;
  #isOver = false;
  /** How the link ended, until {@link QueueSourceTerms.onEnd} is told. */
  #ending: "closed" | "detached" | null = null;

  constructor(connection: Amqp10Connection, link: EngineSender, terms: QueueSourceTerms, isSettled: boolean) {
    this.id = connection.client.id;
    this.#connection = connection;
    this.#link = link;
    this.#terms = terms;
    this.#isSettled = isSettled;
  }

  /** The group is joined. */
  join(subscription: HostedSubscription): void {
    this.#subscription = subscription;
  }

  /** The link is open: delivers from now on. */
  start(): void {
    this.#isOpen = true;
    this.#subscription?.wake();
    this.#link.answerDrain();
  }

  get credit(): number {
    const link = this.#link;
    // What does not leave at once waits in the link: one message at a time, for the others wait better in their queue.
    // Nothing more is sent behind the connection's end: what another link of it gives back is not for this one.
    const isOver = this.#isOver || this.#connection.engine.over;
    const isHeld = isOver || !this.#isOpen || link.queued > 0 || this.#connection.wire.congested;
    const room = isHeld ? 0 : Math.min(link.credit, this.#connection.context.settings.unsettledMax - this.#unsettled);
    if (room <= 0) this.#isStarved = true;
    return room;
  }

  deliver(delivery: QueueDelivery): void {
    const { selects, form } = this.#terms;
    if (selects !== null && !selects(delivery)) return this.#pass(delivery.offset);
    const { context } = this.#connection;
    const { messages, hub } = context;
    const epochMs = hub.clock.epochMs();
    const { offset, message } = delivery;
    try {
      const bytes = messages[form](delivery, epochMs);
      sendDelivery(this.#link, bytes, new QueuedDelivery(this, delivery), this.#isSettled ? SETTLED : UNSETTLED);
    } catch (error) {
      return this.#cannotBeSent(offset, error);
    }
    if (!this.#isSettled) this.#unsettled++;
    hub.statistics.messagesOut++;
    hub.statistics.bytesOut += message.payload.length;
  }

  onCancelled(reason: CancelReason): void {
    this.#subscription = null;
    if (this.#isOver) return;
    this.#isOver = true;
    const what = reason === "queue-deleted" ? "the queue was deleted" : "the group was deleted";
    this.#link.detach({ closed: true, error: said(Condition.resourceDeleted, what) });
  }

  onOutcome(item: QueuedDelivery, delivery: Sent, state: PeerState, settled: boolean): void {
    if (state !== null && "type" in state && state.type === "transactionalState") {
      return this.#connection.transactions.retire(item, delivery, { state, settled });
    }
    const terminal = terminalState(state);
    if (terminal === null && !settled) return;
    const isHeld = this.apply(item, terminal);
    if (!settled) this.#settleAfterCommit(delivery, isHeld ? terminal : NOT_HELD);
  }

  /** Settles a delivery in its queue; false when that was too late, for its time ran out and its group has done something else with it. */
  apply(item: QueuedDelivery, state: DeliveryState | null): boolean {
    const outcome = settleOutcome(state ?? this.#terms.defaultOutcome, this.#connection.context.text, item.note);
    return this.settle(item, outcome);
  }

  settle(item: QueuedDelivery, outcome: SettleOutcome): boolean {
    if (item.isDone) return true;
    item.isDone = true;
    this.#unsettled--;
    const subscription = this.#subscription;
    const result = subscription?.settle(item.offset, outcome, item.ticket) ?? "settled";
    this.#rouse();
    // A stream that has gone on needs no settlement.
    return result === "settled" || subscription?.mode === "stream";
  }

  // For transactions

  /** Its outcome is part of a transaction from now on. */
  enlist(item: QueuedDelivery): void {
    this.#enlisted.add(item);
  }

  /** Whether it can still be settled. */
  holds(item: QueuedDelivery): boolean {
    return this.#subscription?.holds(item.offset) === true;
  }

  commit({ item, delivery, outcome, settled }: RetiredDelivery): void {
    this.#enlisted.delete(item);
    this.apply(item, outcome);
    if (!settled) this.#settleAfterCommit(delivery, outcome);
    this.#leaveIfDone();
  }

  /** What the client has settled goes back to the queue and counts as a delivery; what it has not, it has in hand as before (§4.4.2). */
  rollback({ item, settled }: RetiredDelivery): void {
    this.#enlisted.delete(item);
    if (settled || this.#isOver) this.settle(item, FAILED);
    this.#leaveIfDone();
  }

  onCredit(): void {
    this.#rouse();
  }

  wake(): void {
    this.#rouse();
  }

  /** What is unsettled goes back, but for what an open transaction may still settle. */
  end(end: End, closed: boolean): void {
    if (!this.#isOver) this.#ending = closed && end.by === "peer" ? "closed" : "detached";
    this.#isOver = true;
    if (this.#enlisted.size > 0) {
      for (const { item } of this.#link.left.unsettled) {
        if (item instanceof QueuedDelivery && !this.#enlisted.has(item)) {
          this.#subscription?.settle(item.offset, FAILED, item.ticket);
        }
      }
    }
    this.#leaveIfDone();
  }

  #leaveIfDone(): void {
    if (!this.#isOver || this.#enlisted.size > 0) return;
    this.#subscription?.close();
    this.#subscription = null;
    const ending = this.#ending;
    this.#ending = null;
    if (ending !== null) this.#terms.onEnd?.(ending === "closed");
  }

  #rouse(): void {
    if (!this.#isStarved || this.#isOver) return;
    this.#isStarved = false;
    this.#subscription?.wake();
  }

  /** Not one for this receiver: the group is done with it. */
  #pass(offset: number): void {
    this.#subscription?.settle(offset, ACK);
  }

  /** A client that said its outcome without settling (§2.6.12) is told when that is stored. */
  #settleAfterCommit(delivery: Sent, state: DeliveryStateInput | null): void {
    const link = this.#link;
    this.#connection.context.hub.committer.whenDurable(
      {
        onDurable: () => void link.settle(delivery, state),
        onCommitFailed: () => undefined,
      },
      0,
    );
  }

  /** Nobody gets what this client cannot take: it is a dead letter, and a stream goes on without it. */
  #cannotBeSent(offset: number, error: unknown): void {
    if (!isMessagingError(error)) this.#connection.context.metrics.internalErrors++;
    if (this.#isSettled) return;
    this.#subscription?.settle(offset, this.#subscription.mode === "stream" ? ACK : TOO_LARGE);
  }
}

/** Whether a link's deliveries are settled when they are sent. */
export function sendsSettled(link: EngineSender): boolean {
  const state = link.state;
  return state.is === "offered" && state.attach.sndSettleMode === SenderSettleMode.settled;
}

const SETTLED: { readonly settled: boolean } = Object.freeze({ settled: true });
const UNSETTLED: { readonly settled: boolean } = Object.freeze({ settled: false });
/** What a client is told whose outcome came too late. */
const NOT_HELD: DeliveryStateInput = Object.freeze({
  type: "rejected",
  error: said(Condition.notFound, "the delivery is not with this receiver any more"),
});
const TOO_LARGE: SettleOutcome = Object.freeze({ is: "reject", detail: "larger than its receiver takes" });
