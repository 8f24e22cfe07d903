import type { FieldTable } from "../../codec/field-value.ts";
import type { AmqpChannel } from "../channel.ts";
import type { ClientCore } from "../client-core.ts";
import type { AmqpDialect } from "../dialect.ts";
import type { AmqpMessage } from "../message.ts";
import { checkFilter, queueAddress } from "./queue-address.ts";
import { AmqpQueueMessage, type QueueSource } from "./queue-message.ts";
import {
  type AmqpQueueSubscribeOptions,
  type AmqpStreamOffset,
  type AmqpStreamSubscribeOptions,
  type AmqpSubscribeOptions,
  type CheckedStream,
  checkConsume,
  checkGroup,
  checkStream,
  streamOffsetField,
} from "./queue-options.ts";
import { checkPlain, type Entry, type Queues, type Source, unsupported } from "./queues.ts";
import { StreamPosition } from "./stream-position.ts";
import type { AmqpSubscription } from "./subscription.ts";
import { topicExchange, topicKey } from "./topic-keys.ts";
import { AmqpTopicMessage } from "./topic-message.ts";

/** Subscribes to topics; see `AmqpClientBase.subscribe`. */
export function subscribeToTopic(
  core: ClientCore,
  queues: Queues,
  filter: string,
  options: AmqpSubscribeOptions,
): Promise<AmqpSubscription<AmqpTopicMessage>> {
  checkFilter(filter);
  const { dialect } = core;
  const entry = entryOf("topic", filter, "", "");
  const parts = {
    consume: checkConsume(options, "onReceive"),
    make: (message: AmqpMessage) => new AmqpTopicMessage(message, dialect),
    // The queue of the topic goes with its consumer, and must not come back with the connection.
    onOver: (consumer: { readonly queue: string }) => core.topology.forgetQueue(consumer.queue),
  };
  return queues.subscribe(entry, options, parts, (channel) =>
    isBound(dialect, filter) ? boundQueue(channel, dialect, filter) : { queue: filter, arguments: {} },
  );
}

/** Subscribes to a work queue; see `AmqpClientBase.subscribeToQueue`. */
export function subscribeToQueue(
  core: ClientCore,
  queues: Queues,
  call: { readonly queue: string; readonly group: string; readonly options: AmqpQueueSubscribeOptions },
): Promise<AmqpSubscription<AmqpQueueMessage>> {
  const { group, options } = call;
  checkGroup(group);
  const address = queueAddress(call.queue, options.filter, "filter");
  const rabbitmq = core.dialect === "rabbitmq";
  if (rabbitmq) checkPlain(address);
  const entry = entryOf("queue", address.queue, group, address.rest);
  const source = sourceOf(queues, entry, null);
  const parts = {
    consume: checkConsume<AmqpQueueMessage>(options, "auto"),
    make: (message: AmqpMessage) => new AmqpQueueMessage(message, source),
    onOver: () => undefined,
  };
  return queues.subscribe(entry, options, parts, async () => {
    if (!rabbitmq) return { queue: address.key, arguments: groupArguments(group) };
    await queues.ensure(address.queue);
    return { queue: address.queue, arguments: {} };
  });
}

/** Subscribes to a stream; see `AmqpClientBase.subscribeToStream`. */
export async function subscribeToStream(
  core: ClientCore,
  queues: Queues,
  options: AmqpStreamSubscribeOptions,
): Promise<AmqpSubscription<AmqpQueueMessage>> {
  const call = checkStream(options);
  const { address, group } = call;
  const rabbitmq = core.dialect === "rabbitmq";
  if (rabbitmq) checkPlain(address);
  if (rabbitmq && group !== "") throw unsupported("consumer groups on streams");
  const entry = entryOf("stream", address.queue, group, address.rest);
  const position = group === "" ? new StreamPosition(orderOf(core.dialect), offsetOf(call.start)) : null;
  const source = sourceOf(queues, entry, position);
  const parts = {
    consume: checkConsume<AmqpQueueMessage>(options, "auto"),
    make: (message: AmqpMessage) => noted(entry, new AmqpQueueMessage(message, source)),
    onOver: () => undefined,
  };
  const args = (start: AmqpStreamOffset | null): FieldTable => streamArguments(core, call, start);
  const queue = rabbitmq ? address.queue : address.key;
  const subscription = await queues.subscribe(entry, options, parts, () => ({ queue, arguments: args(call.start) }));
  subscription.consumer.resume = () => {
    position?.restart();
    return { ...args(resumeAt(core, call, entry, position)), ...options.arguments };
  };
  return subscription;
}

