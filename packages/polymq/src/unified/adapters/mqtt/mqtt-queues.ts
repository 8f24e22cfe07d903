import type { MqttMessage } from "../../../mqtt/client/message.ts";
import type { MqttClientBase } from "../../../mqtt/client/mqtt-client.ts";
import type { MqttQueueMessage } from "../../../mqtt/client/queues/queue-message.ts";
import type { QueueConsumeOptions, StreamSubscribeOptions } from "../../../mqtt/client/queues/queue-options.ts";
import type { SubscribeOptions } from "../../../mqtt/client/subscribe-options.ts";
import type { MessageHandler } from "../../../mqtt/client/subscription.ts";
import type { ConsumeCall, QueueAdapter, ReadCall, Source, StreamAdapter } from "../../adapter.ts";
import { type Delivery, unsupported } from "../../delivery.ts";
import type { QueuePublishOptions } from "../../options.ts";
import type { Dialect } from "../../protocol.ts";
import { FluxQueueDelivery, MqttQueueDelivery, MqttSharedDelivery } from "./mqtt-delivery.ts";
import { queuePublishOptions, sharedPublishOptions } from "./mqtt-options.ts";
import { MqttSource } from "./mqtt-source.ts";

/** The group of whoever names none; the servers' own standards differ between protocols. */
export const DEFAULT_GROUP = "default";

/** The client as far as queues need it. */
export type MqttNative = Pick<
  MqttClientBase,
  "publish" | "subscribe" | "publishToQueue" | "subscribeToQueue" | "subscribeToStream" | "protocolVersion"
>;

/** A queue below `$queue/` (polymq, FluxMQ), or a stream there. */
export class MqttQueue implements QueueAdapter, StreamAdapter {
  readonly #native: MqttNative;
  readonly #name: string;
  readonly #dialect: Dialect;
  readonly #wrap: (message: MqttQueueMessage) => Delivery;

  constructor(native: MqttNative, name: string, dialect: Dialect) {
    this.#native = native;
    this.#name = name;
    this.#dialect = dialect;
    this.#wrap = dialect === "fluxmq" ? wrapFlux : wrapQueue;
  }

  publish(payload: string | Uint8Array, options: QueuePublishOptions | undefined): Promise<unknown> {
    if (options === undefined) return this.#native.publishToQueue(this.#name, payload);
    return this.#native.publishToQueue(this.#name, payload, queuePublishOptions(options, this.#dialect));
  }

  async consume(call: ConsumeCall): Promise<Source> {
    const group = call.group === "" ? DEFAULT_GROUP : call.group;
    const options = consumeOptions(call, this.#wrap);
    return new MqttSource(await this.#native.subscribeToQueue(this.#name, group, options), this.#wrap);
  }

  async read(call: ReadCall): Promise<Source> {
    if (call.commit === "manual") throw unsupported("commits of offsets");
    const options: StreamSubscribeOptions = {
      ...consumeOptions(call, this.#wrap),
      ...(call.group === "" ? {} : { group: call.group }),
      ...(call.from === "resume" ? {} : { from: call.from }),
    };
    return new MqttSource(await this.#native.subscribeToStream(this.#name, options), this.#wrap);
  }

  commit(): Promise<void> {
    return Promise.reject(unsupported("commits of offsets"));
  }
}

/** A shared subscription in place of a queue: members of a group share what is published while one of them is there. */
export class MqttSharedQueue implements QueueAdapter {
  readonly #native: MqttNative;
  readonly #queue: { readonly name: string; readonly prefix: string };

  constructor(native: MqttNative, name: string) {
    this.#native = native;
    this.#queue = { name, prefix: `queue/${name}` };
  }

  publish(payload: string | Uint8Array, options: QueuePublishOptions | undefined): Promise<unknown> {
    const { prefix } = this.#queue;
    const topic = options?.routingKey === undefined ? prefix : `${prefix}/${options.routingKey}`;
    return this.#native.publish(topic, payload, sharedPublishOptions(options));
  }

  async consume(call: ConsumeCall): Promise<Source> {
    if (this.#native.protocolVersion !== 5) throw unsupported("groups: MQTT 3.1.1 has no shared subscriptions");
    const group = call.group === "" ? DEFAULT_GROUP : call.group;
    const filter = `$share/${group}/${this.#queue.prefix}/${call.filter === "" ? "#" : call.filter}`;
    const wrap = (message: MqttMessage): Delivery => new MqttSharedDelivery(message, this.#queue, group);
    return new MqttSource(await this.#native.subscribe(filter, topicOptions(call, wrap)), wrap);
  }
}

/** How messages of a topic are consumed, in MQTT's words. */
export function topicOptions(call: ConsumeCall, wrap: (message: MqttMessage) => Delivery): SubscribeOptions {
  const { deliver, qos, topic, concurrency, ack, whenHandlerFails, prefetch, signal } = call;
  return {
    ...topic,
    qos,
    ack,
    whenHandlerFails: whenHandlerFails === "nack" ? "withhold" : "reject",
    ...(deliver === null ? {} : { handler: handlerOf(deliver, wrap) }),
    ...(concurrency === undefined ? {} : { concurrency }),
    ...(prefetch === undefined ? {} : { highWaterMark: prefetch }),
    ...(signal === undefined ? {} : { signal }),
  };
}

function consumeOptions(call: ConsumeCall, wrap: (message: MqttQueueMessage) => Delivery): QueueConsumeOptions {
  const { deliver, filter, prefetch, concurrency, ack, whenHandlerFails, signal } = call;
  return {
    ack,
    whenHandlerFails,
    ...(deliver === null ? {} : { handler: handlerOf(deliver, wrap) }),
    ...(filter === "" ? {} : { filter }),
    ...(prefetch === undefined ? {} : { prefetch }),
    ...(concurrency === undefined ? {} : { concurrency }),
    ...(signal === undefined ? {} : { signal }),
  };
}

function wrapQueue(message: MqttQueueMessage): Delivery {
  return new MqttQueueDelivery(message);
}

function wrapFlux(message: MqttQueueMessage): Delivery {
  return new FluxQueueDelivery(message);
}

/** What the handler returns decides when the message is done; it may be a promise. */
function handlerOf<M>(deliver: (message: Delivery) => unknown, wrap: (message: M) => Delivery): MessageHandler<M> {
  return ((message: M) => deliver(wrap(message))) as MessageHandler<M>;
}
