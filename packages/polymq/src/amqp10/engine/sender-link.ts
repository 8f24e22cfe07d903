// Hot path: runs per message. No closure, promise, spread, iterator or regex here.

import { Deque } from "../../base/deque.ts";
import { MessagingError } from "../../base/errors.ts";
import { serialAdd, serialDistance } from "../../base/serial.ts";
import { copyOf } from "../../bytes/copy.ts";
import type { Outbox } from "../../transport/outbox.ts";
import { SenderSettleMode } from "../codec/conditions.ts";
import type { FlowFields } from "../codec/flow.ts";
import { endFrame } from "../codec/frame.ts";
import {
  DataMessage,
  dataSectionBytes,
  encodeMessage,
  encodeParts,
  type MessageInput,
  messageBytesMax,
  writeMessage,
} from "../codec/message.ts";
import type { Composite, DeliveryStateInput } from "../codec/tables.ts";
import {
  ABSENT,
  beginContinuation,
  beginTransfer,
  checkTag,
  type RareTransferFields,
  TRANSFER_BYTES_MAX,
  TransferFields,
  writeDataTransfer,
} from "../codec/transfer.ts";
import type { AmqpMap, MapInput } from "../codec/values.ts";
import { SentDelivery, type UnsentMessage } from "./deliveries.ts";
import { Encoded } from "./encoded.ts";
import type { Owners } from "./handler.ts";
import { type AttachFields, Link } from "./link.ts";

/** What else can be said with a message. */
export interface SendOptions {
  /** Send it settled, on a link that allows both. Default: unsettled unless the link's mode is settled. */
  readonly settled?: boolean;
  /** Default: a counter of four bytes. 1 to 32 bytes, unlike every unsettled one of the link. */
  readonly tag?: Uint8Array;
  /** Default 0. */
  readonly messageFormat?: number;
  /** Whether the message's bytes stay as they are until it is settled: large data is not copied then. Default false. */
  readonly lent?: boolean;
  /** A transactional state, or a delivery resumed from a link before. */
  readonly rare?: RareTransferFields;
}

/** A message that waits for credit, the session's window or the outbox. */
class Queued {
  readonly item: unknown;
  readonly message: Encoded;
  readonly settled: boolean;
  readonly options: SendOptions;
  /** Payload bytes sent so far; -1 before the first frame. */
  sent = -1;
  deliveryId = 0;

  constructor(item: unknown, message: Encoded, settled: boolean, options: SendOptions) {
    this.item = item;
    this.message = message;
    this.settled = settled;
    this.options = options;
  }
}

/** A link on which we send. Its queue is its own: what waits here for credit holds up no other link. */
export class SenderLink<O extends Owners> extends Link<O> {
  readonly isSender = true as const;
  readonly #queue = new Deque<Queued>();
  #queuedBytes = 0;
  #drain = false;
  #nextTag = 0;
  readonly #fields = new TransferFields();
  #messageBytesMax = Number.POSITIVE_INFINITY;
  #settleMode: number = SenderSettleMode.mixed;
  #initialDeliveryCount = 0;
  /** True while the session's round of links that may send holds this one. */
  inRound = false;
  /** Whether unsettled deliveries keep their bytes until they are settled, so that they can be sent again on another link. Default false. */
  keeps = false;
  /** Whether settled messages take no credit, from a peer that gives some once and never again; each still needs one to leave. Default false. */
  settledAreFree = false;
  /** The id of the delivery that was begun last; 0 before the first. */
  lastDeliveryId = 0;
  /** What was unsettled, and what was not sent, when the link ended. */
  readonly left: { readonly unsettled: SentDelivery<O>[]; readonly unsent: UnsentMessage<O>[] } = {
    unsettled: [],
    unsent: [],
  };

  /** Number of the next tag that is ours to choose; set before anything is sent, for a link that follows another of its name. */
  get nextTag(): number {
    return this.#nextTag;
  }

  set nextTag(tag: number) {
    this.#nextTag = tag;
  }

  /** Messages in the queue. */
  get queued(): number {
    return this.#queue.length;
  }

  /** Payload bytes in the queue. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** True when a message given now leaves in this turn. */
  get sendable(): boolean {
    return this.attached && this.#queue.length === 0 && this.linkCredit > 0 && this.session.canSend;
  }

  /** Largest message that the peer takes, in bytes; Infinity where it said none. */
  get peerMessageBytesMax(): number {
    return this.#messageBytesMax;
  }

  /** Sender settle mode as the two agreed: 0 unsettled, 1 settled, 2 mixed. */
  get settleMode(): number {
    return this.#settleMode;
  }

