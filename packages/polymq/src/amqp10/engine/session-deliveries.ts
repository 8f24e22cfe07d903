// Hot path: runs per disposition. No closure, promise, spread, iterator or regex here.
import { serialAdd, serialDistance } from "../../base/serial.ts";
import { DispositionHead, readDisposition } from "../codec/disposition.ts";
import type { ValueReader } from "../codec/value-reader.ts";
import type { ReceivedDelivery, SentDelivery } from "./deliveries.ts";
import type { EngineHandler, Owners } from "./handler.ts";
import type { ReceiverLink } from "./receiver-link.ts";
import type { SenderLink } from "./sender-link.ts";
import { UnsettledTable } from "./unsettled.ts";

/** The deliveries of a session that are not settled, and what the peer says of them (§2.6.12). */
export class SessionDeliveries<O extends Owners> {
  /** Deliveries that we sent. */
  readonly outgoing: UnsettledTable<SentDelivery<O>> = new UnsettledTable<SentDelivery<O>>();
  /** Deliveries that came. */
  readonly incoming: UnsettledTable<ReceivedDelivery<O>> = new UnsettledTable<ReceivedDelivery<O>>();
  readonly #handler: EngineHandler<O>;
  readonly #head = new DispositionHead();

  constructor(handler: EngineHandler<O>) {
    this.#handler = handler;
  }

  /** A disposition of the peer, the reader at its performative. */
  onDisposition(reader: ValueReader): void {
    const head = this.#head;
    readDisposition(reader, head);
    const { first, last, receiver, settled, state } = head;
    if (receiver) return this.#onOutcomes(first, last, state, settled);
    const found = this.incoming.within(first, last);
    for (let i = 0; i < found.length; i++) this.#onSettled(found[i] as ReceivedDelivery<O>, state, settled);
  }

  /** Takes a link that ends out: a sender gets what it has unsettled, what a receiver has is forgotten. */
  leave(link: SenderLink<O> | ReceiverLink<O>): void {
    if (link.isSender) this.#keepUnsettled(link);
    else this.#dropIncoming(link);
  }

  /** Takes all links out in one go. */
  leaveAll(): void {
    const all = this.outgoing.all().sort(byId);
    this.outgoing.clear();
    for (let i = 0; i < all.length; i++) {
      const delivery = all[i] as SentDelivery<O>;
      delivery.link.left.unsettled.push(delivery);
    }
    this.incoming.clear();
  }

  #onOutcomes(first: number, last: number, state: DispositionHead["state"], settled: boolean): void {
    const { outgoing } = this;
    // What is sent while outcomes are told is not what the peer spoke of.
    const steps = Math.min(serialDistance(first, last), serialDistance(first, outgoing.newest));
    if (steps < outgoing.places) {
      for (let i = 0; i <= steps; i++) this.#onOutcome(serialAdd(first, i), state, settled);
      return;
    }
    const found = outgoing.within(first, last);
    for (let i = 0; i < found.length; i++) this.#onOutcome((found[i] as SentDelivery<O>).id, state, settled);
  }

  #onOutcome(id: number, state: DispositionHead["state"], settled: boolean): void {
    const delivery = settled ? this.outgoing.take(id) : this.outgoing.get(id);
    if (delivery === undefined) return;
    if (settled) delivery.forget();
    const known = state ?? delivery.state;
    delivery.state = known;
    this.#handler.onOutcome(delivery, known, settled);
  }

  #onSettled(delivery: ReceivedDelivery<O>, state: DispositionHead["state"], settled: boolean): void {
    if (settled) {
      this.incoming.take(delivery.id);
      delivery.settled = true;
    }
    this.#handler.onSettled(delivery, state ?? delivery.said, settled);
  }

  #keepUnsettled(link: SenderLink<O>): void {
    const all = this.outgoing.size === 0 ? [] : this.outgoing.all();
    const mine: SentDelivery<O>[] = [];
    for (let i = 0; i < all.length; i++) {
      const delivery = all[i] as SentDelivery<O>;
      if (delivery.link !== link) continue;
      this.outgoing.take(delivery.id);
      mine.push(delivery);
    }
    mine.sort(byId);
    for (let i = 0; i < mine.length; i++) link.left.unsettled.push(mine[i] as SentDelivery<O>);
  }

  #dropIncoming(link: ReceiverLink<O>): void {
    if (this.incoming.size === 0) return;
    const all = this.incoming.all();
    for (let i = 0; i < all.length; i++) {
      const delivery = all[i] as ReceivedDelivery<O>;
      if (delivery.link === link) this.incoming.take(delivery.id);
    }
  }
}

function byId(a: { readonly id: number }, b: { readonly id: number }): number {
  return serialDistance(b.id, a.id);
}
