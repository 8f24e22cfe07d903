import type { AmqpDelivery } from "../../../amqp10/client/delivery.ts";
import type { SourceOptions, TerminusOptions } from "../../../amqp10/client/options.ts";
import type { AmqpPeer } from "../../../amqp10/client/peer.ts";
import type { MessageView } from "../../../amqp10/codec/message-view.ts";
import { plain } from "../../../amqp10/codec/values.ts";
import { MessagingError } from "../../../base/errors.ts";
import { unsupported } from "../../delivery.ts";
import type { Dialect } from "../../protocol.ts";
import { ACTIVEMQ, ARTEMIS } from "./activemq-ways.ts";

/** A node, as a link names it. */
export interface Node {
  readonly address: string;
  readonly capabilities: readonly string[];
  /** Of a source that lasts: the name under which its receivers share it. */
  readonly subscription?: string;
}

/** How a server names topics and queues. */
export interface Ways {
  readonly dialect: Dialect;
  topicTarget(topic: string): Node;
  topicSource(filter: string): Node;
  /** The topic of a message that came from `filter`. */
  topicOf(message: MessageView, filter: string): string;
  queueNode(name: string): Node;
  /** How a server keeps groups that are no addresses below `$queue/`; null where it has none. */
  readonly groups: GroupWays | null;
  /** False where a topic's message that is given back is gone: it stands in no queue. */
  readonly keepsTopics: boolean;
  /** Gives a message back so that it comes again. */
  giveBack(delivery: AmqpDelivery): Promise<void>;
}

/** How a server keeps groups of a queue. */
export interface GroupWays {
  /** True when it can deliver a message later. */
  readonly delays: boolean;
  /** Where messages for all groups go. @throws {MessagingError} ERR_INVALID_TOPIC */
  target(queue: string): Node;
  /** Where a member of the group receives. @throws {MessagingError} ERR_INVALID_TOPIC */
  source(queue: string, group: string): Node;
}

/** What a server does that keeps no groups. */
const PLAIN = { groups: null, keepsTopics: true, giveBack: (delivery: AmqpDelivery) => delivery.release() } as const;

/** The ways of the server that says this of itself, unless the application says which. @throws {MessagingError} ERR_INVALID_OPTIONS */
export function waysOf(peer: AmqpPeer, chosen: Dialect | undefined): Ways {
  const dialect = chosen ?? dialectOf(peer);
  if (dialect === "polymq" || dialect === "fluxmq") return addressWays(dialect);
  if (dialect === "rabbitmq") return rabbitMqWays(peer);
  if (dialect === "artemis") return ARTEMIS;
  if (dialect === "activemq") return ACTIVEMQ;
  if (dialect === "amqp10") return NODES;
  throw new MessagingError("ERR_INVALID_OPTIONS", `over AMQP 1.0 there is no dialect ${dialect}`);
}

function dialectOf(peer: AmqpPeer): Dialect {
  if (peer.containerId === "fluxmq") return "fluxmq";
  const product = peer.properties?.get("product");
  if (product === "polymq") return "polymq";
  if (product === "apache-activemq-artemis") return "artemis";
  if (product === "ActiveMQ") return "activemq";
  return product === "RabbitMQ" ? "rabbitmq" : "amqp10";
}

/** Topics are addresses with slashes, which `to` tells; queues stand below `$queue/`. */
function addressWays(dialect: Dialect): Ways {
  return {
    ...PLAIN,
    keepsTopics: false,
    dialect,
    topicTarget: (topic) => ({ address: topic, capabilities: ["topic"] }),
    topicSource: (filter) => ({ address: filter, capabilities: ["topic"] }),
    topicOf: (message, filter) => addressOf(message)?.replace(/^[^/]*$/, (flat) => flat.replaceAll(".", "/")) ?? filter,
    queueNode: (name) => ({ address: `$queue/${name}`, capabilities: [] }),
  };
}

/** Any other server: a topic and a queue are nodes of that kind, by their names. */
const NODES: Ways = {
  ...PLAIN,
  dialect: "amqp10",
  topicTarget: (topic) => ({ address: topic, capabilities: ["topic"] }),
  topicSource: (filter) => ({ address: filter, capabilities: ["topic"] }),
  topicOf: (message, filter) => addressOf(message) ?? filter,
  queueNode: (name) => ({ address: name, capabilities: ["queue"] }),
};

/** RabbitMQ's topics go through `amq.topic`, whose dots and slashes change places. */
function rabbitMqWays(peer: AmqpPeer): Ways {
  const version = plain(peer.properties?.get("version") ?? null);
  const old = typeof version === "string" && /^[0-3]\./.test(version);
  const node = (address: string): Node => ({ address, capabilities: [] });
  return {
    ...PLAIN,
    dialect: "rabbitmq",
    topicTarget: (topic) =>
      node(old ? `/topic/${exchanged(topic)}` : `/exchanges/amq.topic/${encodeURIComponent(exchanged(topic))}`),
    topicSource: (filter) => {
      if (old) return node(`/topic/${exchanged(filter)}`);
      throw unsupported("subscriptions to topics: RabbitMQ 4 has none over AMQP 1.0; use AMQP 0-9-1");
    },
    topicOf: (message, filter) => {
      const key = plain(message.messageAnnotations?.get("x-routing-key") ?? message.properties?.subject ?? null);
      return typeof key === "string" ? exchanged(key) : filter;
    },
    queueNode: (name) => node(old ? `/queue/${name}` : `/queues/${encodeURIComponent(name)}`),
  };
}

const SEPARATORS: Readonly<Record<string, string>> = { "/": ".", ".": "/", "+": "*", "*": "+" };

function exchanged(text: string): string {
  return text.replace(/[/.+*]/g, (each) => SEPARATORS[each] ?? each);
}

function addressOf(message: MessageView): string | null {
  const to = plain(message.properties?.to ?? null);
  return typeof to === "string" ? to : null;
}

/** The options of a source. */
export function sourceFor({ capabilities, subscription }: Node): SourceOptions {
  const lasting = { durability: "unsettledState", expiryPolicy: "never" } as const;
  return {
    ...(capabilities.length === 0 ? {} : { capabilities }),
    ...(subscription === undefined ? {} : lasting),
  };
}

/** The options of a target. */
export function targetFor({ capabilities }: Node): TerminusOptions {
  return capabilities.length === 0 ? {} : { capabilities };
}
