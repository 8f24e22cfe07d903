// Hot path: runs per message. No closure, promise, spread, iterator or regex here.
import { MessagingError } from "../../base/errors.ts";

/** Ids that stay unused for a while after their acknowledgement, so that a trace does not show the same id all the time. */
const SPREAD = 31;

/** The largest packet identifier (MQTT 5.0 §2.2.1). */
export const PACKET_ID_MAX = 65_535;

/** The error of an exchange for which no packet identifier is free. */
export function noPacketId(): MessagingError {
  return new MessagingError("ERR_MAX_INFLIGHT", "all packet identifiers are in use");
}

/**
 * Hands out packet identifiers 1 to 65,535; a freed one goes to the end of the line. Small windows use small ids, so tables
 * indexed by id stay small.
 */
export class PacketIds {
  /** Ring of freed ids; its length is a power of two. */
  #free: Uint16Array = new Uint16Array(64);
  #head = 0;
  #count = 0;
  #highest = 0;

  /** A free id, or 0 when all 65,535 are taken. */
  take(): number {
    if (this.#count > SPREAD || this.#highest === PACKET_ID_MAX) {
      if (this.#count === 0) return 0;
      const id = this.#free[this.#head] as number;
      this.#head = (this.#head + 1) & (this.#free.length - 1);
      this.#count--;
      return id;
    }
    return ++this.#highest;
  }

  /** Gives an id back; the caller gives each one back once. */
  give(id: number): void {
    if (this.#count === this.#free.length) this.#grow();
    this.#free[(this.#head + this.#count) & (this.#free.length - 1)] = id;
    this.#count++;
  }

  /** Starts over with the ids in `used` (from a restored session) taken. */
  restore(used: Iterable<number>): void {
    const taken = new Set(used);
    this.#free = new Uint16Array(64);
    this.#head = 0;
    this.#count = 0;
    this.#highest = 0;
    for (const id of taken) this.#highest = Math.max(this.#highest, id);
    for (let id = 1; id <= this.#highest; id++) if (!taken.has(id)) this.give(id);
  }

  #grow(): void {
    const old = this.#free;
    const ring = new Uint16Array(old.length * 2);
    for (let i = 0; i < this.#count; i++) ring[i] = old[(this.#head + i) & (old.length - 1)] as number;
    this.#free = ring;
    this.#head = 0;
  }
}
