import { MessagingError } from "../../../base/errors.ts";
import type { PublishOptions, PublishPropertiesInput, ResponderAnswer } from "../../../mqtt/client/call-options.ts";
import type { QueuePublishOptions as NativeQueuePublish } from "../../../mqtt/client/queues/queue-options.ts";
import { toUserProperties } from "../../../mqtt/client/user-properties.ts";
import type { QoS } from "../../../mqtt/codec/packets.ts";
import type { AnyPublishOptions } from "../../adapter.ts";
import { unsupported } from "../../delivery.ts";
import type { ClientAnswerMessage, QueuePublishOptions } from "../../options.ts";
import { flagOf, splitProperties } from "../../properties.ts";
import type { Dialect } from "../../protocol.ts";

/** True when the options say nothing that MQTT calls by another name. */
export function isPlain(options: AnyPublishOptions): boolean {
  return (
    options.properties === undefined &&
    options.contentType === undefined &&
    options.expiresAfterMs === undefined &&
    options.exchange === undefined &&
    options.routingKey === undefined &&
    options.mandatory === undefined
  );
}

/** Options of a publish to a topic in MQTT's words. @throws {MessagingError} ERR_UNSUPPORTED, ERR_INVALID_MESSAGE, ERR_INVALID_ARGUMENT */
export function publishOptions(options: AnyPublishOptions): PublishOptions {
  const { exchange, routingKey, mandatory, signal } = options;
  if (exchange !== undefined || routingKey !== undefined || mandatory !== undefined) throw unsupported("exchanges");
  const { own, words } = splitProperties(options.properties, "mqtt");
  const qos = options.qos ?? qosOf(words["qos"]);
  const retain = options.retain ?? flagOf(words, "retain");
  const properties = propertiesOf(own, options);
  return {
    ...(qos === undefined ? {} : { qos }),
    ...(retain === undefined ? {} : { retain }),
    ...(properties === undefined ? {} : { properties }),
    ...(signal === undefined ? {} : { signal }),
  };
}

/** Options of a publish into a queue in MQTT's words. */
export function queuePublishOptions(options: QueuePublishOptions, dialect: Dialect): NativeQueuePublish {
  const { routingKey, priority, deliverAfterMs, contentType, expiresAfterMs, signal } = options;
  if ((deliverAfterMs ?? 0) !== 0 && dialect !== "polymq") throw unsupported("messages that are delivered later");
  const { own, words } = splitProperties(options.properties, "mqtt");
  const qos = qosOf(words["qos"]);
  return {
    ...(Object.keys(own).length === 0 ? {} : { properties: own }),
    ...(qos === undefined ? {} : { qos }),
    ...(routingKey === undefined ? {} : { routingKey }),
    ...(priority === undefined ? {} : { priority }),
    ...(deliverAfterMs === undefined ? {} : { deliverAfterMs }),
    ...(contentType === undefined ? {} : { contentType }),
    ...(expiresAfterMs === undefined ? {} : { messageExpirySeconds: wholeSeconds(expiresAfterMs) }),
    ...(signal === undefined ? {} : { signal }),
  };
}

/** Options of a publish that a shared subscription is to get. */
export function sharedPublishOptions(options: QueuePublishOptions | undefined): PublishOptions {
  if (options === undefined) return AT_LEAST_ONCE;
  if (options.priority !== undefined) throw unsupported("priorities");
  if ((options.deliverAfterMs ?? 0) !== 0) throw unsupported("messages that are delivered later");
  const { routingKey: _, priority: __, deliverAfterMs: ___, ...rest } = options;
  return publishOptions({ qos: 1, ...rest });
}

const AT_LEAST_ONCE: PublishOptions = Object.freeze({ qos: 1 });

/** An answer in MQTT's words: words such as `mqtt.qos` are not for answers. */
export function nativeAnswer({ payload, properties, contentType }: ClientAnswerMessage): ResponderAnswer {
  const { own } = splitProperties(properties, "mqtt");
  return {
    payload,
    properties: { userProperties: toUserProperties(own), ...(contentType === undefined ? {} : { contentType }) },
  };
}

function propertiesOf(
  own: Readonly<Record<string, string>>,
  { contentType, expiresAfterMs }: AnyPublishOptions,
): PublishPropertiesInput | undefined {
  const has = Object.keys(own).length > 0;
  if (!has && contentType === undefined && expiresAfterMs === undefined) return undefined;
  return {
    ...(has ? { userProperties: own } : {}),
    ...(contentType === undefined ? {} : { contentType }),
    ...(expiresAfterMs === undefined ? {} : { messageExpirySeconds: wholeSeconds(expiresAfterMs) }),
  };
}

function wholeSeconds(ms: number): number {
  if (Number.isSafeInteger(ms) && ms >= 0) return Math.ceil(ms / 1_000);
  throw new MessagingError("ERR_INVALID_ARGUMENT", "expiresAfterMs must be a whole number of ms, 0 or more");
}

function qosOf(word: string | undefined): QoS | undefined {
  if (word === undefined) return undefined;
  if (word === "0" || word === "1" || word === "2") return Number(word) as QoS;
  throw new MessagingError("ERR_INVALID_QOS", `qos must be 0, 1 or 2, not ${word}`);
}
