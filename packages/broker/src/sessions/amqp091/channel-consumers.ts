// Hot path: `room`, `deliver` and `deliverTopic` run per message. No closure, promise, spread, iterator or regex in them.
import { type MethodOf, ReplyCode, shortStringBytes } from "polymq/amqp091/codec";
import { isMessagingError } from "polymq/internal";
import type { HeldMessages } from "../../core/held-messages.ts";
import type { DropReason } from "../../core/mailbox.ts";
import type { MessageView } from "../../core/message.ts";
import { deliveredAddress } from "../../core/queues/delivered-address.ts";
import { ADDRESS_EXCHANGE, exchangeOf, routingKeyOf } from "../../core/queues/message-address.ts";
import { QUEUE_PREFIX } from "../../core/queues/queue-address.ts";
import type { QueueDelivery } from "../../core/queues/queue-port.ts";
import { keyOfTopic } from "../../core/topic-keys.ts";
import type { ConsumeResult } from "../../core/topology/topology-port.ts";
import type { AmqpChannel } from "./amqp-channel.ts";
import type { EngineChannel } from "./amqp-types.ts";
import { ChannelGetters, type Got } from "./channel-getters.ts";
import { consumeRequest, type Source, sourceOf } from "./consume-request.ts";
import type { ChannelConsumer } from "./consumer.ts";
import { REPLY_PREFIX } from "./publish-route.ts";
import { AmqpQueueConsumer, type ConsumerLink, type QueueConsumerTerms } from "./queue-consumer.ts";
import { queueName, REPLY_QUEUE } from "./queue-methods.ts";
import { locked, named, notFound, refusedSetting } from "./refusals.ts";
import type { ReplyConsumer } from "./reply-consumers.ts";
import { ReplyError } from "./reply-error.ts";
import { TopicConsumer, type TopicLink, type TopicTerms } from "./topic-consumer.ts";
import type { Unsettled } from "./unsettled.ts";

type Consume = MethodOf<"basic.consume">;

/** Who waits for answers over direct reply-to: its tag, and the address that it was given. */
interface Reply {
  readonly tag: string;
  readonly tagBytes: Uint8Array;
  readonly key: string;
}

/** The consumers of one channel, what they may have unsettled, and what is written to them. */
export class ChannelConsumers implements ConsumerLink, TopicLink, ReplyConsumer {
  readonly #channel: AmqpChannel;
  readonly #engine: EngineChannel;
  readonly #getters: ChannelGetters;
  readonly #byTag = new Map<string, ChannelConsumer>();
  /** Cancelled ones of which something may be unsettled. */
  readonly #leaving = new Set<ChannelConsumer>();
  /** Unsettled deliveries that the whole channel may have (`basic.qos` with `global`). */
  #prefetchOfChannel: number;
  /** What each consumer that comes may have. */
  #prefetch = Number.POSITIVE_INFINITY;
  /** True when some consumer had no credit because of the channel, not of itself. */
  #isShort = false;
  #reply: Reply | null = null;

  constructor(channel: AmqpChannel, engine: EngineChannel) {
    this.#channel = channel;
    this.#engine = engine;
    this.#getters = new ChannelGetters(channel.host, channel.owner);
    this.#prefetchOfChannel = channel.connection.context.settings.unsettledMax;
  }

  /** The address for answers over direct reply-to, or null. */
  get replyKey(): string | null {
    return this.#reply?.key ?? null;
  }

  // What consumers ask for

  get room(): number {
    const { engine, wire } = this.#channel.connection;
    // Nothing more is sent behind the end of the channel or connection: what another consumer of it gives back is not for this one.
    const isOpen = this.#engine.usable && engine.open && this.#engine.flowActive && !wire.congested;
    const room = isOpen ? this.#prefetchOfChannel - this.#engine.unsettledCount : 0;
    if (room <= 0) this.#isShort = true;
    return room;
  }

