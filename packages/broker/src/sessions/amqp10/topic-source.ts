// Hot path: `deliver` runs per message. No closure, promise, spread, iterator or regex here.
import { SenderSettleMode } from "polymq/amqp10/codec";
import { isMessagingError } from "polymq/internal";
import { type DropReason, Mailbox, type MailboxItem } from "../../core/mailbox.ts";
import type { Guarantee, MessageView } from "../../core/message.ts";
import type { Availability, DeliverResult, Subscriber, Subscription } from "../../core/subscription.ts";
import type { Amqp10Connection } from "./amqp10-connection.ts";
import type { EngineSender, OutgoingLink, PeerState, Sent, SentItem } from "./amqp10-types.ts";
import { terminalState } from "./outcomes.ts";
import { sendDelivery } from "./send-delivery.ts";

/** What a receiver of plain topics asks for. */
export interface TopicSourceTerms {
  readonly filter: string;
  readonly noLocal: boolean;
  /** Decides whether a message comes. Null: all come. */
  readonly selects: ((message: MessageView) => boolean) | null;
}

/**
 * A link on which a client receives plain topics. Its messages stand in no queue: what the client does not take waits here, within a session's
 * limits, and what is beyond them is left out. An outcome gives a delivery's place back, whatever it says.
 */
export class TopicSource implements Subscriber, OutgoingLink, SentItem {
  readonly id: string;
  readonly #connection: Amqp10Connection;
  readonly #link: EngineSender;
  readonly #terms: TopicSourceTerms;
  readonly #mode: number;
  readonly #waiting: Mailbox<MailboxItem>;
  #unsettled = 0;
  #isOver = false;

  constructor(connection: Amqp10Connection, link: EngineSender, terms: TopicSourceTerms) {
    this.id = connection.client.id;
    this.#connection = connection;
    this.#link = link;
    this.#terms = terms;
    const { hub, metrics, sessions } = connection.context;
    const onDropped = (_item: MailboxItem, reason: DropReason): void => {
      if (reason === "expired") metrics.messagesExpired++;
      else metrics.messagesDroppedSlow++;
    };
    this.#waiting = new Mailbox(sessions.queue, onDropped, hub.held);
    this.#mode = link.state.is === "offered" ? link.state.attach.sndSettleMode : SenderSettleMode.mixed;
  }

  /** Subscribes; the link is open, or is so before anything comes. */
  start(): void {
    const { filter, noLocal } = this.#terms;
    const guaranteeMax = this.#mode === SenderSettleMode.settled ? 0 : 1;
    this.#connection.context.hub.router.subscribe(this, { filter, guaranteeMax, noLocal });
    this.#link.answerDrain();
  }

  get availability(): Availability {
    return this.#room() > 0 ? "ready" : "busy";
  }

  #room(): number {
    const link = this.#link;
    if (link.queued > 0 || this.#connection.wire.congested) return 0;
    return Math.min(link.credit, this.#connection.context.settings.unsettledMax - this.#unsettled);
  }

  deliver(message: MessageView, _subscription: Subscription, guarantee: Guarantee): DeliverResult {
    if (this.#isOver) return "dropped";
    if (this.#terms.selects !== null && !this.#terms.selects(message)) return "sent";
    if (this.#waiting.length === 0 && this.#room() > 0) {
      this.#send(message, guarantee);
      return "sent";
    }
    const { hub, metrics } = this.#connection.context;
    if (hub.held.isTight) {
      hub.held.refusedCount++;
      return "refused";
    }
    if (this.#waiting.put({ message: message.keep() })) return "queued";
    metrics.messagesDroppedSlow++;
    return "dropped";
  }

  onOutcome(delivery: Sent, state: PeerState, settled: boolean): void {
    if (settled) {
      this.#unsettled--;
      return this.wake();
    }
    const inTransaction = state !== null && "type" in state && state.type === "transactionalState";
    const terminal = terminalState(inTransaction ? state.outcome : state);
    if (terminal === null) return;
    if (!this.#link.settle(delivery, terminal)) return;
    this.#unsettled--;
    this.wake();
  }

  onCredit(): void {
    this.wake();
  }

  wake(): void {
    while (this.#waiting.length > 0 && this.#room() > 0) {
      const next = this.#waiting.take(this.#connection.context.hub.clock.epochMs());
      if (next === undefined) return;
      this.#send(next.message, next.message.guarantee);
    }
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#waiting.clear();
    this.#connection.context.hub.router.unsubscribeAll(this);
  }

  #send(message: MessageView, guarantee: Guarantee): void {
    const { hub, messages, metrics } = this.#connection.context;
    const isSettled = this.#mode === SenderSettleMode.mixed ? guarantee === 0 : this.#mode === SenderSettleMode.settled;
    try {
      const bytes = messages.topic(message, hub.clock.epochMs());
      sendDelivery(this.#link, bytes, this, isSettled ? SETTLED : UNSETTLED);
    } catch (error) {
      if (isMessagingError(error)) metrics.messagesTooLarge++;
      else metrics.internalErrors++;
      return;
    }
    if (!isSettled) this.#unsettled++;
    hub.statistics.messagesOut++;
    hub.statistics.bytesOut += message.payload.length;
  }
}

const SETTLED: { readonly settled: boolean } = Object.freeze({ settled: true });
const UNSETTLED: { readonly settled: boolean } = Object.freeze({ settled: false });
