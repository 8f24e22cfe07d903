// Hot path: `deliver` runs per message. No closure or regex there.
import { MessagingError } from "../../../base/errors.ts";
import { NO_BYTES } from "../../../bytes/no-bytes.ts";
import type { UserProperties } from "../../codec/packets.ts";
import type { ServerCapabilities } from "../capabilities.ts";
import type { ClientCore } from "../client-core.ts";
import type { QueueSink } from "../inbox.ts";
import { Intake } from "../intake.ts";
import type { MqttMessage } from "../message.ts";
import { PendingPublish } from "../pending.ts";
import type { Pressure } from "../pressure.ts";
import type { MqttSubscription } from "../subscription.ts";
import { QUEUE_PREFIX, queueAddress } from "./queue-address.ts";
import {
  missingGroup,
  QueueConsumer,
  type QueuePort,
  type QueueServer,
  requiresV5,
  type SettledDelivery,
  staleDelivery,
} from "./queue-consumer.ts";
import type { MqttQueueMessage, SettleVerb } from "./queue-message.ts";
import { type CheckedQueue, isPolymq } from "./queue-options.ts";

/** The queue side of a client: which subscription a delivery goes to, and how settlements reach the server. */
export class Queues implements QueueSink, QueuePort {
  readonly #core: ClientCore;
  readonly #intake: Intake;
  readonly #consumers = new Set<QueueConsumer>();
  /** The server that `#server` was told from. */
  #capabilities: ServerCapabilities | null = null;
  #server: QueueServer;
  /** One bit for each packet id that was acknowledged on this connection, unless polymq's broker is there. */
  #acknowledged: Uint32Array | null = null;
  /** Settlements under way, and who waits for their end. */
  readonly #settling = new Set<PendingPublish>();
  #idle: (() => void)[] = [];

  constructor(core: ClientCore) {
    const { intake } = core;
    // Imported as a value: so bundlers see that this part needs that one, and put what both use there.
    if (!(intake instanceof Intake)) throw new TypeError("queues need the receiving side");
    this.#core = core;
    this.#intake = intake;
    this.#server = core.settings.protocolVersion === 4 ? "v3" : "other";
    intake.inbox.queues = this;
  }

  /** The server of the connection, without one that of the last. */
  get server(): QueueServer {
    const now = this.#core.capabilities;
    if (now !== null && now !== this.#capabilities) {
      this.#capabilities = now;
      this.#acknowledged = null;
      this.#server = this.#core.level === 4 ? "v3" : isPolymq(now) ? "polymq" : "other";
    }
    return this.#server;
  }

  /** Subscribes; see `MqttClientBase.subscribeToQueue`. */
  async subscribe(call: CheckedQueue, signal: AbortSignal | undefined): Promise<MqttSubscription<MqttQueueMessage>> {
    const { topic } = call.address;
    for (const each of this.#all()) {
      if (each.call.address.topic === topic && each.call.group === call.group) {
        throw new MessagingError("ERR_INVALID_SUBSCRIBE_OPTION", `${topic} is subscribed to for this group already`);
      }
    }
    const consumer = new QueueConsumer(call, this);
    this.#consumers.add(consumer);
    const done = this.#intake.subscriptions.add(consumer.subscription, null, call, signal);
    this.#intake.inbox.claim((message) => this.deliver(message, true));
    await done;
    return consumer.subscription;
  }

