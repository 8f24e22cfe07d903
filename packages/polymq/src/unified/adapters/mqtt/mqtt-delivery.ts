// Hot path: one object per received message; what it says of itself is read when asked for.
import type { MqttMessage } from "../../../mqtt/client/message.ts";
import type { MqttQueueMessage } from "../../../mqtt/client/queues/queue-message.ts";
import type { UserProperties } from "../../../mqtt/codec/packets.ts";
import { Delivery, queueTopic, settled, unsupported } from "../../delivery.ts";
import type { DelayedNack } from "../../message.ts";

/** What the properties of an MQTT message say, under the unified keys. */
export function mqttProperties(message: MqttMessage): Record<string, string> {
  const properties: Record<string, string> = {
    "mqtt.qos": String(message.qos),
    "mqtt.retain": String(message.retain),
    "mqtt.dup": String(message.dup),
  };
  for (const [name, value] of message.userProperties) properties[`mqtt.user.${name}`] = value;
  return properties;
}

/** The last value of a name: servers write after publishers. */
export function userProperty(pairs: UserProperties, name: string): string | null {
  for (let i = pairs.length - 1; i >= 0; i--) {
    const pair = pairs[i];
    if (pair !== undefined && pair[0] === name) return pair[1];
  }
  return null;
}

/** A message of a topic. */
export class MqttTopicDelivery extends Delivery {
  readonly native: MqttMessage;

  constructor(message: MqttMessage) {
    super();
    this.native = message;
  }

  get topic(): string {
    return this.native.topic;
  }

  get payload(): Uint8Array {
    return this.native.payload;
  }

  get contentType(): string | null {
    return this.native.contentType ?? null;
  }

  get timestamp(): Date | null {
    return null;
  }

  get deliveryCount(): number {
    return this.native.dup ? 1 : 0;
  }

  text(): string {
    return this.native.text();
  }

  json(): unknown {
    return this.native.json();
  }

  property(name: string): string | null {
    return userProperty(this.native.userProperties, name);
  }

  ack(): Promise<void> {
    return settled(() => this.native.ack());
  }

  /** Stays without its acknowledgement: the server sends it again after the next reconnect to the session. */
  nack(options?: DelayedNack): Promise<void> {
    if ((options?.delayMs ?? 0) !== 0) return Promise.reject(unsupported("delay before a topic's message comes again"));
    return settled(() => this.native.withhold());
  }

  reject(reason?: string): Promise<void> {
    if (reason !== undefined) return Promise.reject(unsupported("reasons of rejected messages of topics"));
    return settled(() => this.native.reject());
  }

  refuse(): Promise<void> {
    return settled(() => refuse(this.native));
  }

  protected override readProperties(): Record<string, string> {
    return mqttProperties(this.native);
  }
}

/** A message that a shared subscription stands in for a queue for. */
export class MqttSharedDelivery extends MqttTopicDelivery {
  readonly #queue: string;
  readonly #prefixLength: number;
  readonly #group: string;

  /** @param prefix what its topics begin with, the queue's name included */
  constructor(message: MqttMessage, queue: { readonly name: string; readonly prefix: string }, group: string) {
    super(message);
    this.#queue = queue.name;
    this.#prefixLength = queue.prefix.length;
    this.#group = group;
  }

  override get topic(): string {
    return queueTopic(this.#queue, this.routingKey);
  }

  override get queue(): string {
    return this.#queue;
  }

  override get routingKey(): string {
    return this.native.topic.slice(this.#prefixLength + 1);
  }

  override get group(): string {
    return this.#group;
  }

  override nack(): Promise<void> {
    return Promise.reject(unsupported("way to have a message delivered again while it lasts"));
  }
}

/** A message of a queue or stream. */
export class MqttQueueDelivery extends Delivery {
  readonly native: MqttQueueMessage;

  constructor(message: MqttQueueMessage) {
    super();
    this.native = message;
  }

  get topic(): string {
    return this.native.topic;
  }

  get payload(): Uint8Array {
    return this.native.payload;
  }

  get contentType(): string | null {
    return this.native.message.contentType ?? null;
  }

  get timestamp(): Date | null {
    const ms = this.native.streamTimestampMs;
    return ms === null ? null : new Date(ms);
  }

  override get queue(): string {
    return this.native.queue;
  }

  override get routingKey(): string {
    return this.native.routingKey;
  }

  override get group(): string {
    return this.native.groupId;
  }

  override get offset(): number | null {
    const { offset } = this.native;
    return offset < 0 ? null : offset;
  }

  get deliveryCount(): number {
    return this.native.deliveryCount;
  }

  text(): string {
    return this.native.text();
  }

  json(): unknown {
    return this.native.json();
  }

  property(name: string): string | null {
    return userProperty(this.native.userProperties, name);
  }

  ack(): Promise<void> {
    return this.native.ack();
  }

  nack(options?: DelayedNack): Promise<void> {
    return this.native.nack(options);
  }

  reject(reason?: string): Promise<void> {
    return this.native.reject(reason);
  }

  refuse(reason: string): Promise<void> {
    return this.native.reject(reason);
  }

  protected override readProperties(): Record<string, string> {
    return mqttProperties(this.native.message);
  }
}

/** A message of a queue of FluxMQ, which decides by itself when it comes again. */
export class FluxQueueDelivery extends MqttQueueDelivery {
  override nack(options?: DelayedNack): Promise<void> {
    if ((options?.delayMs ?? 0) !== 0) return Promise.reject(unsupported("delay before a message comes again"));
    return super.nack();
  }
}

/** MQTT 3.1.1 cannot refuse: what is wrong there is done with. */
function refuse(message: MqttMessage): void {
  try {
    message.reject();
  } catch (error) {
    if ((error as { code?: unknown }).code !== "ERR_UNSUPPORTED") throw error;
    message.ack();
  }
}
