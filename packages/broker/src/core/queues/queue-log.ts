// Hot path: `append` and `read` run per message. No closure, promise, spread, iterator or regex on their usual way.
import type { StoreBatch } from "../../storage/batch.ts";
import type { Store } from "../../storage/store.ts";
import type { CachedBodies, QueueCache } from "./queue-cache.ts";
import type { QueueMessage } from "./queue-message.ts";
import type { Enqueued, Placement, QueueRecordCodec } from "./queue-record.ts";
import { QueueTail } from "./queue-tail.ts";

/** Messages read ahead at a time for a reader that lags behind the cache, and their bytes. Each read looks for its record and checks it anew. */
const READ_AHEAD_MESSAGES = 256;
const READ_AHEAD_BYTES = 262_144;

/** What a queue's log works with. */
export interface QueueLogOptions {
  /** The log's number in the store. */
  readonly number: number;
  /** Null for a queue in memory. */
  readonly store: Store | null;
  readonly codec: QueueRecordCodec;
  readonly cache: QueueCache;
}

/** Messages that one reader has read ahead. */
export class ReadAhead {
  first = 0;
  messages: QueueMessage[] = [];

  clear(): void {
    this.messages = [];
  }
}

/**
 * The messages of one queue by offset. The newest are in memory: all that are not yet durable, and as many others as the cache allows; the
 * rest is read from the store. A log in memory holds them all.
 */
export class QueueLog implements CachedBodies {
  readonly number: number;
  readonly #store: Store | null;
  readonly #codec: QueueRecordCodec;
  readonly #cache: QueueCache;
  /** The newest messages, without a gap. */
  readonly #tail = new QueueTail();
  #first = 0;
  #next = 0;
  /** What the store has been told of: entries up to here, and the head. */
  #writtenNext = 0;
  #writtenFirst = 0;
  /** Everything before it is durable. */
  #durableNext = 0;
  #endBytes = 0;
  #startBytes = 0;
  #lastAtMs = 0;

  constructor(options: QueueLogOptions) {
    this.number = options.number;
    this.#store = options.store;
    this.#codec = options.codec;
    this.#cache = options.cache;
    this.#cache.join(this);
  }

  /** The lowest offset that is still there, if any. */
  get first(): number {
    return this.#first;
  }

  /** The offset of the next message. */
  get next(): number {
    return this.#next;
  }

  /** Everything before it is durable as configured and may be delivered. */
  get durableNext(): number {
    return this.#durableNext;
  }

  /** Everything before it has been handed to a batch. */
  get writtenNext(): number {
    return this.#writtenNext;
  }

  /** Bytes of all records that were ever appended; the next record's `startBytes`. */
  get endBytes(): number {
    return this.#endBytes;
  }

  /** Bytes of the records that are there. */
  get bytes(): number {
    return this.#endBytes - this.#startBytes;
  }

  /** When the last message was appended; the next one is not earlier, whatever the clock says. */
  get lastAtMs(): number {
    return this.#lastAtMs;
  }

  get evictableBytes(): number {
    return this.#store === null || this.#next - this.#tail.length >= this.#durableNext ? 0 : this.#tail.bytes;
  }

