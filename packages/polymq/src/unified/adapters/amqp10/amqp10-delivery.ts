// Hot path: one object per received message; what it says of itself is read when asked for.
import type { AmqpDelivery } from "../../../amqp10/client/delivery.ts";
import type { AmqpQueueMessage } from "../../../amqp10/client/queues/queue-message.ts";
import { Condition } from "../../../amqp10/codec/conditions.ts";
import type { MessageView } from "../../../amqp10/codec/message-view.ts";
import { type AmqpMap, type AmqpValue, plain } from "../../../amqp10/codec/values.ts";
import { MessagingError } from "../../../base/errors.ts";
import { Delivery, queueTopic, unsupported } from "../../delivery.ts";
import type { DelayedNack } from "../../message.ts";
import type { Ways } from "./amqp10-ways.ts";

/** What all messages of AMQP 1.0 have. */
abstract class Amqp10Delivery extends Delivery {
  #payload: Uint8Array | null = null;
  #map: AmqpMap | null | undefined;

  /** Its sections. */
  abstract readonly message: MessageView;

  /** Its data; of a value that is text or binary, that. */
  get payload(): Uint8Array {
    this.#payload ??= this.message.data ?? valueBytes(this.message);
    return this.#payload;
  }

  get contentType(): string | null {
    const type = plain(this.message.properties?.contentType ?? null);
    return typeof type === "string" ? type : this.property("content-type");
  }

  get timestamp(): Date | null {
    const at = this.message.properties?.creationTime ?? null;
    return at === null ? null : new Date(Number(at));
  }

  get deliveryCount(): number {
    return this.message.header?.deliveryCount ?? 0;
  }

  text(): string {
    return new TextDecoder().decode(this.payload);
  }

  json(): unknown {
    try {
      return JSON.parse(this.text());
    } catch (cause) {
      throw new MessagingError("ERR_INVALID_MESSAGE", "the payload is no JSON", { cause });
    }
  }

  property(name: string): string | null {
    return textOf(this.#applicationProperties()?.get(name) ?? null);
  }

  protected override readProperties(): Record<string, string> {
    const properties: Record<string, string> = {};
    for (const [key, value] of this.#applicationProperties()?.entries() ?? []) {
      properties[`amqp.headers.${String(plain(key))}`] = textOf(value) ?? "";
    }
    return properties;
  }

  #applicationProperties(): AmqpMap | null {
    if (this.#map === undefined) this.#map = this.message.applicationProperties;
    return this.#map;
  }
}

/** What is known of a message besides what it carries. */
export interface NodeFacts {
  readonly topic: string;
  readonly queue: string | null;
  /** `received`: it was settled when it came, and settling it is nothing. */
  readonly settled: "received" | "byHand";
  readonly ways: Ways;
}

/** A message of a topic, or of a queue that is a plain node. */
export class Amqp10NodeDelivery extends Amqp10Delivery {
  readonly native: AmqpDelivery;
  readonly topic: string;
  readonly #facts: NodeFacts;

  constructor(native: AmqpDelivery, facts: NodeFacts) {
    super();
    this.native = native;
    this.topic = facts.topic;
    this.#facts = facts;
  }

  get message(): MessageView {
    return this.native.message;
  }

  override get queue(): string | null {
    return this.#facts.queue;
  }

  ack(): Promise<void> {
    return this.#isSettled() ? DONE : this.native.accept();
  }

  nack(options?: DelayedNack): Promise<void> {
    if ((options?.delayMs ?? 0) !== 0) return Promise.reject(unsupported("delay before a message comes again"));
    if (this.#isSettled()) return DONE;
    const { ways, queue } = this.#facts;
    if (queue === null && !ways.keepsTopics) return Promise.reject(unsupported("way to have a topic's message again"));
    return ways.giveBack(this.native);
  }

  reject(reason?: string): Promise<void> {
    return this.#isSettled() ? DONE : this.native.reject(reason === undefined ? null : errorOf(reason));
  }

  refuse(reason: string): Promise<void> {
    return this.reject(reason);
  }

  #isSettled(): boolean {
    return this.#facts.settled === "received";
  }
}

const DONE: Promise<void> = Promise.resolve();

/** A message of a queue or stream below `$queue/`. */
export class Amqp10QueueDelivery extends Amqp10Delivery {
  readonly native: AmqpQueueMessage;
  readonly #commit: (group: string, offset: number) => Promise<void>;

  constructor(native: AmqpQueueMessage, commit: (group: string, offset: number) => Promise<void>) {
    super();
    this.native = native;
    this.#commit = commit;
  }

  get message(): MessageView {
    return this.native.message;
  }

  override get payload(): Uint8Array {
    return this.native.payload;
  }

  get topic(): string {
    return queueTopic(this.queue, this.routingKey);
  }

  override get timestamp(): Date | null {
    const ms = this.native.streamTimestampMs;
    return ms === null ? super.timestamp : new Date(ms);
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

  override get deliveryCount(): number {
    return this.native.deliveryCount;
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

  override commit(): Promise<void> {
    const { streamOffset, groupId } = this.native;
    if (streamOffset !== null && groupId !== "") return this.#commit(groupId, streamOffset + 1);
    const what = "only a message of a consumer group on a stream can be committed";
    return Promise.reject(new MessagingError("ERR_INVALID_ARGUMENT", what));
  }
}

/** A request, or the answer to one: there is nothing to settle, for the protocol client does. */
export class Amqp10RequestDelivery extends Amqp10Delivery {
  readonly topic: string;
  readonly message: MessageView;

  constructor(message: MessageView, topic: string) {
    super();
    this.message = message;
    this.topic = topic;
  }

  get native(): MessageView {
    return this.message;
  }

  ack(): Promise<void> {
    return Promise.resolve();
  }

  nack(): Promise<void> {
    return Promise.resolve();
  }

  reject(): Promise<void> {
    return Promise.resolve();
  }

  refuse(): Promise<void> {
    return Promise.resolve();
  }
}

function errorOf(description: string): { readonly condition: string; readonly description: string } {
  return { condition: Condition.preconditionFailed, description };
}

function textOf(value: AmqpValue): string | null {
  const bare = plain(value);
  if (bare === null) return null;
  return bare instanceof Uint8Array ? new TextDecoder().decode(bare) : String(bare);
}

function valueBytes(message: MessageView): Uint8Array {
  const { body } = message;
  if (body?.type !== "value") return NOTHING;
  const value = plain(body.value);
  if (value instanceof Uint8Array) return value;
  return typeof value === "string" ? new TextEncoder().encode(value) : NOTHING;
}

const NOTHING: Uint8Array = new Uint8Array(0);
