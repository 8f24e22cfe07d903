// Hot path: `deliver` runs per message. No closure, promise, spread, iterator or regex here.
import { Deque } from "polymq/internal";
import type { HeldMessages } from "../../core/held-messages.ts";
import type { Guarantee, Message, MessageView } from "../../core/message.ts";
import { messageBytes } from "../../core/message.ts";
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
  /** A message was left out. */
  onDropped(): void;
  unsubscribe(consumer: TopicConsumer): void;
}

/** What a client asked for. */
export interface TopicTerms {
  readonly tag: string;
  readonly tagBytes: Uint8Array;
  readonly noAck: boolean;
  readonly prefetch: number;
  /** What may wait while the client is slow: messages, and bytes of them. */
  readonly waitingMax: number;
  readonly waitingBytesMax: number;
}

/**
 * One consumer of plain topics. Its messages stand in no queue: what the client does not take waits here, within limits, and what is beyond them is left
 * out, the oldest first. To settle a delivery gives its place back, and to requeue it delivers it no more.
 */
export class TopicConsumer implements Subscriber, ChannelConsumer, Unsettled {
  readonly id: string;
  readonly terms: TopicTerms;
  readonly #link: TopicLink;
  readonly #waiting = new Deque<Message>();
  #waitingBytes = 0;
  #unsettled = 0;
  #isOver = false;

  constructor(id: string, link: TopicLink, terms: TopicTerms) {
    this.id = id;
    this.#link = link;
    this.terms = terms;
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
    const kept = message.keep();
    this.#waiting.push(kept);
    this.#waitingBytes += messageBytes(kept);
    held.hold(kept);
    let result: DeliverResult = "queued";
    while (this.#waiting.length > this.terms.waitingMax || this.#waitingBytes > this.terms.waitingBytesMax) {
      const oldest = this.#take();
      if (oldest === undefined) break;
      this.#link.onDropped();
      if (oldest === kept) result = "dropped";
    }
    return result;
  }

  wake(): void {
    while (this.#waiting.length > 0 && this.#room() > 0) {
      const next = this.#take();
      if (next === undefined) return;
      this.#send(next);
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
    while (this.#take() !== undefined);
    this.#link.unsubscribe(this);
  }

  #take(): Message | undefined {
    const next = this.#waiting.shift();
    if (next === undefined) return undefined;
    this.#waitingBytes -= messageBytes(next);
    this.#link.held.release(next);
    return next;
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
