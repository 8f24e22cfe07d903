import type { Hub } from "../../core/hub.ts";
import type { Message } from "../../core/message.ts";
import type { RetainedReplay } from "../../core/retained.ts";
import type { Subscription } from "../../core/subscription.ts";

/** One subscription whose retained messages are still to be sent. */
interface Replay {
  readonly subscription: Subscription;
  /** Messages with a higher number came after the subscription: it was offered them already. */
  readonly lastSequence: number;
  /** Looked up when its turn comes, so that only one list is held at a time. */
  messages: RetainedReplay | null;
}

/**
 * The retained messages that new subscriptions of one session have still to get, at the pace the client takes them: in the order of the
 * subscriptions, and one replay per filter, so that a client cannot pile them up.
 */
export class PendingReplays {
  readonly #hub: Hub;
  readonly #byFilter = new Map<string, Replay>();
  #current: Replay | null = null;

  constructor(hub: Hub) {
    this.#hub = hub;
  }

  get isEmpty(): boolean {
    return this.#byFilter.size === 0;
  }

  /** Begins the replay for a subscription, in place of one that was under way for its filter. */
  add(subscription: Subscription): void {
    this.drop(subscription.filter);
    const lastSequence = this.#hub.nextSequence();
    this.#byFilter.set(subscription.filter, { subscription, lastSequence, messages: null });
  }

  /** Ends the replay for a filter; harmless when there is none. */
  drop(filter: string): void {
    const replay = this.#byFilter.get(filter);
    if (replay === undefined) return;
    this.#byFilter.delete(filter);
    if (this.#current === replay) this.#current = null;
  }

  clear(): void {
    this.#byFilter.clear();
    this.#current = null;
  }

  /** The subscription that the last message of {@link next} is for. */
  get subscription(): Subscription | null {
    return this.#current?.subscription ?? null;
  }

  /** The next message, or null when there is none left. */
  next(): Message | null {
    for (;;) {
      this.#current ??= this.#byFilter.values().next().value ?? null;
      const replay = this.#current;
      if (replay === null) return null;
      replay.messages ??= this.#hub.replay(replay.subscription.filter);
      const message = this.#nextOf(replay, replay.messages);
      if (message !== null) return message;
      this.drop(replay.subscription.filter);
    }
  }

  #nextOf(replay: Replay, messages: RetainedReplay): Message | null {
    const { subscriber, noLocal } = replay.subscription;
    for (;;) {
      const message = messages.next(this.#hub.epochMs());
      if (message === null) return null;
      if (message.sequence > replay.lastSequence) continue;
      // No Local holds for retained messages as well [MQTT-3.8.3-3].
      if (noLocal && message.publisherId === subscriber.id) continue;
      return message;
    }
  }
}