  /**
   * Sends a message, given by its sections or encoded: at once where credit, window and outbox allow (true), else it is encoded and waits in
   * this link's queue (false). The queue has no bound of its own: the owner looks at `sendable`, `queued` and `queuedBytes`. For an
   * unsettled message `onOutcome` gives `item` back.
   * @throws {MessagingError} ERR_NOT_CONNECTED when the link is over, ERR_PACKET_TOO_LARGE above the peer's largest message,
   * ERR_INVALID_ARGUMENT for what the encoder or the link's settle mode refuses; nothing is sent then
   */
  send(message: MessageInput | Uint8Array, item: O["item"], options: SendOptions = NO_OPTIONS): boolean {
    if (this.sendNow(message, item, options)) return true;
    const settled = this.#settledOf(options);
    this.#checkOpen();
    return this.#enqueue(this.#encoded(message, options), item, settled, options);
  }

  /**
   * As {@link send} for a large message that is encoded, given in parts that stay as they are until it is settled: none of them is copied before it leaves,
   * frame by frame, out of the link's queue.
   */
  sendParts(parts: readonly Uint8Array[], item: O["item"], options: SendOptions = NO_OPTIONS): boolean {
    const settled = this.#settledOf(options);
    if (options.tag !== undefined) checkTag(options.tag);
    this.#checkOpen();
    return this.#enqueue(new Encoded(parts), item, settled, options);
  }

  /**
   * As {@link send} for what leaves at once in one frame; for everything else false, and nothing is done. A delivery of the owner's that is
   * settled may be given to be used again.
   */
  sendNow(
    message: MessageInput | Uint8Array,
    item: O["item"],
    options: SendOptions,
    used: SentDelivery<O> | null = null,
  ): boolean {
    const settled = this.#settledOf(options);
    if (options.tag !== undefined) checkTag(options.tag);
    if (!this.sendable || options.rare !== undefined) return false;
    const isPlain = options.tag === undefined && options.messageFormat === undefined;
    if (isPlain && message instanceof DataMessage) return this.#writeData(message, item, settled, used);
    const bound = message instanceof Uint8Array ? message.length : messageBytesMax(message);
    const { outbox, peerFrameBytesMax } = this.session;
    if (bound + TRANSFER_BYTES_MAX > peerFrameBytesMax) return false;
    outbox.reserve(TRANSFER_BYTES_MAX + bound);
    const start = this.#write(outbox, message, settled, options);
    this.#sent(item, settled, used, start);
    return true;
  }

  /**
   * Takes back a message that is not wholly sent. `removed`: nothing of it was sent. `aborted`: its frames so far were
   * taken back on the wire (§2.6.14). `sent`: too late, its outcome will come.
   */
  cancel(item: O["item"]): "removed" | "aborted" | "sent" {
    const queued = this.#queue.remove((entry) => entry.item === item);
    if (queued === undefined) return "sent";
    this.#queuedBytes -= queued.message.length;
    if (queued.sent < 0) return "removed";
    if (!queued.settled) this.session.outgoing.take(queued.deliveryId);
    this.session.send({ type: "transfer", handle: this.handle, aborted: true });
    this.session.sentTransfer();
    this.session.ready(this);
    return "aborted";
  }

  /** Settles a delivery whose outcome came unsettled (mode second), at the end of the turn. False when it is settled. */
  settle(delivery: SentDelivery<O>, state: DeliveryStateInput | null = null): boolean {
    if (this.session.outgoing.get(delivery.id) !== delivery) return false;
    this.session.dispose(false, delivery.id, true, state);
    this.session.outgoing.take(delivery.id);
    delivery.forget();
    return true;
  }

  /** Adds credit that the peer did not give, for peers that take messages without giving any. */
  grant(credit: number): void {
    if (!this.attached) return;
    this.linkCredit += credit;
    this.session.ready(this);
  }

  onFlow(flow: FlowFields, properties: AmqpMap | null): void {
    // A peer gives credit right behind its attach, whenever the owner answers that.
    if (!this.attached && this.state.is !== "offered") return;
    const before = this.linkCredit;
    if (flow.linkCredit !== ABSENT) {
      // A receiver that has not seen our attach yet counts from our initial count (§2.6.7).
      const theirs = flow.deliveryCount === ABSENT ? this.#initialDeliveryCount : flow.deliveryCount;
      this.linkCredit = Math.max(0, flow.linkCredit - Math.max(0, serialDistance(theirs, this.deliveryCount)));
    }
    this.#drain = flow.drain;
    this.session.ready(this);
    if (flow.echo) this.sendFlow();
    if (properties !== null) this.session.handler.onFlow(this, flow, properties);
    if (before === 0 && this.sendable) this.session.handler.onCredit(this);
    this.#finishDrain();
  }

