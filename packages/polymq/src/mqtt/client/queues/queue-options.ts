import { MessagingError } from "../../../base/errors.ts";
import { checkedOptions, given, type OptionSource } from "../../../base/option-rules.ts";
import type { QoS, UserProperties } from "../../codec/packets.ts";
import type { PublishOptions, PublishPropertiesInput } from "../call-options.ts";
import type { ServerCapabilities } from "../capabilities.ts";
import type { Link } from "../link.ts";
import type { CheckedSubscribe, QueueRequest } from "../subscribe-options.ts";
import type { MessageHandler } from "../subscription.ts";
import { toUserProperties, type UserPropertiesInput } from "../user-properties.ts";
import { type QueueAddress, queueAddress } from "./queue-address.ts";
import type { MqttQueueMessage } from "./queue-message.ts";

/** Options of `publishToQueue`. */
export interface QueuePublishOptions {
  /** User properties (MQTT 5.0 only: `ERR_UNSUPPORTED` on a 3.1.1 connection). */
  readonly properties?: UserPropertiesInput;
  /** Default 1; 0 is raised to 1, for the server must confirm what it stores. */
  readonly qos?: QoS;
  /** Levels after the queue's name, for groups with a filter. Default none. */
  readonly routingKey?: string;
  readonly contentType?: string;
  /** Lifetime: a message that nobody took by then becomes a dead letter. Default: the queue's. */
  readonly messageExpirySeconds?: number;
  /** 0 to 255, higher first, on a queue with priorities (polymq's broker). Default 0. */
  readonly priority?: number;
  /** The queue gets the message this many ms later (polymq's broker). Default 0. */
  readonly deliverAfterMs?: number;
  /** Gives up waiting with `ERR_ABORTED`; a message that was sent already may still arrive. */
  readonly signal?: AbortSignal;
}

/** Handles one queue message; with automatic acknowledgement it is settled when the returned promise does. */
export type QueueMessageHandler = MessageHandler<MqttQueueMessage>;

/** How messages of a queue or stream are consumed. */
export interface QueueConsumeOptions {
  /** Only messages whose routing key matches; `+` and `#` as in topics. A filter makes a group of its own. Default: all. */
  readonly filter?: string;
  /**
   * Most messages held unsettled, 1 to 65,535. polymq's broker sends no more; elsewhere the client stops reading while so many wait for the
   * handler, and the connection's `receiveMaximum` is the bound. Default 100.
   */
  readonly prefetch?: number;
  /** Gets each message. Without one the subscription is read with `for await`. */
  readonly handler?: QueueMessageHandler;
  /** Handlers that may run at a time. Default 1: one after the other, in order. */
  readonly concurrency?: number;
  /**
   * `auto`: acknowledged when the handler's promise resolves, or the next message is asked for, unless it was settled by hand. `manual`: by
   * `ack`, `nack` and `reject` only. `onReceive`: at once, before the handler; what fails then is lost. Default `auto`.
   */
  readonly ack?: "auto" | "manual" | "onReceive";
  /** What becomes of a message whose handler fails, with `auto`. Default `nack`. With MQTT 3.1.1 it is left unacknowledged unless `ack`. */
  readonly whenHandlerFails?: "nack" | "reject" | "ack";
  /** Gives up waiting for the server's answer. */
  readonly signal?: AbortSignal;
}

/** Options of `subscribeToQueue`. */
export interface QueueSubscribeOptions extends QueueConsumeOptions {}

/** Where reading a stream begins. */
export type StreamStart =
  | "first"
  | "last"
  | "next"
  | { readonly offset: number }
  /** Ms since 1970. */
  | { readonly timestamp: number };

/** Options of `subscribeToStream`. */
export interface StreamSubscribeOptions extends QueueConsumeOptions {
  /**
   * Members of a group share a stream; each group reads all of it. Default: what the server makes of the client id; with MQTT 3.1.1 no other can be
   * said than the client id (`ERR_QUEUE_GROUP_REQUIRES_V5`).
   */
  readonly group?: string;
  /**
   * Moves the group there. Default: where the group stands, a new one at the first message. polymq's broker only (`ERR_UNSUPPORTED`
   * elsewhere, for MQTT has no word for it); after a reconnect reading goes on behind what was acknowledged.
   */
  readonly from?: StreamStart;
}

/** A checked call of `subscribeToQueue` or `subscribeToStream`. */
export interface CheckedQueue extends CheckedSubscribe<MqttQueueMessage> {
  readonly address: QueueAddress;
  readonly group: string;
  readonly onReceive: boolean;
}

const CODE = "ERR_INVALID_SUBSCRIBE_OPTION";

/** True for polymq's broker, which names itself in CONNACK; it takes more than the wire form that all servers share. */
export function isPolymq(server: ServerCapabilities): boolean {
  return server.userProperties.some(([name, value]) => name === "server" && value.startsWith("polymq/"));
}

/** Refuses what is no options, such as the name of a group in their place: it would count as none given. @throws {MessagingError} ERR_INVALID_ARGUMENT */
export function checkOptions(options: unknown): void {
  if (typeof options === "object" && options !== null && !Array.isArray(options)) return;
  throw new MessagingError("ERR_INVALID_ARGUMENT", "options must be an object");
}

