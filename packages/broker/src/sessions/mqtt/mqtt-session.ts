// Hot path: `deliver` runs per delivery. No closure, promise, spread, iterator or regex on its usual way.
import { Deque, isMessagingError } from "polymq/internal";
import { Phase, SessionState } from "polymq/mqtt/engine";
import type { Hub } from "../../core/hub.ts";
import { type DropReason, Mailbox, type MailboxLimits } from "../../core/mailbox.ts";
import type { Guarantee, MessageView } from "../../core/message.ts";
import type { StoredSession } from "../../core/persistence.ts";
import type { RestoredSession } from "../../core/restore.ts";
import type { RetainedReplay } from "../../core/retained.ts";
import type { EndReason, Session } from "../../core/session-directory.ts";
import type { Availability, DeliverResult, Subscription } from "../../core/subscription.ts";
import { Delivery, decodeDelivery, encodeDelivery } from "./delivery.ts";

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
}

/** Retained messages that a new subscription has still to get. */
interface Replay {
  readonly messages: RetainedReplay;
  readonly subscription: Subscription;
}

/**
 * An MQTT session (MQTT 5.0 §4.1): what waits for a client and what is in flight to it, with or without a connection. It
 * subscribes at the hub in the client's name.
 */
export class MqttSession implements Session {
  readonly id: string;
  readonly state: SessionState<Delivery> = new SessionState<Delivery>();
  readonly mailbox: Mailbox<Delivery>;
  readonly #hub: Hub;
  #stored: StoredSession | null = null;
  #port: SessionPort | null = null;
  #ended = false;
  /** True once what was in flight has been sent again on this connection. */
  #ready = false;
  /** Ids still to be sent again on this connection, oldest first. */
  readonly #resend = new Deque<number>();
  readonly #replays = new Deque<Replay>();

