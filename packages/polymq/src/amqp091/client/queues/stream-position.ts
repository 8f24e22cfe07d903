// Hot path: runs per message of a stream. No closure, promise, spread or iterator here.
import { Deque } from "../../../base/deque.ts";

/** A message of a stream that was handed out. */
export class StreamPlace {
  readonly offset: number;
  settled = false;

  constructor(offset: number) {
    this.offset = offset;
  }
}

/** Where reading a stream goes on after a reconnect: at the first message that is not settled. */
export class StreamPosition {
  /** Handed out and not settled, or not before one that is not; as many as may be unsettled. */
  readonly #open: Deque<StreamPlace> = new Deque();
  #next = -1;
  #first = -1;

  /** The offset to go on at; null before the first message. */
  get next(): number | null {
    const offset = this.#open.peek()?.offset ?? this.#next;
    return offset < 0 ? null : offset;
  }

  /** The first offset that ever came; null before. */
  get first(): number | null {
    return this.#first < 0 ? null : this.#first;
  }

  /** A message is handed out. */
  take(offset: number): StreamPlace {
    if (this.#first < 0) this.#first = offset;
    const place = new StreamPlace(offset);
    this.#open.push(place);
    return place;
  }

  /** A message is settled, however; harmless when repeated and for one from before a restart. */
  settle(place: StreamPlace): void {
    place.settled = true;
    for (let head = this.#open.peek(); head?.settled === true; head = this.#open.peek()) {
      this.#next = head.offset + 1;
      this.#open.shift();
    }
  }

  /** Reading starts again at `next`. */
  restart(): void {
    this.#next = this.next ?? -1;
    this.#open.clear();
  }
}
