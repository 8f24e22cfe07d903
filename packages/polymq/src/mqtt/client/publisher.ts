// Hot path: `publish` runs per message. No closure, iterator or regex there; one promise per QoS 1 or 2 message.
import { abortedError, onAbort } from "../../base/abort.ts";
import { Deque } from "../../base/deque.ts";
import { MessagingError } from "../../base/errors.ts";
import type { QoS, ReasonProperties } from "../codec/packets.ts";
import { reasonName } from "../codec/reason-codes.ts";
import type { TopicEncoder } from "../codec/topic-encoder.ts";
import { Phase } from "../engine/outbound-flow.ts";
import type { SessionState } from "../engine/session-state.ts";
import type { DropReason } from "./events.ts";
import type { Link } from "./link.ts";
import type { Settings, WhenOffline } from "./options.ts";
import { type ClientItem, PendingPublish, PUBLISHED, type PublishResult, publishResult } from "./pending.ts";
import type { StoreWriter } from "./store-writer.ts";
import { storedProperties } from "./stored-properties.ts";

/** What the client is doing, as far as a publish is concerned. */
export type Availability = "online" | "offline" | "none" | "draining" | "closed";

/** What a publisher needs to know and tell. */
export interface PublisherOwner {
  availability(): Availability;
  dropped(item: PendingPublish, reason: DropReason): void;
  /** Reading may have been paused for a slow consumer: an acknowledgement is awaited now. */
  awaitsReply(): void;
}

/**
 * The sending side of a client: takes messages while there is room, lets them wait within limits when there is none, and
 * keeps what is in flight until it is acknowledged, across connections.
 */
export class Publisher {
  readonly #settings: Settings;
  readonly #owner: PublisherOwner;
  readonly #session: SessionState<ClientItem>;
  readonly #topics: TopicEncoder;
  readonly #store: StoreWriter | null;
  /** The open connection, or null. */
  #link: Link | null = null;
  /** Messages that wait for a connection, for room in the window or in the outbox, in order. */
  readonly #waiting = new Deque<PendingPublish>();
  #waitingBytes = 0;
  /** Messages being stored; they are sent in order when they are. */
  #storing = 0;
  /** Ids to be sent again on this connection, oldest first; new messages come after them. */
  #resend = new Deque<number>();
  #order = 1;
  readonly #scratch = new PendingPublish("", new Uint8Array(0), 0, false, null);
  readonly #done: Promise<PublishResult> = Promise.resolve(PUBLISHED);
  readonly #idleWaiters: (() => void)[] = [];

  constructor(
    settings: Settings,
    owner: PublisherOwner,
    session: SessionState<ClientItem>,
    shared: { readonly topics: TopicEncoder; readonly store: StoreWriter | null },
  ) {
    this.#settings = settings;
    this.#owner = owner;
    this.#session = session;
    this.#topics = shared.topics;
    this.#store = shared.store;
  }

  /** Messages that are not acknowledged or not sent yet. */
  get pending(): number {
    return this.#waiting.length + this.#session.outbound.inflight + this.#storing;
  }

