// Hot path: runs per message. No closure, promise, spread, iterator or regex here.
import { PACKET_ID_MAX, PacketIds } from "./packet-ids.ts";

/** Where an exchange that we began stands. */
export const Phase = {
  /** The id is free. */
  Free: 0,
  /** PUBLISH QoS 1 sent, PUBACK awaited. */
  AtLeastOnce: 1,
  /** PUBLISH QoS 2 sent, PUBREC awaited. */
  ExactlyOnce: 2,
  /** PUBREL sent (or to be sent again), PUBCOMP awaited. */
  Released: 3,
  Subscribe: 4,
  Unsubscribe: 5,
} as const;

/** Room for packet ids that is made at first; it doubles. A small number, for a broker holds many idle sessions. */
const FIRST_IDS = 16;

/** One of {@link Phase}. */
export type Phase = (typeof Phase)[keyof typeof Phase];

/**
 * The sending half of QoS 1 and 2, and the packet identifiers of everything we begin; the same for client and server. It
 * outlives a connection: what is in flight stays until it is acknowledged or the session ends.
 *
 * State: for each packet id a phase and the caller's item. Quota: PUBLISH packets of QoS above 0 that may still be sent
 * before the receiver's Receive Maximum is reached (MQTT 5.0 §4.9).
 */
export class OutboundFlow<Item> {
  readonly #ids = new PacketIds();
  #items: (Item | undefined)[] = new Array<Item | undefined>(FIRST_IDS).fill(undefined);
  #phases: Uint8Array = new Uint8Array(FIRST_IDS);
  /** Rising number per id, so that what is in flight can be sent again in its first order [MQTT-4.6.0-1]. */
  #sequence: Float64Array = new Float64Array(FIRST_IDS);
  #nextSequence = 1;
  #publishes = 0;
  #requests = 0;
  #window = PACKET_ID_MAX;
  /** PUBLISH and PUBREL exchanges of this connection that count against the window. */
  #charged = 0;
  /** Ids whose PUBLISH went out on an earlier connection and is not sent again: their PUBCOMP gives nothing back. */
  readonly #uncharged = new Set<number>();

  /** PUBLISH exchanges not yet finished, sent on this connection or an earlier one. */
  get inflight(): number {
    return this.#publishes;
  }

  /** SUBSCRIBE and UNSUBSCRIBE exchanges not yet answered. */
  get requests(): number {
    return this.#requests;
  }

  /** PUBLISH packets that may be sent now. */
  get quota(): number {
    return this.#window - this.#charged;
  }

  /** A connection begins: nothing counts against its window yet [MQTT-4.9.0-1]. */
  openWindow(window: number): void {
    this.#window = window;
    this.#charged = 0;
    this.#uncharged.clear();
    for (const id of this.#idsIn(Phase.Released, Phase.Released)) this.#uncharged.add(id);
  }

  /** Begins a PUBLISH exchange; 0 when no id is free. The caller has looked at `quota`. */
  beginPublish(item: Item, phase: Phase): number {
    const id = this.#begin(item, phase);
    if (id === 0) return 0;
    this.#publishes++;
    this.#charged++;
    return id;
  }

  /** Begins a SUBSCRIBE or UNSUBSCRIBE exchange; 0 when no id is free. */
  beginRequest(item: Item, phase: Phase): number {
    const id = this.#begin(item, phase);
    if (id !== 0) this.#requests++;
    return id;
  }

  /** How far the exchange of a packet id is. */
  phase(id: number): Phase {
    return (id < this.#phases.length ? this.#phases[id] : Phase.Free) as Phase;
  }

  /** What the owner hung onto a packet id; undefined when it is free. */
  item(id: number): Item | undefined {
    return this.#items[id];
  }

  /** Ends the exchange `id`, which must be in phase `phase`; returns its item, or undefined when it is not. */
  finish(id: number, phase: Phase): Item | undefined {
    if (id >= this.#phases.length || this.#phases[id] !== phase || phase === Phase.Free) return undefined;
    const item = this.#items[id];
    this.#phases[id] = Phase.Free;
    this.#items[id] = undefined;
    this.#ids.give(id);
    if (phase <= Phase.Released) {
      this.#publishes--;
      if (this.#uncharged.size > 0 && this.#uncharged.delete(id)) return item;
      if (this.#charged > 0) this.#charged--;
    } else this.#requests--;
    return item;
  }

  /** PUBREC came for a QoS 2 PUBLISH: from now on PUBREL is what is repeated. False when no PUBREC was awaited. */
  release(id: number): boolean {
    if (this.phase(id) !== Phase.ExactlyOnce) return false;
    this.#phases[id] = Phase.Released;
    return true;
  }

  /** Counts a PUBLISH that is sent again on a new connection. */
  charge(): void {
    this.#charged++;
  }

  /** Ids of unfinished PUBLISH exchanges in the order in which they were begun. */
  publishIds(): number[] {
    return this.#idsIn(Phase.AtLeastOnce, Phase.Released);
  }

  /** Ids of unfinished SUBSCRIBE and UNSUBSCRIBE exchanges in order. */
  requestIds(): number[] {
    return this.#idsIn(Phase.Subscribe, Phase.Unsubscribe);
  }

  /** Puts back exchanges of an earlier process, in their order. */
  restore(entries: readonly { readonly id: number; readonly item: Item; readonly phase: Phase }[]): void {
    this.#ids.restore(entries.map((entry) => entry.id));
    for (const entry of entries) {
      this.#put(entry.id, entry.item, entry.phase);
      this.#publishes++;
    }
  }

  #begin(item: Item, phase: Phase): number {
    const id = this.#ids.take();
    if (id !== 0) this.#put(id, item, phase);
    return id;
  }

  #put(id: number, item: Item, phase: Phase): void {
    if (id >= this.#phases.length) this.#grow(id);
    this.#items[id] = item;
    this.#phases[id] = phase;
    this.#sequence[id] = this.#nextSequence++;
  }

  #idsIn(low: Phase, high: Phase): number[] {
    const ids: number[] = [];
    const sequence = this.#sequence;
    for (let id = 1; id < this.#phases.length; id++) {
      const phase = this.#phases[id] as number;
      if (phase >= low && phase <= high) ids.push(id);
    }
    return ids.sort((a, b) => (sequence[a] as number) - (sequence[b] as number));
  }

  #grow(id: number): void {
    let length = this.#phases.length;
    while (length <= id) length *= 2;
    const phases = new Uint8Array(length);
    phases.set(this.#phases);
    const sequence = new Float64Array(length);
    sequence.set(this.#sequence);
    while (this.#items.length < length) this.#items.push(undefined);
    this.#phases = phases;
    this.#sequence = sequence;
  }
}