  deliver(consumer: QueueConsumerTerms, delivery: QueueDelivery, unsettled: Unsettled | null): boolean {
    const { context, engine } = this.#channel.connection;
    const { message, deliveryCount } = delivery;
    const body = message.payload;
    try {
      const properties = this.#blockOf(delivery, consumer.isStamped);
      const route = this.#routeOf(delivery, consumer.isStamped);
      engine.deliver(this.#engine, consumer.tagBytes, deliveryCount > 0, route, properties, body, unsettled);
    } catch (error) {
      return cannotBeSent(error);
    }
    context.hub.statistics.messagesOut++;
    context.hub.statistics.bytesOut += body.length;
    return true;
  }

  deliverTopic(consumer: TopicTerms, message: MessageView, unsettled: Unsettled | null): boolean {
    const { context, engine } = this.#channel.connection;
    const { translator, routeEncoder, hub } = context;
    const { payload, exchange } = message;
    try {
      const properties = translator.toAmqp091(message, message.guarantee > 0, hub.clock.epochMs());
      const key = exchange === null ? keyOfTopic(message.topic) : message.routingKey;
      const route = routeEncoder.encode(exchange ?? "", key);
      engine.deliver(this.#engine, consumer.tagBytes, false, route, properties, payload, unsettled);
    } catch (error) {
      return cannotBeSent(error);
    }
    hub.statistics.messagesOut++;
    hub.statistics.bytesOut += payload.length;
    return true;
  }

  answer(exchange: string, key: string, properties: Uint8Array, body: Uint8Array): void {
    const reply = this.#reply;
    const { context, engine } = this.#channel.connection;
    if (reply === null || !engine.open || !this.#engine.usable) return;
    // Answers stand in no queue: who does not read them misses some, and holds up nobody.
    if (this.#channel.connection.wire.congested) return this.onDropped();
    const route = context.routeEncoder.encode(exchange, key);
    engine.deliver(this.#engine, reply.tagBytes, false, route, properties, body, null);
  }

  onLeft(consumer: ChannelConsumer): void {
    this.#leaving.delete(consumer);
  }

  onCancelled(consumer: ChannelConsumer): void {
    this.#forget(consumer);
    const { engine } = this.#channel.connection;
    // A client that knows nothing of it would take it for an error (RabbitMQ's `consumer_cancel_notify`).
    if (!engine.open || !this.#engine.usable || !engine.clientCan("consumer_cancel_notify")) return;
    engine.send(this.#engine, { method: "basic.cancel", consumerTag: consumer.tag, noWait: true });
  }

  get held(): HeldMessages {
    return this.#channel.connection.context.hub.held;
  }

  get epochMs(): number {
    return this.#channel.connection.context.hub.clock.epochMs();
  }

  onDropped(reason: DropReason = "overflow"): void {
    const { metrics } = this.#channel.connection.context;
    if (reason === "expired") metrics.messagesExpired++;
    else metrics.messagesDroppedSlow++;
  }

  unsubscribe(consumer: TopicConsumer): void {
    this.#channel.connection.context.hub.router.unsubscribeAll(consumer);
  }

  /** There may be credit again. */
  wake(): void {
    if (!this.#isShort) return;
    this.#isShort = false;
    for (const consumer of this.#byTag.values()) consumer.wake();
  }

  // Methods

  /** `basic.consume`. */
  consume(method: Consume): void {
    const channel = this.#channel;
    const tag = method.consumerTag === "" ? `amq.ctag-${channel.token()}` : method.consumerTag;
    if (this.#byTag.has(tag) || this.#reply?.tag === tag) {
      throw new ReplyError(ReplyCode.NotAllowed, `attempt to reuse consumer tag '${tag}'`);
    }
    if (method.queue === REPLY_QUEUE) return this.#consumeReplies(tag, method);
    const { host, owner, connection } = channel;
    const source = sourceOf(queueName(channel, method.queue), host, owner);
    const filter = source.is === "topics" ? source.filter : addressOf(source);
    const { access } = connection.client;
    const group = method.arguments["x-consumer-group"];
    const decision = access.maySubscribe(filter, typeof group === "string" ? group : null);
    channel.whenAllowed(decision, `queue '${method.queue}'`, method, () => {
      if (connection.consumerCount >= connection.context.settings.consumersMax) {
        throw new ReplyError(ReplyCode.ResourceError, `a connection has at most ${connection.consumerCount} consumers`);
      }
      if (source.is === "topics") this.#consumeTopics(source.filter, tag, method);
      else this.#consumeQueue(source, tag, method);
    });
  }

  /** `basic.cancel`. */
  cancel(method: MethodOf<"basic.cancel">): void {
    const { consumerTag, noWait } = method;
    const consumer = this.#byTag.get(consumerTag);
    if (consumer !== undefined) {
      this.#forget(consumer);
      if (consumer.cancel() === "leaving") this.#leaving.add(consumer);
    } else if (this.#reply?.tag === consumerTag) this.#endReplies();
    if (!noWait) this.#channel.answer({ method: "basic.cancel-ok", consumerTag });
  }

  /** `basic.qos`. */
  qos(method: MethodOf<"basic.qos">): void {
    const { prefetchSize, prefetchCount, global } = method;
    if (prefetchSize !== 0) throw new ReplyError(ReplyCode.NotImplemented, `prefetch_size!=0 (${prefetchSize})`);
    const { unsettledMax } = this.#channel.connection.context.settings;
    if (global) this.#prefetchOfChannel = prefetchCount === 0 ? unsettledMax : Math.min(prefetchCount, unsettledMax);
    else this.#prefetch = prefetchCount === 0 ? Number.POSITIVE_INFINITY : prefetchCount;
    this.wake();
    this.#channel.answer({ method: "basic.qos-ok" });
  }

  /** `basic.get`. What was published before on this connection is there: the answer waits until it is durable. */
  get(method: MethodOf<"basic.get">): void {
    const channel = this.#channel;
    const queue = queueName(channel, method.queue);
    channel.whenAllowed(channel.access.maySubscribe(`$queue/${queue}`, null), `queue '${queue}'`, method, () => {
      channel.answerWith(method, () => this.#got(queue, method.noAck));
    });
  }

  /** `basic.recover` with `requeue`: all that is unsettled is delivered again, in its old places; what was settled in an open transaction is not (§1.9.2.3). */
  recover(): void {
    const unsettled: Unsettled[] = [];
    // All of it first, for what is delivered again is unsettled, too.
    for (let next = this.#engine.takeUnsettled(); next !== undefined; next = this.#engine.takeUnsettled()) {
      unsettled.push(next);
    }
    for (const each of unsettled) each.requeue();
    this.wake();
  }

  /** The channel is over: everything goes back. */
  end(): void {
    this.#endReplies();
    this.#getters.end();
    for (const consumer of [...this.#byTag.values()]) this.#forget(consumer).end();
    for (const consumer of this.#leaving) consumer.end();
    this.#leaving.clear();
  }

  #consumeQueue(source: Extract<Source, { readonly is: "queue" }>, tag: string, method: Consume): void {
    const channel = this.#channel;
    const { host, owner, connection } = channel;
    const { context, client } = connection;
    if (source.isAddress) this.#make(source.name);
    const terms: QueueConsumerTerms = {
      tag,
      tagBytes: shortStringBytes(context.text, tag, "consumer tag"),
      noAck: method.noAck,
      prefetch: this.#prefetch,
      isStamped: source.isAddress || typeof method.arguments["x-consumer-group"] === "string",
    };
    const consumer = new AmqpQueueConsumer(client.id, this, terms);
    const epochMs = context.hub.clock.epochMs();
    const result = host.consume(source.name, consumeRequest(method, source, { consumer, host, epochMs }), owner);
    if (result.is !== "consuming") throw consumeRefusal(result, source.name, host.name);
    consumer.start(result.subscription);
    this.#begin(consumer, method);
    channel.afterAnswers(() => consumer.open());
  }

  #consumeTopics(filter: string, tag: string, method: Consume): void {
    const { connection } = this.#channel;
    const { context, client } = connection;
    const terms: TopicTerms = {
      tag,
      tagBytes: shortStringBytes(context.text, tag, "consumer tag"),
      noAck: method.noAck,
      prefetch: this.#prefetch,
      waiting: context.sessions.queue,
    };
    const consumer = new TopicConsumer(client.id, this, terms);
    this.#begin(consumer, method);
    this.#channel.afterAnswers(() => {
      if (this.#byTag.get(tag) !== consumer) return;
      context.hub.router.subscribe(consumer, { filter, guaranteeMax: 1, noLocal: method.noLocal });
    });
  }

  #consumeReplies(tag: string, method: Consume): void {
    if (!method.noAck) throw new ReplyError(ReplyCode.PreconditionFailed, "reply consumer cannot acknowledge");
    if (this.#reply !== null) throw new ReplyError(ReplyCode.PreconditionFailed, "reply consumer already set");
    const { context } = this.#channel.connection;
    const key = `${REPLY_PREFIX}${this.#channel.token()}`;
    this.#reply = { tag, tagBytes: shortStringBytes(context.text, tag, "consumer tag"), key };
    context.replies.add(key, this);
    if (!method.noWait) this.#channel.answer({ method: "basic.consume-ok", consumerTag: tag });
  }

  #endReplies(): void {
    if (this.#reply !== null) this.#channel.connection.context.replies.remove(this.#reply.key);
    this.#reply = null;
  }

  #begin(consumer: ChannelConsumer, method: Consume): void {
    this.#byTag.set(consumer.tag, consumer);
    this.#channel.connection.consumerCount++;
    this.#channel.connection.context.metrics.subscriptionsAccepted++;
    if (!method.noWait) this.#channel.answer({ method: "basic.consume-ok", consumerTag: consumer.tag });
  }

  #forget(consumer: ChannelConsumer): ChannelConsumer {
    if (this.#byTag.get(consumer.tag) === consumer) {
      this.#byTag.delete(consumer.tag);
      this.#channel.connection.consumerCount--;
    }
    return consumer;
  }

  #got(queue: string, noAck: boolean): void {
    const { engine, context } = this.#channel.connection;
    for (let got = this.#getters.take(queue); got !== null; got = this.#getters.take(queue)) {
      if (!this.#sendGot(got, noAck)) {
        got.unsettled.bury();
        continue;
      }
      if (noAck) got.unsettled.ack();
      context.hub.statistics.messagesOut++;
      context.hub.statistics.bytesOut += got.delivery.message.payload.length;
      return;
    }
    engine.send(this.#engine, { method: "basic.get-empty" });
  }

  /** False when the client cannot take it. */
  #sendGot({ delivery, messageCount, unsettled }: Got, noAck: boolean): boolean {
    const { engine } = this.#channel.connection;
    const fields = { redelivered: delivery.deliveryCount > 0, messageCount };
    try {
      const properties = this.#blockOf(delivery, false);
      const body = delivery.message.payload;
      engine.getOk(this.#engine, fields, this.#routeOf(delivery, false), properties, body, noAck ? null : unsettled);
    } catch (error) {
      return cannotBeSent(error);
    }
    return true;
  }

  /** A `$queue/` address names a queue that is made when somebody uses it, as the broker's options say. */
  #make(name: string): void {
    const { hub, autoCreateQueues } = this.#channel.connection.context;
    if (hub.queues.has(name)) return;
    if (autoCreateQueues === "refuse") throw notFound("queue", name, this.#channel.host.name);
    hub.queues.declare({ name, lifetime: autoCreateQueues });
  }

  #blockOf(delivery: QueueDelivery, isStamped: boolean): Uint8Array {
    const { blocks, hub } = this.#channel.connection.context;
    const epochMs = hub.clock.epochMs();
    return isStamped ? blocks.stamped(delivery, epochMs) : blocks.plain(delivery, epochMs);
  }

  /** Under a `$queue/` address everything comes from there; else from where it was published. */
  #routeOf(delivery: QueueDelivery, isStamped: boolean): Uint8Array {
    const { routeEncoder } = this.#channel.connection.context;
    const { message, queue } = delivery;
    if (!isStamped) return routeEncoder.encode(exchangeOf(message), routingKeyOf(message));
    return routeEncoder.encode(ADDRESS_EXCHANGE, deliveredAddress(message, queue).slice(QUEUE_PREFIX.length));
  }
}

function addressOf(source: { readonly name: string; readonly filter: string }): string {
  return source.filter === "" ? `$queue/${source.name}` : `$queue/${source.name}/${source.filter}`;
}

function consumeRefusal(result: ConsumeResult, name: string, host: string): ReplyError {
  const what = named("queue", name, host);
  switch (result.is) {
    case "locked":
      return locked(name, host);
    case "alone":
      return new ReplyError(ReplyCode.AccessRefused, `${what} in exclusive use`);
    case "mode-mismatch":
      return new ReplyError(ReplyCode.PreconditionFailed, `the group of ${what} is in another mode`);
    case "invalid":
    case "limit":
      return refusedSetting(result, {}, `consumer of ${what}`);
    default:
      return notFound("queue", name, host);
  }
}

/** False for what cannot be sent to this client; everything else is a defect of ours: nothing is delivered where there is no {@link ChannelConsumers.room}. */
function cannotBeSent(error: unknown): false {
  if (!isMessagingError(error) || error.code === "ERR_NOT_CONNECTED" || error.code === "ERR_CHANNEL_CLOSED")
    throw error;
  return false;
}
