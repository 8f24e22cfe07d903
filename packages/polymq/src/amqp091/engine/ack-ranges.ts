// Hot path: runs per message. No closure, promise, spread, iterator or regex here.
import { TagRing } from "./tag-ring.ts";

/** Writes the acknowledgements of {@link AckRanges.flush}. */
export interface AckSink {
  /** One `basic.ack`. */
  ack(channel: number, tag: number, multiple: boolean): void;
}

const OPEN = 1;
const ACKED = 2;

/**
 * Acknowledgements that we owe on one channel: of deliveries as a client, of publishes as a server. They are marked as they fall
 * due and written once per turn: everything up to the oldest open tag in one `multiple`, what lies beyond it one by one. A refusal
 * leaves at once: it is taken out here and the caller writes it.
 */
export class AckRanges {
  readonly #tags: TagRing<number> = new TagRing();
  /** Marked since the last flush, in the order of marking. */
  #marked: number[] = [];
  /** The highest tag there was. */
  #last = 0;

  /** Tags that still await a decision or a flush. */
  get size(): number {
    return this.#tags.size;
  }

  /** True when a flush would write something. */
  get due(): boolean {
    return this.#marked.length > 0;
  }

  /** A tag that awaits its acknowledgement; false, with nothing done, for one that is not above all before it. */
  add(tag: number): boolean {
    if (tag <= this.#last) return false;
    this.#last = tag;
    this.#tags.push(tag, OPEN);
    return true;
  }

  /** Marks one tag; false when it is unknown or settled. */
  ack(tag: number): boolean {
    if (!this.#tags.replace(tag, OPEN, ACKED)) return false;
    this.#marked.push(tag);
    return true;
  }

  /** Takes one tag out, for a refusal; false when it is unknown or settled. */
  take(tag: number): boolean {
    if (!this.#tags.replace(tag, OPEN, ACKED)) return false;
    this.#tags.take(tag);
    return true;
  }

  /**
   * Writes what is marked, then forgets all open tags up to and with `tag`. Returns the last of them, for the caller to write one frame
   * with `multiple` for it, or 0 when there was none.
   */
  settleThrough(tag: number, channel: number, sink: AckSink): number {
    this.flush(channel, sink);
    let last = 0;
    while (this.#tags.size > 0 && this.#tags.firstTag <= tag) {
      last = this.#tags.firstTag;
      this.#tags.dropFirst();
    }
    return last;
  }

  /** Writes the marked ones. */
  flush(channel: number, sink: AckSink): void {
    const marked = this.#marked;
    if (marked.length === 0) return;
    let last = 0;
    let count = 0;
    while (this.#tags.first === ACKED) {
      last = this.#tags.firstTag;
      this.#tags.dropFirst();
      count++;
    }
    if (count > 0) sink.ack(channel, last, count > 1);
    if (count < marked.length) {
      for (let i = 0; i < marked.length; i++) {
        const tag = marked[i] as number;
        if (tag > last && this.#tags.take(tag) !== undefined) sink.ack(channel, tag, false);
      }
    }
    marked.length = 0;
  }

  /** Forgets everything, when the channel ends. */
  clear(): void {
    this.#tags.clear();
    this.#marked = [];
  }
}
