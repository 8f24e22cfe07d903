// Hot path: one object per message that is read. No closure, promise, spread, iterator or regex here.

/** Why a message became a dead letter. */
export type DeadLetterReason = "rejected" | "expired" | "delivery-limit" | "maxlen";

/** How often a message died in a queue for one reason. */
export interface DeathCount {
  /** The queue's name in its virtual host. */
  readonly queue: string;
  readonly reason: DeadLetterReason;
  readonly count: number;
  /** When it first died there for that reason, in milliseconds since 1970. */
  readonly timeMs: number;
  /** Where it was published before, and with which keys. */
  readonly exchange: string;
  readonly keys: readonly string[];
}

/** What a dead letter tells of its death. */
export interface DeadLetterFacts {
  readonly reason: DeadLetterReason;
  /** The queue in which it died, and its offset there. */
  readonly queue: string;
  readonly offset: number;
  /** The group that could not deliver it; "" when that was no group's doing. */
  readonly group: string;
  /** Deliveries to that group. */
  readonly count: number;
  /** When it first became a dead letter, in milliseconds since 1970; it stays over several deaths. */
  readonly firstDeathMs: number;
  /** What the consumer said when it rejected the message, or "". */
  readonly detail: string;
  /** True once it was moved out of a dead-letter queue: it may die again. */
  readonly isReplayed: boolean;
  /** All its deaths, the last one first; one entry for each queue and reason. Empty in messages that were stored before there were such. */
  readonly deaths: readonly DeathCount[];
}

/** What a stored message is besides its bytes. */
export interface QueueMessageParts {
  readonly offset: number;
  readonly topic: string;
  readonly exchange: string | null;
  readonly routingKey: string;
  /** Where the routing key begins in the topic; the topic's length for none. */
  readonly keyStart: number;
  readonly priority: number;
  readonly encoding: number;
  readonly publisherId: string;
  readonly origin: string;
  readonly externalId: string;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  /** Bytes of the queue's log up to and including this record. */
  readonly endBytes: number;
  readonly deadLetter: DeadLetterFacts | null;
  /** Its record as stored; payload and properties lie in it. */
  readonly record: Uint8Array;
  /** Equal to `payloadStart` when there are no properties. */
  readonly propertiesStart: number;
  readonly payloadStart: number;
}

/** A message in a queue; what it says never changes. */
export class QueueMessage {
  readonly offset: number;
  /** As it was published; of a message that came through an exchange, its key with `/` for `.`, or the queue's address. */
  readonly topic: string;
  /** The exchange by which it came, "" for the default one; null when it was published to the topic. */
  readonly exchange: string | null;
  /** The key with which it was published to the exchange; "" without one. */
  readonly routingKey: string;
  readonly keyStart: number;
  /** 0 to the queue's `priorityMax`. */
  readonly priority: number;
  /** Says whose encoding `properties` has. */
  readonly encoding: number;
  readonly publisherId: string;
  /** The word for the protocol by which it came, as the session layer said it. */
  readonly origin: string;
  /** What the application's access control calls the publisher, or "". */
  readonly externalId: string;
  /** When it was appended, in milliseconds since 1970; it does not fall within a queue. */
  readonly createdAtMs: number;
  /** When it expires, in milliseconds since 1970, or Infinity. */
  readonly expiresAtMs: number;
  readonly endBytes: number;
  readonly deadLetter: DeadLetterFacts | null;
  readonly record: Uint8Array;
  readonly #propertiesStart: number;
  readonly #payloadStart: number;

  constructor(parts: QueueMessageParts) {
    this.offset = parts.offset;
    this.topic = parts.topic;
    this.exchange = parts.exchange;
    this.routingKey = parts.routingKey;
    this.keyStart = parts.keyStart;
    this.priority = parts.priority;
    this.encoding = parts.encoding;
    this.publisherId = parts.publisherId;
    this.origin = parts.origin;
    this.externalId = parts.externalId;
    this.createdAtMs = parts.createdAtMs;
    this.expiresAtMs = parts.expiresAtMs;
    this.endBytes = parts.endBytes;
    this.deadLetter = parts.deadLetter;
    this.record = parts.record;
    this.#propertiesStart = parts.propertiesStart;
    this.#payloadStart = parts.payloadStart;
  }

  /** The routing key as consumers' filters see it: with `/` between levels; or "". */
  get key(): string {
    return this.topic.slice(this.keyStart);
  }

  /** A new view with every call. */
  get payload(): Uint8Array {
    return this.record.subarray(this.#payloadStart);
  }

  /** The publisher's properties in their own encoding, or null; a new view with every call. */
  get properties(): Uint8Array | null {
    if (this.#propertiesStart === this.#payloadStart) return null;
    return this.record.subarray(this.#propertiesStart, this.#payloadStart);
  }
}
