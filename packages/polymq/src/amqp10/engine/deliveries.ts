// Hot path: made per message. No closure, promise, spread, iterator or regex here.
import type { Chunk, Outbox } from "../../transport/outbox.ts";
import type { DeliveryState } from "../codec/tables.ts";
import { tagBytes } from "../codec/transfer.ts";
import type { AmqpMap, Described } from "../codec/values.ts";
import { Encoded } from "./encoded.ts";
import type { Owners } from "./handler.ts";
import type { ReceiverLink } from "./receiver-link.ts";
import type { SenderLink } from "./sender-link.ts";

/** A delivery that we sent and that is not settled yet. */
export class SentDelivery<O extends Owners> {
  id: number;
  link: SenderLink<O>;
  /** What the owner gave with the message. */
  item: O["item"];
  #tag: number | Uint8Array;
  /** What the receiver said of it last. */
  state: DeliveryState | Described | null = null;
  /** Its bytes on a link that keeps them: a part of a pinned chunk of the session's outbox, or what had waited. */
  #kept: Chunk | Encoded | null = null;
  #start = 0;
  #end = 0;

  constructor(id: number, link: SenderLink<O>, item: O["item"], tag: number | Uint8Array) {
    this.id = id;
    this.link = link;
    this.item = item;
    this.#tag = tag;
  }

  /** For its link: it is another delivery from now on. The one before is settled, and nobody looks at it any more. */
  restart(id: number, link: SenderLink<O>, item: O["item"], tag: number | Uint8Array): void {
    this.id = id;
    this.link = link;
    this.item = item;
    this.#tag = tag;
    this.state = null;
  }

  /** Its delivery tag. */
  get tag(): Uint8Array {
    return tagBytes(this.#tag);
  }

  /** The message as it was sent, on a link that keeps it and until it is settled; else null. Valid until `forget`. */
  get payload(): Uint8Array | null {
    const kept = this.#kept;
    if (kept === null || kept instanceof Encoded) return kept === null ? null : kept.bytes;
    return kept.bytes.subarray(this.#start, this.#end);
  }

  /** For its link: the message lies in the outbox from `start` up to where it writes. */
  keep(outbox: Outbox, start: number): void {
    this.#kept = outbox.pin();
    this.#start = start;
    this.#end = outbox.at;
  }

  /** For its link: the message was encoded before. */
  keepEncoded(message: Encoded): void {
    this.#kept = message;
  }

  /** The message is needed no more; its place in the outbox may be written again. */
  forget(): void {
    const kept = this.#kept;
    if (kept === null) return;
    this.#kept = null;
    if (!(kept instanceof Encoded)) this.link.session.outbox.unpin(kept);
  }
}

/** A message that was not sent, or not wholly, when its link ended. */
export interface UnsentMessage<O extends Owners> {
  readonly item: O["item"];
  readonly payload: Uint8Array;
}

/** A delivery that came whole. Tag and payload are views of received bytes: whoever keeps them beyond the turn keeps the chunk. */
export class ReceivedDelivery<O extends Owners> {
  readonly id: number;
  readonly link: ReceiverLink<O>;
  readonly #buffer: Uint8Array;
  readonly #tagStart: number;
  readonly #tagEnd: number;
  readonly messageFormat: number;
  /** True when the sender settled it, or we did: nothing more is said of it. */
  settled: boolean;
  /** What the transfer said of its state, as transactions do (§4.4.1). */
  readonly state: DeliveryState | Described | null;
  /** True for a delivery that goes on from a link before (§2.6.13). */
  readonly resumed: boolean;
  /** What its transfers carried: one view, or one for each frame that had payload. */
  payload: Uint8Array | Uint8Array[];
  /** What we said of it last, in mode second, while the sender has not settled it. */
  said: DeliveryState | Described | null = null;

  constructor(link: ReceiverLink<O>, buffer: Uint8Array, head: ReceivedHead, payload: Uint8Array | Uint8Array[]) {
    this.id = head.deliveryId;
    this.link = link;
    this.#buffer = buffer;
    this.#tagStart = head.tagStart;
    this.#tagEnd = head.tagEnd;
    this.messageFormat = head.messageFormat < 0 ? 0 : head.messageFormat;
    this.settled = head.settled;
    this.state = head.state;
    this.resumed = head.resume;
    this.payload = payload;
  }

  /** Its delivery tag, a view. */
  get tag(): Uint8Array {
    return this.#buffer.subarray(this.#tagStart, this.#tagEnd);
  }

  /** Bytes of its payload. */
  get payloadBytes(): number {
    const payload = this.payload;
    if (payload instanceof Uint8Array) return payload.length;
    let bytes = 0;
    for (let i = 0; i < payload.length; i++) bytes += (payload[i] as Uint8Array).length;
    return bytes;
  }
}

/** The fields of a first transfer that a {@link ReceivedDelivery} takes over. */
export interface ReceivedHead {
  readonly deliveryId: number;
  readonly tagStart: number;
  readonly tagEnd: number;
  readonly messageFormat: number;
  readonly settled: boolean;
  readonly state: DeliveryState | Described | null;
  readonly resume: boolean;
}

/** Unsettled deliveries as an attach carries them: tags and states (§2.6.13). */
export type UnsettledMap = AmqpMap;
