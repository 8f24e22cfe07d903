import type { UserProperties } from "../../codec/packets.ts";
import type { Payload, PublishOptions, SettleByIdOptions } from "../call-options.ts";
import { checkUsable } from "../check-usable.ts";
import type { ClientCore } from "../client-core.ts";
import type { PublishResult } from "../pending.ts";
import type { MqttSubscription } from "../subscription.ts";
import { type MqttQueueMessage, nackProperties, rejectProperties, type SettleVerb } from "./queue-message.ts";
import {
  checkOptions,
  checkPublish,
  checkQueue,
  type QueuePublishOptions,
  type QueueSubscribeOptions,
  type StreamSubscribeOptions,
} from "./queue-options.ts";
import { Queues } from "./queues.ts";

/** How a {@link QueueClient} publishes. */
export interface QueuePublisher {
  publish(topic: string, payload: Payload, options: PublishOptions): Promise<PublishResult>;
}

/** The methods of a client that are about queues and streams: checks arguments. */
export class QueueClient {
  readonly #core: ClientCore;
  readonly #client: QueuePublisher;
  readonly #queues: Queues;

  constructor(core: ClientCore, client: QueuePublisher) {
    this.#core = core;
    this.#client = client;
    this.#queues = new Queues(core);
  }

  /** See `MqttClientBase.publishToQueue`. */
  publish(queue: string, payload: Payload, options: QueuePublishOptions): Promise<PublishResult> {
    const { topic, publish } = checkPublish(queue, options);
    return this.#client.publish(topic, payload, publish);
  }

  /** See `MqttClientBase.subscribeToQueue`; `stream` holds the options of a stream. */
  subscribe(
    queue: string,
    group: string,
    options: QueueSubscribeOptions,
    stream: StreamSubscribeOptions | null,
  ): Promise<MqttSubscription<MqttQueueMessage>> {
    const call = checkQueue(queue, group, options, stream);
    checkUsable(this.#core, options.signal);
    return this.#queues.subscribe(call, options.signal);
  }

  /** See `MqttClientBase.unsubscribeFromQueue`. */
  unsubscribeFrom(queue: string, options: { readonly group?: string; readonly filter?: string }): Promise<void> {
    checkOptions(options);
    checkUsable(this.#core, undefined);
    return this.#queues.unsubscribeFrom(queue, options.group, options.filter);
  }

  /** See `MqttClientBase.ack`, `nack` and `reject`. */
  settle(verb: SettleVerb, queue: string, messageId: string | number, options: SettlementOptions): Promise<void> {
    checkOptions(options);
    const { group, signal, delayMs, reason } = options;
    const said = { ack: () => [], nack: () => nackProperties(delayMs), reject: () => rejectProperties(reason) };
    const extra: UserProperties = said[verb]();
    checkUsable(this.#core, signal);
    return this.#queues.settle(verb, queue, messageId, { group, extra, signal });
  }
}

/** Options of all three ways to settle. */
export interface SettlementOptions extends SettleByIdOptions {
  /** Of a nack. */
  readonly delayMs?: number;
  /** Of a reject. */
  readonly reason?: string;
}
