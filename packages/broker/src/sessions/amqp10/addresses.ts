import { Condition } from "polymq/amqp10/codec";
import { isMessagingError } from "polymq/internal";
import { parseQueueAddress, parseQueueFilter, QUEUE_PREFIX } from "../../core/queues/queue-address.ts";
import { isPlainTopic, topicOfKey } from "../../core/topic-keys.ts";
import { checkFilter } from "../../core/topic-trie.ts";
import { Refused } from "./refused.ts";

/** Where messages of a client go. */
export type TargetAddress =
  /** A queue by its plain name; it has to exist. */
  | { readonly is: "queue"; readonly name: string; readonly acl: string }
  /** A `$queue/` address, whose queue is made when it is used. */
  | { readonly is: "address"; readonly address: string; readonly acl: string }
  /** Where a stream's group goes on: `$queue/<queue>/$commit`. */
  | { readonly is: "commit"; readonly queue: string; readonly acl: string }
  | { readonly is: "exchange"; readonly exchange: string; readonly key: string; readonly acl: string }
  | { readonly is: "topic"; readonly topic: string; readonly acl: string };

/** Where messages for a client come from. */
export type SourceAddress =
  /** A queue; `isAddress` says that it was named by its `$queue/` address, so that deliveries tell all that is known. */
  | { readonly is: "queue"; readonly name: string; readonly filter: string; readonly isAddress: boolean }
  /** Plain topics, as a filter. */
  | { readonly is: "topics"; readonly filter: string };

/** What decides about a name that is no address in itself. */
export interface NameFacts {
  /** True in the virtual host "/", which has `$queue/` addresses and plain topics. */
  readonly hasTopics: boolean;
  /** Whether there is a queue of this name. */
  readonly hasQueue: (name: string) => boolean;
  /** What the terminus asks its node to be (§3.5.4): `queue` and `topic` count. */
  readonly capabilities: readonly string[];
}

/** UTF-16 units of an address. */
const ADDRESS_UNITS_MAX = 4_096;

const QUEUES = "/queues/";
const EXCHANGES = "/exchanges/";

/** What a target's address, or `to` of a message, means. @throws {Refused} */
export function targetAddress(text: string, facts: NameFacts): TargetAddress {
  checkLength(text);
  if (text.startsWith(QUEUES)) {
    const name = segment(text.slice(QUEUES.length));
    return { is: "queue", name, acl: QUEUE_PREFIX + name };
  }
  if (text.startsWith(EXCHANGES)) return exchangeAddress(text.slice(EXCHANGES.length));
  if (text.startsWith(QUEUE_PREFIX)) return facts.hasTopics ? queueAddress(text) : noAddress(text);
  if (text.startsWith("$")) return noAddress(text);
  if (facts.capabilities.includes("queue") && facts.hasTopics) return queueAddress(QUEUE_PREFIX + text);
  if (!facts.capabilities.includes("topic") && facts.hasQueue(text)) {
    return { is: "queue", name: text, acl: QUEUE_PREFIX + text };
  }
  const topic = text.includes("/") ? text : topicOfKey(text);
  if (!facts.hasTopics) throw new Refused(Condition.notFound, `there is no queue ${text}`);
  if (!isPlainTopic(topic)) return noAddress(text);
  return { is: "topic", topic, acl: topic };
}

/** What a source's address means. @throws {Refused} */
export function sourceAddress(text: string, facts: NameFacts): SourceAddress {
  checkLength(text);
  if (text.startsWith(QUEUES)) {
    return { is: "queue", name: segment(text.slice(QUEUES.length)), filter: "", isAddress: false };
  }
  if (text.startsWith(QUEUE_PREFIX)) return facts.hasTopics ? queueFilter(text) : noAddress(text);
  if (text.startsWith("$") || text.startsWith(EXCHANGES)) return noAddress(text);
  if (facts.capabilities.includes("queue") && facts.hasTopics) return queueFilter(QUEUE_PREFIX + text);
  if (!facts.capabilities.includes("topic") && facts.hasQueue(text)) {
    return { is: "queue", name: text, filter: "", isAddress: false };
  }
  if (!facts.hasTopics) throw new Refused(Condition.notFound, `there is no queue ${text}`);
  return { is: "topics", filter: plainFilter(text) };
}

/** `$queue/<queue>[/<filter>]`, for permissions. */
export function filterOfSource(address: SourceAddress): string {
  if (address.is === "topics") return address.filter;
  return address.filter === "" ? QUEUE_PREFIX + address.name : `${QUEUE_PREFIX}${address.name}/${address.filter}`;
}

/** `*` is one level and `.` between levels, unless there are slashes or `+`. */
function plainFilter(text: string): string {
  const filter = text.includes("/") || text.includes("+") ? text : topicOfKey(text).replaceAll("*", "+");
  return checked(filter, text);
}

function queueAddress(text: string): TargetAddress {
  const parsed = parseQueueAddress(text);
  if (parsed === null || parsed.is === "malformed" || parsed.is === "settle") return noAddress(text);
  if (/[+#\0]/.test(text)) return noAddress(text);
  if (parsed.is === "commit") return { is: "commit", queue: parsed.queue, acl: text };
  return { is: "address", address: text, acl: text };
}

function queueFilter(text: string): SourceAddress {
  const parsed = parseQueueFilter(text);
  if (parsed === null || parsed.is === "malformed") return noAddress(text);
  if (parsed.filter !== "") checked(parsed.filter, text);
  return { is: "queue", name: parsed.queue, filter: parsed.filter, isAddress: true };
}

function exchangeAddress(rest: string): TargetAddress {
  const slash = rest.indexOf("/");
  const exchange = segment(slash < 0 ? rest : rest.slice(0, slash));
  const key = slash < 0 ? "" : decoded(rest.slice(slash + 1));
  const topic = key.includes("/") ? key : topicOfKey(key);
  return { is: "exchange", exchange, key, acl: exchange === "amq.topic" ? topic : `${exchange}/${topic}` };
}

/** A name in percent signs (RFC 3986), as RabbitMQ 4 has them. */
function segment(text: string): string {
  const name = decoded(text);
  if (name === "" || text.includes("/")) throw new Refused(Condition.invalidField, `${text} is no name`);
  return name;
}

function decoded(text: string): string {
  if (text.includes("/")) throw new Refused(Condition.invalidField, "a / in a name is written as %2F");
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Refused(Condition.invalidField, `${text} is not percent-encoded`);
  }
}

function checked(filter: string, text: string): string {
  try {
    checkFilter(filter);
    return filter;
  } catch (error) {
    if (isMessagingError(error)) return noAddress(text);
    throw error;
  }
}

function checkLength(text: string): void {
  if (text.length > ADDRESS_UNITS_MAX || text === "") {
    throw new Refused(Condition.invalidField, `an address has 1 to ${ADDRESS_UNITS_MAX} characters`);
  }
}

function noAddress(text: string): never {
  throw new Refused(Condition.notFound, `there is no node ${text}`);
}
