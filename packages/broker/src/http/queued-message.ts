import type { DeadLetterFacts, QueueMessage } from "../core/queues/queue-message.ts";
import { textOf } from "../sessions/translate/common-properties.ts";
import type { ApiCall, Parameter, Schema } from "./endpoint.ts";
import type { HttpContext } from "./http-context.ts";
import { integerOf, LIMIT, limitOf } from "./query.ts";
import { COUNT, MAYBE_TIME, objectOf, queryParameter, TEXT } from "./schemas.ts";

/** Bytes of a payload that are shown unless the caller says how many, and at most. */
const PAYLOAD_DEFAULT = 65_536;
const PAYLOAD_MAX = 4_194_304;
const DEAD_LETTER = objectOf({
  reason: TEXT,
  queue: TEXT,
  offset: COUNT,
  group: TEXT,
  count: COUNT,
  firstDeathMs: COUNT,
  detail: TEXT,
});

/** A queued message in JSON. */
export const QUEUED_MESSAGE: Schema = objectOf({
  offset: COUNT,
  topic: TEXT,
  routingKey: TEXT,
  payload: { type: "string", contentEncoding: "base64", description: "Cut at `payload_max` bytes" },
  payloadBytes: COUNT,
  contentType: { type: ["string", "null"] },
  headers: { type: "object", additionalProperties: { type: "string" } },
  priority: COUNT,
  publisher: TEXT,
  protocol: TEXT,
  createdAtMs: COUNT,
  expiresAtMs: MAYBE_TIME,
  deadLetter: { anyOf: [DEAD_LETTER, { type: "null" }] },
});

/** How a caller says which messages, and how much of them. */
export function peekParameters(): readonly Parameter[] {
  return [
    queryParameter("from", "The first offset", { ...COUNT, default: 0 }),
    LIMIT,
    queryParameter("payload_max", "Bytes of each payload that are shown", {
      type: "integer",
      minimum: 0,
      maximum: PAYLOAD_MAX,
      default: PAYLOAD_DEFAULT,
    }),
  ];
}

/** The messages that a query asks for. @throws {ApiError} 400, {MessagingError} ERR_QUEUE_NOT_FOUND */
export function messagesOf(queue: string, query: URLSearchParams, { hub }: HttpContext): readonly QueueMessage[] {
  const from = integerOf(query, "from", { least: 0, most: Number.MAX_SAFE_INTEGER, otherwise: 0 });
  return hub.queues.peek(queue, from, limitOf(query));
}

/** How to show messages in one answer. @throws {ApiError} 400 */
export function messageView(
  { query }: ApiCall,
  { translator }: HttpContext,
): (message: QueueMessage) => Readonly<Record<string, unknown>> {
  const most = integerOf(query, "payload_max", { least: 0, most: PAYLOAD_MAX, otherwise: PAYLOAD_DEFAULT });
  return (message) => {
    const { offset, topic, key, payload, priority, publisherId, origin, createdAtMs, expiresAtMs, deadLetter } =
      message;
    const shown = payload.subarray(0, most);
    const { contentType = null, headers } = translator.common(message);
    return {
      offset,
      topic,
      routingKey: key,
      payload: Buffer.from(shown.buffer, shown.byteOffset, shown.length).toString("base64"),
      payloadBytes: payload.length,
      contentType,
      headers: Object.fromEntries(headers.map(([name, value]) => [name, textOf(value)])),
      priority,
      publisher: publisherId,
      protocol: origin,
      createdAtMs: Math.floor(createdAtMs),
      expiresAtMs: Number.isFinite(expiresAtMs) ? Math.floor(expiresAtMs) : null,
      deadLetter: deadLetter === null ? null : deathView(deadLetter),
    };
  };
}

function deathView({ reason, queue, offset, group, count, firstDeathMs, detail }: DeadLetterFacts): object {
  return { reason, queue, offset, group, count, firstDeathMs: Math.floor(firstDeathMs), detail };
}
