import { MessagingError } from "../../base/errors.ts";
import { checkedOptions } from "../../base/option-rules.ts";
import { checkQoS, checkTopic } from "../codec/arguments.ts";
import type { QoS, SubscribeFilter, UserProperties } from "../codec/packets.ts";
import { SHARE_PREFIX, validateTopicFilter } from "../codec/topic-filter.ts";
import type { Link } from "./link.ts";
import type { MqttMessage } from "./message.ts";
import type { ConsumeSettings, MessageHandler, Overflow } from "./subscription.ts";
import { toUserProperties, type UserPropertiesInput } from "./user-properties.ts";

/** Options of one filter (MQTT 5.0 §3.8.3.1); with MQTT 3.1.1 only `qos` may be given. */
export interface FilterOptions {
  /** Highest QoS wanted. Default 0. */
  readonly qos?: QoS;
  /** True: no messages that this client published itself. Default false. */
  readonly noLocal?: boolean;
  /** True keeps the retain flag as published. Default false. */
  readonly retainAsPublished?: boolean;
  /** 0: retained messages are sent now; 1: only when the subscription is new; 2: not at all. Default 0. */
  readonly retainHandling?: 0 | 1 | 2;
}

/** Options of `subscribe`: those of its filters, and how their messages are consumed. */
export interface SubscribeOptions extends FilterOptions {
  /** MQTT 5.0: 1 to 268,435,455; its messages carry it, and are told apart by it when filters overlap. */
  readonly subscriptionIdentifier?: number;
  /** MQTT 5.0: user properties of SUBSCRIBE. */
  readonly userProperties?: UserPropertiesInput;
  /** Gets each message. Without one the subscription is read with `for await`. */
  readonly handler?: MessageHandler;
  /** Handlers that may run at a time. Default 1: one after the other, in order. */
  readonly concurrency?: number;
  /** Messages that may wait for the handler or reader. Default 256. */
  readonly highWaterMark?: number;
  /** Bytes of their payloads. Default 16 MiB. */
  readonly highWaterMarkBytes?: number;
  /** What a full buffer does: stop reading from the connection, or drop a message. Default `pause`. */
  readonly overflow?: Overflow;
  /** `auto`: acknowledged when the handler's promise resolves, or the next message is asked for. Default `auto`. */
  readonly ack?: "auto" | "manual";
  /**
   * What becomes of a message whose handler fails: left unacknowledged so that the server sends it again, acknowledged all the
   * same, or refused (MQTT 5.0 only; as `withhold` with 3.1.1). Default `withhold`.
   */
  readonly whenHandlerFails?: "withhold" | "ack" | "reject";
  /** With several filters: `reject` fails when any is refused and takes the others back; `allow` needs one. Default `reject`. */
  readonly partial?: "reject" | "allow";
  /** Gives up waiting for the server's answer. */
  readonly signal?: AbortSignal;
}

/** Filters as `subscribe` takes them: one, a list, or a record of options (or just a QoS) for each. */
export type SubscribeInput = string | readonly string[] | Readonly<Record<string, QoS | FilterOptions>>;

/** A checked `subscribe` call. */
export interface CheckedSubscribe<M = MqttMessage> {
  readonly filters: readonly SubscribeFilter[];
  readonly identifier: number | null;
  readonly userProperties: UserProperties | null;
  readonly consume: ConsumeSettings<M>;
  readonly partial: "reject" | "allow";
  /**
   * Of a subscription to a queue, else null: the user properties of its packets with MQTT 5.0, which depend on the server. No server keeps such
   * a subscription with the session.
   */
  readonly queueProperties: ((request: QueueRequest, link: Link) => UserProperties) | null;
}

/** SUBSCRIBE for the first time or again on a later connection, or UNSUBSCRIBE. */
export type QueueRequest = "first" | "again" | "end";

const IDENTIFIER_MAX = 268_435_455;
const CODE = "ERR_INVALID_SUBSCRIBE_OPTION";

/**
 * Checks a `subscribe` call.
 * @throws {MessagingError} ERR_INVALID_TOPIC, ERR_INVALID_QOS, ERR_INVALID_SUBSCRIBE_OPTION
 */
export function checkSubscribe(input: SubscribeInput, options: SubscribeOptions): CheckedSubscribe {
  if (typeof options !== "object" || options === null) throw invalid("options must be an object");
  const filters = filtersOf(input, options);
  if (filters.length === 0) throw invalid("at least one topic filter is needed");
  const { userProperties } = options;
  const { subscriptionIdentifier, partial, ...consume } = checkedOptions(
    { code: CODE, options },
    {
      handler: "function",
      subscriptionIdentifier: [1, IDENTIFIER_MAX, 1],
      concurrency: [1, 65_535, 1],
      highWaterMark: [1, 1_000_000, 256],
      highWaterMarkBytes: [1, Number.MAX_SAFE_INTEGER, 16_777_216],
      partial: ["reject", "allow"],
      overflow: ["pause", "dropOldest", "dropNewest"],
      ack: ["auto", "manual"],
      whenHandlerFails: ["withhold", "ack", "reject"],
    },
  );
  return {
    filters,
    identifier: options.subscriptionIdentifier === undefined ? null : subscriptionIdentifier,
    userProperties: userProperties === undefined ? null : toUserProperties(userProperties),
    consume,
    partial,
    queueProperties: null,
  };
}

function filtersOf(input: SubscribeInput, options: FilterOptions): SubscribeFilter[] {
  if (typeof input === "string") return [filterOf(input, options)];
  if (Array.isArray(input)) return input.map((filter: string) => filterOf(filter, options));
  if (typeof input !== "object" || input === null) throw invalid("filters are a string, a list or a record");
  return Object.entries(input as Readonly<Record<string, QoS | FilterOptions>>).map(([filter, own]) =>
    filterOf(filter, { ...options, ...ownOptions(own) }),
  );
}

function ownOptions(own: QoS | FilterOptions): FilterOptions {
  if (typeof own === "object" && own !== null) return own;
  checkQoS(own);
  return { qos: own };
}

function filterOf(filter: string, options: FilterOptions): SubscribeFilter {
  checkTopic(validateTopicFilter(filter));
  const { qos = 0 } = options;
  checkQoS(qos);
  const { noLocal, retainAsPublished, retainHandling } = checkedOptions(
    { code: CODE, options },
    { noLocal: "boolean", retainAsPublished: "boolean", retainHandling: [0, 2, 0] },
  );
  if (noLocal && filter.startsWith(SHARE_PREFIX)) throw invalid("noLocal is not allowed on a shared subscription"); // [MQTT-3.8.3-4]
  return {
    filter,
    qos,
    noLocal: noLocal === true,
    retainAsPublished: retainAsPublished === true,
    retainHandling: retainHandling as 0 | 1 | 2,
  };
}

/** True when something is asked for that only MQTT 5.0 has. */
export function hasV5Options(filter: SubscribeFilter): boolean {
  return filter.noLocal || filter.retainAsPublished || filter.retainHandling !== 0;
}

function invalid(what: string): MessagingError {
  return new MessagingError(CODE, what);
}
