// Hot path: runs per message. No closure, promise, spread, iterator or regex here.
import { PassingMessages } from "./passing-messages.ts";

/** How hard the broker tries: 0 at most once, 1 at least once, 2 exactly once. */
export type Guarantee = 0 | 1 | 2;

/** What can be read of a message, whether it is kept or passes through. */
export interface MessageView {
  readonly topic: string;
  /** The exchange to which it was published, "" for the default one; null for a publication to the topic itself. */
  readonly exchange: string | null;
  /** The key with which it was published to the exchange; "" without one. */
  readonly routingKey: string;
  /** A view; of a {@link TransientMessage} it dies with the call that handed it over. */
  readonly payload: Uint8Array;
  readonly guarantee: Guarantee;
  /** True when the publisher asked the broker to retain it. */
  readonly retain: boolean;
  /** Further properties in the publisher's own encoding, or null. A view, as the payload. */
  readonly properties: Uint8Array | null;
  /** Says whose encoding `properties` has; numbers are given out by the session layer. */
  readonly encoding: number;
  readonly publisherId: string;
  /** The word for the protocol by which it came, as the session layer says it, or "". */
  readonly origin: string;
  /** What the application's access control calls the publisher, or "". */
  readonly externalId: string;
  /** When it expires, in milliseconds since 1970, or Infinity. */
  readonly expiresAtMs: number;
  /** An owned copy that may be kept; the same one for every call while the message is being published. */
  keep(): Message;
  /**
   * As {@link keep}, but its bytes may stay in the input that brought them for a while: for whoever is likely to be done with it soon, and holds it (`HeldMessages`) before the
   * call in which it was published ends.
   */
  lend(): Message;
}

/** What is needed to make a {@link Message}; the byte arrays become the message's own. */
export interface MessageParts {
  readonly topic: string;
  /** Not stored with the message; see {@link MessageView}. */
  readonly exchange?: string | null;
  readonly routingKey?: string;
  readonly payload: Uint8Array;
  readonly guarantee?: Guarantee;
  readonly retain?: boolean;
  readonly properties?: Uint8Array | null;
  readonly encoding?: number;
  readonly publisherId?: string;
  readonly origin?: string;
  readonly externalId?: string;
  readonly expiresAtMs?: number;
}

/** Gives each kept message its place and time; the hub is one. */
export interface MessageStamp {
  nextSequence(): number;
  /** When the message counts as taken, in milliseconds since 1970: now, or a little earlier in this turn. */
  takenAtMs(): number;
}

/** The bytes of a message. */
interface Bytes {
  readonly payload: Uint8Array;
  readonly properties: Uint8Array | null;
}

/** A message that somebody holds: in a mailbox, in flight, or retained. What it says never changes. */
export class Message implements MessageView {
  readonly topic: string;
  readonly exchange: string | null;
  readonly routingKey: string;
  /** This and `properties` lie elsewhere from the first {@link keep} on, if they are lent. */
  payload: Uint8Array;
  readonly guarantee: Guarantee;
  readonly retain: boolean;
  properties: Uint8Array | null;
  readonly encoding: number;
  readonly publisherId: string;
  readonly origin: string;
  readonly externalId: string;
  readonly expiresAtMs: number;
  /** When the broker took it, in milliseconds since 1970. */
  readonly createdAtMs: number;
  /** Rises with every kept message, across restarts as far as anything was stored; the message's name in the store. */
  readonly sequence: number;
  /** Who refers to its body in the store; written by `core/persistence.ts` alone. */
  body: StoredBody | null = null;
  /** How many hold it; written by `core/held-messages.ts` alone. */
  holders = 0;
  /** True while its bytes lie in the input that brought them. */
  #isLent: boolean;

  /** @param isLent payload and properties lie in input that nobody writes into; see {@link keep} */
  constructor(parts: Required<MessageParts>, createdAtMs: number, sequence: number, isLent = false) {
    this.topic = parts.topic;
    this.exchange = parts.exchange;
    this.routingKey = parts.routingKey;
    this.payload = parts.payload;
    this.guarantee = parts.guarantee;
    this.retain = parts.retain;
    this.properties = parts.properties;
    this.encoding = parts.encoding;
    this.publisherId = parts.publisherId;
    this.origin = parts.origin;
    this.externalId = parts.externalId;
    this.expiresAtMs = parts.expiresAtMs;
    this.createdAtMs = createdAtMs;
    this.sequence = sequence;
    this.#isLent = isLent;
  }

  keep(): Message {
    if (this.#isLent) this.#copy();
    return this;
  }

  lend(): Message {
    return this.keep();
  }

  /** Bytes it holds in memory, about: what limits in bytes count. */
  get bytes(): number {
    return messageBytes(this);
  }

  #copy(): void {
    const { payload, properties } = copied(this.payload, this.properties);
    this.payload = payload;
    this.properties = properties;
    this.#isLent = false;
  }
}

