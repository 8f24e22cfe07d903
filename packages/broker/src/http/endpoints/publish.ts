import { encodePublishProperties, ReasonCode, validateTopicName } from "polymq/mqtt/codec";
import { nodeText } from "polymq/transport";
import type { ConnectionAccess } from "../../auth/connection-access.ts";
import { OptionReader } from "../../base/option-reader.ts";
import { REFUSED } from "../../core/distribution.ts";
import type { Message } from "../../core/message.ts";
import { MQTT_ENCODING } from "../../sessions/mqtt/property-block.ts";
import { topicRefusal } from "../../sessions/mqtt/topic-routes.ts";
import { ApiError } from "../api-error.ts";
import type { ApiCall, ApiReply, Endpoint } from "../endpoint.ts";
import { hasToken, publisherAccess } from "../http-access.ts";
import type { HttpContext } from "../http-context.ts";
import { integerOf, wordOf } from "../query.ts";
import { FLAG, objectOf, ok, oneOf, pathParameter, queryParameter, TEXT } from "../schemas.ts";

const QOS = { type: "integer", minimum: 0, maximum: 2, default: 0 } as const;
const DONE = ok(
  "It is published; with `qos` 1 or 2, or to a queue, it is also stored as configured",
  objectOf({ status: oneOf("ok") }),
);

/** A message for those who have no client at hand, and FluxMQ's older form of that for its channels. */
export const PUBLISH_ENDPOINTS: readonly Endpoint[] = [
  {
    id: "publish",
    method: "POST",
    path: "/publish",
    summary: "Publish a message to a topic, or to a queue as `$queue/<name>[/<routing key>]`",
    tag: "messages",
    access: "publisher",
    body: objectOf(
      {
        topic: TEXT,
        payload: { type: "string", contentEncoding: "base64", default: "" },
        qos: QOS,
        retain: { ...FLAG, default: false },
      },
      ["payload", "qos", "retain"],
    ),
    responses: DONE,
    handle: (call, context) => publish(call, partsOf(call), context),
  },
  {
    id: "publishToChannel",
    method: "POST",
    path: "/m/{domain}/c/{channel...}",
    summary: "Publish the body as it is to the topic that is the path; `channel` may have several levels",
    tag: "messages",
    access: "publisher",
    parameters: [
      pathParameter("domain", "Also the user of a secret that comes without a name"),
      pathParameter("channel", "The levels behind it"),
      queryParameter("qos", "Quality of service", QOS),
      queryParameter("retain", "Whether it is kept for later subscribers", { ...FLAG, default: false }),
    ],
    takesBytes: true,
    responses: DONE,
    handle: (call, context) => publish(call, channelPartsOf(call), context),
  },
];

/** What is published. */
interface Parts {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly guarantee: 0 | 1 | 2;
  readonly retain: boolean;
  readonly contentType: string | null;
}

async function publish(call: ApiCall, parts: Parts, context: HttpContext): Promise<ApiReply> {
  const { hub, metrics } = context;
  const publisher = await publisherOf(call, parts.topic, context);
  checkTopic(parts.topic, context.topicLevelsMax);
  const message = messageOf(parts, context, publisher);
  if (publisher !== null && !(await publisher.mayPublish(message.topic, message.retain, hub.clock.nowMs()))) {
    metrics.messagesDenied++;
    throw new ApiError(403, "NOT_AUTHORIZED", "you may not publish to this topic");
  }
  const route = hub.router.route(message.topic);
  if (route.address === null) {
    if (hub.publish(message, route) === REFUSED)
      throw new ApiError(507, "QUOTA_EXCEEDED", "the broker holds as much as it may");
  } else {
    hub.statistics.messagesIn++;
    hub.statistics.bytesIn += message.payload.length;
    const refusal = hub.queues.publish(message, null, route);
    if (refusal !== null) throw refusal;
  }
  if (message.guarantee > 0 || route.address !== null) await hub.committer.flush();
  return { status: 200, body: { status: "ok" } };
}

/** What the caller may do; null for whoever has the token, which is everything. */
async function publisherOf(call: ApiCall, topic: string, context: HttpContext): Promise<ConnectionAccess | null> {
  return hasToken(call, context) ? null : await publisherAccess(call, domainOf(topic), context);
}

/** The domain of one of FluxMQ's channels, `m/<domain>/c/<channel>`; null for other topics. */
function domainOf(topic: string): string | null {
  return /^m\/([^/]+)\/c\/[^/]/.exec(topic)?.[1] ?? null;
}

function partsOf({ body }: ApiCall): Parts {
  const reader = new OptionReader(body, "");
  const topic = reader.text("topic") ?? "";
  const payload = bytesOf(reader.text("payload") ?? "");
  const guarantee = reader.integer("qos", { least: 0, most: 2, otherwise: 0 }) as 0 | 1 | 2;
  const retain = reader.flag("retain", "no");
  reader.done();
  return { topic, payload, guarantee, retain, contentType: null };
}

/** @throws {ApiError} 400 */
function channelPartsOf({ path, query, body, headers }: ApiCall): Parts {
  const { domain = "", channel = "" } = path;
  const type = headers["content-type"];
  return {
    topic: `m/${domain}/c/${channel}`,
    payload: body instanceof Uint8Array ? body : new Uint8Array(),
    guarantee: integerOf(query, "qos", { least: 0, most: 2, otherwise: 0 }) as 0 | 1 | 2,
    retain: wordOf(query, "retain", ["true", "false"], "false") === "true",
    contentType: typeof type === "string" ? type : null,
  };
}

function messageOf(parts: Parts, { hub }: HttpContext, publisher: ConnectionAccess | null): Message {
  const { contentType, ...rest } = parts;
  const { clientId = "", name = "" } = publisher?.principal ?? {};
  return hub.makeMessage({
    ...rest,
    ...(contentType === null
      ? {}
      : { properties: encodePublishProperties(nodeText(), { contentType }), encoding: MQTT_ENCODING }),
    publisherId: clientId,
    externalId: name,
    origin: "http",
  });
}

/** @throws {ApiError} 400, or 403 for topics that are the broker's own */
function checkTopic(topic: string, levelsMax: number): void {
  const fault = validateTopicName(topic);
  if (fault !== null) throw new ApiError(400, "ERR_INVALID_TOPIC", fault);
  const refusal = topicRefusal(topic, levelsMax);
  if (refusal === 0) return;
  if (refusal === ReasonCode.NotAuthorized) throw new ApiError(403, "NOT_AUTHORIZED", "this topic is the broker's own");
  throw new ApiError(400, "ERR_INVALID_TOPIC", `a topic may have ${levelsMax} levels`);
}

/** @throws {ApiError} 400 for what is no base64 */
function bytesOf(text: string): Uint8Array {
  const bytes = Buffer.from(text, "base64");
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0) {
    throw new ApiError(400, "INVALID_BODY", "payload must be base64 (RFC 4648 §4)");
  }
  return bytes;
}
