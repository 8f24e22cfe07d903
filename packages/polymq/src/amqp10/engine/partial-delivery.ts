// Hot path: runs per transfer of a delivery in several. No closure, promise, spread, iterator or regex here.
import { announcedBytes } from "../codec/announced-bytes.ts";
import type { ReceivedDelivery } from "./deliveries.ts";
import type { Owners } from "./handler.ts";

/** Parts of one delivery that are kept as they came; beyond, they are joined, so that small frames cannot hold large chunks. */
const PARTS_MAX = 256;

/** From so many bytes on, parts are copied together as they come: joined at the end, 50 MB would hold up everything else for tens of milliseconds. */
const GATHER_BYTES = 1_048_576;

/** Room made for a large delivery of which nothing tells how long it is, as a multiple of what has come. */
const ROOM_FACTOR = 8;

/** The part of what a delivery says that it has which must have come before room is made for all of it: a claim alone takes no memory, and little is copied then. */
const ANNOUNCED_SHARE = 1 / 16;

/** Room for what may stand behind the section that tells how long it is. */
const FOOTER_BYTES = 4_096;

/** A delivery of which more is to come (§2.6.14). */
export class PartialDelivery<O extends Owners> {
  readonly delivery: ReceivedDelivery<O>;
  readonly #bytesMax: number;
  readonly #parts: Uint8Array[] = [];
  #joinAt = PARTS_MAX;
  /** Bytes from which on parts are copied together; known better at {@link GATHER_BYTES}. */
  #gatherAt = GATHER_BYTES;
  /** Bytes that there will be at least, as the message says; 0 where that is unknown. */
  #announced = 0;
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
    if (this.#whole !== null) {
      this.#room(have).set(part, have);
      return;
    }
    this.#parts.push(part);
    if (this.#bytes >= this.#gatherAt) return this.#gather();
    if (this.#parts.length >= this.#joinAt) this.#join();
  }

  /** Begins to copy parts together, unless they are little of what the message says that it has. */
  #gather(): void {
    if (this.#announced === 0) {
      const announced = announcedBytes(this.#parts[0] as Uint8Array);
      if (announced > this.#bytes && announced <= this.#bytesMax) {
        this.#announced = announced;
        this.#gatherAt = Math.max(this.#bytes, announced * ANNOUNCED_SHARE);
        if (this.#bytes < this.#gatherAt) return;
      }
    }
    this.#whole = new Uint8Array(this.#roomBytes());
    copyParts(this.#parts, this.#whole);
    this.#parts.length = 0;
  }

  /** Where a large delivery is gathered, with room for all that has come; `have` bytes are there. */
  #room(have: number): Uint8Array {
    const before = this.#whole as Uint8Array;
    if (before.length >= this.#bytes) return before;
    const room = new Uint8Array(this.#roomBytes());
    room.set(before.subarray(0, have));
    this.#whole = room;
    return room;
  }

  #roomBytes(): number {
    const bytes = this.#bytes;
    const announced = this.#announced + FOOTER_BYTES;
    const wanted = bytes < announced ? announced : bytes * ROOM_FACTOR;
    return Math.max(bytes, Math.min(wanted, this.#bytesMax));
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
