import { DEATHS_MAX, withDeath } from "./death-history.ts";
import type { Death } from "./group.ts";
import { nameInHost } from "./hosted-name.ts";
import { exchangeOf, routingKeyOf } from "./message-address.ts";
import type { Enqueueable, Queue } from "./queue.ts";
import type { DeadLetterFacts, QueueMessage } from "./queue-message.ts";

/** Finds a queue, or makes the one for dead letters. Null when there can be none. */
export type DeadLetterQueue = (name: string, source: Queue) => Queue | null;

/**
 * Sends dead letters another way than to the dead-letter queue: `taken` somebody has it, `dropped` nobody is to have it, `pass` it goes where
 * it would have gone anyway.
 */
export type DeadLetterRoute = (
  queue: Queue,
  message: QueueMessage,
  facts: DeadLetterFacts,
) => "taken" | "dropped" | "pass";

/** Characters that are kept of what a consumer said when it rejected a message. */
const DETAIL_MAX = 1_000;

interface Dead {
  readonly queue: Queue;
  readonly message: QueueMessage;
  readonly death: Death;
}

/**
 * Moves messages that died to the dead-letter queue of theirs, in the same batch in which they leave. A dead letter that dies again goes
 * nowhere: there are no circles.
 */
export class DeadLetters {
  /** Asked first. */
  route: DeadLetterRoute = passAll;
  #waiting: Dead[] = [];
  readonly #find: DeadLetterQueue;
  readonly #epochMs: () => number;

  constructor(find: DeadLetterQueue, epochMs: () => number) {
    this.#find = find;
    this.#epochMs = epochMs;
  }

  /** A queue that has no room for a dead letter makes another one; they are buried one after the other, however many that are. */
  bury(queue: Queue, message: QueueMessage, death: Death): void {
    this.#waiting.push({ queue, message, death });
    if (this.#waiting.length > 1) return;
    try {
      for (let i = 0; i < this.#waiting.length; i++) this.#bury(this.#waiting[i] as Dead);
    } finally {
      this.#waiting = [];
    }
  }

  #bury({ queue, message, death }: Dead): void {
    const facts = this.#factsOf(queue, message, death);
    // Who has died so often goes round and round; with each death on its way the next would be found within this one.
    const way = facts.deaths.length > DEATHS_MAX ? "dropped" : this.route(queue, message, facts);
    if (way === "taken" || (way === "pass" && this.#enqueue(queue, message, facts))) queue.statistics.deadLettered++;
    else queue.statistics.dropped++;
  }

  #enqueue(queue: Queue, message: QueueMessage, facts: DeadLetterFacts): boolean {
    const { enabled, queue: name } = queue.settings.deadLetter;
    const earlier = message.deadLetter;
    const mayGo = enabled && name !== queue.name && (earlier === null || earlier.isReplayed);
    const target = mayGo ? this.#find(name, queue) : null;
    if (target === null) return false;
    // Its time is over already; its topic and key stay, so that it can be filtered, and sent on its way again.
    const letter = withoutExpiry(message);
    target.append(letter, message.keyStart, Math.min(message.priority, target.settings.priorityMax), facts);
    return true;
  }

  #factsOf(queue: Queue, message: QueueMessage, death: Death): DeadLetterFacts {
    const earlier = message.deadLetter;
    const nowMs = this.#epochMs();
    const place = {
      queue: nameInHost(queue.name),
      reason: death.reason,
      timeMs: nowMs,
      exchange: exchangeOf(message),
      key: routingKeyOf(message),
    };
    return {
      ...death,
      detail: death.detail.slice(0, DETAIL_MAX),
      queue: queue.name,
      offset: message.offset,
      firstDeathMs: earlier?.firstDeathMs ?? nowMs,
      isReplayed: false,
      deaths: withDeath(earlier?.deaths ?? [], place),
    };
  }
}

/** The same message for another queue, where its time starts anew. */
export function withoutExpiry(message: QueueMessage): Enqueueable {
  const { topic, exchange, routingKey, payload, properties, encoding, publisherId, origin, externalId } = message;
  const expiresAtMs = Number.POSITIVE_INFINITY;
  return { topic, exchange, routingKey, payload, properties, encoding, publisherId, origin, externalId, expiresAtMs };
}

function passAll(): "pass" {
  return "pass";
}
