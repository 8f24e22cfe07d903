// Hot path: `publish` runs per message.
import type { AmqpClientBase } from "../../../amqp091/client/amqp-client.ts";
import type { AmqpConsumer } from "../../../amqp091/client/consumer.ts";
import type { AmqpDialect } from "../../../amqp091/client/dialect.ts";
import type { AmqpClientOptions } from "../../../amqp091/client/options.ts";
import type { AmqpTopicMessage } from "../../../amqp091/client/queues/topic-message.ts";
import type { AmqpResponder } from "../../../amqp091/client/requester.ts";
import { raceAbort, throwIfAborted } from "../../../base/abort.ts";
import { MessagingError } from "../../../base/errors.ts";
import { noop } from "../../../base/noop.ts";
import {
  type Adapter,
  type AnyPublishOptions,
  answerOf,
  type ConsumeCall,
  type Ending,
  type QueueAdapter,
  type Source,
  type StreamAdapter,
  type Tell,
} from "../../adapter.ts";
import { type Delivery, unsupported } from "../../delivery.ts";
import { type ClientState, clientState } from "../../events.ts";
import type { ClientAnswer, ClientRequestOptions } from "../../options.ts";
import { keptPayload } from "../../payload.ts";
import type { Dialect } from "../../protocol.ts";
import type { Target } from "../../target.ts";
import { closeWithin } from "../under-way.ts";
import { Amqp091RequestDelivery, Amqp091TopicDelivery } from "./amqp091-delivery.ts";
import { carried, checkTopicOptions, isPlain, subscribeOptions, topicPublish } from "./amqp091-options.ts";
import { Amqp091Queue, Amqp091Stream } from "./amqp091-queues.ts";
import { Amqp091Source } from "./amqp091-source.ts";
import { onChannel, PublishChannel } from "./publish-channel.ts";
import { RabbitMqQueue } from "./rabbitmq-queue.ts";

/** Queues that were published to by their addresses and are known still. */
const ADDRESSED_MAX = 256;

/** Longest wait of `close` for work that is under way. */
const CLOSE_TIMEOUT_MS = 5_000;

/** Makes an AMQP 0-9-1 client and connects it. */
export async function connectAmqp091(
  make: (options: AmqpClientOptions) => AmqpClientBase,
  target: Target,
  tell: Tell,
): Promise<Adapter> {
  const { options } = target;
  const dialect = nativeDialect(options.dialect);
  const native = make({
    servers: target.urls,
    connectionName: target.clientId,
    ...(dialect === undefined ? {} : { dialect }),
    ...target.common,
    ...options.amqp091,
  });
  listen(native, tell);
  try {
    await native.connect(options.signal === undefined ? {} : { signal: options.signal });
  } catch (error) {
    native.destroy();
    throw error;
  }
  return new Amqp091Adapter(native);
}

class Amqp091Adapter implements Adapter {
  readonly protocol = "amqp091";
  readonly native: AmqpClientBase;
  readonly #publishing: PublishChannel;
  readonly #addressed = new Map<string, QueueAdapter>();

  constructor(native: AmqpClientBase) {
    this.native = native;
    this.#publishing = new PublishChannel(native);
  }

  get dialect(): Dialect {
    return this.native.dialect;
  }

  get state(): ClientState {
    return clientState(this.native.state);
  }

  get closed(): Promise<MessagingError | null> {
    return this.native.closed;
  }

  publish(topic: string, payload: string | Uint8Array, options: AnyPublishOptions | undefined): Promise<unknown> {
    if (options !== undefined) checkTopicOptions(options);
    if (typeof topic === "string" && topic.startsWith("$queue/") && this.dialect === "rabbitmq") {
      return this.#queueOf(topic.slice("$queue/".length)).publish(payload, options);
    }
    if (options === undefined) return this.native.publish(topic, payload);
    if (!isPlain(options)) return this.#publishing.underWay.counted(this.#publishWith(topic, payload, options));
    if (options.signal === undefined) return this.native.publish(topic, payload);
    return this.native.publish(topic, payload, { signal: options.signal });
  }

  async subscribe(filter: string, call: ConsumeCall): Promise<Source> {
    if (call.qos === 2) throw unsupported("QoS 2");
    if (call.topic !== null) throw unsupported("noLocal, retainAsPublished and retainHandling");
    const options = subscribeOptions<AmqpTopicMessage>(call, wrapTopic);
    // QoS 0 wants no acknowledgements.
    const ack = call.qos === 0 ? "onReceive" : call.ack;
    return new Amqp091Source(await this.native.subscribe(filter, { ...options, ack }), wrapTopic);
  }