function entryOf(kind: Entry["kind"], name: string, group: string, filter: string): Entry {
  return { kind, name, group, filter, groupId: "", committed: null, first: null, subscription: null };
}

function sourceOf(queues: Queues, entry: Entry, position: StreamPosition | null): QueueSource {
  const queue = entry.name;
  const commit = (groupId: string, offset: number): Promise<void> => queues.commitOffset(queue, groupId, offset);
  return { queue, stream: entry.kind === "stream", position, commit };
}

/** Notes what a group's stream says of itself; null for what its reader has had. */
function noted(entry: Entry, message: AmqpQueueMessage): AmqpQueueMessage | null {
  if (message.repeated) return null;
  if (entry.group === "") return message;
  if (entry.groupId === "") entry.groupId = message.groupId;
  const { streamOffset: offset } = message;
  if (offset !== null && (entry.first === null || offset < entry.first)) entry.first = offset;
  return message;
}

function orderOf(dialect: AmqpDialect): "kept" | "any" {
  return dialect === "fluxmq" ? "any" : "kept";
}

function offsetOf(start: AmqpStreamOffset | null): number | null {
  return typeof start === "object" && start !== null && "offset" in start ? start.offset : null;
}

/** RabbitMQ has no other topics than exchanges; polymq's broker takes a name without levels for that of a queue. */
function isBound(dialect: AmqpDialect, filter: string): boolean {
  return dialect === "rabbitmq" || (dialect === "polymq" && !/[/+#*]/.test(filter));
}

/** A queue of this connection's own, bound by the filter; it goes with its consumer. */
async function boundQueue(channel: AmqpChannel, dialect: AmqpDialect, filter: string): Promise<Source> {
  const { queue } = await channel.declareQueue("", { exclusive: true, autoDelete: true });
  await channel.bindQueue(queue, topicExchange("rabbitmq"), topicKey(dialect, filter));
  return { queue, arguments: {} };
}

function groupArguments(group: string): FieldTable {
  return group === "" ? {} : { "x-consumer-group": group };
}

function streamArguments(core: ClientCore, call: CheckedStream, start: AmqpStreamOffset | null): FieldTable {
  return {
    ...groupArguments(call.group),
    ...(start === null ? {} : { "x-stream-offset": streamOffsetField(core.dialect, start) }),
    ...(call.autoCommit || core.dialect === "rabbitmq" ? {} : { "x-auto-commit": false }),
  };
}

/**
 * Where reading goes on after a reconnect; null leaves it to the server. A group goes on behind what is committed, but FluxMQ's behind what it has sent, so that
 * with manual commit it is told our last commit. A reader of its own goes on behind what it has settled.
 */
function resumeAt(
  core: ClientCore,
  call: CheckedStream,
  entry: Entry,
  position: StreamPosition | null,
): AmqpStreamOffset | null {
  if (position !== null) return position.next === null ? call.start : { offset: position.next };
  if (core.dialect !== "fluxmq" || call.autoCommit) return null;
  // The first message that came may have overtaken the one that was asked for.
  const offset = entry.committed ?? offsetOf(call.start) ?? entry.first;
  return offset === null ? call.start : { offset };
}