  /** Ends the subscriptions to a queue; with a group or filter only those of it. */
  async unsubscribeFrom(queue: string, group: string | undefined, filter: string | undefined): Promise<void> {
    const address = queueAddress(queue, filter, "filter");
    const chosen = this.#all().filter(
      ({ call }) =>
        call.address.queue === address.queue &&
        (group === undefined || call.group === group) &&
        (address.rest === "" || call.address.rest === address.rest),
    );
    await Promise.all(chosen.map((consumer) => this.unsubscribe(consumer)));
  }

  async unsubscribe(consumer: QueueConsumer): Promise<void> {
    // UNSUBSCRIBE is written before what the consumer holds is let go: polymq's broker takes all of it back then.
    const done = this.#intake.unsubscribe(consumer.subscription);
    this.#consumers.delete(consumer);
    consumer.release();
    await done;
  }

  /** Settles by id: a delivery that is in hand as that, another one by what names it. */
  async settle(verb: SettleVerb, queue: string, messageId: string | number, by: SettleBy): Promise<void> {
    const address = queueAddress(queue, undefined, "name");
    const id = String(messageId);
    if (!/\d$/.test(id)) throw new MessagingError("ERR_INVALID_ARGUMENT", "a message id ends with its offset");
    let { group } = by;
    for (const consumer of this.#all()) {
      if (consumer.queue !== address.queue) continue;
      const held = consumer.find(id, by.group);
      if (held !== undefined) return await consumer.settle(held, verb, by.extra, by.signal);
      group ??= consumer.group;
    }
    if (this.server === "v3") throw requiresV5();
    if (group === undefined || group === "") throw missingGroup();
    await this.publishSettlement(verb, { queue: address.queue, messageId: id, group }, by.extra, by.signal);
  }

  deliver(message: MqttMessage, wanted: boolean): boolean {
    const v3 = this.server === "v3";
    const queue = v3 ? null : lastOf(message.userProperties, "queue");
    // Retained messages that a subscription to a queue gets are no deliveries of it.
    if (!v3 && queue === null) return false;
    if (message.dup && this.#wasAcknowledged(message.packetId)) {
      this.#intake.inbox.withhold(message);
      return true;
    }
    const consumer = this.#choose(message, queue);
    if (consumer !== null) consumer.deliver(message);
    else if (wanted) return false;
    // The rest of a subscription that has ended: PUBACK would acknowledge what nobody handled, unless the server has taken it back.
    else if (this.#server === "polymq") this.acknowledge(message);
    else this.withhold(message);
    return true;
  }

  over(): void {
    const again = this.server === "other" ? "adopt" : "anew";
    for (const each of this.#all()) each.connectionOver(again);
    // One that was answered just now may stand for another message already.
    for (const item of this.#settling) if (item.passing) this.#core.publisher.withdraw(item, staleDelivery());
  }

  async drained(): Promise<void> {
    await Promise.all(this.#all().map((each) => each.subscription.drained()));
    if (this.#settling.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  acknowledge(message: MqttMessage): boolean {
    if (message.ticket < 0) return true;
    const id = message.packetId;
    if (this.#server !== "polymq") {
      this.#acknowledged ??= new Uint32Array(2_048);
      this.#acknowledged[id >> 5] = (this.#acknowledged[id >> 5] ?? 0) | (1 << (id & 31));
    }
    return this.#intake.inbox.settle(message, 0, this.#server === "other");
  }

  withhold(message: MqttMessage): void {
    const id = message.packetId;
    const bits = this.#acknowledged;
    if (bits !== null) bits[id >> 5] = (bits[id >> 5] ?? 0) & ~(1 << (id & 31));
    this.#intake.inbox.withhold(message);
  }

  async publishSettlement(
    verb: SettleVerb,
    { queue, messageId, group }: SettledDelivery,
    extra: UserProperties,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const userProperties: UserProperties = [["message-id", messageId], ["group-id", group], ...extra];
    const block = this.#core.encodeProperties({ userProperties });
    const item = new PendingPublish(`${QUEUE_PREFIX}${queue}/$${verb}`, NO_BYTES, 1, false, block);
    item.settles = true;
    item.passing = verb === "nack" && this.server === "polymq";
    this.#settling.add(item);
    try {
      await this.#core.publisher.submit(item, signal);
    } finally {
      this.#settling.delete(item);
      if (this.#settling.size === 0) for (const wake of this.#idle.splice(0)) wake();
    }
  }

  background(settling: Promise<void>): void {
    settling.catch((error: MessagingError) => {
      if (error.code !== "ERR_STALE_DELIVERY") this.#core.events.emit({ type: "backgroundError", error });
    });
  }

  handlerFailed(message: MqttMessage, error: unknown): void {
    this.#intake.handlerFailed(message, error);
  }

  pressure(consumer: object, pressure: Pressure): void {
    this.#intake.inbox.pressure(consumer, pressure);
  }

  /**
   * FluxMQ repeats what it has no PUBACK for every 20 s on the same connection, and ends the connection over a second PUBACK: a repetition that
   * crossed with the first is no message. (Under a new message the id comes without DUP first.)
   */
  #wasAcknowledged(id: number): boolean {
    return ((this.#acknowledged?.[id >> 5] ?? 0) & (1 << (id & 31))) !== 0;
  }

  /** The subscriptions in force; those that the server or the client's end took away are forgotten. */
  #all(): QueueConsumer[] {
    for (const each of this.#consumers) if (each.subscription.ended) this.#consumers.delete(each);
    return [...this.#consumers];
  }

  /** The subscription of a queue that a delivery fits best; null when there is none. */
  #choose(message: MqttMessage, queue: string | null): QueueConsumer | null {
    let best: QueueConsumer | null = null;
    let most = -1;
    for (const each of this.#consumers) {
      if (each.subscription.ended || !isOf(each.queue, message.topic, queue)) continue;
      if (this.#consumers.size === 1) return each;
      const sure = each.affinity(lastOf(message.userProperties, "group-id") ?? "", message.topic);
      if (sure > most) {
        most = sure;
        best = each;
      }
    }
    return best;
  }
}

/** What a settlement by id says besides the id. */
export interface SettleBy {
  readonly group: string | undefined;
  readonly extra: UserProperties;
  readonly signal: AbortSignal | undefined;
}

/** Whether a delivery belongs to a queue: by its property, with MQTT 3.1.1 by its topic. */
function isOf(queue: string, topic: string, named: string | null): boolean {
  if (named !== null) return named === queue;
  const rest = topic.slice(QUEUE_PREFIX.length);
  return rest.startsWith(queue) && (rest.length === queue.length || rest[queue.length] === "/");
}

function lastOf(pairs: UserProperties, name: string): string | null {
  for (let i = pairs.length - 1; i >= 0; i--) {
    const pair = pairs[i];
    if (pair !== undefined && pair[0] === name) return pair[1];
  }
  return null;
}
