import type { FieldTable } from "../codec/field-value.ts";
import type { Connection } from "./connection.ts";
import type { AmqpConsumer } from "./consumer.ts";
import type { Link } from "./link.ts";
import { call } from "./requests.ts";

/** What is to be started. */
export interface ConsumerStart {
  readonly consumer: AmqpConsumer;
  readonly arguments: FieldTable;
  /** Where the consumer says nothing of it. */
  readonly prefetch: number;
}

/** Asks the server for a consumer with a prefetch of its own; resolves at its answer. */
export async function startConsumer(connection: Connection, link: Link, start: ConsumerStart): Promise<void> {
  const { consumerTag, options, queueName: queue } = start.consumer;
  const { prefetch = start.prefetch, noAck = false, exclusive = false } = options;
  link.content.forgetConsumerTags();
  // The prefetch of consumers that come after it, by RabbitMQ's reading of `global`: one frame for both, in order.
  const qos = call(connection, link, {
    method: "basic.qos",
    prefetchSize: 0,
    prefetchCount: prefetch,
    global: false,
  });
  // Nobody waits for it when the next one cannot be encoded.
  qos.catch(() => undefined);
  const flags = { noLocal: false, noAck, exclusive, noWait: false, arguments: start.arguments };
  const ok = call(connection, link, { method: "basic.consume", queue, consumerTag, ...flags });
  await Promise.all([qos, ok]);
  start.consumer.started = true;
}
