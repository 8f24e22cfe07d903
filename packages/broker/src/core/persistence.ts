// Hot path: runs per stored message. No closure, promise, spread, iterator or regex in saving and dropping.
import { type TextCodec, webText } from "polymq/internal";
import type { StoreBatch } from "../storage/batch.ts";
import type { BatchSource } from "../storage/committer.ts";
import type { Message } from "./message.ts";
import { KIND, type Kind, RecordCodec, recordKeyOf, type SessionFacts } from "./records.ts";
import type { RetainedListener } from "./retained.ts";
import type { SubscriptionTerms } from "./subscription.ts";

/** One record of the store as it should be: a value, or null for none. */
export class Slot {
  readonly key: Uint8Array;
  value: Uint8Array | null;
  /** True when the store has the record, or will with a batch already under way. */
  isStored = false;
  /** True while it waits for the next batch. */
  isListed = false;

  constructor(key: Uint8Array, value: Uint8Array | null) {
    this.key = key;
    this.value = value;
  }
}

/** A session in the store; given to the session layer as a handle. */
export class StoredSession {
  readonly number: number;
  readonly id: string;
  /** For `core/` alone. */
  readonly slot: Slot;
  readonly subscriptions: Map<string, Slot> = new Map();
  readonly deliveries: Set<StoredDelivery> = new Set();
  readonly inbound: Map<number, Slot> = new Map();
  facts: SessionFacts;
  nextSubscription = 1;
  nextDelivery = 1;
  isRemoved = false;

  constructor(number: number, id: string, facts: SessionFacts, slot: Slot) {
    this.number = number;
    this.id = id;
    this.facts = facts;
    this.slot = slot;
  }
}

/** A delivery in the store: a message that waits for a session or is in flight, with the session layer's own record. */
export class StoredDelivery {
  readonly session: StoredSession;
  readonly message: Message;
  /** Rises within a session: restored deliveries come in its order. */
  readonly number: number;
  /** For `core/` alone. */
  readonly slot: Slot;

  constructor(session: StoredSession, number: number, message: Message, slot: Slot) {
    this.session = session;
    this.number = number;
    this.message = message;
    this.slot = slot;
  }
}

/** A delayed publication in the store. */
export interface StoredDelayed {
  readonly slot: Slot;
  readonly message: Message;
}

/** How {@link Persistence} learns that there is something to commit. */
export interface PersistenceTrigger {
  touch(): void;
}

/**
 * Keeps the store's records in step with what sessions hold. Changes are only noted here; the committer collects what is left of them once per batch, so that
 * a message that is stored and acknowledged between two commits never reaches the store. Bodies are stored once, however many sessions wait for them,
 * in the same batch as the first record that refers to them, and go with the last one.
 */
export class Persistence implements BatchSource, RetainedListener {
  readonly #trigger: PersistenceTrigger;
  readonly #codec: RecordCodec;
  readonly #retained = new Map<Message, Slot>();
  #slots: Slot[] = [];
  #bodies: Message[] = [];
  #nextSession = 1;
  #nextDelayed = 1;

  constructor(trigger: PersistenceTrigger, text: TextCodec = webText()) {
    this.#trigger = trigger;
    this.#codec = new RecordCodec(text);
  }

  /** Adds what has changed since the last call. */
  fill(batch: StoreBatch): void {
    const bodies = this.#bodies;
    this.#bodies = [];
    for (let i = 0; i < bodies.length; i++) this.#fillBody(bodies[i] as Message, batch);
    const slots = this.#slots;
    this.#slots = [];
    for (let i = 0; i < slots.length; i++) {
      const slot = slots[i] as Slot;
      slot.isListed = false;
      if (slot.value !== null) {
        batch.put(slot.key, slot.value);
        slot.value = NOTHING; // the batch holds the bytes; here only "wanted" is left to say
        slot.isStored = true;
      } else if (slot.isStored) {
        batch.delete(slot.key);
        slot.isStored = false;
      }
    }
  }

