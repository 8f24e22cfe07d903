import { raceAbort, throwIfAborted } from "../../../base/abort.ts";
import { isMessagingError, MessagingError } from "../../../base/errors.ts";
import { noop } from "../../../base/noop.ts";
import { copyOf } from "../../../bytes/copy.ts";
import { NO_BYTES } from "../../../bytes/no-bytes.ts";
import type { FieldTable } from "../../codec/field-value.ts";
import type { AmqpChannel } from "../channel.ts";
import type { ClientCore } from "../client-core.ts";
import type { AmqpConsumeOptions } from "../consumer.ts";
import type { AmqpPublishOptions } from "../publisher.ts";
import type { AmqpDelivery } from "./delivery.ts";
import { checkTopic, QUEUE_PREFIX, type QueueAddress, queueAddress } from "./queue-address.ts";
import {
  type AmqpQueuePublishOptions,
  type AmqpStreamQueueOptions,
  type AmqpSubscribeOptions,
  streamArguments,
} from "./queue-options.ts";
import { AmqpSubscription, type SubscriptionParts } from "./subscription.ts";
import { topicExchange, topicKey } from "./topic-keys.ts";

/** A subscription as its client knows it. */
export interface Entry {
  /** The filter of topics, or the queue's name. */
  readonly name: string;
  readonly kind: "topic" | "queue" | "stream";
  readonly group: string;
  readonly filter: string;
  /** The group as the server named it last, or "". */
  groupId: string;
  /** The offset that this client committed last, or null. */
  committed: number | null;
  /** Of a group's stream: the lowest offset that came, or null. */
  first: number | null;
  subscription: { unsubscribe(): Promise<void> } | null;
}

/** What a server's ways say of a name: what to consume, and with which arguments. */
export interface Source {
  readonly queue: string;
  readonly arguments: FieldTable;
}

/** What the client does with topics, queues and streams without being told of channels: one for publishing, and one for each subscription. */
export class Queues {
  readonly #core: ClientCore;
  readonly #entries = new Set<Entry>();
  /** Queues of a server that makes none by itself, which we have seen or declared. */
  readonly #ensured = new Map<string, Promise<void> | "there">();
  /** Publishes that wait for their queue, and their bytes. */
  #waiting = 0;
  #waitingBytes = 0;
  #channel: AmqpChannel | null = null;

  constructor(core: ClientCore) {
    this.#core = core;
  }

  /** The channel for publishing; another one when the server has closed the last, or goes on refusing on it. @throws {MessagingError} ERR_NOT_CONNECTED */
  get channel(): AmqpChannel {
    const last = this.#channel;
    if (last !== null && !last.over && !last.worn) return last;
    this.#channel = this.#core.eventualChannel();
    // What it has under way is confirmed or refused first.
    void last?.close();
    return this.#channel;
  }

  publish(topic: string, body: string | Uint8Array, options: AmqpPublishOptions | undefined): Promise<void> {
    if (typeof topic === "string" && topic.startsWith(QUEUE_PREFIX))
      return this.publishToQueue(topic, body, options ?? {});
    checkTopic(topic);
    const { dialect } = this.#core;
    return this.channel.publish(topicExchange(dialect), topicKey(dialect, topic), body, options);
  }

