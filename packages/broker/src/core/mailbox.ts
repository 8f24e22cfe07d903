// Hot path: runs per message. No closure, promise, spread, iterator or regex here.
import { Deque } from "polymq/internal";
import { HeldMessages } from "./held-messages.ts";
import { type Message, messageBytes } from "./message.ts";

/** What a mailbox holds: a message and whatever the session knows about its delivery. */
export interface MailboxItem {
  readonly message: Message;
}

/** How much a mailbox may hold, and what goes when it is full. */
export interface MailboxLimits {
  readonly messagesMax: number;
  /** Bytes of the messages, about. A message that alone is larger waits beside them, one at a time: none is lost for its size alone. */
  readonly bytesMax: number;
  readonly overflow: "dropOldest" | "dropNewest";
}

/** Why a message left a mailbox without being taken. */
export type DropReason = "overflow" | "expired";

/** Told of each item that leaves a mailbox without being taken; its stored copy can go. */
export type OnDropped<T> = (item: T, reason: DropReason) => void;

/** The messages that wait for one session: first in, first out, bounded, without expired ones. */
export class Mailbox<T extends MailboxItem> {
  readonly #limits: MailboxLimits;
  readonly #onDropped: OnDropped<T>;
  readonly #held: HeldMessages;
  readonly #items = new Deque<T>();
  #bytes = 0;
  /** Those of them that messages larger than the limit have. */
  #largeBytes = 0;
  #overflowed = 0;
  #expired = 0;

  /** @param held counts what all mailboxes hold; its limit is the business of who puts */
  constructor(limits: MailboxLimits, onDropped: OnDropped<T>, held: HeldMessages = new HeldMessages()) {
    this.#limits = limits;
    this.#onDropped = onDropped;
    this.#held = held;
  }

  get length(): number {
    return this.#items.length;
  }

  /** Bytes of the messages held, about. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Items dropped for want of room so far. */
  get overflowedCount(): number {
    return this.#overflowed;
  }

  /** Items dropped because they had expired so far. */
  get expiredCount(): number {
    return this.#expired;
  }

  /** True when {@link put} would take a message of this size: always with `dropOldest`. */
  accepts(bytes: number): boolean {
    if (this.#limits.messagesMax === 0) return false;
    return this.#limits.overflow === "dropOldest" || this.#hasRoom(bytes);
  }

  /**
   * Puts an item behind the others; false when it was dropped (which is then counted; `onDropped` is not told of it). With
   * `dropOldest` older items leave first until it fits.
   */
  put(item: T): boolean {
    const bytes = messageBytes(item.message);
    if (!this.accepts(bytes)) {
      this.#overflowed++;
      return false;
    }
    while (this.#items.length > 0 && !this.#hasRoom(bytes)) this.#dropHead("overflow");
    this.restore(item);
    return true;
  }

  /** Puts back an item that was taken, in front of all others; limits do not hold. */
  putBack(item: T): void {
    this.#items.unshift(item);
    this.#enter(item.message);
  }

  /** Puts an item that was stored before behind the others; limits do not hold, for it was accepted once. */
  restore(item: T): void {
    this.#items.push(item);
    this.#enter(item.message);
  }

  /** The oldest item that has not expired at `nowMs` (since 1970), left where it is, or undefined; expired ones before it are dropped. */
  peek(nowMs: number): T | undefined {
    let head = this.#items.peek();
    while (head !== undefined && head.message.expiresAtMs <= nowMs) {
      this.#dropHead("expired");
      head = this.#items.peek();
    }
    return head;
  }

  /** Takes the oldest item that has not expired at `nowMs` (since 1970), or undefined. */
  take(nowMs: number): T | undefined {
    const head = this.peek(nowMs);
    if (head === undefined) return undefined;
    this.#items.shift();
    this.#exit(head.message);
    return head;
  }

  /** Drops every item that has expired at `nowMs` (since 1970), wherever it stands; returns how many. */
  sweep(nowMs: number): number {
    const before = this.#expired;
    for (let i = this.#items.length; i > 0; i--) {
      const item = this.#items.peek();
      if (item === undefined) break;
      if (item.message.expiresAtMs <= nowMs) this.#dropHead("expired");
      else {
        this.#items.shift();
        this.#items.push(item);
      }
    }
    return this.#expired - before;
  }

  /** The item `index` places behind the head, for inspection. */
  at(index: number): T | undefined {
    return this.#items.at(index);
  }

  /** Forgets everything; nobody is told. */
  clear(): void {
    for (let i = 0; i < this.#items.length; i++) this.#held.release((this.#items.at(i) as T).message);
    this.#items.clear();
    this.#bytes = 0;
    this.#largeBytes = 0;
  }

  #hasRoom(bytes: number): boolean {
    const { messagesMax, bytesMax } = this.#limits;
    if (this.#items.length >= messagesMax) return false;
    return bytes > bytesMax ? this.#largeBytes === 0 : this.#bytes - this.#largeBytes + bytes <= bytesMax;
  }

  #enter(message: Message): void {
    const bytes = messageBytes(message);
    this.#bytes += bytes;
    if (bytes > this.#limits.bytesMax) this.#largeBytes += bytes;
    this.#held.hold(message);
  }

  #exit(message: Message): void {
    const bytes = messageBytes(message);
    this.#bytes -= bytes;
    if (bytes > this.#limits.bytesMax) this.#largeBytes -= bytes;
    this.#held.release(message);
  }

  #dropHead(reason: DropReason): void {
    const item = this.#items.shift();
    if (item === undefined) return;
    this.#exit(item.message);
    if (reason === "overflow") this.#overflowed++;
    else this.#expired++;
    this.#onDropped(item, reason);
  }
}