  constructor(id: string, hub: Hub, limits: MailboxLimits) {
    this.id = id;
    this.#hub = hub;
    this.mailbox = new Mailbox<Delivery>(limits, (delivery, reason) => this.#onDropped(delivery, reason));
  }

  /** Takes up a session of an earlier process. */
  static restore(restored: RestoredSession, hub: Hub, limits: MailboxLimits): MqttSession {
    const session = new MqttSession(restored.id, hub, limits);
    session.#stored = restored.stored;
    session.state.inbound.restore(restored.inbound);
    const inflight: { id: number; item: Delivery; phase: Phase }[] = [];
    for (const { message, record, stored } of restored.deliveries) {
      const { delivery, phase } = decodeDelivery(message, record);
      delivery.stored = stored;
      if (phase === "waiting") session.mailbox.restore(delivery);
      else inflight.push({ id: delivery.packetId, item: delivery, phase: phaseOf(delivery, phase) });
    }
    session.state.outbound.restore(inflight);
    return session;
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
    const room = this.#ready && this.mailbox.length === 0 && this.#resend.length === 0 && this.state.outbound.quota > 0;
    return room && !port.congested ? "ready" : "busy";
  }

  deliver(message: MessageView, subscription: Subscription, guarantee: Guarantee): DeliverResult {
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
    this.#replays.clear();
  }

  /** Sends what waits, as far as there is room. */
  pump(): void {
    const port = this.#port;
    if (port === null || !this.#ready) return;
    while (this.#resend.length > 0) if (!this.#resendNext(port)) return;
    const outbound = this.state.outbound;
    while (outbound.quota > 0 && !port.congested) {
      const delivery = this.mailbox.take(this.#hub.clock.epochMs());
      if (delivery === undefined) break;
      this.#begin(port, delivery);
    }
    if (this.#replays.length > 0 && this.mailbox.length === 0) this.#replay();
  }

  /** Retained messages for a subscription that was just made. */
  replay(messages: RetainedReplay, subscription: Subscription): void {
    this.#replays.push({ messages, subscription });
  }

  /** PUBACK or PUBCOMP came, or a PUBREC that refuses. */
  onDone(delivery: Delivery): void {
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
    this.#hub.committer.whenDurable(this.#releaser, packetId);
  }

  onTakenOver(): void {
    this.#port?.onTakenOver();
  }

  onEnded(_reason: EndReason): void {
    this.#ended = true;
    this.#port = null;
    this.#handOn();
    this.mailbox.clear();
    this.#replays.clear();
  }

  sweep(nowMs: number): void {
    this.mailbox.sweep(nowMs);
  }

  readonly #releaser = {
    onDurable: (packetId: number): void => {
      if (this.state.outbound.phase(packetId) === Phase.Released) this.#port?.sendPubrel(packetId);
    },
    onCommitFailed: (): void => {
      // The broker is stopping; the client repeats its PUBREC's exchange on the next one.
    },
  };

  #deliver(message: MessageView, subscription: Subscription, guarantee: Guarantee, retain: boolean): DeliverResult {
    if (this.#ended) return "dropped";
    const port = this.#port;
    if (guarantee === 0) {
      if (port === null || port.congested || !port.sendNow(message, subscription.identifiers, retain)) return "dropped";
      return "sent";
    }
    const delivery = new Delivery(message.keep(), guarantee, retain, subscription.identifiers);
    delivery.group = subscription.sharedGroup;
    const now = port !== null && this.availability === "ready";
    if (!now && !this.mailbox.accepts(delivery.message.bytes)) {
      this.mailbox.put(delivery);
      return "dropped";
    }
    const stored = this.#stored;
    if (stored !== null) {
      delivery.stored =
        this.#hub.persistence?.saveDelivery(stored, delivery.message, encodeDelivery(delivery, "waiting")) ?? null;
    }
    if (port !== null && now) return this.#begin(port, delivery) ? "sent" : "dropped";
    this.mailbox.put(delivery);
    return "queued";
  }

  /** Takes a packet id and sends; false when the client cannot take the message at all. */
  #begin(port: SessionPort, delivery: Delivery): boolean {
    const outbound = this.state.outbound;
    const packetId = outbound.beginPublish(delivery, delivery.qos === 1 ? Phase.AtLeastOnce : Phase.ExactlyOnce);
    if (packetId === 0) {
      this.mailbox.putBack(delivery);
      return true;
    }
    delivery.packetId = packetId;
    delivery.dup = false;
    if (!port.sendDelivery(delivery)) {
      this.#abandon(packetId, delivery);
      return false;
    }
    if (delivery.stored !== null) {
      this.#hub.persistence?.updateDelivery(delivery.stored, encodeDelivery(delivery, "sent"));
    }
    return true;
  }

  #resendNext(port: SessionPort): boolean {
    const outbound = this.state.outbound;
    const id = this.#resend.peek() ?? 0;
    const delivery = outbound.item(id);
    if (delivery === undefined) {
      this.#resend.shift();
      return true;
    }
    if (outbound.phase(id) === Phase.Released) {
      this.#resend.shift();
      port.sendPubrel(id);
      return true;
    }
    if (outbound.quota <= 0 || port.congested) return false;
    this.#resend.shift();
    outbound.charge();
    delivery.packetId = id;
    delivery.dup = true;
    if (!port.sendDelivery(delivery)) this.#abandon(id, delivery);
    return true;
  }

  #replay(): void {
    for (let next = this.#replays.peek(); next !== undefined; next = this.#replays.peek()) {
      const { messages, subscription } = next;
      while (this.availability === "ready") {
        const message = messages.next(this.#hub.clock.epochMs());
        if (message === null) {
          this.#replays.shift();
          break;
        }
        const guarantee = message.guarantee < subscription.guaranteeMax ? message.guarantee : subscription.guaranteeMax;
        this.#deliver(message, subscription, guarantee, true);
      }
      if (this.#replays.peek() === next) return;
    }
  }

  /** The message can never reach this client: it counts as delivered [MQTT-3.1.2-25]. */
  #abandon(packetId: number, delivery: Delivery): void {
    const outbound = this.state.outbound;
    outbound.finish(packetId, outbound.phase(packetId));
    this.#hub.statistics.messagesDropped++;
    this.#forget(delivery);
  }

  #forget(delivery: Delivery): void {
    if (delivery.stored === null) return;
    this.#hub.persistence?.dropDelivery(delivery.stored);
    delivery.stored = null;
  }

  #onDropped(delivery: Delivery, _reason: DropReason): void {
    this.#hub.statistics.messagesDropped++;
    this.#forget(delivery);
  }

  /**
   * Shared messages that this session will not handle any more go to other members of their groups; a QoS 2 message that was
   * sent already does not, for the client may have it [MQTT-4.8.2-5].
   */
  #handOn(): void {
    const outbound = this.state.outbound;
    for (const id of outbound.publishIds()) {
      const delivery = outbound.item(id);
      if (delivery !== undefined && outbound.phase(id) === Phase.AtLeastOnce) this.#handOnOne(delivery);
    }
    for (let i = 0; i < this.mailbox.length; i++) {
      const delivery = this.mailbox.at(i);
      if (delivery !== undefined) this.#handOnOne(delivery);
    }
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

/** True for an error that says that a packet is too large for the peer. */
export function isTooLarge(error: unknown): boolean {
  return isMessagingError(error) && error.code === "ERR_PACKET_TOO_LARGE";
}
