// Hot path: `deliver` runs per message. No closure, promise, spread, iterator or regex here.
import type { HeldMessages } from "../../core/held-messages.ts";
import { type DropReason, Mailbox, type MailboxItem, type MailboxLimits } from "../../core/mailbox.ts";
import type { Guarantee, MessageView } from "../../core/message.ts";
import type { Availability, DeliverResult, Subscriber, Subscription } from "../../core/subscription.ts";
import type { ChannelConsumer } from "./consumer.ts";
import type { Unsettled } from "./unsettled.ts";

/** The channel of a consumer of plain topics. */
export interface TopicLink {
  /** As of `ConsumerLink`. */
  readonly room: number;
  /** Counts what waits in all, and says whether more may. */
  readonly held: HeldMessages;
  /** Writes a message; false when the client cannot take it at all. */
  deliverTopic(consumer: TopicTerms, message: MessageView, unsettled: Unsettled | null): boolean;
  /** Milliseconds since 1970. */
  readonly epochMs: number;
  /** A message was left out: for want of room, as none says otherwise, or because its time was over. */
  onDropped(reason?: DropReason): void;
  unsubscribe(consumer: TopicConsumer): void;
}

/** What a client asked for. */
export interface TopicTerms {
  readonly tag: string;
  readonly tagBytes: Uint8Array;
  readonly noAck: boolean;
  readonly prefetch: number;
  /** What may wait while the client is slow. */
  readonly waiting: MailboxLimits;
}

/**
 * One consumer of plain topics. Its messages stand in no queue: what the client does not take waits here, within a session's limits, and what is beyond
 * them is left out. To settle a delivery gives its place back, and to requeue it delivers it no more.
 */
export class TopicConsumer implements Subscriber, ChannelConsumer, Unsettled {
  readonly id: string;
  readonly terms: TopicTerms;
  readonly #link: TopicLink;
  readonly #waiting: Mailbox<MailboxItem>;
  #unsettled = 0;
  #isOver = false;

  constructor(id: string, link: TopicLink, terms: TopicTerms) {
    this.id = id;
    this.#link = link;
    this.terms = terms;
    this.#waiting = new Mailbox(terms.waiting, (_item, reason) => link.onDropped(reason), link.held);
  }

  get tag(): string {
    return this.terms.tag;
  }

  get availability(): Availability {
    return this.#room() > 0 ? "ready" : "busy";
  }

  #room(): number {
    return Math.min(this.#link.room, this.terms.prefetch - this.#unsettled);
  }

  deliver(message: MessageView, _subscription: Subscription, _guarantee: Guarantee): DeliverResult {
    if (this.#isOver) return "dropped";
    if (this.#waiting.length === 0 && this.#room() > 0) {
      this.#send(message);
      return "sent";
    }
    const { held } = this.#link;
    if (held.isTight) {
      held.refusedCount++;
      this.#link.onDropped();
      return "refused";
    }
    if (this.#waiting.put({ message: message.keep() })) return "queued";
    this.#link.onDropped();
    return "dropped";
  }

  wake(): void {
    while (this.#waiting.length > 0 && this.#room() > 0) {
      const next = this.#waiting.take(this.#link.epochMs);
      if (next === undefined) return;
      this.#send(next.message);
    }
  }

  ack(): void {
    this.#unsettled--;
    this.wake();
  }

  requeue(): void {
    this.ack();
  }

  reject(): void {
    this.ack();
  }

  cancel(): "over" {
    this.end();
    return "over";
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#waiting.clear();
    this.#link.unsubscribe(this);
  }

  #send(message: MessageView): void {
    if (this.terms.noAck) {
      if (!this.#link.deliverTopic(this.terms, message, null)) this.#link.onDropped();
      return;
    }
    this.#unsettled++;
    if (this.#link.deliverTopic(this.terms, message, this)) return;
    this.#unsettled--;
    this.#link.onDropped();
  }
}
