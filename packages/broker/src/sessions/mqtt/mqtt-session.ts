// Hot path: `deliver` runs per delivery. No closure, promise, spread, iterator or regex on its usual way.
import { ByteReader, Deque, isMessagingError, type TextCodec } from "polymq/internal";
import { Phase, SessionState } from "polymq/mqtt/engine";
import type { Hub } from "../../core/hub.ts";
import { type DropReason, Mailbox, type MailboxLimits } from "../../core/mailbox.ts";
import type { Guarantee, MessageView } from "../../core/message.ts";
import type { StoredSession } from "../../core/persistence.ts";
import type { RestoredSession } from "../../core/restore.ts";
import type { EndReason, Session } from "../../core/session-directory.ts";
import type { Availability, DeliverResult, Subscription } from "../../core/subscription.ts";
import type { BrokerMetrics } from "../../metrics/broker-metrics.ts";
import type { CommitListener } from "../../storage/committer.ts";
import { Delivery, decodeDelivery, encodeDelivery } from "./delivery.ts";
import { PendingReplays } from "./pending-replays.ts";
import { type Outgoing, QueuedDelivery } from "./queued-delivery.ts";

/** The connection of a session, as the session sees it. */
export interface SessionPort {
  /** True when it takes no more for now: too much is unsent. */
  readonly congested: boolean;
  /** Writes a QoS 0 message; false when the client cannot take it (it is too large for it). */
  sendNow(message: MessageView, identifiers: readonly number[], retain: boolean): boolean;
  /** Writes a QoS 1 or 2 message under `delivery.packetId`; false as for `sendNow`. */
  sendDelivery(delivery: Delivery): boolean;
  sendPubrel(packetId: number): void;
  /** Another connection has taken the session over. */
  onTakenOver(): void;
  /** The session was ended under the connection. */
  onSessionEnded(): void;
}

/** What sessions work with. */
export interface MqttSessionParts {
  readonly hub: Hub;
  readonly limits: MailboxLimits;
  /** Bytes of messages in flight above which no further one is sent, about. */
  readonly inflightBytesMax: number;
  readonly metrics: BrokerMetrics;
  readonly text: TextCodec;
}

/** Packet identifiers there are (MQTT 5.0 §2.2.1). */
const PACKET_IDS = 65_535;

/**
 * An MQTT session (MQTT 5.0 §4.1): what waits for a client and what is in flight to it, with or without a connection. It
 * subscribes at the hub in the client's name.
 */
export class MqttSession implements Session {
  readonly id: string;
  /** The name of who made it, or "". Nobody else may go on with it: it holds messages that only this one was allowed to see. */
  readonly owner: string;
  readonly state: SessionState<Outgoing> = new SessionState<Outgoing>();
  readonly mailbox: Mailbox<Delivery>;
  readonly #hub: Hub;
  readonly #metrics: BrokerMetrics;
  readonly #replays: PendingReplays;
  #stored: StoredSession | null = null;
  #port: SessionPort | null = null;
  #ended = false;
  /** True once what was in flight may be sent again on this connection. */
  #ready = false;
  readonly #inflightBytesMax: number;
  /** Bytes of all messages in flight, about. */
  #inflightBytes = 0;
  /** Ids still to be sent again on this connection, oldest first. */
  readonly #resend = new Deque<number>();

  constructor(id: string, owner: string, parts: MqttSessionParts) {
    this.id = id;
    this.owner = owner;
    this.#hub = parts.hub;
    this.#metrics = parts.metrics;
    this.#inflightBytesMax = parts.inflightBytesMax;
    this.#replays = new PendingReplays(parts.hub);
    this.mailbox = new Mailbox<Delivery>(
      parts.limits,
      (delivery, reason) => this.#onDropped(delivery, reason),
      parts.hub.held,
    );
  }

  /** Takes up a session of an earlier process. @throws {MessagingError} ERR_STORE_CORRUPT */
  static restore(restored: RestoredSession, parts: MqttSessionParts): MqttSession {
    const session = new MqttSession(restored.id, ownerOf(restored.stored.facts.state, parts.text), parts);
    session.#stored = restored.stored;
    session.state.inbound.restore(restored.inbound);
    const inflight: { id: number; item: Delivery; phase: Phase }[] = [];
    for (const { message, record, stored } of restored.deliveries) {
      const { delivery, phase } = decodeDelivery(message, record);
      delivery.stored = stored;
      if (phase === "waiting") session.mailbox.restore(delivery);
      else {
        inflight.push({ id: delivery.packetId, item: delivery, phase: phaseOf(delivery, phase) });
        session.#enter(delivery);
      }
    }
    session.state.outbound.restore(inflight);
    return session;
  }