  /** Takes up what the store has. @throws {MessagingError} ERR_STORE_CORRUPT */
  restore(): void {
    if (this.#store === null) return;
    const { first, next } = this.#store.logRange(this.number);
    this.#first = this.#writtenFirst = first;
    this.#next = this.#writtenNext = this.#durableNext = next;
    if (first === next) return;
    const head = this.#load(first);
    const last = this.#load(next - 1);
    this.#startBytes = (head?.endBytes ?? 0) - (head?.record.length ?? 0);
    this.#endBytes = last?.endBytes ?? 0;
    this.#lastAtMs = last?.createdAtMs ?? 0;
  }

  /** Adds a message at a place that was made for `next` and `endBytes`. @throws {MessagingError} ERR_INVALID_ARGUMENT for a text above 65,535 bytes */
  append(message: Enqueued, place: Placement): void {
    const codec = this.#codec;
    const length = codec.write(message, place);
    this.#next = place.offset + 1;
    this.#endBytes = place.startBytes + length;
    this.#lastAtMs = place.createdAtMs;
    const bytes = this.#tail.push(codec.slab, codec.start, length);
    if (this.#store === null) this.#cache.addMemory(bytes);
    else this.#cache.add(bytes);
  }

  /** The message at an offset, or null when there is none. @throws {MessagingError} ERR_STORE_CORRUPT, ERR_STORE_FAILED */
  read(offset: number, ahead: ReadAhead | null = null): QueueMessage | null {
    if (offset < this.#first || offset >= this.#next) return null;
    const tailFirst = this.#next - this.#tail.length;
    if (offset >= tailFirst) {
      const record = this.#tail.read(offset - tailFirst);
      return record === null ? null : this.#codec.decode(offset, record);
    }
    if (ahead === null) return this.#load(offset);
    const known = ahead.messages[offset - ahead.first];
    if (known !== undefined) return known;
    this.#fillAhead(offset, ahead);
    return ahead.messages[0] ?? null;
  }

  /** The first offset whose message satisfies a condition that all later ones satisfy as well; `next` when none does. O(log n) reads. */
  search(satisfies: (message: QueueMessage) => boolean): number {
    let low = this.#first;
    let high = this.#next;
    while (low < high) {
      const middle = low + Math.floor((high - low) / 2);
      const message = this.read(middle);
      if (message !== null && satisfies(message)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Removes everything before `first`. */
  truncate(first: number): void {
    if (first <= this.#first) return;
    const next = Math.min(first, this.#next);
    const last = this.read(next - 1);
    this.#startBytes = last?.endBytes ?? this.#endBytes;
    this.#first = next;
    while (this.#tail.length > 0 && this.#next - this.#tail.length < next) this.#shift();
  }

  /** Adds what the store does not know yet to a batch. */
  fill(batch: StoreBatch): void {
    if (this.#store !== null) {
      const tailFirst = this.#next - this.#tail.length;
      for (let offset = this.#writtenNext; offset < this.#next; offset++) {
        // One that was appended and removed within the batch: offsets have no gap, so its place is taken by nothing.
        batch.append(this.number, offset, this.#tail.read(offset - tailFirst) ?? NOTHING);
      }
      if (this.#first > this.#writtenFirst) batch.truncate(this.number, this.#first);
    }
    this.#writtenNext = this.#next;
    this.#writtenFirst = this.#first;
  }

  /** A batch with everything before `next` is durable. */
  onDurable(next: number): void {
    this.#durableNext = next;
  }

  evict(bytes: number): void {
    let freed = 0;
    while (freed < bytes && this.#tail.length > 0 && this.#next - this.#tail.length < this.#durableNext) {
      freed += this.#shift();
    }
  }

  /** Ends the log; its entries go with the batch. */
  drop(batch: StoreBatch): void {
    this.release();
    if (this.#writtenNext > 0) batch.drop(this.number);
  }

  /** Gives its memory back. */
  release(): void {
    while (this.#tail.length > 0) this.#shift();
    this.#cache.leave(this);
  }

  #shift(): number {
    const bytes = this.#tail.shift();
    if (this.#store === null) this.#cache.addMemory(-bytes);
    else this.#cache.remove(bytes);
    return bytes;
  }

  #load(offset: number): QueueMessage | null {
    let found: QueueMessage | null = null;
    this.#store?.readLog(this.number, offset, (at, record) => {
      if (at === offset) found = this.#codec.decode(at, record);
      return false;
    });
    return found;
  }

  #fillAhead(offset: number, ahead: ReadAhead): void {
    const until = Math.min(this.#durableNext, this.#next - this.#tail.length, offset + READ_AHEAD_MESSAGES);
    const messages: QueueMessage[] = [];
    let bytes = 0;
    this.#store?.readLog(this.number, offset, (at, record) => {
      if (at >= until) return false;
      messages.push(this.#codec.decode(at, record));
      bytes += record.length;
      return bytes < READ_AHEAD_BYTES && at + 1 < until;
    });
    ahead.first = offset;
    ahead.messages = messages;
  }
}

const NOTHING: Uint8Array = new Uint8Array(0);
