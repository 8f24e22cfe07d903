import type { AmqpClientBase } from "../../../amqp091/client/amqp-client.ts";
import type { AmqpQueueMessage } from "../../../amqp091/client/queues/queue-message.ts";
import type { AmqpStreamSubscribeOptions } from "../../../amqp091/client/queues/queue-options.ts";
import { raceAbort, throwIfAborted } from "../../../base/abort.ts";
import type { ConsumeCall, QueueAdapter, ReadCall, Source, StreamAdapter } from "../../adapter.ts";
import type { Delivery } from "../../delivery.ts";
import type { QueuePublishOptions } from "../../options.ts";
import { keptPayload } from "../../payload.ts";
import type { UnderWay } from "../under-way.ts";
import { Amqp091QueueDelivery, type QueueNames } from "./amqp091-delivery.ts";
import { queuePublishOptions, subscribeOptions } from "./amqp091-options.ts";
import { Amqp091Source } from "./amqp091-source.ts";
import { hasQueue } from "./publish-channel.ts";

/** The group of whoever names none; the servers' own standards differ between protocols. */
const DEFAULT_GROUP = "default";

/** A queue below `$queue/` (polymq, FluxMQ). */
export class Amqp091Queue implements QueueAdapter {
  readonly #native: AmqpClientBase;
  readonly #name: string;

  constructor(native: AmqpClientBase, name: string) {
    this.#native = native;
    this.#name = name;
  }

  publish(payload: string | Uint8Array, options: QueuePublishOptions | undefined): Promise<unknown> {
    if (options === undefined) return this.#native.publishToQueue(this.#name, payload);
    return this.#native.publishToQueue(this.#name, payload, queuePublishOptions(options));
  }

  async consume(call: ConsumeCall): Promise<Source> {
    const group = call.group === "" ? DEFAULT_GROUP : call.group;
    const wrap = wrapFor({ queue: firstLevel(this.#name), group });
    const options = { ...subscribeOptions(call, wrap), ...(call.filter === "" ? {} : { filter: call.filter }) };
    return new Amqp091Source(await this.#native.subscribeToQueue(this.#name, group, options), wrap);
  }
}

/** A stream, declared when it is not there. */
export class Amqp091Stream implements StreamAdapter {
  readonly #native: AmqpClientBase;
  readonly #name: string;
  readonly #underWay: UnderWay;
  #declared = false;
  #declaring: Promise<void> | null = null;

  constructor(native: AmqpClientBase, name: string, underWay: UnderWay) {
    this.#native = native;
    this.#name = name;
    this.#underWay = underWay;
  }

  publish(payload: string | Uint8Array, options: QueuePublishOptions | undefined): Promise<unknown> {
    if (!this.#declared) return this.#underWay.counted(this.#publishLater(payload, options));
    if (options === undefined) return this.#native.publishToStream(this.#name, payload);
    return this.#native.publishToStream(this.#name, payload, queuePublishOptions(options));
  }

  async read(call: ReadCall): Promise<Source> {
    await this.#declare(call.signal);
    const { from, group, filter, commit } = call;
    const wrap = wrapFor({ queue: firstLevel(this.#name), group });
    const options: AmqpStreamSubscribeOptions = {
      ...subscribeOptions(call, wrap),
      queue: this.#name,
      autoCommit: commit === "auto",
      ...(from === "resume" ? {} : { offset: from }),
      ...(group === "" ? {} : { consumerGroup: group }),
      ...(filter === "" ? {} : { filter }),
    };
    return new Amqp091Source(await this.#native.subscribeToStream(options), wrap);
  }

  commit(group: string, offset: number): Promise<void> {
    return this.#native.commitOffset(this.#name, group, offset);
  }

  async #publishLater(payload: string | Uint8Array, options: QueuePublishOptions | undefined): Promise<unknown> {
    // The caller may change its bytes as soon as this returns.
    const kept = keptPayload(payload);
    await this.#declare(options?.signal);
    return await this.publish(kept, options);
  }

  #declare(signal: AbortSignal | undefined): Promise<void> {
    throwIfAborted(signal);
    this.#declaring ??= this.#ensure();
    return raceAbort(this.#declaring, signal);
  }

  async #ensure(): Promise<void> {
    const name = firstLevel(this.#name);
    try {
      if (!(await hasQueue(this.#native, name))) await this.#native.declareStreamQueue({ name });
      this.#declared = true;
    } finally {
      this.#declaring = null;
    }
  }
}

/** Makes messages of a queue. */
export function wrapFor(names: QueueNames): (message: AmqpQueueMessage) => Delivery {
  return (message) => new Amqp091QueueDelivery(message, names);
}

/** The name itself, of a name with a routing key or filter behind it. */
function firstLevel(name: string): string {
  const given = name.startsWith("$queue/") ? name.slice("$queue/".length) : name;
  const slash = given.indexOf("/", given.startsWith("$dlq/") ? "$dlq/".length : 0);
  return slash < 0 ? given : given.slice(0, slash);
}
