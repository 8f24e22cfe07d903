import { VirtualClock } from "polymq/testing";
import { MemoryMedium, MemoryStore } from "../storage/memory-store.ts";
import type { Store } from "../storage/store.ts";
import { Hub, type HubOptions } from "./hub.ts";
import { Mailbox, type MailboxItem, type MailboxLimits } from "./mailbox.ts";
import type { Guarantee, Message, MessageStamp, MessageView } from "./message.ts";
import { type MessageParts, makeMessage } from "./message.ts";
import type { StoredDelivery, StoredSession } from "./persistence.ts";
import type { RestoredSession } from "./restore.ts";
import type { EndReason, Session } from "./session-directory.ts";
import type { Availability, DeliverResult, Subscriber, Subscription } from "./subscription.ts";

/** A stamp that counts, at a fixed time. */
export function countingStamp(epochMs = 1000): MessageStamp {
  let sequence = 0;
  return { nextSequence: () => ++sequence, takenAtMs: () => epochMs };
}

/** A message with a text payload; at least once unless told otherwise. */
export function messageOf(topic: string, text = "x", more: Partial<MessageParts> = {}): Message {
  return makeMessage({ topic, payload: bytesOf(text), guarantee: 1, ...more }, countingStamp());
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** One delivery that a {@link Recorder} saw. */
export interface Recorded {
  readonly topic: string;
  readonly text: string;
  readonly guarantee: Guarantee;
  readonly identifiers: readonly number[];
}

/** A subscriber that writes down what it is offered and answers as told. */
export class Recorder implements Subscriber {
  readonly id: string;
  availability: Availability = "ready";
  answer: DeliverResult = "sent";
  readonly got: Recorded[] = [];

  constructor(id: string) {
    this.id = id;
  }

  deliver(message: MessageView, subscription: Subscription, guarantee: Guarantee): DeliverResult {
    if (this.answer !== "dropped") this.got.push(recorded(message, subscription, guarantee));
    return this.answer;
  }

  /** The texts it got. */
  get texts(): string[] {
    return this.got.map((one) => one.text);
  }
}

function recorded(message: MessageView, subscription: Subscription, guarantee: Guarantee): Recorded {
  return {
    topic: message.topic,
    text: textOf(message.payload),
    guarantee,
    identifiers: [...subscription.identifiers].sort((a, b) => a - b),
  };
}

interface Waiting extends MailboxItem {
  readonly stored: StoredDelivery | null;
  readonly origin: { readonly filter: string; readonly group: string | null };
}

/** A session as a protocol would write it, in the plainest form: everything but at most once goes through the mailbox. */
export class PlainSession implements Session {
  readonly id: string;
  readonly hub: Hub;
  stored: StoredSession | null;
  isConnected = true;
  /** A last word to publish when the connection is taken over, after this delay. */
  lastWord: { readonly message: Message; readonly delayMs: number } | null = null;
  readonly got: string[] = [];
  readonly ended: EndReason[] = [];
  takenOver = 0;
  readonly mailbox: Mailbox<Waiting>;

  constructor(hub: Hub, id: string, stored: StoredSession | null, limits?: Partial<MailboxLimits>) {
    this.hub = hub;
    this.id = id;
    this.stored = stored;
    this.mailbox = new Mailbox({ messagesMax: 1000, bytesMax: 1 << 24, overflow: "dropOldest", ...limits }, (item) =>
      this.#forget(item),
    );
  }

  static restored(restored: RestoredSession, hub: Hub): PlainSession {
    const session = new PlainSession(hub, restored.id, restored.stored);
    session.isConnected = false;
    for (const { stored, message, record } of restored.deliveries) {
      const [group = "", filter = ""] = textOf(record).split(" ");
      session.mailbox.restore({ message, stored, origin: { filter, group: group === "" ? null : group } });
    }
    return session;
  }

  get availability(): Availability {
    return this.isConnected ? "ready" : "away";
  }

  deliver(message: MessageView, subscription: Subscription, guarantee: Guarantee): DeliverResult {
    if (guarantee === 0) {
      if (!this.isConnected) return "dropped";
      this.got.push(textOf(message.payload));
      return "sent";
    }
    const kept = message.keep();
    if (!this.mailbox.accepts(kept.bytes)) return "dropped";
    const { filter, group } = subscription;
    const record = bytesOf(`${group ?? ""} ${filter}`);
    const stored =
      this.stored === null ? null : (this.hub.persistence?.saveDelivery(this.stored, kept, record) ?? null);
    this.mailbox.put({ message: kept, stored, origin: { filter, group } });
    return "queued";
  }

  /** Takes one message and settles it; null when none waits. */
  settleNext(): string | null {
    const item = this.mailbox.take(this.hub.epochMs());
    if (item === undefined) return null;
    this.#forget(item);
    const text = textOf(item.message.payload);
    this.got.push(text);
    return text;
  }

  /** Texts of the messages that wait. */
  get waiting(): string[] {
    return Array.from({ length: this.mailbox.length }, (_, i) =>
      textOf(this.mailbox.at(i)?.message.payload ?? bytesOf("")),
    );
  }

  onTakenOver(): void {
    this.takenOver++;
    this.isConnected = false;
    if (this.lastWord !== null) this.hub.publishLater(this, this.lastWord.message, this.lastWord.delayMs);
  }

  onEnded(reason: EndReason): void {
    this.ended.push(reason);
    for (let item = this.mailbox.take(0); item !== undefined; item = this.mailbox.take(0)) {
      const { group, filter } = item.origin;
      if (group !== null) this.hub.redistribute(group, filter, item.message);
      this.#forget(item);
    }
  }

  sweep(nowMs: number): void {
    this.mailbox.sweep(nowMs);
  }

  #forget(item: Waiting): void {
    if (item.stored !== null) this.hub.persistence?.dropDelivery(item.stored);
  }
}

/** A hub of {@link PlainSession}s on a virtual clock, and what its store holds. */
export interface Scene {
  readonly hub: Hub;
  readonly clock: VirtualClock;
  readonly medium: MemoryMedium;
  readonly errors: unknown[];
}

/** Opens a hub over a memory store, or over nothing. */
export function scene(
  options: Partial<HubOptions> & { readonly medium?: MemoryMedium; readonly clock?: VirtualClock } = {},
): Scene {
  const { medium = new MemoryMedium(), clock = new VirtualClock(), ...rest } = options;
  const errors: unknown[] = [];
  const store: Store | null = options.store === undefined ? new MemoryStore(medium) : options.store;
  const restoreSession = (restored: RestoredSession, hub: Hub): Session => PlainSession.restored(restored, hub);
  const onError = (error: unknown): void => void errors.push(error);
  const hub = Hub.open({ restoreSession, onError, ...rest, clock, store });
  return { hub, clock, medium, errors };
}

/** Connects a {@link PlainSession}: a new one, or the one that exists. */
export function connect(
  hub: Hub,
  id: string,
  options: {
    readonly start?: "fresh" | "resume";
    readonly expiryMs?: number;
    readonly limits?: Partial<MailboxLimits>;
  } = {},
): PlainSession {
  const { start = "resume", expiryMs = 0, limits } = options;
  const { session, stored } = hub.openSession({
    id,
    start,
    expiryMs,
    state: bytesOf("plain"),
    create: (made) => new PlainSession(hub, id, made, limits),
  });
  if (!(session instanceof PlainSession)) throw new Error("somebody else's session");
  session.isConnected = true;
  session.stored = stored;
  return session;
}

/** Cuts a session's connection. */
export function disconnect(session: PlainSession): void {
  session.isConnected = false;
  session.hub.detachSession(session);
}
