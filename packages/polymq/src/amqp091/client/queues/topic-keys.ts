import type { AmqpDialect } from "../dialect.ts";

/** RabbitMQ's exchange for topics, which its other protocols share. */
const TOPICS = "amq.topic";

const SEPARATORS: Readonly<Record<string, string>> = { "/": ".", ".": "/", "+": "*", "*": "+" };

/** The exchange that a topic is published to. */
export function topicExchange(dialect: AmqpDialect): string {
  return dialect === "rabbitmq" ? TOPICS : "";
}

/**
 * A topic as a routing key, or a filter as a binding key. RabbitMQ separates levels by dots, which change places with slashes so that every topic comes back as
 * it was; FluxMQ and polymq's broker take topics as they are.
 */
export function topicKey(dialect: AmqpDialect, topic: string): string {
  return dialect === "rabbitmq" ? exchanged(topic) : topic;
}

/** The topic that a message came on: routing keys of deliveries have dots. */
export function topicOfKey(dialect: AmqpDialect, key: string): string {
  return dialect === "rabbitmq" ? exchanged(key) : key.replaceAll(".", "/");
}

function exchanged(text: string): string {
  return text.replace(/[/.+*]/g, (each) => SEPARATORS[each] ?? each);
}
