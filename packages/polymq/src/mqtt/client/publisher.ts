// Hot path: `publish` runs per message. No closure, iterator or regex there; one promise per QoS 1 or 2 message.
import { abortedError, onAbort } from "../../base/abort.ts";
import { Deque } from "../../base/deque.ts";
import { MessagingError } from "../../base/errors.ts";
import { copyOf } from "../../bytes/copy.ts";
import type { QoS, ReasonProperties } from "../codec/packets.ts";
import { ReasonCode } from "../codec/reason-codes.ts";
import type { TopicEncoder } from "../codec/topic-encoder.ts";
import { Phase } from "../engine/outbound-flow.ts";
import type { SessionState } from "../engine/session-state.ts";
import type { DropReason } from "./events.ts";
import type { Link } from "./link.ts";
import type { Settings, WhenOffline } from "./options.ts";
import {
  type ClientItem,
  PendingPublish,
  PUBLISHED,
  type PublishResult,
  publishRejected,
  publishResult,
  type RestoredPublish,
} from "./pending.ts";
import { PromiseEnds } from "./promise-ends.ts";
import type { StoreWriter } from "./store-writer.ts";
import { storedProperties } from "./stored-properties.ts";
import { WaitingLine } from "./waiting-line.ts";

/** What the client is doing, as far as a publish is concerned. */
export type Availability = "online" | "offline" | "none" | "draining" | "closed";

