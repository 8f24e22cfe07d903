import { checkedOptions } from "../../base/option-rules.ts";
import type { FieldTable } from "../codec/field-value.ts";
import type { Method } from "../codec/method-types.ts";
import type { AmqpConsumeOptions } from "./consumer.ts";
import { channelClosed } from "./failures.ts";

/** Options of `declareExchange`. */
export interface ExchangeOptions {
  /** Survives a restart of the server. Default true. */
  readonly durable?: boolean;
  /** Deleted with its last binding. Default false. */
  readonly autoDelete?: boolean;
  /** Takes messages from other exchanges only. Default false. */
  readonly internal?: boolean;
  readonly arguments?: FieldTable;
}

/** Options of `declareQueue`. */
export interface QueueOptions {
  /** Survives a restart of the server. Default: true for a named queue that is not exclusive. */
  readonly durable?: boolean;
  /** Belongs to this connection and ends with it. Default: true for a queue that the server names. */
  readonly exclusive?: boolean;
  /** Deleted with its last consumer. Default false. */
  readonly autoDelete?: boolean;
  /** Such as `x-queue-type`, `x-message-ttl`, `x-dead-letter-exchange`. */
  readonly arguments?: FieldTable;
}

/** What the server says of a queue. */
export interface QueueFacts {
  readonly queue: string;
  readonly messageCount: number;
  readonly consumerCount: number;
}

/** @throws {MessagingError} ERR_INVALID_OPTIONS */
export function checkConsume(options: AmqpConsumeOptions): void {
  checkedOptions(
    { code: "ERR_INVALID_OPTIONS", options },
    {
      prefetch: [0, 65_535, 0],
      concurrency: [1, Number.MAX_SAFE_INTEGER, 1],
      highWaterMark: [1, Number.MAX_SAFE_INTEGER, 1],
    },
  );
}

/** Reads `queue.declare-ok`. */
export function queueFacts(reply: Method): QueueFacts {
  if (reply.method !== "queue.declare-ok") throw channelClosed();
  const { queue, messageCount, consumerCount } = reply;
  return { queue, messageCount, consumerCount };
}
