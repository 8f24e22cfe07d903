import type { MessageView } from "../../../amqp10/codec/message-view.ts";
import { plain } from "../../../amqp10/codec/values.ts";
import { MessagingError } from "../../../base/errors.ts";
import type { Ways } from "./amqp10-ways.ts";

/**
 * ActiveMQ Artemis. A topic is an address that is multicast; a queue too, and each group of it is a durable subscription that its members share, named by queue and
 * group: its messages stay while no member is there.
 */
export const ARTEMIS: Ways = {
  dialect: "artemis",
  keepsTopics: true,
  topicTarget: (topic) => ({ address: dotted(topic, "#"), capabilities: ["topic"] }),
  topicSource: (filter) => ({ address: dotted(filter, "#"), capabilities: ["topic"] }),
  topicOf: (message, filter) => topicOf(message) ?? filter,
  queueNode: (name) => ({ address: name, capabilities: ["queue"] }),
  groups: {
    delays: true,
    target: (queue) => ({ address: checked(queue), capabilities: ["topic"] }),
    source: (queue, group) => ({
      address: checked(queue),
      capabilities: ["topic", "shared", "global"],
      subscription: `${queue}.${checked(group)}`,
    }),
  },
  giveBack: (delivery) => delivery.modify({ deliveryFailed: true }),
};

/** ActiveMQ Classic, which has virtual topics: each group is a queue `Consumer.<group>.VirtualTopic.<queue>` that is fed by the topic `VirtualTopic.<queue>`. */
export const ACTIVEMQ: Ways = {
  dialect: "activemq",
  keepsTopics: true,
  topicTarget: (topic) => ({ address: `topic://${dotted(topic, ">")}`, capabilities: [] }),
  topicSource: (filter) => ({ address: `topic://${dotted(filter, ">")}`, capabilities: [] }),
  topicOf: (message, filter) => topicOf(message) ?? filter,
  queueNode: (name) => ({ address: `queue://${name}`, capabilities: [] }),
  groups: {
    // It says that it delays messages, and does so only where its scheduler is switched on.
    delays: false,
    target: (queue) => ({ address: `topic://VirtualTopic.${checked(queue)}`, capabilities: [] }),
    source: (queue, group) => ({
      address: `queue://Consumer.${checked(group)}.VirtualTopic.${checked(queue)}`,
      capabilities: [],
    }),
  },
  giveBack: (delivery) => delivery.modify({ deliveryFailed: true }),
};

const SEPARATORS: Readonly<Record<string, string>> = { "/": ".", ".": "/", "+": "*", "*": "+" };

/** A topic or filter with dots for slashes and back, and the server's word for "any levels". @throws {MessagingError} ERR_INVALID_TOPIC */
function dotted(text: string, rest: string): string {
  if (/[>,]|::/.test(text)) throw invalid(`on ActiveMQ a topic has no ">", "," or "::": ${text}`);
  return exchanged(text).replaceAll("#", rest);
}

function exchanged(text: string): string {
  return text.replace(/[/.+*]/g, (each) => SEPARATORS[each] ?? each);
}

/** Names of queues and groups become parts of addresses. @throws {MessagingError} ERR_INVALID_TOPIC */
function checked(name: string): string {
  if (/^[^/.*#>,|:]+$/.test(name)) return name;
  throw invalid(`on ActiveMQ a queue and a group have names without any of /.*#>,|: ${name}`);
}

function invalid(what: string): MessagingError {
  return new MessagingError("ERR_INVALID_TOPIC", what);
}

/** The address that the message was sent to; one that does not say it is of the filter. */
function topicOf(message: MessageView): string | null {
  const to = plain(message.properties?.to ?? null);
  return typeof to === "string" ? exchanged(to.replace(/^topic:\/\//, "")) : null;
}