  /** Answers a drain that was asked for while the link was offered; for an owner that has accepted it and sent what it has. */
  answerDrain(): void {
    this.#finishDrain();
  }

  sendFlow(how: { readonly echo?: boolean; readonly properties?: MapInput | null } = {}): void {
    if (!this.attached) return;
    const flow = this.flowFields;
    flow.handle = this.handle;
    flow.deliveryCount = this.deliveryCount;
    flow.linkCredit = this.linkCredit;
    flow.available = this.#queue.length;
    flow.drain = this.#drain;
    flow.echo = how.echo ?? false;
    this.session.sendFlow(flow, how.properties ?? null);
  }

  /** True while something waits that credit allows. */
  get hasWork(): boolean {
    return this.attached && this.#queue.length > 0 && (this.linkCredit > 0 || (this.#queue.peek()?.sent ?? -1) >= 0);
  }

  /** For the session's round: sends one frame of what waits. */
  sendFrame(): void {
    const queued = this.#queue.peek();
    if (queued === undefined) return;
    const fields = this.#fields;
    const first = queued.sent < 0;
    if (first) this.#begin(queued, fields);
    const outbox = this.session.outbox;
    const frameMax = this.session.peerFrameBytesMax;
    const from = first ? 0 : queued.sent;
    const { message } = queued;
    let room = Math.min(message.length - from, frameMax - TRANSFER_BYTES_MAX);
    if (first && queued.options.rare !== undefined) {
      room = this.session.sendRare(fields, queued.options.rare, message.bytes);
      message.skip(room);
    } else {
      const more = from + room < message.length;
      outbox.reserve(TRANSFER_BYTES_MAX + room);
      fields.more = more;
      const frame = first
        ? beginTransfer(outbox, fields)
        : beginContinuation(outbox, fields.channel, this.handle, more);
      message.write(outbox, room);
      endFrame(outbox, frame);
      outbox.commit();
    }
    queued.sent = from + room;
    this.session.sentTransfer();
    if (queued.sent < message.length) return;
    this.#queue.shift();
    this.#queuedBytes -= message.length;
    this.session.handler.onSent(this, queued.item as O["item"]);
    if (this.#queue.length === 0) {
      if (this.sendable) this.session.handler.onCredit(this);
      this.#finishDrain();
    }
  }

  protected attachSent(fields: AttachFields): void {
    this.#initialDeliveryCount = this.deliveryCount;
    this.#settleMode = fields.sndSettleMode ?? SenderSettleMode.mixed;
  }

  protected attachedNow(attach: Composite<"attach">): void {
    const theirs = Number(attach.maxMessageSize ?? 0);
    this.#messageBytesMax = theirs === 0 ? Number.POSITIVE_INFINITY : theirs;
    if (!this.byPeer) this.#settleMode = attach.sndSettleMode;
    this.#fields.channel = this.session.channel;
    this.#fields.handle = this.handle;
  }

  protected stopped(): void {
    this.inRound = false;
    for (let queued = this.#queue.shift(); queued !== undefined; queued = this.#queue.shift()) {
      // What was sent in part and unsettled is among the unsettled ones.
      if (queued.sent >= 0 && !queued.settled) continue;
      this.left.unsent.push({ item: queued.item as O["item"], payload: queued.message.bytes });
    }
    this.#queuedBytes = 0;
  }

