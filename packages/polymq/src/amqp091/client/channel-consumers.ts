// Hot path: `onDeliver` runs per received message.
import { asMessagingError, MessagingError } from "../../base/errors.ts";
import { noop } from "../../base/noop.ts";
import type { PropertiesDecoder } from "../codec/properties-decoder.ts";
import { checkConsume } from "./channel-options.ts";
import type { Connection } from "./connection.ts";
import { type AmqpConsumeOptions, AmqpConsumer, type ConsumerOwner } from "./consumer.ts";
import type { AmqpClientEvent } from "./events.ts";
import type { Incoming, Link } from "./link.ts";
import { AmqpMessage } from "./message.ts";
import { call } from "./requests.ts";
import { startConsumer } from "./start-consumer.ts";
import type { Topology } from "./topology.ts";

/** What the consumers of a channel ask of their client. */
export interface ConsumersHost {
  readonly topology: Topology;
  /** Of consumers that name none. */
  readonly prefetch: number;
  emit(event: AmqpClientEvent): void;
  consumerTag(): string;
  pressure(full: boolean): void;
  stillFull(): void;
  /** One consumer of a queue less, for good. */
  consumerEnded(queue: string): void;
}

/** The consumers of one channel, by tag. They outlive its connections, as the channel does. */
export class ChannelConsumers implements ConsumerOwner {
  readonly #host: ConsumersHost;
  readonly #decoder: PropertiesDecoder;
  readonly #byTag = new Map<string, AmqpConsumer>();
  /** Cancelled, with handlers that still run. */
  readonly #leaving = new Set<AmqpConsumer>();
  #connection: Connection | null = null;
  #link: Link | null = null;

  constructor(host: ConsumersHost, decoder: PropertiesDecoder) {
    this.#host = host;
    this.#decoder = decoder;
  }

  /** True when one of them consumes the queue. */
  has(queue: string): boolean {
    for (const each of this.#byTag.values()) if (each.started && this.#name(each.queueName) === queue) return true;
    return false;
  }

  /** A channel of the engine is there; {@link restart} follows. */
  open(connection: Connection, link: Link): void {
    this.#connection = connection;
    this.#link = link;
  }

  /** Starts what was there on another connection. One that is added meanwhile starts by itself. */
  async restart(connection: Connection, link: Link, consumers: readonly AmqpConsumer[]): Promise<void> {
    for (const consumer of consumers) {
      if (consumer.leaving) continue;
      consumer.queueName = this.#name(consumer.queueName);
      const start = { consumer, arguments: consumer.resume(), prefetch: this.#host.prefetch };
      await startConsumer(connection, link, start);
    }
  }

  /** All that there are now. */
  list(): readonly AmqpConsumer[] {
    return [...this.#byTag.values()];
  }

  /** Cancels all; resolves when handlers are done, also those of consumers that were cancelled before. */
  async cancelAll(): Promise<void> {
    const consumers = [...this.#byTag.values(), ...this.#leaving];
    await Promise.all(consumers.map((each) => each.cancel().catch(noop)));
  }

  /** As `AmqpChannel.consume`. */
  async consume(connection: Connection, link: Link, queue: string, options: AmqpConsumeOptions): Promise<AmqpConsumer> {
    checkConsume(options);
    const consumerTag = options.consumerTag ?? this.#host.consumerTag();
    if (this.#byTag.has(consumerTag)) {
      throw new MessagingError("ERR_INVALID_OPTIONS", `consumer tag ${consumerTag} is in use on this channel`);
    }
    const consumer = new AmqpConsumer(this, this.#name(queue), consumerTag, options);
    this.#byTag.set(consumerTag, consumer);
    try {
      const start = { consumer, arguments: options.arguments ?? {}, prefetch: this.#host.prefetch };
      await startConsumer(connection, link, start);
    } catch (error) {
      this.#byTag.delete(consumerTag);
      consumer.end(asMessagingError(error, "ERR_CHANNEL_CLOSED"));
      throw error;
    }
    return consumer;
  }

  /** What was not handed out is the server's again. */
  forget(): void {
    for (const consumer of this.#byTag.values()) consumer.forget();
  }

  /** The connection is gone; it may come back. */
  suspend(): void {
    this.#connection = null;
    this.#link = null;
    this.forget();
  }

  /** The channel is over. */
  end(error: MessagingError | null): void {
    const ended = this.list();
    this.#byTag.clear();
    for (const consumer of ended) {
      consumer.end(error);
      this.#ended(consumer);
    }
    this.#connection = null;
    this.#link = null;
  }

  onDeliver(link: Link, content: Incoming): void {
    const tag = content.consumerTag;
    tag.value ??= this.#byTag.get(tag.name);
    const consumer = tag.value;
    const connection = this.#connection;
    if (connection === null) return;
    const acknowledges = consumer === undefined || consumer.options.noAck !== true;
    // What comes again is not handed out now.
    if (acknowledges && !connection.engine.expectAck(link, content.deliveryTag)) return;
    const message = new AmqpMessage(content, this.#decoder, acknowledges ? connection : null, link);
    if (consumer === undefined) return message.nackIfOpen(true);
    const { tracer } = connection;
    if (tracer.deliver.hasSubscribers) tracer.delivered(consumer.queueName, message.body.length, content.deliveryTag);
    consumer.deliver(message);
  }

  /** The server has cancelled one. */
  onCancel(consumerTag: string): void {
    const consumer = this.#byTag.get(consumerTag);
    if (consumer === undefined) return;
    this.#byTag.delete(consumerTag);
    this.#link?.content.forgetConsumerTags();
    const { queue } = consumer;
    consumer.end(new MessagingError("ERR_CONSUMER_CANCELLED", `the server cancelled the consumer of queue "${queue}"`));
    this.#ended(consumer);
    this.#host.emit({ type: "consumerCancelled", consumerTag, queue });
  }

  // ConsumerOwner

  cancelConsumer(consumer: AmqpConsumer): Promise<void> {
    const connection = this.#connection;
    const link = this.#link;
    const over = (): void => {
      // Not so when the channel has ended meanwhile.
      const left = this.#byTag.delete(consumer.consumerTag);
      this.#leaving.add(consumer);
      consumer.end(null);
      void consumer.cancel().then(() => this.#leaving.delete(consumer));
      if (left) this.#ended(consumer);
    };
    if (connection === null || link === null || !link.usable) return Promise.resolve(over());
    const { consumerTag } = consumer;
    // What comes before the answer still has its consumer.
    return call(connection, link, { method: "basic.cancel", consumerTag, noWait: false }).then(over, over);
  }

  handlerFailed(consumer: AmqpConsumer, error: unknown): void {
    this.#host.emit({ type: "handlerError", error, consumerTag: consumer.consumerTag });
  }

  pressure(_consumer: AmqpConsumer, full: boolean): void {
    this.#host.pressure(full);
  }

  stillFull(): void {
    this.#host.stillFull();
  }

  #ended(consumer: AmqpConsumer): void {
    if (consumer.started) this.#host.consumerEnded(this.#name(consumer.queueName));
  }

  #name(queue: string): string {
    return this.#host.topology.current(queue);
  }
}
