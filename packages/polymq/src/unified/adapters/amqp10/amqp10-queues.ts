import type { AmqpConnection } from "../../../amqp10/client/connection.ts";
import type { AmqpQueueMessage } from "../../../amqp10/client/queues/queue-message.ts";
import type { AmqpQueueSubscribeOptions } from "../../../amqp10/client/queues/queue-options.ts";
import type { AmqpQueueSubscription } from "../../../amqp10/client/queues/queue-subscription.ts";
import type { AmqpReceiver } from "../../../amqp10/client/receiver.ts";
import { MessagingError } from "../../../base/errors.ts";
import type { ConsumeCall, QueueAdapter, ReadCall, Source, StreamAdapter } from "../../adapter.ts";
import { type Delivery, unsupported } from "../../delivery.ts";
import type { QueuePublishOptions } from "../../options.ts";
import type { UnderWay } from "../under-way.ts";
import { Amqp10QueueDelivery } from "./amqp10-delivery.ts";
import { cursorOf, messageOf, queuePublishOptions, subscribeOptions } from "./amqp10-options.ts";
import type { Amqp10Publisher } from "./amqp10-publisher.ts";
import type { Node, Ways } from "./amqp10-ways.ts";

/** The group of whoever names none; the servers' own standards differ between protocols. */
export const DEFAULT_GROUP = "default";

/** How a receiver is attached. */
export interface AttachCall {
  /** Messages that may be on their way; `none` asks for none. */
  readonly prefetch?: number | "none" | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What queues need of their adapter. */
export interface QueueHost {
  readonly native: AmqpConnection;
  readonly publisher: Amqp10Publisher;
  readonly ways: Ways;
  readonly underWay: UnderWay;
  /** Receives from a node. */
  receive(node: Node, call: ConsumeCall, queue: string): Promise<Source>;
  /** A receiver on a session of its own. */
  attach(node: Node, call: AttachCall): Promise<AmqpReceiver>;
}

/** A queue or stream below `$queue/` (polymq, FluxMQ). */
export class Amqp10Queue implements QueueAdapter, StreamAdapter {
  readonly #host: QueueHost;
  readonly #name: string;

  constructor(host: QueueHost, name: string) {
    this.#host = host;
    this.#name = name;
  }

  publish(payload: string | Uint8Array, options: QueuePublishOptions | undefined): Promise<unknown> {
    const { native, ways, underWay } = this.#host;
    if (options === undefined) return underWay.counted(native.publishToQueue(this.#name, payload));
    if ((options.deliverAfterMs ?? 0) !== 0 && ways.dialect !== "polymq") {
      throw unsupported("messages that are delivered later");
    }
    return underWay.counted(native.publishToQueue(this.#name, payload, queuePublishOptions(options)));
  }

  async consume(call: ConsumeCall): Promise<Source> {
    const group = call.group === "" ? DEFAULT_GROUP : call.group;
    const options = subscribeOptions(call, this.#wrap);
    return await this.#subscribe(group, options);
  }

  async read(call: ReadCall): Promise<Source> {
    const cursor = cursorOf(call.from);
    const options = {
      ...subscribeOptions(call, this.#wrap),
      ...(cursor === null ? {} : { cursor }),
      ...(call.commit === "auto" ? {} : { autoCommit: false }),
    };
    return await this.#subscribe(call.group === "" ? this.#readerGroup() : call.group, options);
  }

  /** FluxMQ takes links without a group for members of one that their containers' names begin with: a reader by itself needs one of its own there. */
  #readerGroup(): string {
    return this.#host.ways.dialect === "fluxmq" ? `reader.${crypto.randomUUID()}` : "";
  }

  async commit(group: string, offset: number): Promise<void> {
    if (this.#host.ways.dialect !== "polymq") throw unsupported("commits of offsets");
    if (!Number.isSafeInteger(offset) || offset < 0) {
      throw new MessagingError("ERR_INVALID_ARGUMENT", "an offset is a whole number from 0 to 2^53 - 1");
    }
    const properties = { "x-group-id": group, "x-offset": String(offset) };
    const node = { address: `$queue/${this.#name}/$commit`, capabilities: [] };
    const message = messageOf(new Uint8Array(0), { properties });
    await this.#host.publisher.send(node, message, { settled: false, signal: undefined });
  }

  async #subscribe(group: string, options: AmqpQueueSubscribeOptions): Promise<Source> {
    const { native, underWay } = this.#host;
    const subscription = await native.subscribeToQueue(this.#name, group, options);
    return underWay.keep(new QueueSource(subscription, this.#wrap), subscription.closed);
  }

  readonly #wrap = (message: AmqpQueueMessage): Delivery =>
    new Amqp10QueueDelivery(message, (group, offset) => this.commit(group, offset));
}

/** A queue that is a node of its server: one group, whose members share it. */
export class Amqp10NodeQueue implements QueueAdapter {
  readonly #host: QueueHost;
  readonly #name: string;
  readonly #node: Node;

  constructor(host: QueueHost, name: string) {
    this.#host = host;
    this.#name = name;
    this.#node = host.ways.queueNode(name);
  }

  publish(payload: string | Uint8Array, options: QueuePublishOptions | undefined): Promise<unknown> {
    return this.#host.underWay.counted(this.#publish(payload, options));
  }

  async #publish(payload: string | Uint8Array, options: QueuePublishOptions | undefined): Promise<unknown> {
    if ((options?.routingKey ?? "") !== "") throw unsupported("routing keys within a queue");
    if ((options?.deliverAfterMs ?? 0) !== 0) throw unsupported("messages that are delivered later");
    const message = messageOf(payload, options);
    return await this.#host.publisher.send(this.#node, message, { settled: false, signal: options?.signal });
  }

  async consume(call: ConsumeCall): Promise<Source> {
    if (call.group !== "") throw unsupported("groups: leave the group out to share the queue");
    if (call.filter !== "") throw unsupported("filters within a queue");
    return await this.#host.receive(this.#node, { ...call, qos: 1 }, this.#name);
  }
}

/** A subscription of the AMQP 1.0 client to a queue. */
class QueueSource implements Source {
  readonly #native: AmqpQueueSubscription;
  readonly #make: (message: AmqpQueueMessage) => Delivery;

  constructor(native: AmqpQueueSubscription, make: (message: AmqpQueueMessage) => Delivery) {
    this.#native = native;
    this.#make = make;
  }

  iterate(): AsyncIterator<AmqpQueueMessage, void, undefined> {
    return this.#native[Symbol.asyncIterator]();
  }

  wrap(message: unknown): Delivery {
    return this.#make(message as AmqpQueueMessage);
  }

  unsubscribe(): Promise<void> {
    return this.#native.unsubscribe();
  }
}
