// Hot path: runs per message. No closure, promise, spread, iterator or regex here.
import { ArrivedContent, type Content, type ContentHead, isSameContent } from "./arrived-content.ts";

/** What the peer is owed for one received PUBLISH. */
export interface AckSink {
  /** Sends PUBACK (`exactlyOnce` false) or PUBREC (true) for `packetId`. */
  sendAck(packetId: number, exactlyOnce: boolean, reasonCode: number): void;
}

/** What to do with an arrived PUBLISH of QoS above 0. */
export const Arrival = {
  /** A new message: deliver it and settle its ticket later. */
  Deliver: 0,
  /** A repetition of one that is being handled, or was: nothing to deliver. */
  Repeated: 1,
  /** More unacknowledged messages than we allowed [MQTT-3.3.4-9]. */
  TooMany: 2,
} as const;

/** One of {@link Arrival}. */
export type Arrival = (typeof Arrival)[keyof typeof Arrival];

const WAITING = 0;
const SETTLED = 1;
/** Not to be acknowledged on this connection: later acknowledgements do not wait for it. */
const WITHHELD = 2;
/** To be acknowledged on this connection or not at all. */
const SETTLED_HERE = 3;

/** An id whose PUBREC is out and whose PUBREL is awaited. */
const RECEIVED = -1;
/** The same from before this connection: it does not count against its window (MQTT 5.0 §4.9). */
const RECEIVED_EARLIER = -2;

/** A message of an earlier connection that was not acknowledged there. */
interface Carried {
  readonly packetId: number;
  readonly exactlyOnce: boolean;
  readonly oldTicket: number;
  /** What tells it from another message under its id, at QoS 1; null when that is not known any more. */
  readonly content: Content | null;
  /** -1 while its handler runs, else the reason code to send when the peer repeats the message. */
  reasonCode: number;
}

/** What {@link InboundFlow.arrive} looks at of a PUBLISH. */
export interface ArrivingHead extends ContentHead {
  readonly packetId: number;
  readonly qos: number;
  readonly dup: boolean;
}

/**
 * The receiving half of QoS 1 and 2, the same for client and server. Each message of QoS above 0 gets a ticket; settling it
 * releases its PUBACK or PUBREC, which leave in the order of arrival however the settlements come in [MQTT-4.6.0-2]
 * [MQTT-4.6.0-3]. It outlives a connection: a message that is still being handled when the link breaks is recognised
 * when the peer repeats it, and is not delivered twice. At QoS 1 that takes the same packet id, DUP, and the same topic and payload: a
 * peer that lost count of its ids may give one to another message, which must rather come twice than never.
 */
export class InboundFlow {
  #sink: AckSink;
  /** Rings over tickets [head, tail): packet id, reason code, whether settled, whether QoS 2. */
  #ids: Uint16Array = new Uint16Array(64);
  #reasons: Uint8Array = new Uint8Array(64);
  #settled: Uint8Array = new Uint8Array(64);
  #exactly: Uint8Array = new Uint8Array(64);
  #head = 0;
  #tail = 0;
  #limit = 65_535;
  /** QoS 2 ids: the ticket while the message is handled, RECEIVED or RECEIVED_EARLIER from PUBREC to PUBREL. */
  readonly #exactlyOnce = new Map<number, number>();
  /** By packet id: messages from before the link broke. */
  readonly #carried = new Map<number, Carried>();
  /** By old ticket: those of them whose handler still runs. */
  readonly #carriedOpen = new Map<number, Carried>();
  /** QoS 2 ids with a PUBREC of this connection and no PUBREL yet; they count against the window too (MQTT 5.0 §4.9). */
  #awaitingRelease = 0;
  /** Ids of messages that were withheld on this connection. */
  readonly #withheld = new Set<number>();
  /** And of those that were withheld on the last one: they come again out of line. */
  readonly #withheldEarlier = new Set<number>();
  /** Those whose place in the ring is not passed yet: they count once, through `#withheld`. */
  #withheldInRing = 0;
  /** Latest ticket of QoS 1 by packet id; kept from the first repetition until nothing is unsettled, so that looking one up is no walk. */
  #repeatIndex: Map<number, number> | null = null;
  readonly #content = new ArrivedContent();
  #reading = false;
  /** From an old ticket to the one that stands for it on this connection. */
  readonly #moved = new Map<number, number>();

  constructor() {
    this.#sink = NOBODY;
  }

  /** Messages delivered and not yet acknowledged on this connection. */
  get unsettled(): number {
    return this.#tail - this.#head;
  }

