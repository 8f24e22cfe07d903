import type { Death } from "./group.ts";
import type { Enqueueable, Queue } from "./queue.ts";
import type { DeadLetterFacts, QueueMessage } from "./queue-message.ts";

/** Finds a queue, or makes the one for dead letters. Null when there can be none. */
export type DeadLetterQueue = (name: string, source: Queue) => Queue | null;

/**
 * Moves messages that died to the dead-letter queue of theirs, in the same batch in which they leave. A dead letter that dies again goes
 * nowhere: there are no circles.
 */
export class DeadLetters {
  readonly #find: DeadLetterQueue;
  readonly #epochMs: () => number;

  constructor(find: DeadLetterQueue, epochMs: () => number) {
    this.#find = find;
    this.#epochMs = epochMs;
  }

  bury(queue: Queue, message: QueueMessage, death: Death): void {
    const { enabled, queue: name } = queue.settings.deadLetter;
    const earlier = message.deadLetter;
    const target =
      enabled && name !== queue.name && (earlier === null || earlier.isReplayed) ? this.#find(name, queue) : null;
    if (target === null) {
      queue.statistics.dropped++;
      return;
    }
    const facts: DeadLetterFacts = {
      ...death,
      queue: queue.name,
      offset: message.offset,
      firstDeathMs: earlier?.firstDeathMs ?? this.#epochMs(),
      isReplayed: false,
    };
    // Its time is over already; its topic and key stay, so that it can be filtered, and sent on its way again.
    const letter = withoutExpiry(message);
    target.append(letter, message.keyStart, Math.min(message.priority, target.settings.priorityMax), facts);
    queue.statistics.deadLettered++;
  }
}

/** The same message for another queue, where its time starts anew. */
export function withoutExpiry(message: QueueMessage): Enqueueable {
  const { topic, payload, properties, encoding, publisherId, origin, externalId } = message;
  const expiresAtMs = Number.POSITIVE_INFINITY;
  return { topic, payload, properties, encoding, publisherId, origin, externalId, expiresAtMs };
}