  /** Publishes that wait, and their bytes. */
  get waiting(): { readonly messages: number; readonly bytes: number } {
    return { messages: this.#waiting.length, bytes: this.#waitingBytes };
  }

  /**
   * Takes one message. Throws what can be known at once; the promise settles as the client's `publish` says. Plain
   * parameters, for an object per message to hold them would be garbage.
   */
  publish(
    topic: string,
    payload: Uint8Array,
    qos: QoS,
    retain: boolean,
    block: Uint8Array | null,
    signal: AbortSignal | undefined,
  ): Promise<PublishResult> {
    const link = this.#link;
    // Checked here as well, so that a bad topic fails the call and not a later turn.
    const topicBytes = this.#topics.encode(topic);
    if (link === null || signal !== undefined || !this.#hasRoom(link, qos)) {
      return this.#enqueue(new PendingPublish(topic, payload, qos, retain, block), signal);
    }
    link.check(qos, retain, block);
    if (qos !== 0) return this.#begin(link, new PendingPublish(topic, payload, qos, retain, block), topicBytes);
    const scratch = this.#scratch;
    scratch.retain = retain;
    link.engine.sendPublish(scratch, topic, topicBytes, payload, block);
    return this.#done;
  }

  /** A connection is open: sends again what is in flight, in order, then what waits. */
  open(link: Link, sessionPresent: boolean): void {
    this.#link = link;
    this.#resend.clear();
    const outbound = this.#session.outbound;
    for (const id of outbound.publishIds()) {
      const item = outbound.item(id);
      if (!(item instanceof PendingPublish) || item.storing) continue;
      item.dup = sessionPresent;
      if (!sessionPresent && outbound.phase(id) === Phase.Released) {
        // The server confirmed receipt before it forgot the session: the message has arrived.
        outbound.finish(id, Phase.Released);
        this.#complete(item, id, 0, null);
      } else this.#resend.push(id);
    }
    this.pump();
  }

  /** The connection is gone; what is in flight stays. */
  close(): void {
    this.#link = null;
    this.#resend.clear();
  }

  /** Sends what can be sent now: repetitions first, then waiting messages. */
  pump(): void {
    const link = this.#link;
    if (link === null) return;
    while (this.#resend.length > 0 && this.#resendNext(link)) {
      // One step per turn of the loop.
    }
    if (this.#resend.length > 0) return;
    for (let next = this.#waiting.peek(); next !== undefined; next = this.#waiting.peek()) {
      if (!this.#canSend(link, next.qos)) return;
      this.#waiting.shift();
      this.#waitingBytes -= sizeOf(next);
      this.#sendWaiting(link, next);
    }
  }

  /** PUBACK, PUBCOMP or a refusing PUBREC came. */
  onDone(item: PendingPublish, packetId: number, reasonCode: number, properties: ReasonProperties | null): void {
    if (this.#store !== null) this.#store.write({ op: "deletePublish", packetId }, null);
    this.#complete(item, packetId, reasonCode, properties);
    if (this.#session.outbound.inflight === 0) this.#link?.outbox.unpin();
    if (this.#resend.length > 0 || this.#waiting.length > 0) this.pump();
  }

  /** PUBREC came: PUBREL leaves, with a store after that fact is stored. */
  onReceived(item: PendingPublish, packetId: number): void {
    const link = this.#link;
    if (link === null) return;
    item.sentAtMs = link.nowMs();
    // The bytes are the server's now.
    item.chunk = EMPTY;
    item.end = 0;
    item.start = 0;
    if (this.#store === null) return link.engine.sendPubrel(packetId, 0);
    this.#store.write({ op: "releasePublish", packetId }, (error) => {
      if (error !== null) link.fail(error);
      else if (this.#link === link) link.engine.sendPubrel(packetId, 0);
    });
  }

  /** Fails what has waited too long for its acknowledgement; the messages themselves stay in flight. */
  expire(nowMs: number): void {
    const timeoutMs = this.#settings.ackTimeoutMs;
    if (timeoutMs === 0) return;
    const outbound = this.#session.outbound;
    for (const id of outbound.publishIds()) {
      const item = outbound.item(id);
      if (!(item instanceof PendingPublish) || item.sentAtMs < 0 || nowMs - item.sentAtMs < timeoutMs) continue;
      item.sentAtMs = -1;
      this.#settleError(item, new MessagingError("ERR_TIMEOUT", `no acknowledgement within ${timeoutMs} ms`));
    }
  }

  /** Fails everything that nobody will send any more; `inflight` says what becomes of messages in flight. */
  fail(error: MessagingError, inflight: "keep" | "forget"): void {
    for (let item = this.#waiting.shift(); item !== undefined; item = this.#waiting.shift())
      this.#settleError(item, error);
    this.#waitingBytes = 0;
    const outbound = this.#session.outbound;
    for (const id of outbound.publishIds()) {
      const item = outbound.item(id);
      if (item instanceof PendingPublish) this.#settleError(item, error);
      if (inflight === "forget") outbound.finish(id, outbound.phase(id));
    }
    this.#wakeIdle();
  }

  /** Resolves when nothing is pending. */
  idle(): Promise<void> {
    if (this.pending === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  /** Puts back messages of an earlier process; they are sent again on the next connection. */
  restore(entries: readonly { readonly id: number; readonly item: PendingPublish; readonly phase: Phase }[]): void {
    this.#session.outbound.restore(entries);
    this.#order = entries.length + 1;
  }

  #hasRoom(link: Link, qos: QoS): boolean {
    return this.#waiting.length === 0 && this.#resend.length === 0 && this.#canSend(link, qos);
  }

  #canSend(link: Link, qos: QoS): boolean {
    if (link.outbox.full) {
      link.wakeWhenRoom();
      return false;
    }
    return qos === 0 ? this.#storing === 0 : this.#session.outbound.quota > 0;
  }

  /** Takes an in-flight slot and sends, or stores and then sends. */
  #begin(link: Link, item: PendingPublish, topicBytes: Uint8Array): Promise<PublishResult> {
    const promise = new Promise<PublishResult>((resolve, reject) => {
      item.resolve = resolve;
      item.reject = reject;
    });
    if (this.#store === null) this.#send(link, item, topicBytes);
    else {
      // Kept until it is stored, when the caller may have changed it.
      item.payload = item.payload.slice();
      this.#storeAndSend(link, item, this.#store);
    }
    return promise;
  }

  /** Throws before anything is taken when the message cannot be encoded. */
  #send(link: Link, item: PendingPublish, topicBytes: Uint8Array): void {
    const outbound = this.#session.outbound;
    const phase = item.qos === 1 ? Phase.AtLeastOnce : Phase.ExactlyOnce;
    const packetId = outbound.beginPublish(item, phase);
    if (packetId === 0) throw new MessagingError("ERR_MAX_INFLIGHT", "all packet identifiers are in use");
    item.packetId = packetId;
    try {
      this.#write(link, item, topicBytes);
    } catch (error) {
      outbound.finish(packetId, phase);
      throw error;
    }
    this.#owner.awaitsReply();
  }

  #write(link: Link, item: PendingPublish, topicBytes: Uint8Array): void {
    const payload = item.payload;
    const outbox = link.outbox;
    link.engine.sendPublish(item, item.topic, topicBytes, payload, item.block);
    outbox.pin();
    item.chunk = outbox.buffer;
    item.end = outbox.at;
    item.start = outbox.at - payload.length;
    item.payload = EMPTY;
    item.sentAtMs = link.nowMs();
  }

  #storeAndSend(link: Link, item: PendingPublish, store: StoreWriter): void {
    const outbound = this.#session.outbound;
    const phase = item.qos === 1 ? Phase.AtLeastOnce : Phase.ExactlyOnce;
    const packetId = outbound.beginPublish(item, phase);
    if (packetId === 0)
      return this.#settleError(item, new MessagingError("ERR_MAX_INFLIGHT", "all packet identifiers are in use"));
    item.packetId = packetId;
    this.#storing++;
    item.storing = true;
    const publish = {
      packetId,
      order: this.#order++,
      qos: item.qos === 2 ? (2 as const) : (1 as const),
      topic: item.topic,
      payload: item.payload,
      retain: item.retain,
      properties: storedProperties(item.block),
      released: false,
    };
    store.write({ op: "putPublish", publish }, (error) => {
      this.#storing--;
      item.storing = false;
      if (error !== null) {
        outbound.finish(packetId, phase);
        this.#settleError(item, error);
      } else if (this.#link !== null) {
        // On a later connection than the one it was begun on, its place in the window is not taken yet.
        if (this.#link !== link) outbound.charge();
        this.#sendStored(this.#link, item, phase);
      }
      this.pump();
    });
  }

  #sendStored(link: Link, item: PendingPublish, phase: Phase): void {
    try {
      this.#write(link, item, this.#topics.encode(item.topic));
      this.#owner.awaitsReply();
    } catch (error) {
      this.#session.outbound.finish(item.packetId, phase);
      this.#store?.write({ op: "deletePublish", packetId: item.packetId }, null);
      this.#settleError(item, asError(error));
    }
  }

  /** Sends one message again; false when it must wait. */
  #resendNext(link: Link): boolean {
    const id = this.#resend.peek() ?? 0;
    const outbound = this.#session.outbound;
    const item = outbound.item(id);
    const phase = outbound.phase(id);
    if (!(item instanceof PendingPublish) || phase === Phase.Free) {
      this.#resend.shift();
      return true;
    }
    if (phase === Phase.Released) {
      this.#resend.shift();
      link.engine.sendPubrel(id, 0);
      item.sentAtMs = link.nowMs();
      return true;
    }
    if (!this.#canSend(link, item.qos)) return false;
    this.#resend.shift();
    outbound.charge();
    try {
      item.payload = item.bytes();
      item.chunk = null;
      link.check(item.qos, item.retain, item.block);
      this.#write(link, item, this.#topics.encode(item.topic));
    } catch (error) {
      // This server cannot take it (it may have other limits than the last one): no repetition would change that.
      outbound.finish(id, phase);
      this.#store?.write({ op: "deletePublish", packetId: id }, null);
      this.#settleError(item, asError(error));
    }
    return true;
  }

  #sendWaiting(link: Link, item: PendingPublish): void {
    try {
      link.check(item.qos, item.retain, item.block);
      const topicBytes = this.#topics.encode(item.topic);
      if (item.qos === 0) {
        link.engine.sendPublish(item, item.topic, topicBytes, item.payload, item.block);
        this.#complete(item, 0, 0, null);
      } else if (this.#store === null) this.#send(link, item, topicBytes);
      else this.#storeAndSend(link, item, this.#store);
    } catch (error) {
      this.#settleError(item, asError(error));
    }
  }

  #enqueue(item: PendingPublish, signal: AbortSignal | undefined): Promise<PublishResult> {
    if (signal?.aborted === true) return Promise.reject(abortedError(signal));
    const refused = this.#refusal(item);
    if (refused !== null) return Promise.reject(refused);
    // A copy, for the caller may change its bytes before they are sent.
    item.payload = item.payload.slice();
    const promise = new Promise<PublishResult>((resolve, reject) => {
      item.resolve = resolve;
      item.reject = reject;
    });
    if (signal !== undefined) item.release = onAbort(signal, () => this.#abort(item, abortedError(signal)));
    this.#waiting.push(item);
    this.#waitingBytes += sizeOf(item);
    if (this.#link !== null) this.pump();
    return promise;
  }

  /** Why a message may not wait, or null. */
  #refusal(message: PendingPublish): MessagingError | null {
    const availability = this.#owner.availability();
    if (availability === "closed") return new MessagingError("ERR_CLIENT_CLOSED", "the client is closed");
    if (availability === "draining") return new MessagingError("ERR_DRAINING", "the client is closing");
    if (availability === "none") return new MessagingError("ERR_NOT_CONNECTED", "the client is not connected");
    return this.#link === null ? this.#offlineRefusal(message) : this.#busyRefusal(this.#link, message);
  }

  #offlineRefusal(message: PendingPublish): MessagingError | null {
    const policy: WhenOffline = this.#settings.whenOffline ?? (message.qos === 0 ? "reject" : "block");
    if (policy === "reject") return new MessagingError("ERR_NOT_CONNECTED", "the connection is being made again");
    if (this.#fits(message)) return null;
    if (policy === "dropOldest" && this.#dropOldest(message)) return null;
    if (policy !== "block") this.#owner.dropped(message, "offlineFull");
    return new MessagingError("ERR_OFFLINE_FULL", "too many messages wait for a connection");
  }

  #busyRefusal(link: Link, message: PendingPublish): MessagingError | null {
    const windowFull = message.qos !== 0 && this.#session.outbound.quota <= 0;
    if (windowFull && this.#settings.whenInflightFull === "reject") {
      return new MessagingError("ERR_MAX_INFLIGHT", "too many messages in flight");
    }
    if (this.#fits(message)) return null;
    return link.outbox.full
      ? new MessagingError("ERR_OUTBOUND_BACKPRESSURE", "the server reads too slowly and too many messages wait")
      : new MessagingError("ERR_MAX_INFLIGHT", "too many messages in flight and waiting");
  }

  #fits(message: PendingPublish): boolean {
    const { waitingMessagesMax, waitingBytesMax } = this.#settings;
    return this.#waiting.length < waitingMessagesMax && this.#waitingBytes + sizeOf(message) <= waitingBytesMax;
  }

  #dropOldest(message: PendingPublish): boolean {
    while (!this.#fits(message)) {
      const oldest = this.#waiting.shift();
      if (oldest === undefined) return false;
      this.#waitingBytes -= sizeOf(oldest);
      this.#owner.dropped(oldest, "offlineFull");
      this.#settleError(oldest, new MessagingError("ERR_OFFLINE_FULL", "dropped for a newer message"));
    }
    return true;
  }

  #abort(item: PendingPublish, error: MessagingError): void {
    if (this.#waiting.remove((other) => other === item) !== undefined) this.#waitingBytes -= sizeOf(item);
    this.#settleError(item, error);
  }

  #complete(item: PendingPublish, packetId: number, reasonCode: number, properties: ReasonProperties | null): void {
    item.chunk = null;
    if (item.release !== null) this.#release(item);
    if (reasonCode < 0x80) item.resolve(publishResult(reasonCode, properties));
    else item.reject(rejected(item.topic, reasonCode, properties));
    if (packetId !== 0 && this.#idleWaiters.length > 0) this.#wakeIdle();
  }

  #settleError(item: PendingPublish, error: Error): void {
    if (item.release !== null) this.#release(item);
    item.reject(error);
    this.#wakeIdle();
  }

  #release(item: PendingPublish): void {
    item.release?.();
    item.release = null;
  }

  #wakeIdle(): void {
    if (this.#idleWaiters.length === 0 || this.pending > 0) return;
    for (const wake of this.#idleWaiters.splice(0)) wake();
  }
}

const EMPTY: Uint8Array = new Uint8Array(0);

/** What a waiting message counts for, in bytes: its topic, properties and payload. */
function sizeOf(message: {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly block: Uint8Array | null;
}): number {
  return message.topic.length + message.payload.length + (message.block?.length ?? 0);
}

function rejected(topic: string, reasonCode: number, properties: ReasonProperties | null): MessagingError {
  const text = properties?.reasonString ?? "";
  const message = `the server refused the message on ${topic}: ${reasonName(reasonCode)}${text === "" ? "" : `, ${text}`}`;
  return new MessagingError("ERR_PUBLISH_REJECTED", message, { peer: { protocol: "mqtt", code: reasonCode, text } });
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new MessagingError("ERR_INVALID_MESSAGE", String(error));
}