  publishToQueue(name: string, body: string | Uint8Array, options: AmqpQueuePublishOptions): Promise<void> {
    const { routingKey, deliverAfterMs = 0, ...given } = options;
    const { dialect, clock } = this.#core;
    const address = queueAddress(name, routingKey, "name");
    const timestamp = Math.floor(clock.epochMs() / 1_000);
    const headers =
      deliverAfterMs === 0 ? {} : { headers: { ...given.headers, "x-delay": this.#delay(deliverAfterMs) } };
    const publish: AmqpPublishOptions = { timestamp, ...given, ...headers };
    if (dialect !== "rabbitmq") return this.channel.publish("", address.key, body, publish);
    checkPlain(address);
    return this.#publishEnsured(address.queue, body, publish);
  }

  /** Publishes to a stream, which has to be there. */
  publishToStream(name: string, body: string | Uint8Array, options: AmqpQueuePublishOptions): Promise<void> {
    if (this.#core.dialect !== "rabbitmq") return this.publishToQueue(name, body, options);
    const { routingKey, deliverAfterMs = 0, ...given } = options;
    const address = queueAddress(name, routingKey, "name");
    checkPlain(address);
    if (deliverAfterMs !== 0) this.#delay(deliverAfterMs);
    const timestamp = Math.floor(this.#core.clock.epochMs() / 1_000);
    return this.channel.publish("", address.queue, body, { timestamp, mandatory: true, ...given });
  }

  async declareStream(options: AmqpStreamQueueOptions): Promise<string> {
    const address = queueAddress(options.name, undefined, "name");
    if (address.rest !== "") throw new MessagingError("ERR_INVALID_TOPIC", "a queue's name has no slash");
    const { durable = true, autoDelete = false, exclusive = false } = options;
    const flags = { passive: false, durable, autoDelete, exclusive, noWait: false };
    const args = streamArguments(this.#core.dialect, options);
    await this.#core.ask({ method: "queue.declare", queue: address.queue, ...flags, arguments: args });
    return address.queue;
  }

  async commitOffset(name: string, group: string, offset: number): Promise<void> {
    if (typeof group !== "string" || group === "") {
      throw new MessagingError("ERR_QUEUE_ACK_MISSING_GROUP", "a commit names the group");
    }
    if (!Number.isSafeInteger(offset) || offset < 0) {
      throw new MessagingError("ERR_INVALID_ARGUMENT", "an offset is a whole number from 0 to 2^53 - 1");
    }
    if (this.#core.dialect === "rabbitmq") throw unsupported("groups that commit offsets");
    const { queue } = queueAddress(name, undefined, "name");
    const members = this.#of("stream", queue).filter((each) => each.group === group || each.groupId === group);
    const groupId = members.map(effectiveGroup).find((each) => each !== "") ?? group;
    const headers = { "x-group-id": groupId, "x-offset": offset };
    await this.channel.publish("", `${QUEUE_PREFIX}${queue}/$commit`, NO_BYTES, { headers });
    for (const each of members) each.committed = offset;
  }

  /**
   * Starts a subscription: notes it, so that a second one like it is refused, finds out what to consume, and consumes.
   * @param sourceOf may ask the server, also on the subscription's channel
   */
  subscribe<M extends AmqpDelivery>(
    entry: Entry,
    options: AmqpSubscribeOptions<M>,
    parts: Omit<SubscriptionParts<M>, "channel">,
    sourceOf: (channel: AmqpChannel) => Source | Promise<Source>,
  ): Promise<AmqpSubscription<M>> {
    throwIfAborted(options.signal);
    return abortable(this.#subscribe(entry, options, parts, sourceOf), options.signal);
  }

  async #subscribe<M extends AmqpDelivery>(
    entry: Entry,
    options: AmqpSubscribeOptions<M>,
    parts: Omit<SubscriptionParts<M>, "channel">,
    sourceOf: (channel: AmqpChannel) => Source | Promise<Source>,
  ): Promise<AmqpSubscription<M>> {
    this.#checkFree(entry);
    this.#entries.add(entry);
    try {
      const channel = await this.#core.channel(false);
      const subscription = await this.#start(channel, entry, options, { ...parts, channel }, sourceOf);
      entry.subscription = subscription;
      return subscription;
    } catch (error) {
      this.#entries.delete(entry);
      throw error;
    }
  }

  /** Ends subscriptions of a kind to a name, with a group or filter only those of it. */
  async unsubscribe(kind: Entry["kind"], name: string, group?: string, filter?: string): Promise<void> {
    const chosen = this.#of(kind, name).filter(
      (each) =>
        (group === undefined || each.group === group) &&
        (filter === undefined || filter === "" || each.filter === filter),
    );
    await Promise.all(chosen.map((each) => each.subscription?.unsubscribe()));
  }

  /** On a server that makes no queues by itself: sees that there is one, a durable quorum queue unless it is there already. */
  ensure(queue: string): Promise<void> {
    const known = this.#ensured.get(queue);
    if (known === "there") return Promise.resolve();
    if (known !== undefined) return known;
    const ensured = this.#declare(queue).then(
      () => void this.#ensured.set(queue, "there"),
      (error: unknown) => {
        this.#ensured.delete(queue);
        throw error;
      },
    );
    this.#ensured.set(queue, ensured);
    return ensured;
  }

  async #start<M extends AmqpDelivery>(
    channel: AmqpChannel,
    entry: Entry,
    options: AmqpSubscribeOptions<M>,
    parts: SubscriptionParts<M>,
    sourceOf: (channel: AmqpChannel) => Source | Promise<Source>,
  ): Promise<AmqpSubscription<M>> {
    try {
      const source = await sourceOf(channel);
      const onOver: typeof parts.onOver = (consumer) => {
        this.#entries.delete(entry);
        parts.onOver(consumer);
      };
      const args = { ...source.arguments, ...options.arguments };
      return await AmqpSubscription.start(
        { ...parts, onOver },
        source.queue,
        consumeOptions(entry, options, parts, args),
      );
    } catch (error) {
      await channel.close();
      throw error;
    }
  }

  #of(kind: Entry["kind"], name: string): Entry[] {
    return [...this.#entries].filter((each) => each.kind === kind && each.name === name);
  }

  /** @throws {MessagingError} ERR_INVALID_SUBSCRIBE_OPTION, ERR_UNSUPPORTED */
  #checkFree(entry: Entry): void {
    const { dialect } = this.#core;
    for (const each of this.#entries) {
      if (each.name !== entry.name || (each.kind === "topic") !== (entry.kind === "topic")) continue;
      if (each.group === entry.group && each.filter === entry.filter) {
        throw new MessagingError("ERR_INVALID_SUBSCRIBE_OPTION", `${entry.name} is subscribed to like this already`);
      }
      if (dialect === "fluxmq") throw unsupported("two consumers of one queue on one connection; use another client");
      if (dialect === "rabbitmq" && entry.kind === "queue") throw unsupported("two groups on one queue");
    }
  }

  /** Publishes at once to a queue that is there; otherwise, and behind others that wait for that, when it is. */
  async #publishEnsured(queue: string, body: string | Uint8Array, options: AmqpQueuePublishOptions): Promise<void> {
    if (this.#ensured.get(queue) === "there" && this.#waiting === 0)
      return await this.#publishThere(queue, body, options);
    const { maxWaitingMessages, maxWaitingBytes } = this.#core.settings;
    const bytes = this.#core.bytesOf(body);
    if (this.#waiting >= maxWaitingMessages || this.#waitingBytes + bytes.length > maxWaitingBytes) {
      throw new MessagingError("ERR_OUTBOUND_BACKPRESSURE", "as much waits for its queue as may");
    }
    // The caller may change its bytes as soon as this returns.
    const kept = bytes === body ? copyOf(bytes) : bytes;
    this.#waiting++;
    this.#waitingBytes += kept.length;
    try {
      await this.ensure(queue);
    } finally {
      this.#waiting--;
      this.#waitingBytes -= kept.length;
    }
    await this.#publishThere(queue, kept, options);
  }

  async #publishThere(queue: string, body: string | Uint8Array, options: AmqpQueuePublishOptions): Promise<void> {
    try {
      await this.channel.publish("", queue, body, { mandatory: true, ...options });
    } catch (error) {
      if (isMessagingError(error) && error.code === "ERR_UNROUTABLE") this.#ensured.delete(queue);
      throw error;
    }
  }

  async #declare(queue: string): Promise<void> {
    const flags = { exclusive: false, autoDelete: false, noWait: false, durable: true };
    try {
      await this.#core.ask({ method: "queue.declare", queue, passive: true, ...flags, arguments: {} });
    } catch (error) {
      if (!isMessagingError(error) || error.peer?.code !== NOT_FOUND) throw error;
      const args = { "x-queue-type": "quorum" };
      await this.#core.ask({ method: "queue.declare", queue, passive: false, ...flags, arguments: args });
    }
  }

