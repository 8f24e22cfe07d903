import type { AmqpClientBase } from "../../../amqp091/client/amqp-client.ts";
import type { AmqpChannel } from "../../../amqp091/client/channel.ts";
import type { AmqpPublishOptions } from "../../../amqp091/client/publisher.ts";
import { raceAbort, throwIfAborted } from "../../../base/abort.ts";
import { MessagingError } from "../../../base/errors.ts";
import type { ConsumeCall, QueueAdapter, Source } from "../../adapter.ts";
import { unsupported } from "../../delivery.ts";
import type { QueuePublishOptions } from "../../options.ts";
import { keptPayload } from "../../payload.ts";
import { queuePublishOptions, subscribeOptions } from "./amqp091-options.ts";
import { wrapFor } from "./amqp091-queues.ts";
import { Amqp091Source } from "./amqp091-source.ts";
import { hasQueue, onChannel, type PublishChannel } from "./publish-channel.ts";

/** Deliveries after which a message is dead-lettered: the same as with polymq's broker. */
const DELIVERY_LIMIT = 5;

const MANDATORY: AmqpPublishOptions = Object.freeze({ mandatory: true });

/**
 * A queue with groups on RabbitMQ: the fanout exchange `<queue>`, and for each group a quorum queue `<queue>.<group>` bound to it (`<queue>` itself for whoever names no
 * group). What is rejected, or delivered too often, goes to `<queue>.dlq`. Everything is durable and made by whoever needs it first.
 */
export class RabbitMqQueue implements QueueAdapter {
  readonly #native: AmqpClientBase;
  readonly #publishing: PublishChannel;
  readonly #name: string;
  readonly #groups: readonly string[];
  #ready = false;
  #making: Promise<void> | null = null;

  /** @param groups groups that are to have what is published from the first message on */
  constructor(native: AmqpClientBase, publishing: PublishChannel, name: string, groups: readonly string[]) {
    if (name === "" || /[/+#]/.test(name)) {
      throw new MessagingError("ERR_INVALID_TOPIC", `on RabbitMQ a queue's name has no levels: ${name}`);
    }
    this.#native = native;
    this.#publishing = publishing;
    this.#name = name;
    this.#groups = groups;
  }

  publish(payload: string | Uint8Array, options: QueuePublishOptions | undefined): Promise<unknown> {
    const channel = this.#publishing.current;
    if (!this.#ready || channel === null) {
      return this.#publishing.underWay.counted(this.#publishLater(payload, options));
    }
    return channel.publish(this.#name, "", payload, options === undefined ? MANDATORY : publishOptions(options));
  }

  async consume(call: ConsumeCall): Promise<Source> {
    if (call.filter !== "") throw unsupported("filters within a queue");
    throwIfAborted(call.signal);
    const queue = await raceAbort(this.#joinable(call.group), call.signal);
    const wrap = wrapFor({ queue: this.#name, group: call.group });
    return new Amqp091Source(await this.#native.subscribeToQueue(queue, "", subscribeOptions(call, wrap)), wrap);
  }

  async #publishLater(payload: string | Uint8Array, options: QueuePublishOptions | undefined): Promise<unknown> {
    // The caller may change its bytes as soon as this returns.
    const kept = keptPayload(payload);
    const chosen = options === undefined ? MANDATORY : publishOptions(options);
    throwIfAborted(options?.signal);
    const channel = await raceAbort(this.#publishable(), options?.signal);
    await channel.publish(this.#name, "", kept, chosen);
    return undefined;
  }

  async #joinable(group: string): Promise<string> {
    await this.#exchange();
    return await this.#group(group);
  }

  async #publishable(): Promise<AmqpChannel> {
    await this.#exchange();
    return await this.#publishing.get();
  }

  #exchange(): Promise<void> {
    this.#making ??= this.#make();
    return this.#making;
  }

  async #make(): Promise<void> {
    try {
      await onChannel(this.#native, (channel) => channel.declareExchange(this.#name, "fanout"));
      for (const group of this.#groups) await this.#group(group);
      this.#ready = true;
    } catch (error) {
      this.#making = null;
      throw error;
    }
  }

  /** Sees that a group has its queue, and returns the queue's name. */
  async #group(group: string): Promise<string> {
    const queue = group === "" ? this.#name : `${this.#name}.${group}`;
    const letters = `${this.#name}.dlq`;
    if (!(await hasQueue(this.#native, letters))) await this.#declare(letters, {});
    if (!(await hasQueue(this.#native, queue))) {
      await this.#declare(queue, {
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": letters,
        "x-delivery-limit": DELIVERY_LIMIT,
      });
    }
    await onChannel(this.#native, (channel) => channel.bindQueue(queue, this.#name));
    return queue;
  }

  async #declare(queue: string, args: Readonly<Record<string, string | number>>): Promise<void> {
    const options = { durable: true, arguments: { "x-queue-type": "quorum", ...args } };
    await onChannel(this.#native, (channel) => channel.declareQueue(queue, options));
  }
}

function publishOptions(options: QueuePublishOptions): AmqpPublishOptions {
  if ((options.routingKey ?? "") !== "") throw unsupported("routing keys within a queue");
  if ((options.deliverAfterMs ?? 0) !== 0) throw unsupported("messages that are delivered later");
  const { routingKey: _, deliverAfterMs: __, ...publish } = queuePublishOptions(options);
  return { ...publish, mandatory: true };
}