  unsubscribe(filter: string): Promise<unknown> {
    return this.native.unsubscribe(filter);
  }

  queue(name: string, groups: readonly string[]): QueueAdapter {
    if (this.dialect === "rabbitmq") return new RabbitMqQueue(this.native, this.#publishing, name, groups);
    if (groups.length > 0 && this.dialect !== "polymq") {
      throw unsupported("groups that are there before their first member");
    }
    return new Amqp091Queue(this.native, name);
  }

  stream(name: string): StreamAdapter {
    return new Amqp091Stream(this.native, name, this.#publishing.underWay);
  }

  async request(address: string, payload: string | Uint8Array, options: ClientRequestOptions): Promise<Delivery> {
    const { timeoutMs } = options;
    const request = { ...carried(options), ...(timeoutMs === undefined ? {} : { timeoutMs }) };
    return new Amqp091RequestDelivery(await this.native.request(address, payload, request), address);
  }

  /** The address is a queue, which its responders share and which goes with the last of them. */
  async respond(
    address: string,
    responder: (request: Delivery) => ClientAnswer,
    signal: AbortSignal | undefined,
  ): Promise<Ending> {
    throwIfAborted(signal);
    const opening = this.#respond(address, async (request) => {
      const { payload: body, ...said } = answerOf(await responder(new Amqp091RequestDelivery(request, address)));
      return { ...carried(said), body };
    });
    try {
      const consumer = await raceAbort(opening, signal);
      return { unsubscribe: () => consumer.cancel() };
    } catch (error) {
      opening.then((consumer) => consumer.cancel(), noop);
      throw error;
    }
  }

  /** What a channel or queue is being made for has to be on its way before channels are closed. */
  async close(timeoutMs: number = CLOSE_TIMEOUT_MS): Promise<void> {
    const leftMs = await this.#publishing.underWay.finish(timeoutMs);
    await closeWithin(leftMs, this.native, () => this.native.close({ timeoutMs: leftMs }));
  }

  destroy(): void {
    this.native.destroy();
  }

  /** The queue that is published to by its address: what it needs is looked for once. */
  #queueOf(name: string): QueueAdapter {
    let queue = this.#addressed.get(name);
    if (queue === undefined) {
      queue = new RabbitMqQueue(this.native, this.#publishing, name, []);
      if (this.#addressed.size >= ADDRESSED_MAX) this.#addressed.clear();
      this.#addressed.set(name, queue);
    }
    return queue;
  }

  async #publishWith(topic: string, payload: string | Uint8Array, given: AnyPublishOptions): Promise<void> {
    const { exchange, routingKey, options } = topicPublish(given);
    if (exchange === null && routingKey === null) return await this.native.publish(topic, payload, options);
    // The caller may change its bytes as soon as this returns.
    const kept = keptPayload(payload);
    throwIfAborted(given.signal);
    const channel = await raceAbort(this.#publishing.get(), given.signal);
    await channel.publish(exchange ?? "", routingKey ?? topic, kept, options);
  }

  async #respond(address: string, responder: AmqpResponder): Promise<AmqpConsumer> {
    if (this.dialect !== "fluxmq") {
      const options = { durable: false, exclusive: false, autoDelete: true };
      await onChannel(this.native, (channel) => channel.declareQueue(address, options));
    }
    return await this.native.respond(address, responder);
  }
}

function wrapTopic(message: AmqpTopicMessage): Delivery {
  return new Amqp091TopicDelivery(message);
}

function nativeDialect(dialect: Dialect | undefined): AmqpDialect | undefined {
  if (dialect === undefined || dialect === "polymq" || dialect === "fluxmq" || dialect === "rabbitmq") return dialect;
  throw new MessagingError("ERR_INVALID_OPTIONS", `over AMQP 0-9-1 there is no dialect ${dialect}`);
}

function listen(native: AmqpClientBase, tell: Tell): void {
  native.on("connect", ({ server, reconnected }) => {
    if (reconnected) tell({ type: "reconnected", server });
  });
  native.on("connectionLost", ({ error }) => tell({ type: "connectionLost", error }));
  native.on("reconnecting", ({ attempt, server }) => tell({ type: "reconnecting", attempt, server }));
  native.on("reconnectFailed", ({ error }) => tell({ type: "reconnectFailed", error }));
  native.on("handlerError", ({ error }) => tell({ type: "handlerError", error }));
  native.on("recoveryFailed", ({ error }) => tell({ type: "backgroundError", error }));
}
