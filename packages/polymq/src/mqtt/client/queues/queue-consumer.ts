// Hot path: `deliver` and `done` run per message. No closure, iterator or regex there.
import { isMessagingError, MessagingError } from "../../../base/errors.ts";
import type { UserProperties } from "../../codec/packets.ts";
import { topicMatches } from "../../codec/topic.ts";
import type { MqttMessage } from "../message.ts";
import { Pressure } from "../pressure.ts";
import { missingInVersion4 } from "../refusals.ts";
import { MqttSubscription, type SubscriptionOwner } from "../subscription.ts";
import { MqttQueueMessage, type QueueSettler, type SettleVerb } from "./queue-message.ts";
import type { CheckedQueue } from "./queue-options.ts";

/** What settling means towards a server: MQTT 3.1.1, polymq's broker, or another one with MQTT 5.0. */
export type QueueServer = "v3" | "polymq" | "other";

/** What names a delivery in a settlement. */
export interface SettledDelivery {
  readonly queue: string;
  readonly messageId: string;
  readonly group: string;
}

/** What a consumer needs from its client. */
export interface QueuePort {
  readonly server: QueueServer;
  /** PUBACK; false when the delivery belongs to a session that is gone. */
  acknowledge(message: MqttMessage): boolean;
  withhold(message: MqttMessage): void;
  /** Publishes a settlement; resolves when the server has confirmed it. */
  publishSettlement(
    verb: SettleVerb,
    delivery: SettledDelivery,
    extra: UserProperties,
    signal: AbortSignal | undefined,
  ): Promise<void>;
  /** Tells of a settlement that nobody waits for. */
  background(settling: Promise<void>): void;
  handlerFailed(message: MqttMessage, error: unknown): void;
  pressure(consumer: object, pressure: Pressure): void;
  unsubscribe(consumer: QueueConsumer): Promise<void>;
}

/** One subscription to a queue: hands its messages out and settles them, each once. */
export class QueueConsumer implements SubscriptionOwner<MqttQueueMessage>, QueueSettler {
  readonly call: CheckedQueue;
  readonly subscription: MqttSubscription<MqttQueueMessage>;
  readonly #port: QueuePort;
  /** Deliveries that are not settled. */
  readonly #open = new Set<MqttQueueMessage>();
  /** Those of a connection that is gone, whose server has given them back. */
  readonly #stale = new WeakSet<MqttQueueMessage>();
  /** Deliveries that nobody will handle any more; null once the server was told that the consumer leaves. */
  #left: MqttQueueMessage[] | null = [];
  /** By message id: those of them that are from earlier connections, of a server that may deliver them again. */
  readonly #earlier = new Map<string, MqttQueueMessage>();
  /** True once a delivery came at QoS 0, which no receive maximum bounds. */
  #unbounded = false;
  /** The group's name as the server gave it last, or "". */
  #group = "";

  constructor(call: CheckedQueue, port: QueuePort) {
    this.call = call;
    this.#port = port;
    this.subscription = new MqttSubscription(this, [call.address.topic], call.consume);
  }

  get queue(): string {
    return this.call.address.queue;
  }

  /** The group to name in a settlement: as delivered, else as asked for. */
  get group(): string {
    return this.#group === "" ? this.call.group : this.#group;
  }

