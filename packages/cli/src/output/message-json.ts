import type { Message } from "polymq";
import { replyFields } from "./reply-fields.ts";

/** What is printed of a message, received or looked at. */
export type PrintedMessage = Pick<
  Message,
  | "topic"
  | "payload"
  | "contentType"
  | "timestamp"
  | "queue"
  | "routingKey"
  | "group"
  | "offset"
  | "deliveryCount"
  | "properties"
  | "json"
> & {
  /** The protocol client's own message, of a received one. */
  readonly native?: unknown;
  /** Why it died, of a dead letter. */
  readonly deadLetter?: Readonly<Record<string, unknown>>;
};

/** What stands before names of user properties, headers and application properties. */
const OWN = /^(?:mqtt\.user|amqp\.headers)\./;

/** Keys that have a field of their own. */
const FIELDS: ReadonlySet<string> = new Set(["mqtt.qos", "mqtt.retain", "mqtt.dup"]);

/**
 * A message as an object for JSON. What does not apply is left out; a payload that is no UTF-8 text stands in base64 in `payloadBase64`.
 * Properties have their bare names.
 */
export function messageJson(message: PrintedMessage): Readonly<Record<string, unknown>> {
  const { topic, contentType, timestamp, queue, routingKey, group, offset, deliveryCount, properties } = message;
  return {
    topic,
    ...payloadJson(message.payload),
    ...("mqtt.qos" in properties ? { qos: Number(properties["mqtt.qos"]) } : {}),
    ...(properties["mqtt.retain"] === "true" ? { retain: true } : {}),
    ...(contentType === null ? {} : { contentType }),
    ...(timestamp === null ? {} : { timestamp: timestamp.toISOString() }),
    ...(queue === null ? {} : { queue, routingKey, group }),
    ...(offset === null ? {} : { offset }),
    ...(deliveryCount === 0 ? {} : { deliveryCount }),
    ...(message.deadLetter === undefined ? {} : { deadLetter: message.deadLetter }),
    ...replyJson(message.native),
    properties: ownProperties(message),
  };
}

function replyJson(native: unknown): Readonly<Record<string, unknown>> {
  const { responseTopic, correlationData, payloadFormat, expirySeconds } = replyFields(native);
  return {
    ...(responseTopic === null ? {} : { responseTopic }),
    ...(correlationData === null ? {} : correlationJson(correlationData)),
    ...(payloadFormat === null ? {} : { payloadFormat }),
    ...(expirySeconds === null ? {} : { expirySeconds }),
  };
}

function correlationJson(data: Uint8Array): Readonly<Record<string, string>> {
  const json = payloadJson(data);
  return "payload" in json ? { correlationData: json.payload } : { correlationDataBase64: json.payloadBase64 };
}

/** The payload as `payload` in text, or `payloadBase64`. */
export function payloadJson(payload: Uint8Array): { readonly payload: string } | { readonly payloadBase64: string } {
  try {
    return { payload: STRICT.decode(payload) };
  } catch {
    // No text.
    return { payloadBase64: Buffer.from(payload).toString("base64") };
  }
}

const STRICT = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Properties without those that have a field of their own; those that the publisher named have their bare names. */
export function ownProperties({ properties }: Pick<PrintedMessage, "properties">): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(properties).flatMap(([key, value]) => (FIELDS.has(key) ? [] : [[key.replace(OWN, ""), value]])),
  );
}
