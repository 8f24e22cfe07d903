// Hot path: runs per disposition. No closure, promise, spread, iterator or regex here.
import { serialDistance } from "../../base/serial.ts";
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
    if (receiver) {
      const found = first === last ? null : this.outgoing.within(first, last);
      if (found === null) this.#onOutcome(this.outgoing.get(first), state, settled);
      else for (let i = 0; i < found.length; i++) this.#onOutcome(found[i], state, settled);
      return;
    }
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

  #onOutcome(delivery: SentDelivery<O> | undefined, state: DispositionHead["state"], settled: boolean): void {
    if (delivery === undefined) return;
    if (settled) {
      this.outgoing.take(delivery.id);
      delivery.forget();
    }
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