  /** How sure it is that a delivery of its queue is this one's: by group, then by filter. */
  affinity(groupId: string, topic: string): number {
    const { group, address } = this.call;
    const own = address.rest === "" ? group : `${group}@${address.rest}`;
    return (groupId === own ? 4 : 0) + (groupId === this.#group ? 2 : 0) + (topicMatches(address.topic, topic) ? 1 : 0);
  }

  deliver(received: MqttMessage): void {
    const message = new MqttQueueMessage(received, this);
    if (this.#group === "") this.#group = message.groupId;
    if (this.#earlier.size > 0 && this.#adopt(message)) return;
    if (received.ticket < 0) this.#unbounded = true;
    if (this.call.onReceive) {
      message.settlement = "settled";
      this.#port.acknowledge(received);
    } else this.#open.add(message);
    this.subscription.deliver(message);
  }

  /** The unsettled delivery of that id; with a group, only one to this group. */
  find(messageId: string, group: string | undefined): MqttQueueMessage | undefined {
    for (const message of this.#open) {
      if (message.messageId === messageId && (group === undefined || message.groupId === group)) return message;
    }
    return undefined;
  }

  settle(
    message: MqttQueueMessage,
    verb: SettleVerb,
    extra: UserProperties,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    if (message.settlement !== "open") return Promise.reject(tooLate());
    // The server has given it back already; to do so again would take it from whoever has it now.
    if (verb === "nack" && this.#stale.has(message)) return this.#forget(message);
    const group = message.groupId;
    if (this.#port.server !== "v3" && group !== "") return this.#exchange(message, verb, extra, signal);
    if (verb === "ack") return this.#acknowledge(message) ? Promise.resolve() : Promise.reject(tooLate());
    return Promise.reject(this.#port.server === "v3" ? requiresV5() : missingGroup());
  }

  /** The consumer has left the group, or is about to on this connection: what it holds is the server's again. */
  release(): void {
    for (const message of this.#left ?? []) this.#acknowledge(message);
    this.#left = null;
  }

  /**
   * The deliveries in hand are of a connection that is gone. Either the server has taken them back ("anew") and gives their packet ids to other
   * messages, which must not look like repetitions: what no handler has begun is dropped, the others can still be acknowledged and rejected by their
   * ids, for what was done is done. Or the server may deliver them again under other packet ids ("adopt"), or to nobody, and waits for their settlement.
   */
  connectionOver(again: "adopt" | "anew"): void {
    if (again === "adopt") {
      for (const message of this.#open) if (message.messageId !== "") this.#earlier.set(message.messageId, message);
      return;
    }
    this.#earlier.clear();
    for (const message of this.#open) {
      this.#port.withhold(message.message);
      this.#stale.add(message);
    }
    // What was acknowledged on receipt comes from nowhere again.
    if (!this.call.onReceive) for (const message of this.subscription.clear()) this.#open.delete(message);
  }

  done(message: MqttQueueMessage): void {
    if (message.settlement === "open") this.#acknowledge(message);
  }

  withhold(message: MqttQueueMessage): void {
    if (message.settlement !== "open") return;
    if (this.#stale.has(message)) return this.#close(message);
    const server = this.#port.server;
    if (this.subscription.ended && server === "polymq") {
      if (this.#left === null) this.#acknowledge(message);
      else this.#left.push(message);
    } else if (this.subscription.ended || server === "v3" || message.groupId === "") this.#keepBack(message);
    else this.#port.background(this.settle(message, "nack", [], undefined));
  }

  refuse(message: MqttQueueMessage): void {
    if (message.settlement !== "open") return;
    if (this.#port.server === "v3" || message.groupId === "") this.#keepBack(message);
    else this.#port.background(this.settle(message, "reject", HANDLER_FAILED, undefined));
  }

  handlerFailed(message: MqttQueueMessage, error: unknown): void {
    this.#port.handlerFailed(message.message, error);
  }

  dropped(): void {
    // The buffer of a queue's subscription pauses, it never drops.
  }

  pressure(subscription: MqttSubscription<MqttQueueMessage>, pressure: Pressure): void {
    // The receive maximum bounds what a connection brings. Stopping for good would keep the confirmation away that a handler awaits.
    this.#port.pressure(subscription, pressure === Pressure.Hard && !this.#unbounded ? Pressure.Soft : pressure);
  }

  unsubscribe(): Promise<void> {
    return this.#port.unsubscribe(this);
  }

  /**
   * The settlement is confirmed before the delivery's PUBACK leaves, since PUBACK alone acknowledges. Only polymq's broker knows a nack before
   * PUBACK: for another server the PUBACK is withheld, at once, so that later ones need not wait for it.
   */
  async #exchange(
    message: MqttQueueMessage,
    verb: SettleVerb,
    extra: UserProperties,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const ours = this.#port.server === "polymq";
    const keepsBack = verb === "nack" && !ours;
    message.settlement = "settling";
    if (keepsBack) this.#keepBack(message);
    const { queue, messageId, groupId: group } = message;
    // Another delivery of the message may have come since: that one is not meant.
    const which: UserProperties =
      verb === "nack" && ours ? [["delivery-count", `${message.deliveryCount}`], ...extra] : extra;
    try {
      await this.#port.publishSettlement(verb, { queue, messageId, group }, which, signal);
    } catch (error) {
      // A message that is not pending any more is nobody's; an ack is what PUBACK says by itself. Else it may be settled again.
      const gone = ours && isMessagingError(error) && (error.peer?.code === NOT_PENDING || error.code === STALE);
      if (verb === "ack" || gone) this.#acknowledge(message);
      else if (!keepsBack) message.settlement = "open";
      throw error;
    }
    if (!keepsBack) this.#acknowledge(message);
  }

  /** A delivery that is in hand from an earlier connection came again: the one in hand stands for both, and is acknowledged as this. */
  #adopt({ messageId, groupId, message }: MqttQueueMessage): boolean {
    const held = this.#earlier.get(messageId);
    if (held === undefined || held.groupId !== groupId) return false;
    this.#earlier.delete(messageId);
    this.#port.withhold(held.message);
    const known: { message: MqttMessage } = held;
    known.message = message;
    return true;
  }

  #close(message: MqttQueueMessage): void {
    message.settlement = "settled";
    this.#open.delete(message);
    if (this.#earlier.size > 0) this.#earlier.delete(message.messageId);
  }

  #acknowledge(message: MqttQueueMessage): boolean {
    this.#close(message);
    return this.#port.acknowledge(message.message);
  }

  #forget(message: MqttQueueMessage): Promise<void> {
    this.#close(message);
    return Promise.reject(staleDelivery());
  }

  #keepBack(message: MqttQueueMessage): void {
    this.#close(message);
    this.#port.withhold(message.message);
  }
}

/** The code of a settlement of a message that is not pending. */
const NOT_PENDING = 0x80;

const STALE = "ERR_STALE_DELIVERY";

/** The error of giving back what was given back with its connection. */
export function staleDelivery(): MessagingError {
  return new MessagingError(STALE, "given back when its connection ended");
}

const HANDLER_FAILED: UserProperties = [["reason", "the handler failed"]];

/** The error of a second settlement. */
function tooLate(): MessagingError {
  return new MessagingError("ERR_ALREADY_SETTLED", "the message was settled before, or its session is gone");
}

/** The error of what takes user properties. */
export function requiresV5(): MessagingError {
  return missingInVersion4("settlement but the acknowledgement of a delivery in hand", "ERR_QUEUE_ACK_REQUIRES_V5");
}

/** The error of a settlement that cannot say for whom. */
export function missingGroup(): MessagingError {
  return new MessagingError("ERR_QUEUE_ACK_MISSING_GROUP", "a settlement names the group, and no group is known");
}
