import { MessagingError } from "../../../base/errors.ts";
import { checkedOptions, type OptionSource } from "../../../base/option-rules.ts";
import type { MessageInput } from "../../codec/message.ts";
import { AmqpMap, typed } from "../../codec/values.ts";
import type { AmqpPeer } from "../peer.ts";
import type { SendOptions } from "../send-options.ts";
import { type QueueAddress, queueAddress } from "./queue-address.ts";
import type { AmqpQueueMessage } from "./queue-message.ts";

/** Options of `publishToQueue`. */
export interface AmqpQueuePublishOptions {
  /** Application properties; texts, for that is what every server of queues keeps. */
  readonly properties?: Readonly<Record<string, string>>;
  /** Levels after the queue's name, for groups with a filter. Default none. */
  readonly routingKey?: string;
  readonly contentType?: string;
  /** Lifetime: a message that nobody took by then becomes a dead letter. Default: the queue's. */
  readonly messageExpiryMs?: number;
  /** 0 to 255, higher first, on a queue with priorities. Default: the queue's. */
  readonly priority?: number;
  /** The queue gets the message this many ms later (polymq's broker). Default 0. */
  readonly deliverAfterMs?: number;
  /** Longest wait for the server's outcome, 0 for no limit: FluxMQ gives none for what it denies. Default 30,000. */
  readonly ackTimeoutMs?: number;
  /** Gives up waiting with `ERR_ABORTED`; a message that was sent already may still arrive. */
  readonly signal?: AbortSignal;
}

/**
 * Where a group begins to read: at the queue's first message, behind its last one, at an offset and, with polymq's broker, at the last message or from a moment on (ms since
 * 1970).
 */
export type AmqpQueueCursor = "earliest" | "latest" | "last" | number | { readonly timestamp: number };

/** Options of `subscribeToQueue`. */
export interface AmqpQueueSubscribeOptions {
  /** Only messages whose routing key matches; `+` and `#` as in topics. A filter makes a group of its own. Default: all. */
  readonly filter?: string;
  /** Moves the group there, once; after a reconnect it goes on where it stands. Default: where the group stands. */
  readonly cursor?: AmqpQueueCursor;
  /** Of a stream with polymq's broker: false leaves the group's place to commits. Default true: it moves with what is settled. */
  readonly autoCommit?: boolean;
  /** Messages on their way, waiting here or unsettled, 1 to 65,535. FluxMQ sends more: see the guide. Default 100. */
  readonly prefetch?: number;
  /** Gets each message. Without one the subscription is read with `for await`. */
  readonly handler?: (message: AmqpQueueMessage) => unknown;
  /** Handlers that may run at a time. Default 1: one after the other, in order. */
  readonly concurrency?: number;
  /**
   * `auto`: acknowledged when the handler's promise resolves, or the next message is asked for, unless it was settled by hand. `manual`: by
   * `ack`, `nack` and `reject` only. `onReceive`: at once, before the handler; what fails then is lost. Default `auto`.
   */
  readonly ack?: "auto" | "manual" | "onReceive";
  /** What becomes of a message whose handler fails, with `auto`. Default `nack`. */
  readonly whenHandlerFails?: "nack" | "reject" | "ack";
  /** Gives up waiting for the server's answer. */
  readonly signal?: AbortSignal;
}

/** A checked call of `subscribeToQueue`. */
export interface CheckedQueue {
  readonly address: QueueAddress;
  readonly group: string;
  readonly cursor: AmqpQueueCursor | null;
  readonly autoCommit: boolean;
  readonly prefetch: number;
  readonly concurrency: number;
  readonly handler: ((message: AmqpQueueMessage) => unknown) | null;
  readonly ack: "auto" | "manual" | "onReceive";
  readonly whenHandlerFails: "nack" | "reject" | "ack";
}

/** What a server makes of queues: FluxMQ has ways of its own (its container is called so), polymq's broker names itself in its open. */
export type QueueServer = "fluxmq" | "polymq" | "other";

/** Whom we are connected to. */
export function queueServer(peer: AmqpPeer): QueueServer {
  if (peer.containerId === "fluxmq") return "fluxmq";
  return peer.properties?.get("product") === "polymq" ? "polymq" : "other";
}

/** Checks a call. @throws {MessagingError} ERR_INVALID_TOPIC, ERR_INVALID_SUBSCRIBE_OPTION */
export function checkQueue(queue: unknown, group: unknown, options: AmqpQueueSubscribeOptions): CheckedQueue {
  const address = queueAddress(queue, options.filter, "filter");
  const { handler = null, cursor = null, autoCommit = true } = options;
  if (typeof group !== "string" || group.includes("@")) throw invalid("a group is a string without @");
  if (handler !== null && typeof handler !== "function") throw invalid("handler must be a function");
  if (cursor !== null && !isCursor(cursor))
    throw invalid("cursor must be earliest, latest, last, an offset or { timestamp }");
  if (typeof autoCommit !== "boolean") throw invalid("autoCommit is true or false");
  const source: OptionSource = { code: "ERR_INVALID_SUBSCRIBE_OPTION", options };
  const checked = checkedOptions(source, {
    prefetch: [1, 65_535, 100],
    concurrency: [1, 65_535, 1],
    ack: ["auto", "manual", "onReceive"],
    whenHandlerFails: ["nack", "reject", "ack"],
  });
  return { address, group, cursor, autoCommit, handler, ...checked };
}

