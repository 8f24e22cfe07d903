// Hot path: runs per message. No closure, promise, spread, iterator or regex here.
import { MessagingError } from "polymq/internal";
import type { HeldMessages } from "./held-messages.ts";
import type { MessageView } from "./message.ts";
import type { Route } from "./router.ts";
import { lower, type SharedGroup } from "./shared-group.ts";
import type { Statistics } from "./statistics.ts";
import type { Subscription } from "./subscription.ts";

/** In place of how many matched: there is no room in all for the message, and nobody has it. */
export const REFUSED = -1;

/** The same as an error, for publishers that are given one. */
export function noRoomInAll(): MessagingError {
  return new MessagingError("ERR_QUEUE_FULL", "there is no room for what is held in all");
}

/** What a distribution works with. */
export interface DistributionParts {
  readonly statistics: Statistics;
  readonly held: HeldMessages;
  /** A subscriber threw, which it must not. */
  readonly onError: (error: unknown) => void;
}

/** Offers messages to the subscriptions and groups of their routes. */
export class Distribution {
  readonly #statistics: Statistics;
  readonly #held: HeldMessages;
  readonly #onError: (error: unknown) => void;

  constructor(parts: DistributionParts) {
    this.#statistics = parts.statistics;
    this.#held = parts.held;
    this.#onError = parts.onError;
  }

  /**
   * Returns how many subscriptions and groups matched, or {@link REFUSED} when some did, all would have had to hold the message, and there is no room for what is held
   * in all. Such a message can be published again: nobody gets it twice.
   */
  offer(message: MessageView, route: Route): number {
    const { subscriptions, groups } = route;
    const refusedBefore = this.#held.refusedCount;
    let matched = 0;
    let taken = 0;
    for (let i = 0; i < subscriptions.length; i++) {
      const subscription = subscriptions[i] as Subscription;
      const own = subscription.noLocal && subscription.subscriber.id === message.publisherId;
      const terms = own ? subscription.forOwn : subscription;
      if (terms === null) continue;
      matched++;
      if (this.#offerTo(message, terms)) taken++;
    }
    for (let i = 0; i < groups.length; i++) {
      matched++;
      if (this.#offerToGroup(message, groups[i] as SharedGroup)) taken++;
    }
    return taken === 0 && this.#held.refusedCount !== refusedBefore ? REFUSED : matched;
  }

  #offerTo(message: MessageView, subscription: Subscription): boolean {
    try {
      const guarantee = lower(message.guarantee, subscription.guaranteeMax);
      const result = subscription.subscriber.deliver(message, subscription, guarantee);
      if (result === "sent" || result === "queued") return true;
      this.#statistics.messagesDropped++;
    } catch (error) {
      this.#onError(error);
    }
    return false;
  }

  #offerToGroup(message: MessageView, group: SharedGroup): boolean {
    try {
      if (group.offer(message) !== null) return true;
      this.#statistics.messagesDropped++;
    } catch (error) {
      this.#onError(error);
    }
    return false;
  }
}
