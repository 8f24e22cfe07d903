// Hot path: runs per message of a stream. No closure, promise, spread or iterator here.
import { OffsetRanges } from "./offset-ranges.ts";

/** Messages that may be done behind a gap before the gap is taken for one in the stream, and ranges that are kept. */
const AHEAD_MAX = 4_096;

/** A message of a stream that was handed out. */
export class StreamPlace {
  readonly offset: number;

  constructor(offset: number) {
    this.offset = offset;
  }
}

/**
 * Where a reader of its own goes on after a reconnect: at the first message that is not settled, of those that came or are still to come. A server that keeps the order has
 * nothing where it leaves offsets out. FluxMQ does not keep it: it gives what is published meanwhile before what was asked for, and what is new before what waits for
 * room. There a gap is waited for, until 4,096 messages behind it are settled (offsets that a filter or the retention has taken never come).
 */
export class StreamPosition {
  readonly #order: "kept" | "any";
  /** Handed out and not settled; as many as may be unsettled. */
  readonly #open: Map<number, StreamPlace> = new Map();
  readonly #done: OffsetRanges = new OffsetRanges();
  /** The lowest offset that counts, and the one that should come next; -1 before the first message. */
  #begun = -1;
  #expected = -1;
  /** What was asked for after the last reconnect; -1 before. */
  #asked = -1;
  /** Of no order: what is done from here on has come. Below it are gaps that were given up, and what came before this connection. */
  #floor = 0;
  /** Settled since `next` rose. */
  #ahead = 0;

  /** @param start the offset that reading was to begin at, or null when only the server knows it */
  constructor(order: "kept" | "any", start: number | null) {
    this.#order = order;
    if (order === "any" && start !== null) this.#begin(start);
  }

  /** The offset to go on at; null before the first message. */
  get next(): number | null {
    return this.#done.low < 0 ? null : this.#done.low;
  }

  /** A message has come; null when it is in hand or settled already, and is to be passed over. `again`: the server says that it delivers it anew. */
  take(offset: number, again: boolean): StreamPlace | null {
    if (this.#begun < 0 || offset < this.#asked) this.#begin(offset);
    else if (offset < this.#begun) {
      this.#done.lower(offset, this.#begun);
      this.#begun = offset;
      this.#floor = offset;
    } else if (!again && this.#isRepeated(offset)) return null;
    if (this.#order === "kept" && offset > this.#expected) this.#done.add(this.#expected, offset);
    if (offset >= this.#expected) this.#expected = offset + 1;
    const place = new StreamPlace(offset);
    this.#open.set(offset, place);
    return place;
  }

  /** A message is settled, however; harmless when repeated and for one from before a restart. */
  settle(place: StreamPlace): void {
    if (this.#open.get(place.offset) !== place) return;
    this.#open.delete(place.offset);
    const before = this.#done.low;
    this.#done.add(place.offset, place.offset + 1);
    if (this.#done.low > before) this.#ahead = 0;
    else if (++this.#ahead >= AHEAD_MAX || this.#done.count > AHEAD_MAX) this.#passGap();
  }

  /** Reading starts again at `next`. */
  restart(): void {
    this.#open.clear();
    this.#ahead = 0;
    this.#asked = this.#done.low;
    this.#expected = this.#done.low;
    this.#floor = this.#done.low;
  }

  #isRepeated(offset: number): boolean {
    const kept = this.#order === "kept";
    if (!kept && this.#open.has(offset)) return true;
    // Who keeps the order goes back only to deliver something anew.
    if (offset < (kept ? this.#expected : this.#floor)) return false;
    return offset < this.#done.low || this.#done.has(offset);
  }

  /** Nothing from an offset on has come. */
  #begin(offset: number): void {
    this.#done.begin(offset);
    this.#begun = offset;
    this.#expected = offset;
    this.#asked = -1;
    this.#floor = offset;
    this.#ahead = 0;
  }

  /** Takes the first gap for one in the stream, as far as nobody has a message of it in hand. */
  #passGap(): void {
    this.#ahead = 0;
    let to = this.#done.firstAbove;
    for (const offset of this.#open.keys()) to = Math.min(to, offset);
    if (to > this.#done.low) {
      this.#done.raise(to);
      this.#floor = to;
    }
    // What is forgotten comes twice, which is better than never.
    while (this.#done.count > AHEAD_MAX) this.#done.dropLast();
  }
}