  /** Takes an arrived PUBLISH whose positions are in `buffer`; on `Deliver` its ticket is `lastTicket`. */
  arrive(head: ArrivingHead, topic: string, buffer: Uint8Array): Arrival {
    const packetId = head.packetId;
    const exactlyOnce = head.qos === 2;
    this.#reading = true;
    if (exactlyOnce) {
      const known = this.#exactlyOnce.get(packetId);
      if (known !== undefined) return this.#repeatExactly(head, topic, buffer, known);
    } else if (head.dup) {
      if (this.#isRepeat(head, topic, buffer)) return Arrival.Repeated;
      if (this.#carried.size > 0 && !this.#withheldEarlier.has(packetId)) this.#forgetCarried();
    } else if (this.#carried.size > 0) this.#supersede(packetId);
    if (this.#withheld.size > 0) this.#withheld.delete(packetId);
    if (this.#owed() >= this.#limit) return Arrival.TooMany;
    const ticket = this.#push(head, topic, buffer);
    if (exactlyOnce) this.#exactlyOnce.set(packetId, ticket);
    return Arrival.Deliver;
  }

  /** What `arrive` was given of a chunk has all been read. */
  chunkEnded(): void {
    if (!this.#reading) return;
    this.#reading = false;
    if (this.#head === this.#tail) this.#content.clear();
  }

  /** Ticket of the message that `arrive` took last. */
  get lastTicket(): number {
    return this.#tail - 1;
  }

  /** True while the ticket's acknowledgement has not been decided and can still reach the peer, now or after a reconnect. */
  isOpen(ticket: number): boolean {
    if (ticket >= this.#head && ticket < this.#tail) return this.#settled[ticket & (this.#ids.length - 1)] === WAITING;
    if (this.#moved.size > 0) {
      const now = this.#moved.get(ticket);
      if (now !== undefined) return this.isOpen(now);
    }
    return this.#carriedOpen.has(ticket);
  }

  /**
   * The message is done with: its acknowledgement leaves as soon as all earlier ones have. False when the ticket is
   * unknown, already settled, or of a session that is gone. `lasting` false: when the connection ends first, the message is forgotten, for
   * the peer takes it back then and may give its packet id to another.
   */
  settle(ticket: number, reasonCode: number, lasting = true): boolean {
    if (ticket < this.#head || ticket >= this.#tail) return this.#settleOld(ticket, reasonCode);
    const mask = this.#ids.length - 1;
    const slot = ticket & mask;
    if (this.#settled[slot] !== WAITING) return false;
    if (ticket === this.#head) {
      this.#head++;
      this.#acknowledge(slot, reasonCode);
      if (this.#head !== this.#tail) this.#sweep();
      if (this.#head === this.#tail) this.#emptied();
      return true;
    }
    this.#settled[slot] = lasting ? SETTLED : SETTLED_HERE;
    this.#reasons[slot] = reasonCode;
    return true;
  }

  /**
   * The message was not handled and is not to be acknowledged: the peer keeps it and repeats it, at the latest on the next
   * connection, and then it is delivered again. It goes on counting against the receive maximum. False as for `settle`.
   */
  withhold(ticket: number): boolean {
    if (ticket < this.#head || ticket >= this.#tail) return this.#withholdOld(ticket);
    const slot = ticket & (this.#ids.length - 1);
    if (this.#settled[slot] !== WAITING) return false;
    this.#settled[slot] = WITHHELD;
    const packetId = this.#ids[slot] as number;
    this.#withheld.add(packetId);
    this.#withheldInRing++;
    if (this.#exactly[slot] === 1) this.#exactlyOnce.delete(packetId);
    if (ticket === this.#head) this.#sweep();
    if (this.#head === this.#tail) this.#emptied();
    return true;
  }

  /** PUBREL came. True when its id was known; false is answered with reason code 0x92 (MQTT 5.0 §3.7.2.1). */
  released(packetId: number): boolean {
    const known = this.#exactlyOnce.get(packetId);
    if (known === undefined || known >= 0) return false;
    this.#exactlyOnce.delete(packetId);
    if (known === RECEIVED) this.#awaitingRelease--;
    return true;
  }

  /** Ids of QoS 2 messages whose PUBREL is still awaited, for a store. */
  receivedIds(): number[] {
    const ids: number[] = [];
    for (const [id, ticket] of this.#exactlyOnce) if (ticket < 0) ids.push(id);
    return ids;
  }

  /** Puts back ids from a store: their PUBLISH is a repetition from now on [MQTT-4.3.3-10]. */
  restore(packetIds: Iterable<number>): void {
    for (const id of packetIds) this.#exactlyOnce.set(id, RECEIVED_EARLIER);
  }

  /** A connection begins. `resumed`: the peer kept the session; otherwise everything from before is void. */
  open(sink: AckSink, receiveMaximum: number, resumed: boolean): void {
    this.#sink = sink;
    this.#limit = receiveMaximum;
    this.#awaitingRelease = 0;
    if (resumed) {
      for (const [id, known] of this.#exactlyOnce) if (known === RECEIVED) this.#exactlyOnce.set(id, RECEIVED_EARLIER);
      return;
    }
    this.#exactlyOnce.clear();
    this.#carried.clear();
    this.#carriedOpen.clear();
    this.#moved.clear();
  }

  /** The connection broke: what was not acknowledged waits for the peer to repeat it. */
  suspend(): void {
    const mask = this.#ids.length - 1;
    // A ticket that stood for an older one is still known to its message by the oldest.
    const oldest = new Map<number, number>();
    for (const [old, now] of this.#moved) oldest.set(now, old);
    for (let ticket = this.#head; ticket < this.#tail; ticket++) {
      const slot = ticket & mask;
      const packetId = this.#ids[slot] as number;
      const exactlyOnce = this.#exactly[slot] === 1;
      const state = this.#settled[slot];
      this.#settled[slot] = WAITING;
      if (state === WITHHELD || state === SETTLED_HERE) continue;
      const reasonCode = state === SETTLED ? (this.#reasons[slot] as number) : -1;
      const content = exactlyOnce ? null : this.#content.at(slot);
      this.#carry({ packetId, exactlyOnce, oldTicket: oldest.get(ticket) ?? ticket, content, reasonCode });
    }
    this.#head = this.#tail;
    this.#content.clear();
    this.#withheldEarlier.clear();
    for (const id of this.#withheld) this.#withheldEarlier.add(id);
    this.#withheld.clear();
    this.#withheldInRing = 0;
    this.#repeatIndex = null;
    this.#moved.clear();
  }

  /** What counts against the receive maximum: not acknowledged, withheld, or without its PUBREL (MQTT 5.0 §4.9). */
  #owed(): number {
    return this.#tail - this.#head - this.#withheldInRing + this.#withheld.size + this.#awaitingRelease;
  }

  #carry(carried: Carried): void {
    const before = this.#carried.get(carried.packetId);
    if (before !== undefined) this.#carriedOpen.delete(before.oldTicket);
    this.#carried.set(carried.packetId, carried);
    if (carried.reasonCode < 0) this.#carriedOpen.set(carried.oldTicket, carried);
  }

  /** A QoS 1 message without DUP is a new one under the id: the peer has given the one from before up [MQTT-4.3.2-5]. */
  #supersede(packetId: number): void {
    const carried = this.#carried.get(packetId);
    if (carried === undefined || carried.exactlyOnce) return;
    this.#carried.delete(packetId);
    this.#carriedOpen.delete(carried.oldTicket);
  }

  /**
   * A QoS 1 message that was acknowledged in vain comes again, and is a new one: those behind it are to follow it once more, or the older would
   * seem the newer [MQTT-4.6.0-6].
   */
  #forgetCarried(): void {
    for (const [packetId, carried] of this.#carried) {
      if (carried.exactlyOnce) continue;
      this.#carried.delete(packetId);
      this.#carriedOpen.delete(carried.oldTicket);
    }
  }

  /** All is settled. */
  #emptied(): void {
    this.#repeatIndex = null;
    if (!this.#reading) this.#content.clear();
  }

  #isRepeat(head: ArrivingHead, topic: string, buffer: Uint8Array): boolean {
    const packetId = head.packetId;
    if (this.#carried.size > 0 && this.#reattach(head, topic, buffer)) return true;
    if (this.#head === this.#tail) return false;
    if (this.#repeatIndex === null) this.#repeatIndex = this.#indexRing();
    const ticket = this.#repeatIndex.get(packetId);
    if (ticket === undefined || ticket < this.#head) return false;
    const slot = ticket & (this.#ids.length - 1);
    return this.#settled[slot] !== WITHHELD && isSameContent(this.#content.at(slot), topic, head, buffer);
  }

  #indexRing(): Map<number, number> {
    const index = new Map<number, number>();
    const mask = this.#ids.length - 1;
    for (let ticket = this.#head; ticket < this.#tail; ticket++) {
      const slot = ticket & mask;
      if (this.#exactly[slot] === 0) index.set(this.#ids[slot] as number, ticket);
    }
    return index;
  }

  #repeatExactly(head: ArrivingHead, topic: string, buffer: Uint8Array, known: number): Arrival {
    if (known < 0) this.#sink.sendAck(head.packetId, true, 0);
    else if (this.#carried.size > 0) this.#reattach(head, topic, buffer);
    return Arrival.Repeated;
  }

  /** A message of the last connection came again: its handler's outcome goes to this connection. */
  #reattach(head: ArrivingHead, topic: string, buffer: Uint8Array): boolean {
    const packetId = head.packetId;
    const exactlyOnce = head.qos === 2;
    const carried = this.#carried.get(packetId);
    if (carried === undefined || carried.exactlyOnce !== exactlyOnce) return false;
    if (!exactlyOnce && !isSameContent(carried.content, topic, head, buffer)) return false;
    this.#carried.delete(packetId);
    this.#carriedOpen.delete(carried.oldTicket);
    const ticket = this.#push(head, topic, buffer);
    if (exactlyOnce) this.#exactlyOnce.set(packetId, ticket);
    if (carried.reasonCode < 0) this.#moved.set(carried.oldTicket, ticket);
    else this.settle(ticket, carried.reasonCode);
    return true;
  }

  #settleOld(ticket: number, reasonCode: number): boolean {
    const now = this.#moved.get(ticket);
    if (now !== undefined) {
      this.#moved.delete(ticket);
      return this.settle(now, reasonCode);
    }
    const carried = this.#carriedOpen.get(ticket);
    if (carried === undefined) return false;
    this.#carriedOpen.delete(ticket);
    carried.reasonCode = reasonCode;
    return true;
  }

  /** After a reconnect: forgets the message, so that its repetition is delivered. */
  #withholdOld(ticket: number): boolean {
    const now = this.#moved.get(ticket);
    if (now !== undefined) {
      this.#moved.delete(ticket);
      return this.withhold(now);
    }
    const carried = this.#carriedOpen.get(ticket);
    if (carried === undefined) return false;
    this.#carriedOpen.delete(ticket);
    this.#carried.delete(carried.packetId);
    if (carried.exactlyOnce) this.#exactlyOnce.delete(carried.packetId);
    return true;
  }

  #sweep(): void {
    const mask = this.#ids.length - 1;
    while (this.#head < this.#tail) {
      const slot = this.#head & mask;
      const state = this.#settled[slot];
      if (state === WAITING) return;
      this.#settled[slot] = WAITING;
      this.#head++;
      if (state === WITHHELD) this.#withheldInRing--;
      else this.#acknowledge(slot, this.#reasons[slot] as number);
    }
  }

  #acknowledge(slot: number, reasonCode: number): void {
    const packetId = this.#ids[slot] as number;
    if (this.#exactly[slot] === 0) return this.#sink.sendAck(packetId, false, reasonCode);
    // A refused QoS 2 message ends here: no PUBREL follows a PUBREC of 0x80 or above (MQTT 5.0 §4.3.3).
    if (reasonCode >= 0x80) this.#exactlyOnce.delete(packetId);
    else {
      this.#exactlyOnce.set(packetId, RECEIVED);
      this.#awaitingRelease++;
    }
    this.#sink.sendAck(packetId, true, reasonCode);
  }

  #push(head: ArrivingHead, topic: string, buffer: Uint8Array): number {
    if (this.#tail - this.#head === this.#ids.length) this.#grow();
    const ticket = this.#tail++;
    const mask = this.#ids.length - 1;
    const slot = ticket & mask;
    const packetId = head.packetId;
    const exactlyOnce = head.qos === 2;
    this.#ids[slot] = packetId;
    this.#exactly[slot] = exactlyOnce ? 1 : 0;
    this.#settled[slot] = WAITING;
    this.#content.note(slot, topic, head, buffer, ticket === this.#head ? -1 : this.#head & mask);
    if (this.#repeatIndex !== null && !exactlyOnce) this.#repeatIndex.set(packetId, ticket);
    return ticket;
  }

  #grow(): void {
    const old = this.#ids.length;
    const ids = new Uint16Array(old * 2);
    const reasons = new Uint8Array(old * 2);
    const settled = new Uint8Array(old * 2);
    const exactly = new Uint8Array(old * 2);
    for (let ticket = this.#head; ticket < this.#tail; ticket++) {
      const from = ticket & (old - 1);
      const to = ticket & (old * 2 - 1);
      ids[to] = this.#ids[from] as number;
      reasons[to] = this.#reasons[from] as number;
      settled[to] = this.#settled[from] as number;
      exactly[to] = this.#exactly[from] as number;
    }
    this.#content.move(this.#head, this.#tail, old);
    this.#ids = ids;
    this.#reasons = reasons;
    this.#settled = settled;
    this.#exactly = exactly;
  }
}

/** Stands in until the first connection. */
const NOBODY: AckSink = { sendAck: () => undefined };
