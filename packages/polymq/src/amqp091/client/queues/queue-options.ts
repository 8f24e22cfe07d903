import { MessagingError } from "../../../base/errors.ts";
import { checkedOptions, type OptionSource } from "../../../base/option-rules.ts";
import { type FieldTable, TypedField } from "../../codec/field-value.ts";
import type { AmqpDialect } from "../dialect.ts";
import type { AmqpPublishOptions } from "../publisher.ts";
import { type QueueAddress, queueAddress } from "./queue-address.ts";
import type { AmqpQueueMessage } from "./queue-message.ts";
import type { AmqpTopicMessage } from "./topic-message.ts";

/** Options of `publishToQueue` and `publishToStream`. */
export interface AmqpQueuePublishOptions extends AmqpPublishOptions {
  /** Levels after the queue's name, for groups with a filter (polymq, FluxMQ; else `ERR_UNSUPPORTED`). Default none. */
  readonly routingKey?: string;
  /** The queue gets the message this many ms later (polymq; else `ERR_UNSUPPORTED`). Default 0. */
  readonly deliverAfterMs?: number;
}

/** How messages are consumed, whatever they come from. */
export interface AmqpSubscribeOptions<M = AmqpTopicMessage> {
  /** Gets each message. Without one the subscription is read with `for await`. */
  readonly handler?: (message: M) => unknown;
  /** Messages that may be unsettled at a time, 0 to 65,535; 0 for no limit. Default: the client's `prefetch`. */
  readonly prefetch?: number;
  /** Handlers that may run at a time. Default 1: one after the other, in order. */
  readonly concurrency?: number;
  /**
   * `auto`: acknowledged when the handler's promise resolves, or the next message is asked for, unless it was settled by hand. `manual`: by `ack`, `nack` and `reject`
   * only. `onReceive`: at once, before the handler; what fails then is lost. Default `onReceive` for topics, else `auto`.
   */
  readonly ack?: "auto" | "manual" | "onReceive";
  /** What becomes of a message whose handler fails, with `auto`: it is given back, or dropped or dead-lettered. Default `requeue`. */
  readonly whenHandlerFails?: "requeue" | "reject";
  /** Default: one is made. It stays the same after a reconnect. */
  readonly consumerTag?: string;
  readonly exclusive?: boolean;
  /** Further arguments of `basic.consume`; they win over ours. */
  readonly arguments?: FieldTable;
  /** Gives up waiting for the server's answer with `ERR_ABORTED`; the subscription is taken back. */
  readonly signal?: AbortSignal;
}

/** Options of `subscribeToQueue`. */
export interface AmqpQueueSubscribeOptions extends AmqpSubscribeOptions<AmqpQueueMessage> {
  /** Only messages whose routing key matches; `+` and `#` as in topics (polymq, FluxMQ; else `ERR_UNSUPPORTED`). A filter makes a group of its own. Default: all. */
  readonly filter?: string;
}

/** Where reading a stream begins. */
export type AmqpStreamOffset =
  | "first"
  | "last"
  | "next"
  | { readonly offset: number }
  /** Ms since 1970. */
  | { readonly timestamp: number };

/** Options of `subscribeToStream`. */
export interface AmqpStreamSubscribeOptions extends AmqpQueueSubscribeOptions {
  /** The stream's name. */
  readonly queue: string;
  /** Default: where the group stands; without a group what the server does, which is the next message on RabbitMQ. */
  readonly offset?: AmqpStreamOffset;
  /** Members of a group share a stream and its committed offset (polymq, FluxMQ; else `ERR_UNSUPPORTED`). Default: a reader of its own. */
  readonly consumerGroup?: string;
  /** False: the group's offset moves by `commitOffset` and `message.commit()` only. Default true: the server commits what it has delivered. */
  readonly autoCommit?: boolean;
}

/** Options of `declareStreamQueue`. */
export interface AmqpStreamQueueOptions {
  readonly name: string;
  /** Survives a restart of the server. Default true; RabbitMQ knows no other streams. */
  readonly durable?: boolean;
  readonly autoDelete?: boolean;
  readonly exclusive?: boolean;
  /** How long messages are kept: a whole number and a unit, `Y`, `M`, `W`, `D`, `h`, `m` or `s`, such as `7D`. Default: no limit. */
  readonly maxAge?: string;
  /** How many bytes are kept. Default: no limit. */
  readonly maxLengthBytes?: number;
  /** How many messages are kept (polymq, FluxMQ; `ERR_UNSUPPORTED` elsewhere). Default: no limit. */
  readonly maxLength?: number;
  /** Further arguments of `queue.declare`; they win over ours. */
  readonly arguments?: FieldTable;
}

/** How a checked call consumes. */
export interface CheckedConsume<M> {
  readonly handler: ((message: M) => unknown) | null;
  readonly ack: "auto" | "manual" | "onReceive";
  readonly whenHandlerFails: "requeue" | "reject";
}

/** A checked call of `subscribeToStream`. */
export interface CheckedStream {
  readonly address: QueueAddress;
  readonly group: string;
  readonly start: AmqpStreamOffset | null;
  readonly autoCommit: boolean;
}