/**
 * Properties of the attach. FluxMQ looks for keys that are strings, though the specification wants symbols (§2.7.3).
 * @param when a cursor is said once
 */
export function attachProperties(call: CheckedQueue, server: QueueServer, when: "first" | "again"): AmqpMap {
  const key = (name: string): string | ReturnType<typeof typed<"symbol">> =>
    server === "fluxmq" ? name : typed("symbol", name);
  const properties = new AmqpMap();
  if (call.group !== "") properties.append(key("consumer-group"), call.group);
  if (call.cursor !== null && when === "first") properties.append(key("cursor"), cursorText(call.cursor));
  if (!call.autoCommit) properties.append(key("auto-commit"), false);
  return properties;
}

/** A checked call of `publishToQueue`. */
export interface CheckedQueuePublish {
  readonly address: string;
  readonly message: MessageInput & { readonly body: { readonly type: "data"; readonly data: Uint8Array } };
  readonly how: SendOptions;
}

/** Of a call without options. */
const STANDARD = { header: { durable: true }, how: { outcomeTimeoutMs: 30_000 } } as const;

const TIMES = {
  messageExpiryMs: [0, 0xffff_ffff, 0],
  deliverAfterMs: [0, Number.MAX_SAFE_INTEGER, 0],
  ackTimeoutMs: [0, 2_147_483_647, 30_000],
} as const;

/** Checks a call of `publishToQueue`. @throws {MessagingError} ERR_INVALID_TOPIC, ERR_INVALID_ARGUMENT, ERR_INVALID_MESSAGE */
export function checkPublish(
  queue: unknown,
  payload: unknown,
  options: AmqpQueuePublishOptions | undefined,
): CheckedQueuePublish {
  const data = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
  if (!(data instanceof Uint8Array)) throw new MessagingError("ERR_INVALID_MESSAGE", "a payload is text or bytes");
  if (options !== undefined) return checkOptions(queue, data, options);
  const { address } = queueAddress(queue, undefined, "name");
  return { address, message: { header: STANDARD.header, body: { type: "data", data } }, how: STANDARD.how };
}

function checkOptions(queue: unknown, data: Uint8Array, options: AmqpQueuePublishOptions): CheckedQueuePublish {
  const source: OptionSource = { code: "ERR_INVALID_ARGUMENT", options };
  const { messageExpiryMs, deliverAfterMs, ackTimeoutMs } = checkedOptions(source, TIMES);
  const { priority } = checkedOptions(source, { priority: [0, 255, 4] });
  const { address } = queueAddress(queue, options.routingKey, "name");
  const { properties, contentType, signal } = options;
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (typeof value !== "string") throw new MessagingError("ERR_INVALID_ARGUMENT", `the property ${name} is no text`);
  }
  return {
    address,
    how: { outcomeTimeoutMs: ackTimeoutMs, ...(signal === undefined ? {} : { signal }) },
    message: {
      header: {
        durable: true,
        ...(options.priority === undefined ? {} : { priority }),
        ...(messageExpiryMs === 0 ? {} : { ttl: messageExpiryMs }),
      },
      ...(deliverAfterMs === 0 ? {} : { messageAnnotations: { [DELIVERY_DELAY]: typed("ulong", deliverAfterMs) } }),
      ...(contentType === undefined ? {} : { properties: { contentType } }),
      ...(properties === undefined ? {} : { applicationProperties: properties }),
      body: { type: "data", data },
    },
  };
}

/** The annotation that says how many ms later a message is to be delivered. */
export const DELIVERY_DELAY = "x-opt-delivery-delay";

/** Refuses what only polymq's broker can do. @throws {MessagingError} ERR_UNSUPPORTED */
export function checkServer({ cursor, autoCommit }: CheckedQueue, server: QueueServer): void {
  if (server === "polymq") return;
  if (!autoCommit)
    throw new MessagingError("ERR_UNSUPPORTED", "this server commits what is settled, and nothing by hand");
  if (cursor === "last" || (typeof cursor === "object" && cursor !== null)) {
    throw new MessagingError("ERR_UNSUPPORTED", "this server finds no last message and no moment");
  }
}

function isCursor(value: unknown): boolean {
  if (value === "earliest" || value === "latest" || value === "last") return true;
  if (typeof value === "object" && value !== null && "timestamp" in value) return isOffset(value.timestamp);
  return isOffset(value);
}

function cursorText(cursor: AmqpQueueCursor): string {
  return typeof cursor === "object" ? `timestamp=${cursor.timestamp}` : String(cursor);
}

function isOffset(value: unknown): boolean {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function invalid(what: string): MessagingError {
  return new MessagingError("ERR_INVALID_SUBSCRIBE_OPTION", what);
}