/**
 * Checks a call.
 * @param stream its options, or null for a work queue
 * @throws {MessagingError} ERR_INVALID_TOPIC, ERR_INVALID_SUBSCRIBE_OPTION, ERR_INVALID_ARGUMENT
 */
export function checkQueue(
  queue: unknown,
  group: unknown,
  options: QueueConsumeOptions,
  stream: StreamSubscribeOptions | null,
): CheckedQueue {
  checkOptions(options);
  const address = queueAddress(queue, options.filter, "filter");
  const { handler } = options;
  if (typeof group !== "string" || group.includes("@")) throw invalid("a group is a string without @");
  if (handler !== undefined && typeof handler !== "function") throw invalid("handler must be a function");
  const start = stream?.from === undefined ? null : startOf(stream.from);
  const source: OptionSource = { code: CODE, options };
  const { prefetch, concurrency, ack, whenHandlerFails } = checkedOptions(source, {
    prefetch: [1, COUNT_MAX, 100],
    concurrency: [1, COUNT_MAX, 1],
    ack: ["auto", "manual", "onReceive"],
    whenHandlerFails: ["nack", "reject", "ack"],
  });
  return {
    address,
    group,
    onReceive: ack === "onReceive",
    filters: [{ filter: address.topic, qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 }],
    identifier: null,
    userProperties: null,
    partial: "reject",
    consume: {
      handler: handler ?? null,
      concurrency,
      highWaterMark: prefetch,
      highWaterMarkBytes: 16_777_216,
      overflow: "pause",
      ack: ack === "auto" ? ack : "manual",
      whenHandlerFails: whenHandlerFails === "nack" ? "withhold" : whenHandlerFails,
    },
    queueProperties: (request, link) =>
      wireProperties({ group, prefetch, stream: stream !== null, start }, request, link),
  };
}

const COUNT_MAX = 65_535;

/** A checked call of `publishToQueue`: what `publish` takes. */
export interface CheckedQueuePublish {
  readonly topic: string;
  readonly publish: PublishOptions;
}

/** Checks a call of `publishToQueue`. @throws {MessagingError} ERR_INVALID_TOPIC, ERR_INVALID_ARGUMENT, ERR_INVALID_MESSAGE */
export function checkPublish(queue: unknown, options: QueuePublishOptions): CheckedQueuePublish {
  checkOptions(options);
  const { qos = 1, contentType, messageExpirySeconds, signal } = options;
  const { priority, deliverAfterMs } = checkedOptions(
    { code: "ERR_INVALID_ARGUMENT", options },
    { priority: [0, 255, 0], deliverAfterMs: [0, Number.MAX_SAFE_INTEGER, 0] },
  );
  const pairs = [...toUserProperties(options.properties ?? [])];
  if (priority !== 0) pairs.push(["priority", String(priority)]);
  if (deliverAfterMs !== 0) pairs.push(["deliver-after-ms", String(deliverAfterMs)]);
  const userProperties = pairs.length === 0 ? undefined : pairs;
  const properties = given<PublishPropertiesInput>({ userProperties, contentType, messageExpirySeconds }) ?? undefined;
  return {
    topic: queueAddress(queue, options.routingKey, "name").topic,
    publish: { qos: qos === 0 ? 1 : qos, ...given<PublishOptions>({ properties, signal }) },
  };
}

interface Wire {
  readonly group: string;
  readonly prefetch: number;
  readonly stream: boolean;
  readonly start: string | null;
}

function wireProperties(wire: Wire, request: QueueRequest, link: Link): UserProperties {
  const version4 = link.engine.protocolLevel === 4;
  if (version4 && request !== "end") checkVersion4Group(wire, link.clientId);
  const group: [string, string][] = wire.group === "" || version4 ? [] : [["consumer-group", wire.group]];
  if (!isPolymq(link.capabilities)) {
    if (wire.start === null) return request === "end" ? [] : group;
    throw new MessagingError("ERR_UNSUPPORTED", "this server has no way to say over MQTT where a stream begins");
  }
  if (request === "end") return group;
  group.push(["prefetch", String(wire.prefetch)]);
  if (wire.stream) group.push(["x-queue-type", "stream"]);
  if (wire.start !== null && request === "first") group.push(["x-stream-offset", wire.start]);
  return group;
}

/**
 * MQTT 3.1.1 has no word for a group: the server names that of a queue after the client id up to its first "-", that of a stream after all of it.
 * @throws {MessagingError} ERR_QUEUE_GROUP_REQUIRES_V5 for another one
 */
function checkVersion4Group({ group, stream }: Wire, clientId: string): void {
  const dash = stream ? 0 : clientId.indexOf("-");
  const own = dash > 0 ? clientId.slice(0, dash) : clientId;
  if (group === "" || group === own) return;
  const message = `MQTT 3.1.1 cannot name a group: not "${group}", but ${own === "" ? "the server's choice" : `"${own}"`}, or ""`;
  throw new MessagingError("ERR_QUEUE_GROUP_REQUIRES_V5", message);
}

/** A start in the words of `x-stream-offset`. */
function startOf(from: StreamStart): string {
  if (from === "first" || from === "last" || from === "next") return from;
  for (const key of ["offset", "timestamp"]) {
    const value: unknown = (from as Record<string, unknown> | null)?.[key];
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return `${key}=${value}`;
  }
  throw invalid("from must be first, last, next, { offset } or { timestamp }");
}

function invalid(what: string): MessagingError {
  return new MessagingError(CODE, what);
}
