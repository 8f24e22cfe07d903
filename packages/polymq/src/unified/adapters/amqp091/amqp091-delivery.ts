// Hot path: one object per received message; what it says of itself is read when asked for.
import type { AmqpMessage } from "../../../amqp091/client/message.ts";
import type { AmqpDelivery } from "../../../amqp091/client/queues/delivery.ts";
import type { AmqpQueueMessage } from "../../../amqp091/client/queues/queue-message.ts";
import type { AmqpTopicMessage } from "../../../amqp091/client/queues/topic-message.ts";
import { type FieldValue, TypedField } from "../../../amqp091/codec/field-value.ts";
import type { BasicProperties } from "../../../amqp091/codec/properties.ts";
import { Delivery, queueTopic, settled, unsupported } from "../../delivery.ts";
import type { DelayedNack } from "../../message.ts";

/** What all messages of AMQP 0-9-1 have. */
abstract class Amqp091Delivery<M extends AmqpDelivery | AmqpMessage> extends Delivery {
  readonly native: M;

  constructor(message: M) {
    super();
    this.native = message;
  }

  get payload(): Uint8Array {
    return this.native.body;
  }

  get contentType(): string | null {
    return this.native.properties.contentType ?? null;
  }

  get timestamp(): Date | null {
    return dateOf(this.native.properties);
  }

  get deliveryCount(): number {
    return this.native.redelivered ? 1 : 0;
  }

  text(): string {
    return this.native.text();
  }

  json(): unknown {
    return this.native.json();
  }

  property(name: string): string | null {
    const value = this.native.properties.headers?.[name];
    return value === undefined ? null : textOf(value);
  }

  ack(): Promise<void> {
    return settled(() => this.native.ack());
  }

  nack(options?: DelayedNack): Promise<void> {
    if ((options?.delayMs ?? 0) !== 0) return Promise.reject(unsupported("delay before a message comes again"));
    return settled(() => this.native.nack());
  }

  reject(reason?: string): Promise<void> {
    if (reason !== undefined) return Promise.reject(unsupported("reasons of rejected messages"));
    return this.refuse();
  }

  /** The protocol has no place for a reason. */
  refuse(): Promise<void> {
    return settled(() => this.native.reject());
  }

  protected override readProperties(): Record<string, string> {
    const properties: Record<string, string> = {};
    for (const [name, value] of Object.entries(this.native.properties.headers ?? {})) {
      properties[`amqp.headers.${name}`] = textOf(value ?? null);
    }
    return properties;
  }
}

/** A message of a topic. */
export class Amqp091TopicDelivery extends Amqp091Delivery<AmqpTopicMessage> {
  get topic(): string {
    return this.native.topic;
  }
}

/** A request, or the answer to one. */
export class Amqp091RequestDelivery extends Amqp091Delivery<AmqpMessage> {
  readonly topic: string;

  constructor(message: AmqpMessage, topic: string) {
    super(message);
    this.topic = topic;
  }
}

/** Which queue, as the application calls it, and which group of it. */
export interface QueueNames {
  readonly queue: string;
  /** Where the server does not name it itself. */
  readonly group: string;
}

/** A message of a queue or stream. */
export class Amqp091QueueDelivery extends Amqp091Delivery<AmqpQueueMessage> {
  readonly #names: QueueNames;

  constructor(message: AmqpQueueMessage, names: QueueNames) {
    super(message);
    this.#names = names;
  }

  get topic(): string {
    return queueTopic(this.#names.queue, this.native.routingKey);
  }

  override get timestamp(): Date | null {
    const ms = this.native.streamTimestamp;
    return ms === null ? super.timestamp : new Date(ms);
  }

  override get queue(): string {
    return this.#names.queue;
  }

  override get routingKey(): string {
    return this.native.routingKey;
  }

  override get group(): string {
    const { groupId } = this.native;
    return groupId === "" ? this.#names.group : groupId;
  }

  override get offset(): number | null {
    const { offset } = this.native;
    return offset < 0 ? null : offset;
  }

  override get deliveryCount(): number {
    return this.native.deliveryCount;
  }

  override commit(): Promise<void> {
    return this.native.commit();
  }
}

function dateOf({ timestamp }: BasicProperties): Date | null {
  return timestamp === undefined ? null : new Date(Number(timestamp) * 1_000);
}

function textOf(value: FieldValue): string {
  if (value instanceof TypedField) return textOf(value.value as FieldValue);
  if (typeof value === "string") return value;
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array) return new TextDecoder().decode(value);
  return typeof value === "object" && value !== null ? JSON.stringify(value, bigintText) : String(value);
}

function bigintText(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}
