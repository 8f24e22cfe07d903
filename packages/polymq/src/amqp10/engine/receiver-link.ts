// Hot path: runs per transfer. No closure, promise, spread, iterator or regex here, but for an unsettled map.
import { serialAdd, serialDistance } from "../../base/serial.ts";
import type { FlowFields } from "../codec/flow.ts";
import type { Composite, DeliveryState, DeliveryStateInput } from "../codec/tables.ts";
import { ABSENT, DELIVERY_TAG_BYTES_MAX, type TransferHead } from "../codec/transfer.ts";
import type { AmqpMap, Described, MapInput } from "../codec/values.ts";
import { ReceivedDelivery } from "./deliveries.ts";
import type { Owners } from "./handler.ts";
import { type AttachFields, LINK_CONDITIONS, Link } from "./link.ts";
import { PartialDelivery } from "./partial-delivery.ts";

/** Largest message taken where neither side said another limit, in bytes. */
export const MESSAGE_BYTES_MAX = 134_217_728;

/** A link on which we receive. */
export class ReceiverLink<O extends Owners> extends Link<O> {
  readonly isSender = false as const;
  /** A delivery of which more is to come. */
  #partial: PartialDelivery<O> | null = null;
  #messageBytesMax = MESSAGE_BYTES_MAX;
  #draining = false;
  #flowDue = false;
  /** Messages that the sender said it has (§2.6.7), or null. */
  available: number | null = null;
  #settlesSecond = false;
  /** Tags of our unsettled map, of deliveries that may be resumed (§2.6.13); null for none. */
  #resumable: Set<string> | null = null;
  /** The delivery that comes is a resumed one of which we hold no state: it is ignored (§2.7.5). */
  #isForeign = false;
  /** Whether deliveries beyond the credit are taken, for peers that count it wrongly. Default false: they end the link. */
  lenient = false;

  /** True from `drain` until everything has come. */
  get draining(): boolean {
    return this.#draining;
  }

  /** True where we settle only after the sender did (rcv-settle-mode second, as the two agreed). */
  get settlesSecond(): boolean {
    return this.#settlesSecond;
  }

  /** Sets the credit: so many more deliveries may come. Told to the peer at the end of the turn, once for all calls. */
  setCredit(credit: number): void {
    this.linkCredit = credit;
    this.#dueFlow();
  }

  /** Grants `more` on top of the credit that there is. */
  addCredit(more: number): void {
    this.setCredit(this.linkCredit + more);
  }

  /** Asks for what is there within the credit, and for the rest of the credit back (§2.6.7); `onDrained` tells the end. */
  drain(): void {
    this.#draining = true;
    this.sendFlow();
  }