/** The stored copy of a message's body: how many records refer to it, and whether it is in the store. */
export interface StoredBody {
  references: number;
  isStored: boolean;
  isListed: boolean;
}

/** An owned message from parts, with defaults: at most once, not retained, no properties, no expiry. */
export function makeMessage(parts: MessageParts, stamp: MessageStamp): Message {
  const full: Required<MessageParts> = {
    topic: parts.topic,
    exchange: parts.exchange ?? null,
    routingKey: parts.routingKey ?? "",
    payload: parts.payload,
    guarantee: parts.guarantee ?? 0,
    retain: parts.retain ?? false,
    properties: parts.properties ?? null,
    encoding: parts.encoding ?? 0,
    publisherId: parts.publisherId ?? "",
    origin: parts.origin ?? "",
    externalId: parts.externalId ?? "",
    expiresAtMs: parts.expiresAtMs ?? Number.POSITIVE_INFINITY,
  };
  return new Message(full, stamp.takenAtMs(), stamp.nextSequence());
}

/**
 * A reusable view of the message that a connection is publishing right now. The connection calls `begin` and sets the other
 * fields; payload and properties may lie in its input. Whoever holds the message beyond the call takes `keep()`, which copies once, unless
 * the connection says that it need not.
 */
export class TransientMessage implements MessageView {
  topic = "";
  exchange: string | null = null;
  routingKey = "";
  payload: Uint8Array = EMPTY;
  guarantee: Guarantee = 0;
  retain = false;
  properties: Uint8Array | null = null;
  encoding = 0;
  publisherId = "";
  origin = "";
  externalId = "";
  expiresAtMs: number = Number.POSITIVE_INFINITY;
  /** True when payload and properties are in memory that nobody writes again and that holds little else: whoever keeps the message takes them as they are. */
  isOwned = false;
  readonly #stamp: MessageStamp;
  readonly #passing: PassingMessages;
  #input: Uint8Array | null = null;
  #kept: Message | null = null;

  /** @param passing takes note of what is lent */
  constructor(stamp: MessageStamp, passing: PassingMessages = new PassingMessages()) {
    this.#stamp = stamp;
    this.#passing = passing;
  }

  /**
   * Starts the next message; every other field but `publisherId`, `origin`, `externalId` and `encoding` goes back to its default.
   * @param input the chunk that payload and properties lie in, when it is never written into again: only then is the message lent
   */
  begin(topic: string, payload: Uint8Array, input: Uint8Array | null = null): void {
    this.#input = input;
    this.topic = topic;
    this.exchange = null;
    this.routingKey = "";
    this.payload = payload;
    this.guarantee = 0;
    this.retain = false;
    this.properties = null;
    this.expiresAtMs = Number.POSITIVE_INFINITY;
    this.isOwned = false;
    this.#kept = null;
  }

  /** Says that the message goes to another topic, and by which exchange and key. Copies that were kept before stay as they are. */
  readdress(topic: string, exchange: string | null, routingKey: string): void {
    this.topic = topic;
    this.exchange = exchange;
    this.routingKey = routingKey;
    this.#kept = null;
  }

  /** Lets go of the bytes of the last message. */
  end(): void {
    this.payload = EMPTY;
    this.properties = null;
    this.#input = null;
    this.#kept = null;
  }

  keep(): Message {
    this.#kept ??= new Message(this, this.#stamp.takenAtMs(), this.#stamp.nextSequence(), !this.isOwned);
    return this.#kept.keep();
  }

  lend(): Message {
    if (this.#kept !== null) return this.#kept;
    const input = this.#input;
    if (input === null || this.isOwned) return this.keep();
    const message = new Message(this, this.#stamp.takenAtMs(), this.#stamp.nextSequence(), true);
    this.#passing.add(message, input);
    this.#kept = message;
    return message;
  }
}

/** A message's bytes in memory of its own: one allocation for both, for the copy is what keeping costs. */
function copied(payload: Uint8Array, properties: Uint8Array | null): Bytes {
  const length = payload.length;
  const copy = new Uint8Array(length + (properties === null ? 0 : properties.length));
  copy.set(payload);
  if (properties === null) return { payload: copy, properties };
  copy.set(properties, length);
  return { payload: copy.subarray(0, length), properties: copy.subarray(length) };
}

/** Bytes that a message takes in memory, about. */
export function messageBytes(message: MessageView): number {
  const properties = message.properties === null ? 0 : message.properties.length;
  return MESSAGE_OVERHEAD_BYTES + message.topic.length + message.payload.length + properties;
}

/** What a kept message costs besides its text and bytes: the objects around them, rounded. */
const MESSAGE_OVERHEAD_BYTES = 256;

const EMPTY: Uint8Array = new Uint8Array(0);