const CODE = "ERR_INVALID_SUBSCRIBE_OPTION";

/** Options as callers give them: a handler alone stands for options with it. */
export function optionsOf<Options extends { readonly handler?: unknown }>(
  given: Options | NonNullable<Options["handler"]> | undefined,
): Options {
  if (typeof given === "function") return { handler: given } as unknown as Options;
  if (given === undefined) return {} as Options;
  if (typeof given === "object" && given !== null) return given as Options;
  throw invalid("what follows the name is a handler or an options object");
}

/** Checks what all subscriptions have in common. @throws {MessagingError} ERR_INVALID_SUBSCRIBE_OPTION */
export function checkConsume<M>(options: AmqpSubscribeOptions<M>, standard: "auto" | "onReceive"): CheckedConsume<M> {
  const { handler, ack, whenHandlerFails } = checkedOptions(
    { code: CODE, options },
    {
      handler: "function",
      prefetch: [0, 65_535, 0],
      concurrency: [1, 4_294_967_295, 1],
      ack: [standard, "auto", "manual", "onReceive"],
      whenHandlerFails: ["requeue", "reject"],
    },
  );
  return { handler, ack, whenHandlerFails };
}

/** Checks a group's name. @throws {MessagingError} ERR_INVALID_SUBSCRIBE_OPTION */
export function checkGroup(group: unknown): asserts group is string {
  if (typeof group !== "string" || group.includes("@")) throw invalid("a group is a string without @");
}

/** Checks a call of `subscribeToStream`. @throws {MessagingError} ERR_INVALID_TOPIC, ERR_INVALID_SUBSCRIBE_OPTION */
export function checkStream(options: AmqpStreamSubscribeOptions): CheckedStream {
  const { consumerGroup = "", offset = null, autoCommit = true } = options;
  checkGroup(consumerGroup);
  if (typeof autoCommit !== "boolean") throw invalid("autoCommit is true or false");
  if (offset !== null) checkOffset(offset);
  const address = queueAddress(options.queue, options.filter, "filter");
  return { address, group: consumerGroup, start: offset, autoCommit };
}

/** A start as the server's `x-stream-offset`: words for polymq and FluxMQ, values with their own types for RabbitMQ. */
export function streamOffsetField(dialect: AmqpDialect, start: AmqpStreamOffset): string | number | TypedField {
  if (typeof start === "string") return start;
  const rabbitmq = dialect === "rabbitmq";
  if ("offset" in start) return rabbitmq ? start.offset : `offset=${start.offset}`;
  const seconds = Math.floor(start.timestamp / 1_000);
  if (rabbitmq) return new TypedField("T", seconds);
  // FluxMQ takes numbers up to 10^12 for seconds.
  return `timestamp=${start.timestamp > 1e12 ? start.timestamp : seconds}`;
}

/** Arguments of `queue.declare` for a stream. @throws {MessagingError} ERR_INVALID_ARGUMENT, ERR_UNSUPPORTED */
export function streamArguments(dialect: AmqpDialect, options: AmqpStreamQueueOptions): FieldTable {
  const { maxAge } = options;
  const source: OptionSource = { code: "ERR_INVALID_ARGUMENT", options };
  const most = Number.MAX_SAFE_INTEGER;
  const { maxLengthBytes, maxLength } = checkedOptions(source, {
    maxLengthBytes: [0, most, 0],
    maxLength: [0, most, 0],
  });
  if (maxAge !== undefined && (typeof maxAge !== "string" || !/^\d+[YMWDhms]$/.test(maxAge))) {
    throw new MessagingError("ERR_INVALID_ARGUMENT", "maxAge is a whole number and a unit, such as 7D");
  }
  if (maxLength > 0 && dialect === "rabbitmq") {
    throw new MessagingError("ERR_UNSUPPORTED", "RabbitMQ bounds streams by age and bytes, not by messages");
  }
  return {
    "x-queue-type": "stream",
    ...(maxAge === undefined ? {} : { "x-max-age": ageFor(dialect, maxAge) }),
    ...(maxLengthBytes === 0 ? {} : { "x-max-length-bytes": maxLengthBytes }),
    ...(maxLength === 0 ? {} : { "x-max-length": maxLength }),
    ...options.arguments,
  };
}

/** RabbitMQ has no weeks; FluxMQ has neither years nor months. */
function ageFor(dialect: AmqpDialect, age: string): string {
  const count = Number.parseInt(age, 10);
  const unit = age.slice(-1);
  const days = unit === "Y" ? 365 : unit === "M" ? 30 : unit === "W" ? 7 : 0;
  if (dialect === "rabbitmq" ? unit === "W" : unit === "Y" || unit === "M") return `${count * days}D`;
  return age;
}

function checkOffset(offset: unknown): void {
  if (offset === "first" || offset === "last" || offset === "next") return;
  for (const key of ["offset", "timestamp"]) {
    const value: unknown = (offset as Record<string, unknown> | null)?.[key];
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return;
  }
  throw invalid("offset must be first, last, next, { offset } or { timestamp }");
}

function invalid(what: string): MessagingError {
  return new MessagingError(CODE, what);
}
