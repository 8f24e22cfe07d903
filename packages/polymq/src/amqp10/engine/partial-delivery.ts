// Hot path: runs per transfer of a delivery in several. No closure, promise, spread, iterator or regex here.
import type { ReceivedDelivery } from "./deliveries.ts";
import type { Owners } from "./handler.ts";

/** Parts of one delivery that are kept as they came; beyond, they are joined, so that small frames cannot hold large chunks. */
const PARTS_MAX = 256;

/** From so many bytes on, parts are copied together as they come: joined at the end, 50 MB would hold up everything else for tens of milliseconds. */
const GATHER_BYTES = 1_048_576;

/** Room made for a large delivery, as a multiple of what has come; the system gives memory only to what is written. */
const ROOM_FACTOR = 8;

/** A delivery of which more is to come (§2.6.14). */
export class PartialDelivery<O extends Owners> {
  readonly delivery: ReceivedDelivery<O>;
  readonly #bytesMax: number;
  readonly #parts: Uint8Array[] = [];
  #joinAt = PARTS_MAX;
  /** What has come of a large delivery, at its beginning. */
  #whole: Uint8Array | null = null;
  #bytes = 0;

  /** @param bytesMax the largest message, which the link checks */
  constructor(delivery: ReceivedDelivery<O>, bytesMax: number) {
    this.delivery = delivery;
    this.#bytesMax = bytesMax;
  }

  /** Bytes that have come. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The payload so far: one view, or one for each part. */
  get payload(): Uint8Array | Uint8Array[] {
    return this.#whole === null ? this.#parts : this.#whole.subarray(0, this.#bytes);
  }

  /** Takes the payload of one more transfer, a view that is kept. */
  add(part: Uint8Array): void {
    if (part.length === 0) return;
    const have = this.#bytes;
    this.#bytes += part.length;
    if (this.#bytes >= GATHER_BYTES) {
      this.#room(have).set(part, have);
      return;
    }
    this.#parts.push(part);
    if (this.#parts.length >= this.#joinAt) this.#join();
  }

  /** Where a large delivery is gathered, with room for all that has come; `have` bytes are there. */
  #room(have: number): Uint8Array {
    const before = this.#whole;
    if (before !== null && before.length >= this.#bytes) return before;
    const room = new Uint8Array(Math.max(this.#bytes, Math.min(this.#bytes * ROOM_FACTOR, this.#bytesMax)));
    if (before === null) copyParts(this.#parts, room);
    else room.set(before.subarray(0, have));
    this.#parts.length = 0;
    this.#whole = room;
    return room;
  }

  /** Copies all parts into one; the next time when there are twice as many, so that the whole work stays in proportion. */
  #join(): void {
    const whole = new Uint8Array(this.#bytes);
    copyParts(this.#parts, whole);
    this.#parts.length = 0;
    this.#parts.push(whole);
    this.#joinAt *= 2;
  }
}

function copyParts(parts: readonly Uint8Array[], into: Uint8Array): void {
  let at = 0;
  for (let i = 0; i < parts.length; i++) {
    into.set(parts[i] as Uint8Array, at);
    at += (parts[i] as Uint8Array).length;
  }
}