  /** Stores a session; its number is new. */
  createSession(id: string, facts: SessionFacts): StoredSession {
    const number = this.#nextSession++;
    const session = new StoredSession(number, id, facts, new Slot(recordKeyOf(KIND.session, number), null));
    this.#set(session.slot, this.#codec.encodeSession({ id, ...facts }));
    return session;
  }

  /** Changes what is stored of a session. */
  updateSession(session: StoredSession, changed: Partial<SessionFacts>): void {
    if (session.isRemoved) return;
    session.facts = { ...session.facts, ...changed };
    this.#set(session.slot, this.#codec.encodeSession({ id: session.id, ...session.facts }));
  }

  /** Removes a session with all that belongs to it. Its handles may still be used; nothing happens then. */
  removeSession(session: StoredSession): void {
    if (session.isRemoved) return;
    session.isRemoved = true;
    this.#set(session.slot, null);
    for (const slot of session.subscriptions.values()) this.#set(slot, null);
    for (const slot of session.inbound.values()) this.#set(slot, null);
    for (const delivery of session.deliveries) {
      this.#set(delivery.slot, null);
      this.#release(delivery.message);
    }
    session.subscriptions.clear();
    session.inbound.clear();
    session.deliveries.clear();
  }

  /** Stores a subscription, or changes the one with the same filter and group. */
  saveSubscription(session: StoredSession, terms: Required<SubscriptionTerms>): void {
    if (session.isRemoved) return;
    const name = subscriptionName(terms.filter, terms.group);
    let slot = session.subscriptions.get(name);
    if (slot === undefined) {
      slot = new Slot(recordKeyOf(KIND.subscription, session.number, session.nextSubscription++), null);
      session.subscriptions.set(name, slot);
    }
    this.#set(slot, this.#codec.encodeSubscription(terms));
  }

  /** Removes a subscription; harmless when there is none. */
  dropSubscription(session: StoredSession, filter: string, group: string | null): void {
    const name = subscriptionName(filter, group);
    const slot = session.subscriptions.get(name);
    if (slot === undefined) return;
    session.subscriptions.delete(name);
    this.#set(slot, null);
  }

  /**
   * Stores that `message` waits for a session or is in flight to it. `record` is the session layer's own and must not change afterwards. It is
   * durable together with everything else of this turn: see the committer's `openBatch`.
   */
  saveDelivery(session: StoredSession, message: Message, record: Uint8Array): StoredDelivery {
    const number = session.nextDelivery++;
    const slot = new Slot(recordKeyOf(KIND.delivery, session.number, number), null);
    const delivery = new StoredDelivery(session, number, message, slot);
    if (session.isRemoved) return delivery;
    session.deliveries.add(delivery);
    this.#retain(message);
    this.#set(delivery.slot, this.#codec.encodeDelivery(message.sequence, record));
    return delivery;
  }

  /** Changes the session layer's record of a delivery, such as from waiting to in flight. */
  updateDelivery(delivery: StoredDelivery, record: Uint8Array): void {
    if (!delivery.session.deliveries.has(delivery)) return;
    this.#set(delivery.slot, this.#codec.encodeDelivery(delivery.message.sequence, record));
  }

  /** Removes a delivery that is settled or was dropped; the message's body goes with its last delivery. */
  dropDelivery(delivery: StoredDelivery): void {
    if (!delivery.session.deliveries.delete(delivery)) return;
    this.#set(delivery.slot, null);
    this.#release(delivery.message);
  }

  /** Stores the id of an exactly-once publication that a peer has begun and not yet released. */
  saveInbound(session: StoredSession, id: number): void {
    if (session.isRemoved || session.inbound.has(id)) return;
    const slot = new Slot(recordKeyOf(KIND.inbound, session.number, id), null);
    session.inbound.set(id, slot);
    this.#set(slot, NOTHING);
  }

  /** Removes such an id once the peer has released it; harmless when it is not stored. */
  dropInbound(session: StoredSession, id: number): void {
    const slot = session.inbound.get(id);
    if (slot === undefined) return;
    session.inbound.delete(id);
    this.#set(slot, null);
  }