/** What a publisher needs to know and tell. */
export interface PublisherOwner {
  availability(): Availability;
  dropped(item: PendingPublish, reason: DropReason): void;
  /** Whether reading may be paused for a slow consumer depends on this: an acknowledgement is awaited now, or none any more. */
  awaitingChanged(): void;
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
  readonly #waiting: WaitingLine;
  /** Messages being stored; they are sent in order when they are. */
  #storing = 0;
  /** Ids begun on an earlier connection and to be sent on this one, oldest first; new messages come after them. */
  readonly #resend = new Deque<number>();
  #order = 1;
  #draining = false;
  readonly #scratch = new PendingPublish("", new Uint8Array(0), 0, false, null);
  readonly #ends = new PromiseEnds();
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
    this.#waiting = new WaitingLine(settings.waitingMessagesMax, settings.waitingBytesMax);
  }

  /** Messages that are not acknowledged or not sent yet. */
  get pending(): number {
    return this.#waiting.length + this.#session.outbound.inflight + this.#storing;
  }

  /** Publishes that wait, and their bytes. */
  get waiting(): { readonly messages: number; readonly bytes: number } {
    return { messages: this.#waiting.length, bytes: this.#waiting.bytes };
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
    if (signal?.aborted === true) throw abortedError(signal);
    if (link === null || this.#draining || !this.#hasRoom(link, qos)) {
      return this.#enqueue(new PendingPublish(topic, payload, qos, retain, block), signal);
    }
    link.check(qos, retain, block);
    if (qos !== 0) {
      const item = new PendingPublish(topic, payload, qos, retain, block);
      const promise = this.#begin(link, item, topicBytes);
      if (signal !== undefined) this.#watch(item, signal);
      return promise;
    }
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
      if (!(item instanceof PendingPublish)) continue;
      // The deadline of its acknowledgement starts anew when it is sent anew.
      item.sentAtMs = -1;
      // Without the session it is a new message to the server, and one that was never written is new in any case [MQTT-4.3.2-2].
      item.dup = sessionPresent && item.attempted;
      if (!sessionPresent && outbound.phase(id) === Phase.Released) {
        // The server confirmed receipt before it forgot the session: the message has arrived.
        outbound.finish(id, Phase.Released);
        this.#store?.write({ op: "deletePublish", packetId: id }, null);
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
      this.#sendWaiting(link, next);
    }
    this.#wakeIdle();
  }

  /** PUBACK, PUBCOMP or a refusing PUBREC came. */
  onDone(item: PendingPublish, packetId: number, reasonCode: number, properties: ReasonProperties | null): void {
    if (this.#store !== null) this.#store.write({ op: "deletePublish", packetId }, null);
    this.#complete(item, packetId, reasonCode, properties);
    if (this.#session.outbound.inflight === 0) {
      this.#owner.awaitingChanged();
    }
    if (this.#resend.length > 0 || this.#waiting.length > 0) this.pump();
  }

  /** PUBREC came: PUBREL leaves, with a store after that fact is stored. */
  onReceived(item: PendingPublish, packetId: number): void {
    const link = this.#link;
    if (link === null) return;
    item.sentAtMs = link.nowMs();
    // The bytes are the server's now.
    this.#unpin(item);
    if (this.#store === null) link.engine.sendPubrel(packetId, 0);
    else this.#storeRelease(link, item, packetId, this.#store);
  }

  /**
   * Fails what has waited too long for its acknowledgement; the messages themselves stay in flight.
   * @param flowingSinceMs when the transport last began to take bytes: none left before
   */
  expire(nowMs: number, flowingSinceMs: number): void {
    const timeoutMs = this.#settings.ackTimeoutMs;
    if (timeoutMs === 0) return;
    const outbound = this.#session.outbound;
    for (const id of outbound.publishIds()) {
      const item = outbound.item(id);
      if (!(item instanceof PendingPublish) || item.sentAtMs < 0) continue;
      if (nowMs - Math.max(item.sentAtMs, flowingSinceMs) < timeoutMs) continue;
      item.sentAtMs = -1;
      this.#settleError(item, new MessagingError("ERR_TIMEOUT", `no acknowledgement within ${timeoutMs} ms`));
    }
  }

  /** Fails everything that nobody will send any more; `inflight` says what becomes of messages in flight. */
  fail(error: MessagingError, inflight: "keep" | "forget"): void {
    for (let item = this.#waiting.shift(); item !== undefined; item = this.#waiting.shift())
      this.#settleError(item, error);
    const outbound = this.#session.outbound;
    for (const id of outbound.publishIds()) {
      const item = outbound.item(id);
      if (item instanceof PendingPublish) this.#settleError(item, error);
      if (inflight === "forget") outbound.finish(id, outbound.phase(id));
    }
    this.#wakeIdle();
  }

  /** Takes no new messages from now on; resolves when nothing is pending. */
  drain(): Promise<void> {
    this.#draining = true;
    if (this.pending === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  /** Puts back messages of an earlier process, by rising `order`; they are sent again on the next connection. */
  restore(entries: readonly RestoredPublish[]): void {
    this.#session.outbound.restore(entries);
    for (const { item, phase, order } of entries) {
      item.attempted = true;
      item.releaseStored = phase === Phase.Released;
      this.#order = Math.max(this.#order, order + 1);
    }
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
    const promise = new Promise<PublishResult>(this.#ends.take);
    item.resolve = this.#ends.resolve;
    item.reject = this.#ends.reject;
    if (this.#store === null) this.#send(link, item, topicBytes);
    else {
      // Kept until it is stored, when the caller may have changed it.
      item.payload = copyOf(item.payload);
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
    this.#owner.awaitingChanged();
  }

  #write(link: Link, item: PendingPublish, topicBytes: Uint8Array): void {
    const payload = item.payload;
    const outbox = link.outbox;
    if (link.engine.sendPublish(item, item.topic, topicBytes, payload, item.block) === 0) {
      // The connection is over and nothing was written: the next one sends it, when the caller may have changed its bytes.
      item.payload = copyOf(payload);
      return;
    }
    item.attempted = true;
    item.chunk = outbox.pin();
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
      } else if (this.#link === link) this.#sendStored(link, item, phase);
      // Else it is among those that the connection of now sends again.
      this.pump();
    });
  }

  /** PUBREL leaves after it is stored that the server has the message: else a restart would send the message again. */
  #storeRelease(link: Link, item: PendingPublish, packetId: number, store: StoreWriter): void {
    item.storing = true;
    store.write({ op: "releasePublish", packetId }, (error) => {
      item.storing = false;
      if (error !== null) {
        (this.#link ?? link).fail(error);
        return;
      }
      item.releaseStored = true;
      if (this.#link === link && this.#resend.peek() !== packetId) link.engine.sendPubrel(packetId, 0);
      else this.pump();
    });
  }

  #sendStored(link: Link, item: PendingPublish, phase: Phase): void {
    try {
      this.#write(link, item, this.#topics.encode(item.topic));
      this.#owner.awaitingChanged();
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
    if (item.storing) return false;
    if (phase === Phase.Released) {
      if (this.#store !== null && !item.releaseStored) {
        this.#storeRelease(link, item, id, this.#store);
        return false;
      }
      this.#resend.shift();
      link.engine.sendPubrel(id, 0);
      item.sentAtMs = link.nowMs();
      return true;
    }
    if (!this.#canSend(link, item.qos)) return false;
    this.#resend.shift();
    outbound.charge();
    const before = item.chunk;
    try {
      item.payload = item.bytes();
      item.chunk = null;
      link.check(item.qos, item.retain, item.block);
      this.#write(link, item, this.#topics.encode(item.topic));
      if (before !== null) link.outbox.unpin(before);
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
    const refused = this.#refusal(item);
    if (refused !== null) return Promise.reject(refused);
    // A copy, for the caller may change its bytes before they are sent.
    item.payload = copyOf(item.payload);
    const promise = new Promise<PublishResult>((resolve, reject) => {
      item.resolve = resolve;
      item.reject = reject;
    });
    if (signal !== undefined) this.#watch(item, signal);
    this.#waiting.push(item);
    if (this.#link !== null) this.pump();
    return promise;
  }

  #watch(item: PendingPublish, signal: AbortSignal): void {
    item.release = onAbort(signal, () => {
      this.#waiting.remove(item);
      this.#settleError(item, abortedError(signal));
    });
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
    if (this.#waiting.fits(message)) return null;
    if (policy === "dropOldest" && this.#dropOldest(message)) return null;
    if (policy !== "block") this.#owner.dropped(message, "offlineFull");
    return new MessagingError("ERR_OFFLINE_FULL", "too many messages wait for a connection");
  }

  #busyRefusal(link: Link, message: PendingPublish): MessagingError | null {
    const windowFull = message.qos !== 0 && this.#session.outbound.quota <= 0;
    if (windowFull && this.#settings.whenInflightFull === "reject") {
      return new MessagingError("ERR_MAX_INFLIGHT", "too many messages in flight");
    }
    if (this.#waiting.fits(message)) return null;
    return link.outbox.full
      ? new MessagingError("ERR_OUTBOUND_BACKPRESSURE", "the server reads too slowly and too many messages wait")
      : new MessagingError("ERR_MAX_INFLIGHT", "too many messages in flight and waiting");
  }

  #dropOldest(message: PendingPublish): boolean {
    // What could never fit must not cost the others their place.
    if (!this.#waiting.couldFit(message)) return false;
    while (!this.#waiting.fits(message)) {
      const oldest = this.#waiting.shift();
      if (oldest === undefined) return false;
      this.#owner.dropped(oldest, "offlineFull");
      this.#settleError(oldest, new MessagingError("ERR_OFFLINE_FULL", "dropped for a newer message"));
    }
    return true;
  }

  #complete(item: PendingPublish, packetId: number, reasonCode: number, properties: ReasonProperties | null): void {
    this.#unpin(item);
    if (item.release !== null) this.#release(item);
    // PUBCOMP says so when the exchange was over on the last connection: the message has arrived (MQTT 5.0 §3.7.2.1).
    if (reasonCode === ReasonCode.PacketIdentifierNotFound) item.resolve(publishResult(0, properties));
    else if (reasonCode < 0x80) item.resolve(publishResult(reasonCode, properties));
    else item.reject(publishRejected(item.topic, reasonCode, properties));
    if (packetId !== 0 && this.#idleWaiters.length > 0) this.#wakeIdle();
  }

  #unpin(item: PendingPublish): void {
    if (item.chunk !== null) this.#link?.outbox.unpin(item.chunk);
    item.chunk = null;
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

function asError(error: unknown): Error {
  return error instanceof Error ? error : new MessagingError("ERR_INVALID_MESSAGE", String(error));
}
