// Hot path: runs per delivery. No closure, promise, spread, iterator or regex here.
import { QUEUE_PREFIX } from "./queue-address.ts";
import type { QueueMessage } from "./queue-message.ts";

/**
 * The address on which a queue's message is delivered: `$queue/<queue>[/<key>]`. The key is the one that consumers' filters see, also of a dead letter; of a
 * captured topic, which has none, it is that topic.
 */
export function deliveredAddress(
  message: Pick<QueueMessage, "topic" | "keyStart" | "deadLetter">,
  queue: string,
): string {
  const { topic, keyStart } = message;
  const address = `${QUEUE_PREFIX}${queue}`;
  if (topic === "" || topic === queue) return address;
  if (isBelow(topic, address)) return topic;
  // Taken over out of another queue, under whose address it was published.
  if (keyStart > 0 && keyStart < topic.length) return `${address}/${topic.slice(keyStart)}`;
  if (message.deadLetter !== null && topic.startsWith(QUEUE_PREFIX)) return address;
  return isBelow(topic, queue) ? `${QUEUE_PREFIX}${topic}` : `${address}/${topic}`;
}

/** Whether a topic is another one or lies below it. */
function isBelow(topic: string, above: string): boolean {
  return topic.startsWith(above) && (topic.length === above.length || topic[above.length] === "/");
}
