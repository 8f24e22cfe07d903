// Hot path: `publish` and `onDone` run per message. No closure, iterator or regex there; one promise per QoS 1 or 2 message.
import { abortedError, onAbort, throwIfAborted } from "../../base/abort.ts";
import { MessagingError } from "../../base/errors.ts";
import type { Tracer } from "../../base/tracer.ts";
import { NO_BYTES } from "../../bytes/no-bytes.ts";
import type { QoS, ReasonProperties } from "../codec/packets.ts";
import { PAYLOAD_LARGE } from "../codec/publish.ts";
import type { TopicEncoder } from "../codec/topic-encoder.ts";
import type { OutboundFlow } from "../engine/outbound-flow.ts";
import { Admission, type AdmissionOwner } from "./admission.ts";
import { Inflight } from "./inflight.ts";
import type { Link } from "./link.ts";
import type { Settings } from "./options.ts";
import { type ClientItem, PendingPublish, PUBLISHED, type PublishResult } from "./pending.ts";
import type { Resender } from "./resender.ts";
import type { StoredLane } from "./stored-lane.ts";
import type { StoredSession } from "./stored-session.ts";
import { WaitingLine } from "./waiting-line.ts";

/** What a publisher needs to know and tell. */
export interface PublisherOwner extends AdmissionOwner {
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
  readonly #outbound: OutboundFlow<ClientItem>;
  readonly #topics: TopicEncoder;
  /** The open connection, or null. */
  #link: Link | null = null;
  /** Messages that wait for a connection, for room in the window or in the outbox, in order. */
  readonly #waiting: WaitingLine;
  readonly #admission: Admission;
  readonly #inflight: Inflight;
  /** With a store. */
  #stored: StoredLane | null = null;
  /** Null as long as nothing can have to be sent again. */
  #resender: Resender | null = null;
  readonly #tracer: Tracer;
  #draining = false;
  readonly #scratch = new PendingPublish("", NO_BYTES, 0, false, null);
  readonly #done: Promise<PublishResult> = Promise.resolve(PUBLISHED);
  readonly #idleWaiters: (() => void)[] = [];

  constructor(
    settings: Settings,
    owner: PublisherOwner,
    outbound: OutboundFlow<ClientItem>,
    shared: { readonly topics: TopicEncoder; readonly tracer: Tracer },
  ) {
    const { topics, tracer } = shared;
    this.#settings = settings;
    this.#owner = owner;
    this.#outbound = outbound;
    this.#topics = topics;
    this.#tracer = tracer;
    this.#waiting = new WaitingLine(settings.waitingMessagesMax, settings.waitingBytesMax);
    const fail = (item: PendingPublish, error: Error): void => this.#settleError(item, error);
    this.#admission = new Admission(settings, owner, this.#waiting, fail);
    this.#inflight = new Inflight(outbound, settings.store === null ? "reused" : "kept", tracer);
  }

