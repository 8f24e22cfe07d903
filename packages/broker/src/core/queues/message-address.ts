import { keyOfTopic, TOPICS_EXCHANGE } from "../topic-keys.ts";
import { QUEUE_PREFIX } from "./queue-address.ts";

/** What tells where a message was published. */
export interface Published {
  readonly topic: string;
  readonly exchange: string | null;
  readonly routingKey: string;
}

/** In front of queue addresses, as an exchange's name: where messages come from that were published to an address. */
export const ADDRESS_EXCHANGE = "$queue";

/** The exchange to which a message of a queue was published: {@link ADDRESS_EXCHANGE} for addresses, the topics' exchange for plain topics. */
export function exchangeOf(message: Published): string {
  if (message.exchange !== null) return message.exchange;
  return message.topic.startsWith(QUEUE_PREFIX) ? ADDRESS_EXCHANGE : TOPICS_EXCHANGE;
}

/** The routing key that goes with {@link exchangeOf}: what stands behind `$queue/`, or the topic with `.` for `/`. */
export function routingKeyOf(message: Published): string {
  if (message.exchange !== null) return message.routingKey;
  const { topic } = message;
  return topic.startsWith(QUEUE_PREFIX) ? topic.slice(QUEUE_PREFIX.length) : keyOfTopic(topic);
}
