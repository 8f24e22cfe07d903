import { type TextCodec, webText } from "polymq/internal";
import type { Store } from "../storage/store.ts";
import type { Message } from "./message.ts";
import {
  type Persistence,
  type StoredDelayed,
  StoredDelivery,
  StoredSession,
  subscriptionName,
} from "./persistence.ts";
import { corrupt, firstNumber, KIND, type Kind, kindPrefix, RecordCodec, secondNumber } from "./records.ts";
import type { SubscriptionTerms } from "./subscription.ts";

/** A delivery as it was stored. */
export interface RestoredDelivery {
  readonly stored: StoredDelivery;
  readonly message: Message;
  readonly record: Uint8Array;
}

/** A session as it was stored, with all that belongs to it. */
export interface RestoredSession {
  readonly stored: StoredSession;
  readonly id: string;
  readonly subscriptions: readonly Required<SubscriptionTerms>[];
  /** In the order in which they were saved. */
  readonly deliveries: readonly RestoredDelivery[];
  /** Ids of exactly-once publications that the peer had begun. */
  readonly inbound: readonly number[];
}

/** A delayed publication as it was stored. */
export interface RestoredDelayed {
  readonly stored: StoredDelayed;
  readonly owner: string;
  readonly dueAtMs: number;
}

/** Everything that the core had stored. */
export interface Restored {
  readonly sessions: readonly RestoredSession[];
  readonly retained: readonly Message[];
  readonly delayed: readonly RestoredDelayed[];
  /** The highest sequence of a stored message, or 0. */
  readonly lastSequence: number;
}

/**
 * Reads what {@link Persistence} stored and takes it up there. Records that belong to nothing are removed with the next batch.
 * @throws {MessagingError} ERR_STORE_CORRUPT when a record is damaged or refers to something that is missing
 */
export function restore(store: Store, persistence: Persistence, text: TextCodec = webText()): Restored {
  return new Restoration(store, persistence, new RecordCodec(text)).run();
}

interface Draft {
  readonly stored: StoredSession;
  readonly subscriptions: Required<SubscriptionTerms>[];
  readonly deliveries: RestoredDelivery[];
  readonly inbound: number[];
}

class Restoration {
  readonly #store: Store;
  readonly #persistence: Persistence;
  readonly #codec: RecordCodec;
  readonly #messages = new Map<number, Message>();
  readonly #sessions = new Map<number, Draft>();
  #lastSequence = 0;

  constructor(store: Store, persistence: Persistence, codec: RecordCodec) {
    this.#store = store;
    this.#persistence = persistence;
    this.#codec = codec;
  }

  run(): Restored {
    this.#each(KIND.message, (key, value) => this.#message(firstNumber(key), value));
    this.#each(KIND.session, (key, value) => this.#session(firstNumber(key), value));
    this.#each(KIND.subscription, (key, value) => this.#subscription(key, value));
    this.#each(KIND.delivery, (key, value) => this.#delivery(key, value));
    this.#each(KIND.inbound, (key) => this.#inbound(key));
    const retained: Message[] = [];
    this.#each(KIND.retained, (key) => {
      const message = this.#find(firstNumber(key));
      this.#persistence.adoptRetained(message);
      retained.push(message);
    });
    const delayed: RestoredDelayed[] = [];
    this.#each(KIND.delayed, (key, value) => delayed.push(this.#delayed(firstNumber(key), value)));
    this.#persistence.sweepBodies(this.#messages.values());
    const sessions = Array.from(this.#sessions.values(), (draft) => ({ ...draft, id: draft.stored.id }));
    return { sessions, retained, delayed, lastSequence: this.#lastSequence };
  }

  #each(kind: Kind, take: (key: Uint8Array, value: Uint8Array) => unknown): void {
    this.#store.scan(kindPrefix(kind), (key, value) => {
      take(key, value);
      return true;
    });
  }

  #message(sequence: number, value: Uint8Array): void {
    const message = this.#codec.decodeMessage(sequence, value);
    this.#persistence.adoptBody(message);
    this.#messages.set(sequence, message);
    this.#lastSequence = Math.max(this.#lastSequence, sequence);
  }

  #session(number: number, value: Uint8Array): void {
    const { id, ...facts } = this.#codec.decodeSession(value);
    const stored = new StoredSession(number, id, facts, this.#persistence.adopt(KIND.session, number));
    this.#sessions.set(number, { stored, subscriptions: [], deliveries: [], inbound: [] });
  }

  #subscription(key: Uint8Array, value: Uint8Array): void {
    const draft = this.#draft(key);
    const number = secondNumber(key);
    const terms = this.#codec.decodeSubscription(value);
    const slot = this.#persistence.adopt(KIND.subscription, firstNumber(key), number);
    draft.stored.subscriptions.set(subscriptionName(terms.filter, terms.group), slot);
    draft.stored.nextSubscription = number + 1;
    draft.subscriptions.push(terms);
  }

  #delivery(key: Uint8Array, value: Uint8Array): void {
    const draft = this.#draft(key);
    const number = secondNumber(key);
    const { sequence, record } = this.#codec.decodeDelivery(value);
    const message = this.#find(sequence);
    const slot = this.#persistence.adopt(KIND.delivery, firstNumber(key), number);
    const stored = new StoredDelivery(draft.stored, number, message, slot);
    this.#persistence.adoptReference(message);
    draft.stored.deliveries.add(stored);
    draft.stored.nextDelivery = number + 1;
    draft.deliveries.push({ stored, message, record });
  }

  #inbound(key: Uint8Array): void {
    const draft = this.#draft(key);
    const id = secondNumber(key);
    draft.stored.inbound.set(id, this.#persistence.adopt(KIND.inbound, firstNumber(key), id));
    draft.inbound.push(id);
  }

  #delayed(number: number, value: Uint8Array): RestoredDelayed {
    const { owner, dueAtMs, sequence } = this.#codec.decodeDelayed(value);
    const message = this.#find(sequence);
    this.#persistence.adoptReference(message);
    return { owner, dueAtMs, stored: { slot: this.#persistence.adopt(KIND.delayed, number), message } };
  }

  /** Records go in one batch with their session, so one without a session means that something was lost. */
  #draft(key: Uint8Array): Draft {
    const draft = this.#sessions.get(firstNumber(key));
    if (draft === undefined) throw corrupt(`a record of session ${firstNumber(key)}, which is missing`);
    return draft;
  }

  #find(sequence: number): Message {
    const message = this.#messages.get(sequence);
    if (message === undefined) throw corrupt(`message ${sequence} is missing`);
    return message;
  }
}