  /** Sends again from now on what a connection leaves in flight; called before the first connection that may have such messages. */
  resendWith(Code: typeof Resender): void {
    this.#resender = new Code(
      {
        outbound: this.#outbound,
        inflight: this.#inflight,
        topics: this.#topics,
        stored: () => this.#stored,
        refused: (item, error) => {
          this.#owner.dropped(item, "refused");
          this.#settleError(item, error);
        },
      },
      this.#settings.maxDeliveryRetries,
    );
  }

  /** Stores every step of a message from now on; called before the first connection. */
  keepIn(session: StoredSession): void {
    const parts = { outbound: this.#outbound, inflight: this.#inflight, topics: this.#topics };
    this.#stored = session.lane(parts, {
      link: () => this.#link,
      resends: (packetId) => this.#resender?.isNext(packetId) === true,
      written: () => this.#owner.awaitingChanged(),
      failed: (item, error) => this.#settleError(item, error),
      pump: () => this.pump(),
    });
  }

  /** Messages that are not acknowledged or not sent yet. */
  get pending(): number {
    return this.#waiting.length + this.#outbound.inflight + (this.#stored?.storing ?? 0);
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
    throwIfAborted(signal);
    if (
      link === null ||
      this.#draining ||
      this.#waiting.length > 0 ||
      this.#resending() !== null ||
      !this.#canSend(link, qos)
    ) {
      return this.submit(new PendingPublish(topic, payload, qos, retain, block), signal);
    }
    link.check(qos, retain, block);
    if (qos !== 0) {
      const item = this.#inflight.take(topic, qos, retain, block);
      this.#send(link, item, topicBytes, payload);
      const promise = this.#inflight.promise(item);
      if (signal !== undefined) this.#watch(item, signal);
      return promise;
    }
    const scratch = this.#scratch;
    scratch.retain = retain;
    link.engine.sendPublish(scratch, topic, topicBytes, payload, block);
    if (this.#tracer.publish.hasSubscribers) this.#tracer.published(topic, payload.length, 0);
    return this.#done;
  }

  /** A connection is open: sends again what is in flight, in order, then what waits. */
  open(link: Link, sessionPresent: boolean): void {
    this.#link = link;
    this.#resender?.open(link, sessionPresent);
    this.pump();
  }

  /** The connection is gone; what is in flight stays. */
  close(): void {
    this.#link = null;
    this.#resender?.close();
  }

  /** The connection ended by the server or the link; what a server ended too many connections over is given up. */
  lost(error: MessagingError): void {
    this.#resender?.lost(error);
  }

  /** The server has done with all that was sent before PINGREQ. */
  onPingresp(): void {
    if (this.#resender?.onPingresp() === true) this.pump();
  }

  /** Sends what can be sent now: repetitions first, then waiting messages. */
  pump(): void {
    const link = this.#link;
    if (link === null) return;
    const resender = this.#resender;
    if (resender !== null) while (!resender.done) if (!resender.next(link, this.#canSend(link, 1))) return;
    for (let next = this.#waiting.peek(); next !== undefined; next = this.#waiting.peek()) {
      if (!this.#canSend(link, next.qos)) return;
      this.#waiting.shift();
      this.#sendWaiting(link, next);
    }
    this.#wakeIdle();
  }

  /** PUBACK, PUBCOMP or a refusing PUBREC came. */
  onDone(item: PendingPublish, packetId: number, reasonCode: number, properties: ReasonProperties | null): void {
    if (this.#stored !== null) this.#stored.forget(packetId);
    const resending = this.#resending();
    resending?.answered(item);
    this.#inflight.complete(this.#link, item, reasonCode, properties);
    if (this.#outbound.inflight === 0) {
      this.#owner.awaitingChanged();
      this.#wakeIdle();
    }
    if (resending !== null || this.#waiting.length > 0) this.pump();
  }

  /** PUBREC came, perhaps again: PUBREL leaves, with a store after that fact is stored. */
  onReceived(item: PendingPublish, packetId: number): void {
    const link = this.#link;
    if (link === null) return;
    const resending = this.#resending();
    resending?.answered(item);
    item.sentAtMs = link.nowMs();
    // The bytes are the server's now.
    this.#inflight.unpin(link, item);
    if (this.#stored === null || item.releaseStored) link.engine.sendPubrel(packetId, 0);
    else if (!item.storing) this.#stored.release(link, item, packetId);
    if (resending !== null) this.pump();
  }

  /**
   * Fails what has waited too long for its acknowledgement; the messages themselves stay in flight.
   * @param flowingSinceMs when the transport last began to take bytes: none left before
   */
  expire(nowMs: number, flowingSinceMs: number): void {
    const timeoutMs = this.#settings.ackTimeoutMs;
    if (timeoutMs === 0) return;
    const outbound = this.#outbound;
    for (const id of outbound.publishIds()) {
      const item = outbound.item(id);
      if (!(item instanceof PendingPublish) || item.sentAtMs < 0) continue;
      if (nowMs - Math.max(item.sentAtMs, flowingSinceMs) < timeoutMs) continue;
      item.sentAtMs = -1;
      this.#resender?.expired(item);
      this.#settleError(item, new MessagingError("ERR_TIMEOUT", `no acknowledgement within ${timeoutMs} ms`));
    }
    this.pump();
  }

  /** Fails everything that nobody will send any more; `inflight` says what becomes of messages in flight. */
  fail(error: MessagingError, inflight: "keep" | "forget"): void {
    for (let item = this.#waiting.shift(); item !== undefined; item = this.#waiting.shift())
      this.#settleError(item, error);
    const outbound = this.#outbound;
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

  /** What sends again, while something is left for it or awaits its answer. */
  #resending(): Resender | null {
    return this.#resender === null || this.#resender.done ? null : this.#resender;
  }

  #canSend(link: Link, qos: QoS): boolean {
    if (link.outbox.full) {
      link.wakeWhenRoom();
      return false;
    }
    return qos === 0 ? this.#stored === null || this.#stored.storing === 0 : this.#outbound.quota > 0;
  }

  /** Takes an in-flight slot and sends, or stores and then sends. */
  #send(link: Link, item: PendingPublish, topicBytes: Uint8Array, payload: Uint8Array): void {
    // Kept until it is stored, when the caller may have changed it, or because it is large.
    const isKept = this.#stored !== null || payload.length >= PAYLOAD_LARGE;
    const sent = isKept && item.payload !== payload ? item.own(payload) : payload;
    if (this.#stored !== null) return this.#stored.send(link, item);
    this.#inflight.send(link, item, topicBytes, sent);
    this.#owner.awaitingChanged();
  }

  #sendWaiting(link: Link, item: PendingPublish): void {
    try {
      link.check(item.qos, item.retain, item.block);
      const topicBytes = this.#topics.encode(item.topic);
      if (item.qos === 0) {
        link.engine.sendPublish(item, item.topic, topicBytes, item.payload, item.block);
        if (this.#tracer.publish.hasSubscribers) this.#tracer.published(item.topic, item.payload.length, 0);
        this.#inflight.complete(link, item, 0, null);
      } else this.#send(link, item, topicBytes, item.payload);
    } catch (error) {
      this.#settleError(item, error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** Takes a message to be sent after those that wait, or as soon as there is room. */
  submit(item: PendingPublish, signal: AbortSignal | undefined): Promise<PublishResult> {
    const refused = this.#admission.refusal(this.#link, this.#outbound.quota <= 0, item);
    if (refused !== null) return Promise.reject(refused);
    // A copy, for the caller may change its bytes before they are sent.
    item.own(item.payload);
    const promise = this.#inflight.promise(item);
    if (signal !== undefined) this.#watch(item, signal);
    this.#waiting.push(item);
    if (this.#link !== null) this.pump();
    return promise;
  }

  #watch(item: PendingPublish, signal: AbortSignal): void {
    item.release = onAbort(signal, () => this.withdraw(item, abortedError(signal)));
  }

  /** Fails a message, which is not sent if it waits; in flight it stays. */
  withdraw(item: PendingPublish, error: Error): void {
    this.#waiting.remove(item);
    this.#settleError(item, error);
  }

  #settleError(item: PendingPublish, error: Error): void {
    this.#inflight.settleError(item, error);
    this.#wakeIdle();
  }

  #wakeIdle(): void {
    if (this.#idleWaiters.length === 0 || this.pending > 0) return;
    for (const wake of this.#idleWaiters.splice(0)) wake();
  }
}
