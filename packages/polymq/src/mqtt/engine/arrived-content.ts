// Hot path: `note` runs per message. No closure, promise, spread, iterator or regex here.
import { Deque } from "../../base/deque.ts";

/** What of a received PUBLISH tells it from another one: positions in its chunk, as a `PublishHead` has them. */
export interface ContentHead {
  readonly propertiesStart: number;
  readonly payloadStart: number;
  readonly payloadEnd: number;
  /** 0 for none. */
  readonly topicAlias: number;
  /** -1 for none. */
  readonly messageExpirySeconds: number;
}

/** The content of one message, with the chunk that holds it. */
export interface Content {
  readonly topic: string;
  readonly chunk: Uint8Array;
  readonly marks: Marks;
}

interface Marks {
  /** -1 when the properties say nothing: a server may change expiry and alias when it repeats a message. */
  readonly propertiesStart: number;
  readonly payloadStart: number;
  readonly payloadEnd: number;
}

/** Bytes of chunks that are kept for comparing; content beyond is not known, and its message counts as another one when it comes again. */
const KEPT_BYTES_MAX = 16_777_216;

/** Longest topic kept, in UTF-16 units; the content of a message on a longer one is not known. */
const TOPIC_UNITS_MAX = 512;

/** Numbers per place: chunk, start of properties, start and end of payload. */
const STRIDE = 4;

const CHANGING = 0xffff_ffff;

/**
 * Where the content of unsettled messages stands, by their places in a ring: what the peer sends again under a packet id can be
 * held against it. A chunk is referred to, not copied, and let go of when all before it is settled.
 */
export class ArrivedContent {
  #topics: string[] = [];
  #marks: Uint32Array = new Uint32Array(0);
  /** Chunks by rising number, from `#first` on. */
  readonly #chunks = new Deque<Uint8Array>();
  #first = 1;
  #bytes = 0;
  /** The chunk that is being read, and its number; 0 when it is not kept. */
  #chunk: Uint8Array | null = null;
  #number = 0;

  /** The content of the message at `place` came. @param oldest place of the oldest unsettled one, or -1 for none */
  note(place: number, topic: string, head: ContentHead, buffer: Uint8Array, oldest: number): void {
    if (buffer !== this.#chunk) this.#enter(buffer, oldest);
    if (place >= this.#topics.length) this.#grow(place);
    this.#topics[place] = topic.length <= TOPIC_UNITS_MAX ? topic : "";
    const marks = this.#marks;
    const at = place * STRIDE;
    marks[at] = topic.length <= TOPIC_UNITS_MAX ? this.#number : 0;
    marks[at + 1] = startOf(head);
    marks[at + 2] = head.payloadStart;
    marks[at + 3] = head.payloadEnd;
  }

  /** The content at `place`, or null when it is not known. */
  at(place: number): Content | null {
    const marks = this.#marks;
    const at = place * STRIDE;
    const chunk = this.#chunks.at((marks[at] ?? 0) - this.#first);
    if (chunk === undefined) return null;
    const [propertiesStart = 0, payloadStart = 0, payloadEnd = 0] = marks.subarray(at + 1, at + STRIDE);
    return {
      topic: this.#topics[place] ?? "",
      chunk,
      marks: { propertiesStart: propertiesStart === CHANGING ? -1 : propertiesStart, payloadStart, payloadEnd },
    };
  }

  /** A ring of `length` places has been copied into one of twice that: tickets [head, tail) stand elsewhere now. */
  move(head: number, tail: number, length: number): void {
    const topics = this.#topics;
    const marks = this.#marks;
    this.#topics = [];
    this.#marks = new Uint32Array(0);
    this.#grow(length * 2 - 1);
    for (let ticket = head; ticket < tail; ticket++) {
      const from = ticket & (length - 1);
      const to = ticket & (length * 2 - 1);
      this.#topics[to] = topics[from] ?? "";
      this.#marks.set(marks.subarray(from * STRIDE, from * STRIDE + STRIDE), to * STRIDE);
    }
  }

  /** Nothing is unsettled any more, and nothing more is read from the last chunk. */
  clear(): void {
    if (this.#chunk === null) return;
    this.#first += this.#chunks.length;
    this.#chunks.clear();
    this.#bytes = 0;
    this.#chunk = null;
  }

  #enter(chunk: Uint8Array, oldest: number): void {
    const needed = oldest < 0 ? Number.POSITIVE_INFINITY : (this.#marks[oldest * STRIDE] as number);
    // An unknown content (0) keeps all: a younger one may be known.
    while (this.#first < needed && needed !== 0) {
      const dropped = this.#chunks.shift();
      if (dropped === undefined) break;
      this.#bytes -= dropped.length;
      this.#first++;
    }
    this.#chunk = chunk;
    this.#number = 0;
    if (this.#bytes + chunk.length > KEPT_BYTES_MAX) return;
    this.#bytes += chunk.length;
    this.#chunks.push(chunk);
    this.#number = this.#first + this.#chunks.length - 1;
  }

  #grow(place: number): void {
    let length = Math.max(16, this.#topics.length);
    while (length <= place) length *= 2;
    while (this.#topics.length < length) this.#topics.push("");
    const marks = new Uint32Array(length * STRIDE);
    marks.set(this.#marks);
    this.#marks = marks;
  }
}

/** True when a PUBLISH that came is the message with this content, as far as can be told. */
export function isSameContent(known: Content | null, topic: string, head: ContentHead, buffer: Uint8Array): boolean {
  if (known === null || known.topic !== topic) return false;
  const { chunk, marks } = known;
  const { propertiesStart, payloadStart, payloadEnd } = marks;
  const start = startOf(head);
  if (propertiesStart >= 0 && start !== CHANGING) {
    if (!same(chunk.subarray(propertiesStart, payloadStart), buffer.subarray(start, head.payloadStart))) return false;
  }
  return same(chunk.subarray(payloadStart, payloadEnd), buffer.subarray(head.payloadStart, head.payloadEnd));
}

function startOf(head: ContentHead): number {
  return head.messageExpirySeconds < 0 && head.topicAlias === 0 ? head.propertiesStart : CHANGING;
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
