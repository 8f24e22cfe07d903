// Hot path: runs per message that is published with options.
import { MessagingError } from "../base/errors.ts";
import type { AnyPublishOptions } from "./adapter.ts";
import type { QueuePublishOptions } from "./options.ts";

/** Options of publishes as any call may have them. */
interface Given extends AnyPublishOptions, Pick<QueuePublishOptions, "priority" | "deliverAfterMs"> {}

/** Refuses options that a topic's message has not: none is left out in silence. @throws {MessagingError} ERR_INVALID_ARGUMENT */
export function checkTopicPublish(options: Given): void {
  checkShape(options);
  if (options.priority !== undefined || options.deliverAfterMs !== undefined) {
    throw invalid("a topic's message has no priority and no deliverAfterMs");
  }
}

/** As {@link checkTopicPublish}, for a message of a queue or stream. */
export function checkQueuePublish(options: Given): void {
  checkShape(options);
  if (options.qos !== undefined || options.retain !== undefined) {
    throw invalid("a queue's message has no qos and no retain");
  }
  if (options.exchange !== undefined || options.mandatory !== undefined) {
    throw invalid("a queue's message has no exchange and no mandatory");
  }
}

function checkShape(options: Given): void {
  if (typeof options !== "object" || options === null) throw invalid("options must be an object");
  const { signal } = options;
  if (signal !== undefined && typeof signal?.addEventListener !== "function") throw invalid("signal is an AbortSignal");
}

function invalid(what: string): MessagingError {
  return new MessagingError("ERR_INVALID_ARGUMENT", what);
}