  /** Stores a publication that is to be made at `dueAtMs` (since 1970). */
  saveDelayed(owner: string, message: Message, dueAtMs: number): StoredDelayed {
    const slot = new Slot(recordKeyOf(KIND.delayed, this.#nextDelayed++), null);
    this.#retain(message);
    this.#set(slot, this.#codec.encodeDelayed({ owner, dueAtMs, sequence: message.sequence }));
    return { slot, message };
  }

  /** Removes a delayed publication that was made or called off. To be called once. */
  dropDelayed(delayed: StoredDelayed): void {
    this.#set(delayed.slot, null);
    this.#release(delayed.message);
  }

  /** Stores a change of what is retained. */
  onRetainedChange(before: Message | null, next: Message | null): void {
    if (before !== null) {
      const slot = this.#retained.get(before);
      if (slot !== undefined) {
        this.#retained.delete(before);
        this.#set(slot, null);
        this.#release(before);
      }
    }
    if (next === null) return;
    const slot = new Slot(recordKeyOf(KIND.retained, next.sequence), null);
    this.#retained.set(next, slot);
    this.#retain(next);
    this.#set(slot, NOTHING);
  }

  /** Takes up a record that the store has; `core/restore.ts` alone calls this and the next. */
  adopt(kind: Kind, first: number, second?: number): Slot {
    const slot = new Slot(recordKeyOf(kind, first, second), NOTHING);
    slot.isStored = true;
    if (kind === KIND.session) this.#nextSession = Math.max(this.#nextSession, first + 1);
    if (kind === KIND.delayed) this.#nextDelayed = Math.max(this.#nextDelayed, first + 1);
    return slot;
  }

  /** Takes up a body that the store has; one that nobody refers to in the end is removed by `sweepBodies`. */
  adoptBody(message: Message): void {
    message.body = { references: 0, isStored: true, isListed: false };
  }

  /** Counts one more record that refers to a message taken up. */
  adoptReference(message: Message): void {
    if (message.body !== null) message.body.references++;
  }

  /** Takes up a retained message. */
  adoptRetained(message: Message): void {
    this.#retained.set(message, this.adopt(KIND.retained, message.sequence));
    this.adoptReference(message);
  }

  /** Removes the bodies among these that nobody refers to. */
  sweepBodies(messages: Iterable<Message>): void {
    for (const message of messages) {
      if (message.body?.references === 0) this.#listBody(message);
    }
  }

  #fillBody(message: Message, batch: StoreBatch): void {
    const body = message.body;
    if (body === null) return;
    body.isListed = false;
    if (body.references > 0 && !body.isStored) {
      batch.put(recordKeyOf(KIND.message, message.sequence), this.#codec.encodeMessage(message));
      body.isStored = true;
    } else if (body.references === 0 && body.isStored) {
      batch.delete(recordKeyOf(KIND.message, message.sequence));
      body.isStored = false;
    }
  }

  #set(slot: Slot, value: Uint8Array | null): void {
    slot.value = value;
    if (slot.isListed) return;
    slot.isListed = true;
    this.#slots.push(slot);
    this.#trigger.touch();
  }

  #retain(message: Message): void {
    message.body ??= { references: 0, isStored: false, isListed: false };
    message.body.references++;
    if (message.body.references === 1) this.#listBody(message);
  }

  #release(message: Message): void {
    if (message.body === null) return;
    message.body.references--;
    if (message.body.references === 0) this.#listBody(message);
  }

  #listBody(message: Message): void {
    if (message.body === null || message.body.isListed) return;
    message.body.isListed = true;
    this.#bodies.push(message);
    this.#trigger.touch();
  }
}

/** The name of a subscription within its session; a group's name has no "/". */
export function subscriptionName(filter: string, group: string | null): string {
  return group === null ? `/${filter}` : `${group}/${filter}`;
}

const NOTHING: Uint8Array = new Uint8Array(0);