  /** What the store remembers of a session besides its messages. */
  static stateOf(owner: string, text: TextCodec): Uint8Array {
    const state = new Uint8Array(text.byteLength(owner));
    text.write(state, 0, owner);
    return state;
  }

  get stored(): StoredSession | null {
    return this.#stored;
  }

  /** Where deliveries are stored from now on. */
  keepIn(stored: StoredSession | null): void {
    this.#stored = stored;
  }

  get availability(): Availability {
    const port = this.#port;
    if (port === null) return "away";
    const room = this.#ready && this.mailbox.length === 0 && this.#resend.length === 0 && this.#hasWindow();
    return room && !port.congested ? "ready" : "busy";
  }

  /** Messages that may be in flight besides those that are; 0 while others wait or too much is unsent. */
  get room(): number {
    const outbound = this.state.outbound;
    return this.availability === "ready" ? Math.min(outbound.quota, PACKET_IDS - outbound.inflight) : 0;
  }

  /** True when one more message may be in flight. */
  #hasWindow(): boolean {
    const outbound = this.state.outbound;
    return outbound.quota > 0 && outbound.inflight < PACKET_IDS && this.#inflightBytes < this.#inflightBytesMax;
  }

  deliver(message: MessageView, subscription: Subscription, guarantee: Guarantee): DeliverResult {
    const { held } = this.#hub;
    if (guarantee > 0 && held.isTight && (held.isFull || this.availability !== "ready")) {
      held.refusedCount++;
      return "refused";
    }
    const retain = subscription.retainAsPublished && message.retain;
    return this.#deliver(message, subscription, guarantee, retain);
  }

  /** A new connection has the session. Nothing is sent before {@link resume}. */
  attach(port: SessionPort): void {
    this.#port = port;
    this.#ready = false;
  }

  /** CONNACK is written: sends again what was in flight, in order [MQTT-4.4.0-1], then what waits. */
  resume(): void {
    const outbound = this.state.outbound;
    this.#resend.clear();
    for (const id of outbound.publishIds()) this.#resend.push(id);
    this.#ready = true;
    this.pump();
  }

  /** The connection is gone. */
  detach(port: SessionPort): void {
    if (this.#port !== port) return;
    this.#port = null;
    this.#ready = false;
    this.#resend.clear();
  }

  /** Sends what waits, as far as there is room. */
  pump(): void {
    const port = this.#port;
    if (port === null || !this.#ready) return;
    while (this.#resend.length > 0) if (!this.#resendNext(port)) return;
    while (this.mailbox.length > 0 && this.#hasWindow() && !port.congested) {
      const delivery = this.mailbox.take(this.#hub.clock.epochMs());
      if (delivery === undefined) break;
      if (!this.#begin(port, delivery)) this.#hub.statistics.messagesDropped++;
    }
    if (!this.#replays.isEmpty) this.#replay();
  }

  /** Sends the retained messages that match a subscription which was just made, as there is room. */
  replay(subscription: Subscription): void {
    this.#replays.add(subscription);
  }

  /** A subscription was removed: nothing more is sent because of it [MQTT-3.10.4-2]. */
  onUnsubscribed(subscription: Subscription): void {
    if (subscription.group === null) this.#replays.drop(subscription.filter);
  }

  /** PUBACK or PUBCOMP came, or a PUBREC that refuses. */
  onDone(delivery: Delivery): void {
    this.#exit(delivery);
    this.#forget(delivery);
    this.pump();
  }

  /** PUBREC came: PUBREL leaves once that is stored. */
  onReceived(delivery: Delivery, packetId: number): void {
    if (delivery.stored === null) {
      this.#port?.sendPubrel(packetId);
      return;
    }
    this.#hub.persistence?.updateDelivery(delivery.stored, encodeDelivery(delivery, "released"));
    delivery.mayGo = false;
    this.#hub.committer.whenDurable(this.#releaser, packetId);
  }

  onTakenOver(): void {
    this.#port?.onTakenOver();
  }

  onEnded(_reason: EndReason): void {
    this.#ended = true;
    const port = this.#port;
    this.#port = null;
    this.#replays.clear();
    this.#handOn();
    port?.onSessionEnded();
  }

  sweep(nowMs: number): void {
    this.mailbox.sweep(nowMs);
  }

  /** Sends PUBREL once it is stored that the client has the message. */
  readonly #releaser: CommitListener = {
    onDurable: (packetId) => {
      const delivery = this.state.outbound.item(packetId);
      if (!(delivery instanceof Delivery) || this.state.outbound.phase(packetId) !== Phase.Released) return;
      delivery.mayGo = true;
      const port = this.#port;
      if (port === null || !this.#ready) return; // `resume` sends it
      if (this.#awaitsResend(packetId)) this.pump();
      else port.sendPubrel(packetId);
    },
    onCommitFailed: () => undefined, // the broker is stopping: the client goes on with the next one
  };

  /** Sends a message once its identifier is stored. */
  readonly #sender: CommitListener = {
    onDurable: (packetId) => {
      const delivery = this.state.outbound.item(packetId);
      if (!(delivery instanceof Delivery) || delivery.mayGo) return;
      delivery.mayGo = true;
      const port = this.#port;
      if (port === null || !this.#ready) return; // `resume` sends it
      if (this.#resend.length > 0) this.pump();
      else if (!this.#write(port, delivery)) this.#hub.statistics.messagesDropped++;
    },
    onCommitFailed: () => undefined,
  };

  #deliver(message: MessageView, subscription: Subscription, guarantee: Guarantee, retain: boolean): DeliverResult {
    if (this.#ended) return "dropped";
    const port = this.#port;
    if (guarantee === 0) return port === null ? "dropped" : this.#sendNow(port, message, subscription, retain);
    const stored = this.#stored;
    const kept = port !== null && stored === null ? message.lend() : message.keep();
    const delivery = new Delivery(kept, guarantee, retain, subscription.identifiers);
    delivery.group = subscription.sharedGroup;
    const now = port !== null && this.availability === "ready";
    if (!now && !this.mailbox.accepts(delivery.message.bytes)) {
      this.mailbox.put(delivery); // counts it
      this.#metrics.messagesDroppedFull++;
      return "dropped";
    }
    if (stored !== null) {
      delivery.stored =
        this.#hub.persistence?.saveDelivery(stored, delivery.message, encodeDelivery(delivery, "waiting")) ?? null;
    }
    if (port !== null && now) return this.#begin(port, delivery) ? "sent" : "dropped";
    this.mailbox.put(delivery);
    return "queued";
  }

  #sendNow(port: SessionPort, message: MessageView, subscription: Subscription, retain: boolean): DeliverResult {
    if (port.congested) {
      this.#metrics.messagesDroppedSlow++;
      return "dropped";
    }
    if (port.sendNow(message, subscription.identifiers, retain)) return "sent";
    this.#metrics.messagesTooLarge++;
    return "dropped";
  }

  /**
   * Takes a packet id and sends; false when the client cannot take the message at all. The identifier of a stored message is stored before it
   * leaves: a broker that lost it would send the message anew under another one, and, worse, another message under this one, which a
   * client that is still at work on the first would take for its repetition.
   */
  #begin(port: SessionPort, delivery: Delivery): boolean {
    const packetId = this.state.outbound.beginPublish(
      delivery,
      delivery.qos === 1 ? Phase.AtLeastOnce : Phase.ExactlyOnce,
    );
    delivery.packetId = packetId;
    delivery.dup = false;
    this.#enter(delivery);
    if (delivery.stored === null) return this.#write(port, delivery);
    this.#hub.persistence?.updateDelivery(delivery.stored, encodeDelivery(delivery, "sent"));
    delivery.mayGo = false;
    this.#hub.committer.whenDurable(this.#sender, packetId);
    return true;
  }

  /** The message is in flight from now on. */
  #enter(delivery: Delivery): void {
    delivery.isHeld = true;
    this.#inflightBytes += delivery.message.bytes;
    this.#hub.held.hold(delivery.message);
  }

  /** It is so no more. */
  #exit(delivery: Delivery): void {
    if (!delivery.isHeld) return; // the session had ended before
    delivery.isHeld = false;
    this.#inflightBytes -= delivery.message.bytes;
    this.#hub.held.release(delivery.message);
  }

  /** Writes a message in flight; false when the client cannot take it: then it counts as delivered [MQTT-3.1.2-25]. */
  #write(port: SessionPort, delivery: Delivery): boolean {
    if (port.sendDelivery(delivery)) {
      delivery.dup = true;
      return true;
    }
    const outbound = this.state.outbound;
    outbound.finish(delivery.packetId, outbound.phase(delivery.packetId));
    this.#exit(delivery);
    this.#metrics.messagesTooLarge++;
    this.#forget(delivery);
    return false;
  }

  #resendNext(port: SessionPort): boolean {
    const outbound = this.state.outbound;
    const id = this.#resend.peek() ?? 0;
    const delivery = outbound.item(id);
    // Those of queues are not sent again: their queues have them back.
    if (delivery === undefined || delivery instanceof QueuedDelivery) {
      this.#resend.shift();
      return true;
    }
    if (!delivery.mayGo) return false;
    if (outbound.phase(id) === Phase.Released) {
      this.#resend.shift();
      port.sendPubrel(id);
      return true;
    }
    if (outbound.quota <= 0 || port.congested) return false;
    this.#resend.shift();
    outbound.charge();
    if (!this.#write(port, delivery)) this.#hub.statistics.messagesDropped++;
    return true;
  }

  /** True while the connection has still to repeat what it says about this identifier. */
  #awaitsResend(packetId: number): boolean {
    for (let i = 0; i < this.#resend.length; i++) if (this.#resend.at(i) === packetId) return true;
    return false;
  }

  #replay(): void {
    while (this.availability === "ready") {
      const message = this.#replays.next();
      const subscription = this.#replays.subscription;
      if (message === null || subscription === null) return;
      const guarantee = message.guarantee < subscription.guaranteeMax ? message.guarantee : subscription.guaranteeMax;
      const result = this.#deliver(message, subscription, guarantee, true);
      if (result === "dropped") this.#hub.statistics.messagesDropped++;
    }
  }

  #forget(delivery: Delivery): void {
    if (delivery.stored === null) return;
    this.#hub.persistence?.dropDelivery(delivery.stored);
    delivery.stored = null;
  }

  #onDropped(delivery: Delivery, reason: DropReason): void {
    this.#hub.statistics.messagesDropped++;
    if (reason === "overflow") this.#metrics.messagesDroppedFull++;
    else this.#metrics.messagesExpired++;
    this.#forget(delivery);
  }

  /**
   * Shared messages that this session will not handle any more go to other members of their groups; a QoS 2 message that was
   * sent already does not, for the client may have it [MQTT-4.8.2-5].
   */
  #handOn(): void {
    const outbound = this.state.outbound;
    const left: Delivery[] = [];
    for (const id of outbound.publishIds()) {
      const delivery = outbound.item(id);
      if (!(delivery instanceof Delivery)) continue;
      this.#exit(delivery);
      if (outbound.phase(id) === Phase.AtLeastOnce) left.push(delivery);
    }
    for (let i = 0; i < this.mailbox.length; i++) left.push(this.mailbox.at(i) as Delivery);
    this.mailbox.clear(); // first, for what this session holds is the room that others need
    for (const delivery of left) this.#handOnOne(delivery);
  }

  #handOnOne(delivery: Delivery): void {
    const group = delivery.group;
    if (group !== null) this.#hub.redistribute(group.name, group.filter, delivery.message);
  }
}

function phaseOf(delivery: Delivery, phase: "sent" | "released"): Phase {
  if (phase === "released") return Phase.Released;
  return delivery.qos === 1 ? Phase.AtLeastOnce : Phase.ExactlyOnce;
}

function ownerOf(state: Uint8Array, text: TextCodec): string {
  return new ByteReader(text, state).utf8(state.length);
}

/** True for an error that says that a packet is too large for the peer. */
export function isTooLarge(error: unknown): boolean {
  return isMessagingError(error) && error.code === "ERR_PACKET_TOO_LARGE";
}
