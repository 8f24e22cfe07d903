// Hot path: runs per message that a selector looks at; the same message for the next selector is not decoded again.
import type { Selector, SelectorProperties } from "../../core/selector/selector.ts";
import type { SelectorValue } from "../../core/selector/selector-expression.ts";
import { Amqp10Header } from "./amqp10-block.ts";
import type { CommonProperties, CommonValue } from "./common-properties.ts";
import type { PropertyTranslator, Translated } from "./property-translator.ts";

/** What finds a value in a message's properties. */
type Find = (properties: CommonProperties, message: Translated) => CommonValue | undefined;

/** The priority of a message that says none (AMQP 1.0 §3.2.1). */
const PRIORITY_DEFAULT = 4;

/** Names that are the same for messages of all protocols: those of JMS, and Apache Qpid's. */
const FIELDS: Readonly<Record<string, Find>> = named([
  [["JMSMessageID", "amqp.message_id"], ({ messageId }) => messageId],
  [["JMSCorrelationID", "amqp.correlation_id"], ({ correlationId }) => correlationId],
  [["JMSType", "amqp.subject"], ({ type }) => type],
  [["JMSPriority", "amqp.priority"], ({ priority }) => priority ?? PRIORITY_DEFAULT],
  [
    ["JMSDeliveryMode", "amqp.delivery_mode"],
    ({ isDurable }) => (isDurable === undefined ? undefined : isDurable ? "PERSISTENT" : "NON_PERSISTENT"),
  ],
  [["JMSTimestamp", "amqp.creation_time"], ({ timestampMs }) => timestampMs],
  [
    ["JMSExpiration", "amqp.absolute_expiry_time"],
    (_, { expiresAtMs }) => (expiresAtMs === Number.POSITIVE_INFINITY ? undefined : expiresAtMs),
  ],
  [["JMSReplyTo", "amqp.reply_to"], ({ replyTo, responseTopic }) => replyTo ?? responseTopic],
  [["JMSDestination", "amqp.to"], (properties) => header(properties, Amqp10Header.to)],
  [["JMSXGroupID", "amqp.group_id"], (properties) => header(properties, Amqp10Header.groupId)],
  [["JMSXGroupSeq", "amqp.group_sequence"], (properties) => header(properties, Amqp10Header.groupSequence)],
  [["amqp.reply_to_group_id"], (properties) => header(properties, Amqp10Header.replyToGroupId)],
  [["JMSXUserID", "amqp.user_id"], (properties) => properties.userId ?? header(properties, Amqp10Header.userId)],
  [["amqp.content_type"], ({ contentType }) => contentType],
  [["amqp.content_encoding"], ({ contentEncoding }) => contentEncoding],
]);

/** User properties that stand for a field when they come by MQTT. */
const USER_PROPERTIES: Readonly<Record<string, Find>> = named([
  [["content-type"], ({ contentType }) => contentType],
  [["content-encoding"], ({ contentEncoding }) => contentEncoding],
  [["reply-to"], ({ replyTo }) => replyTo],
  [["response-topic"], ({ responseTopic }) => responseTopic],
  [["message-id"], ({ messageId }) => messageId],
  [["type"], ({ type }) => type],
  [["app-id"], ({ appId }) => appId],
  [["cluster-id"], ({ clusterId }) => clusterId],
  [["priority"], ({ priority }) => priority],
  [["timestamp"], ({ timestampMs }) => (timestampMs === undefined ? undefined : timestampMs / 1000)],
]);

function named(rows: readonly (readonly [names: readonly string[], find: Find])[]): Readonly<Record<string, Find>> {
  const all = Object.create(null) as Record<string, Find>;
  for (const [names, find] of rows) for (const name of names) all[name] = find;
  return all;
}

function header(properties: CommonProperties, name: string): CommonValue | undefined {
  const { headers } = properties;
  for (let i = 0; i < headers.length; i++) {
    const entry = headers[i];
    if (entry !== undefined && entry[0] === name) return entry[1];
  }
  return undefined;
}

/**
 * Lets selectors look at a message of any protocol: application properties, headers and user properties by their names, and the fields that all of them have
 * by those that JMS gives them (`JMSPriority`), or Qpid (`amqp.priority`). Bytes, lists and tables are unknown. One serves a whole broker.
 */
export class SelectorLookup implements SelectorProperties {
  readonly #translator: PropertyTranslator;
  #message: Translated = NOTHING;
  #properties: CommonProperties | null = null;
  #block: Uint8Array | null = null;

  constructor(translator: PropertyTranslator) {
    this.#translator = translator;
  }

  /** Whether a message is one of those that a selector wants. */
  selects(selector: Selector, message: Translated): boolean {
    const { properties, encoding } = message;
    if (!this.#isSame(properties, encoding)) this.#properties = null;
    this.#block = properties;
    this.#message = message;
    return selector.matches(this);
  }

  property(name: string): SelectorValue | undefined {
    this.#properties ??= this.#translator.common(this.#message);
    const properties = this.#properties;
    const field = FIELDS[name];
    if (field !== undefined) return selectorValue(field(properties, this.#message));
    const found = header(properties, name);
    if (found !== undefined) return selectorValue(found);
    return selectorValue(USER_PROPERTIES[name]?.(properties, this.#message));
  }

  /** By the place of the bytes, which nobody writes into again while the message is there. */
  #isSame(block: Uint8Array | null, encoding: number): boolean {
    const last = this.#block;
    if (block === null || last === null) return false;
    const same = last.buffer === block.buffer && last.byteOffset === block.byteOffset && last.length === block.length;
    return same && this.#message.encoding === encoding;
  }
}

const NOTHING: Translated = Object.freeze({ properties: null, encoding: 0, expiresAtMs: Number.POSITIVE_INFINITY });

function selectorValue(value: CommonValue | undefined): SelectorValue | undefined {
  if (value === undefined || value === null || typeof value !== "object") return value;
  if (value instanceof Uint8Array) return null;
  if ("number" in value) return value.number;
  if ("epochMs" in value) return value.epochMs;
  if ("scale" in value) return value.unscaled / 10 ** value.scale;
  return null;
}