  #delay(ms: number): number {
    if (!Number.isSafeInteger(ms) || ms < 0) {
      throw new MessagingError("ERR_INVALID_ARGUMENT", "deliverAfterMs must be a whole number of ms, 0 or more");
    }
    if (this.#core.dialect !== "polymq") throw unsupported("messages that are delivered later");
    return ms;
  }
}

/** Reply code of what does not exist. */
const NOT_FOUND = 404;

function consumeOptions<M extends AmqpDelivery>(
  entry: Entry,
  options: AmqpSubscribeOptions<M>,
  parts: SubscriptionParts<M>,
  args: FieldTable,
): AmqpConsumeOptions {
  const { prefetch, concurrency, consumerTag, exclusive } = options;
  return {
    // FluxMQ never lets go of what it sent without wanting an answer, and RabbitMQ wants answers for streams.
    noAck: entry.kind === "topic" && parts.consume.ack === "onReceive",
    arguments: args,
    ...(prefetch === undefined ? {} : { prefetch }),
    ...(concurrency === undefined ? {} : { concurrency }),
    ...(consumerTag === undefined ? {} : { consumerTag }),
    ...(exclusive === undefined ? {} : { exclusive }),
  };
}

/** The group to name in a commit: as delivered, else as the server makes it of group and filter. */
function effectiveGroup(entry: Entry): string {
  if (entry.groupId !== "" || entry.filter === "") return entry.groupId;
  return `${entry.group}@${entry.filter}`;
}

/** Refuses routing keys and filters where queues have none. @throws {MessagingError} ERR_UNSUPPORTED */
export function checkPlain(address: QueueAddress): void {
  if (address.rest !== "") throw unsupported("routing keys and filters within a queue");
}

/** What this server cannot do. */
export function unsupported(what: string): MessagingError {
  return new MessagingError("ERR_UNSUPPORTED", `this server has no ${what}`);
}

/** Settles as the subscription does; a signal that fires first takes it back. */
async function abortable<M extends AmqpDelivery>(
  opening: Promise<AmqpSubscription<M>>,
  signal: AbortSignal | undefined,
): Promise<AmqpSubscription<M>> {
  try {
    return await raceAbort(opening, signal);
  } catch (error) {
    opening.then((subscription) => subscription.unsubscribe(), noop);
    throw error;
  }
}