  #settledOf(options: SendOptions): boolean {
    const mode = this.#settleMode;
    const settled = options.settled ?? mode === SenderSettleMode.settled;
    if (settled ? mode === SenderSettleMode.unsettled : mode === SenderSettleMode.settled) {
      throw new MessagingError("ERR_INVALID_ARGUMENT", `this link's messages are ${settled ? "unsettled" : "settled"}`);
    }
    return settled;
  }

  /** {@link sendNow} for one data section. */
  #writeData(message: DataMessage, item: O["item"], settled: boolean, used: SentDelivery<O> | null): boolean {
    const bytes = message.head.length + dataSectionBytes(message.body.data.length);
    const { outbox, peerFrameBytesMax, nextDeliveryId } = this.session;
    if (bytes + TRANSFER_BYTES_MAX > peerFrameBytesMax) return false;
    if (bytes > this.#messageBytesMax) throw this.#tooLarge(bytes);
    outbox.reserve(TRANSFER_BYTES_MAX + bytes);
    const fields = this.#fields;
    fields.deliveryId = nextDeliveryId;
    fields.tag = this.#nextTag;
    fields.settled = settled;
    const start = writeDataTransfer(outbox, fields, message);
    this.#count(fields);
    this.#sent(item, settled, used, start);
    return true;
  }

  /** Writes a delivery of one frame, which has room, and counts it; returns where its payload begins. */
  #write(outbox: Outbox, message: MessageInput | Uint8Array, settled: boolean, options: SendOptions): number {
    const fields = this.#fields;
    fields.deliveryId = this.session.nextDeliveryId;
    fields.tag = options.tag ?? this.#nextTag;
    fields.messageFormat = options.messageFormat ?? 0;
    fields.settled = settled;
    fields.more = false;
    const frame = beginTransfer(outbox, fields);
    const start = outbox.at;
    if (message instanceof Uint8Array) outbox.bytes(message);
    else this.#writeAt(frame, message);
    if (outbox.at - start > this.#messageBytesMax) {
      const size = outbox.at - start;
      outbox.at = frame;
      throw this.#tooLarge(size);
    }
    endFrame(outbox, frame);
    this.#count(fields);
    return start;
  }

  #writeAt(frame: number, message: MessageInput): void {
    const outbox = this.session.outbox;
    try {
      writeMessage(outbox, message);
    } catch (error) {
      outbox.at = frame;
      throw error;
    }
  }

  #checkOpen(): void {
    if (this.isOver || this.state.is === "refused") throw over();
  }

  /** Puts a message into the queue, and sends what of it can be sent; true when that is all. */
  #enqueue(encoded: Encoded, item: O["item"], settled: boolean, options: SendOptions): boolean {
    if (encoded.length > this.#messageBytesMax) throw this.#tooLarge(encoded.length);
    const queued = new Queued(item, encoded, settled, options);
    this.#queue.push(queued);
    this.#queuedBytes += encoded.length;
    this.session.ready(this);
    return queued.sent >= queued.message.length;
  }

  #encoded(message: MessageInput | Uint8Array, options: SendOptions): Encoded {
    if (message instanceof Uint8Array) return new Encoded([copyOf(message)]);
    const { text } = this.session.outbox;
    // A transfer with rare fields takes its payload from one piece.
    const inParts = options.lent === true && options.rare === undefined;
    return new Encoded(inParts ? encodeParts(text, message) : [encodeMessage(text, message)]);
  }

  /** The first frame of a delivery that waited. */
  #begin(queued: Queued, fields: TransferFields): void {
    queued.deliveryId = this.session.nextDeliveryId;
    fields.deliveryId = queued.deliveryId;
    fields.tag = queued.options.tag ?? this.#nextTag;
    fields.messageFormat = queued.options.messageFormat ?? 0;
    fields.settled = queued.settled;
    this.#count(fields);
    if (queued.settled) return;
    const delivery = this.#unsettled(queued.item as O["item"], null);
    if (this.keeps) delivery.keepEncoded(queued.message);
  }

  #count(fields: TransferFields): void {
    if (typeof fields.tag === "number") this.#nextTag = serialAdd(this.#nextTag, 1);
    this.lastDeliveryId = fields.deliveryId;
    this.session.countDelivery();
    if (!fields.settled || !this.settledAreFree) this.linkCredit--;
    this.deliveryCount = serialAdd(this.deliveryCount, 1);
  }

  /** A delivery of one frame is written, its payload from `start` on. */
  #sent(item: O["item"], settled: boolean, used: SentDelivery<O> | null, start: number): void {
    const { outbox } = this.session;
    if (!settled) {
      const delivery = this.#unsettled(item, used);
      if (this.keeps) delivery.keep(outbox, start);
    }
    this.session.sentTransfer();
    outbox.commit();
  }

  /** The delivery that was counted last is one of which the peer will speak. */
  #unsettled(item: O["item"], used: SentDelivery<O> | null): SentDelivery<O> {
    const { deliveryId, tag } = this.#fields;
    if (used !== null) used.restart(deliveryId, this, item, tag);
    const delivery = used ?? new SentDelivery<O>(deliveryId, this, item, tag);
    this.session.outgoing.add(delivery);
    return delivery;
  }

  /** Gives back the credit that a drain leaves over, once nothing is left to send (§2.6.7). */
  #finishDrain(): void {
    if (!this.#drain || this.#queue.length > 0 || !this.attached) return;
    this.deliveryCount = serialAdd(this.deliveryCount, this.linkCredit);
    this.linkCredit = 0;
    this.sendFlow();
    this.#drain = false;
  }

  #tooLarge(bytes: number): MessagingError {
    return new MessagingError(
      "ERR_PACKET_TOO_LARGE",
      `a message of ${bytes} bytes, the peer takes ${this.#messageBytesMax}`,
    );
  }
}

const NO_OPTIONS: SendOptions = Object.freeze({});

function over(): MessagingError {
  return new MessagingError("ERR_NOT_CONNECTED", "the link is over");
}
