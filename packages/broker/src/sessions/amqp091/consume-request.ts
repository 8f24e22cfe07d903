import type { MethodOf } from "polymq/amqp091/codec";
import { isMessagingError } from "polymq/internal";
import { validatePlainTopicFilter } from "polymq/mqtt/codec";
import { parseQueueFilter, queueNameFault } from "../../core/queues/queue-address.ts";
import type { QueueConsumer } from "../../core/queues/queue-port.ts";
import type { ConsumeRequest, QueueOwner, VirtualHost } from "../../core/topology/topology-port.ts";
import { ArgumentReader } from "./arguments.ts";
import { filterOf } from "./publish-route.ts";
import { locked, named, notFound } from "./refusals.ts";
import { streamPositionOf } from "./stream-position.ts";

/** What a client means by the queue that it wants to consume. */
export type Source =
  /** A queue; `isAddress` says that it was named by its `$queue/` address. */
  | { readonly is: "queue"; readonly name: string; readonly filter: string; readonly isAddress: boolean }
  /** Plain topics, as an MQTT filter. */
  | { readonly is: "topics"; readonly filter: string };

/**
 * What a name means: an existing queue wins; else `$queue/<queue>[/<filter>]` is a queue that may have to be made, and a name with a wildcard or a slash a
 * filter of plain topics, in the virtual host "/".
 * @throws {ReplyError} 404, 405
 */
export function sourceOf(name: string, host: VirtualHost, owner: QueueOwner): Source {
  const found = host.queue(name, owner);
  if (found.is === "locked") throw locked(name, host.name);
  if (found.is === "found") return { is: "queue", name, filter: "", isAddress: false };
  if (host.name !== "/") throw notFound("queue", name, host.name);
  const address = parseQueueFilter(name);
  if (address?.is === "consume" && queueNameFault(address.queue) === null) {
    return { is: "queue", name: address.queue, filter: address.filter, isAddress: true };
  }
  if (name.startsWith("$") || !/[/+#*]/.test(name)) throw notFound("queue", name, host.name);
  const filter = filterOf(name);
  try {
    validatePlainTopicFilter(filter);
  } catch (error) {
    if (isMessagingError(error)) throw notFound("queue", name, host.name);
    throw error;
  }
  return { is: "topics", filter };
}

/** What `basic.consume` asks of a queue. @throws {ReplyError} 406 for an argument that cannot be */
export function consumeRequest(
  method: MethodOf<"basic.consume">,
  source: Extract<Source, { readonly is: "queue" }>,
  facts: { readonly consumer: QueueConsumer; readonly host: VirtualHost; readonly epochMs: number },
): ConsumeRequest {
  const reader = new ArgumentReader(method.arguments, named("queue", source.name, facts.host.name));
  const group = reader.text("x-consumer-group");
  const from = streamPositionOf(reader, facts.epochMs);
  const priority = reader.integer("x-priority");
  return {
    consumer: facts.consumer,
    acknowledge: method.noAck ? "automatic" : "explicit",
    access: method.exclusive ? "alone" : "shared",
    ...(group === undefined || group === "" ? {} : { group }),
    ...(source.filter === "" ? {} : { filter: source.filter }),
    ...(from === undefined ? {} : { from }),
    ...(commits(reader) ? {} : { commit: "manual" }),
    ...(priority === undefined ? {} : { priority }),
  };
}

/** `x-auto-commit`, a boolean or its text. */
function commits(reader: ArgumentReader): boolean {
  const value = reader.value("x-auto-commit");
  return value === undefined || value === true || value === "true";
}