  /**
   * Says the outcome of a delivery and settles it; in mode second it is settled when the sender has. Dispositions leave at the end of the
   * turn, as ranges. False when it was settled before or its link is over.
   */
  settle(delivery: ReceivedDelivery<O>, state: DeliveryStateInput | null): boolean {
    if (delivery.settled || delivery.link !== this || this.state.is === "detached") return false;
    if (this.#settlesSecond) return this.update(delivery, state);
    if (this.session.incoming.get(delivery.id) !== delivery) return false;
    this.session.dispose(true, delivery.id, true, state);
    this.session.incoming.take(delivery.id);
    delivery.settled = true;
    return true;
  }

  /** Says a state of a delivery without settling it. */
  update(delivery: ReceivedDelivery<O>, state: DeliveryStateInput | null): boolean {
    if (delivery.settled || this.session.incoming.get(delivery.id) !== delivery) return false;
    this.session.dispose(true, delivery.id, false, state);
    delivery.said = state as DeliveryState | Described | null;
    return true;
  }

  /** For the session: a transfer of this link whose payload is [start, end) of `buffer`. */
  onTransfer(head: TransferHead, buffer: Uint8Array, start: number, end: number): void {
    if (!this.attached) return;
    if (this.#partial !== null) return this.#onContinuation(head, buffer, start, end);
    if (head.deliveryId === ABSENT || head.tagStart === ABSENT) {
      return this.violated(LINK_CONDITIONS.field, "a first transfer without delivery-id or delivery-tag");
    }
    if (head.tagEnd - head.tagStart > DELIVERY_TAG_BYTES_MAX) {
      return this.violated(LINK_CONDITIONS.field, `a delivery tag of more than ${DELIVERY_TAG_BYTES_MAX} bytes`);
    }
    if (this.linkCredit <= 0) {
      if (!this.lenient) return this.violated(LINK_CONDITIONS.limit, "a delivery without credit");
      this.linkCredit = 1;
    }
    if (this.session.incoming.get(head.deliveryId) !== undefined) {
      return this.violated(LINK_CONDITIONS.field, `delivery-id ${head.deliveryId} is unsettled`);
    }
    this.linkCredit--;
    this.deliveryCount = serialAdd(this.deliveryCount, 1);
    if (head.aborted) return;
    this.#isForeign = head.resume && !this.#takeResumed(buffer.subarray(head.tagStart, head.tagEnd));
    if (end - start > this.#messageBytesMax) return this.#tooLarge();
    const payload = buffer.subarray(start, end);
    const delivery = new ReceivedDelivery(this, buffer, head, payload);
    if (head.more) {
      this.#partial = new PartialDelivery<O>(delivery, this.#messageBytesMax);
      this.#partial.add(payload);
    } else this.#deliver(delivery);
  }

  onFlow(flow: FlowFields, properties: AmqpMap | null): void {
    if (!this.attached) return;
    if (flow.deliveryCount !== ABSENT) {
      const skipped = serialDistance(this.deliveryCount, flow.deliveryCount);
      if (skipped > 0) {
        this.deliveryCount = flow.deliveryCount;
        this.linkCredit = Math.max(0, this.linkCredit - skipped);
      }
    }
    if (flow.available !== ABSENT) this.available = flow.available;
    if (flow.echo) this.#dueFlow();
    if (properties !== null || flow.available !== ABSENT) this.session.handler.onFlow(this, flow, properties);
    if (this.#draining && this.linkCredit === 0) {
      this.#draining = false;
      this.session.handler.onDrained(this);
    }
  }

  sendFlow(how: { readonly echo?: boolean; readonly properties?: MapInput | null } = {}): void {
    this.#flowDue = false;
    if (!this.attached) return;
    const flow = this.flowFields;
    flow.handle = this.handle;
    flow.deliveryCount = this.deliveryCount;
    flow.linkCredit = this.linkCredit;
    flow.drain = this.#draining;
    flow.echo = how.echo ?? false;
    this.session.sendFlow(flow, how.properties ?? null);
  }

  /** For the session at the end of a turn: sends the flow that is due. */
  flush(): void {
    if (this.#flowDue) this.sendFlow();
  }

  protected attachSent(fields: AttachFields): void {
    const ours = Number(fields.maxMessageSize ?? 0);
    this.#messageBytesMax = ours === 0 ? MESSAGE_BYTES_MAX : ours;
    this.#settlesSecond = fields.rcvSettleMode === 1;
    const unsettled = fields.unsettled ?? null;
    if (unsettled === null || !(Symbol.iterator in unsettled)) return;
    this.#resumable = new Set();
    for (const [tag] of unsettled) if (tag instanceof Uint8Array) this.#resumable.add(tag.join());
  }

  protected attachedNow(attach: Composite<"attach">): void {
    if (!this.byPeer) this.#settlesSecond = attach.rcvSettleMode === 1;
    if (this.linkCredit > 0) this.#dueFlow();
  }

  protected stopped(): void {
    this.#partial = null;
    this.#draining = false;
  }

  #onContinuation(head: TransferHead, buffer: Uint8Array, start: number, end: number): void {
    const partial = this.#partial;
    if (partial === null) return;
    const { delivery } = partial;
    if (head.deliveryId !== ABSENT && head.deliveryId !== delivery.id) {
      return this.violated(LINK_CONDITIONS.field, "another delivery before the last one was complete");
    }
    if (head.messageFormat !== ABSENT && head.messageFormat !== delivery.messageFormat) {
      return this.violated(LINK_CONDITIONS.field, "another message-format within a delivery");
    }
    if (head.aborted) {
      this.#partial = null;
      return;
    }
    if (partial.bytes + end - start > this.#messageBytesMax) return this.#tooLarge();
    partial.add(buffer.subarray(start, end));
    if (head.settled) delivery.settled = true;
    if (head.more) return;
    this.#partial = null;
    delivery.payload = partial.payload;
    this.#deliver(delivery);
  }

  #deliver(delivery: ReceivedDelivery<O>): void {
    if (!this.#isForeign) {
      if (!delivery.settled) this.session.incoming.add(delivery);
      this.session.handler.onDelivery(delivery);
    }
    if (!this.#draining || this.linkCredit > 0) return;
    this.#draining = false;
    this.session.handler.onDrained(this);
  }

  /** Whether we hold state of this delivery; once, for what is resumed twice is known by then. */
  #takeResumed(tag: Uint8Array): boolean {
    return this.#resumable?.delete(tag.join()) === true;
  }

  #tooLarge(): void {
    this.violated(LINK_CONDITIONS.size, `a message of more than ${this.#messageBytesMax} bytes`);
  }

  #dueFlow(): void {
    if (this.#flowDue) return;
    this.#flowDue = true;
    this.session.due(this);
  }
}
