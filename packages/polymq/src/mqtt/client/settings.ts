import { MessagingError } from "../../base/errors.ts";
import { type NumberRule, numbersOf, type OptionSource, wordsOf } from "../../base/option-rules.ts";
import { reconnectOptions } from "../../supervisor/reconnect-options.ts";
import { checkQoS, checkTopic } from "../codec/arguments.ts";
import { validateTopicName } from "../codec/topic.ts";
import type { AuthenticationOptions, MqttClientOptions, ReconnectOptions, Settings, WillOptions } from "./options.ts";
import { missingInVersion4 } from "./refusals.ts";
import { toUserProperties } from "./user-properties.ts";

/** The protocol's largest packet: 5 bytes of fixed header and 268,435,455 more. */
const PACKET_BYTES_MAX = 268_435_460;
const U16_MAX = 65_535;
const U32_MAX = 4_294_967_295;
const TIMER_MAX_MS = 2_147_483_647;
const CODE = "ERR_INVALID_OPTIONS";

const NUMBERS = {
  sessionExpirySeconds: [0, U32_MAX, 0],
  topicAliasMaximum: [0, U16_MAX, 0],
  receiveMaximum: [1, U16_MAX, U16_MAX],
  keepAliveSeconds: [0, U16_MAX, 60],
  connectTimeoutMs: [1, TIMER_MAX_MS, 10_000],
  writeTimeoutMs: [0, TIMER_MAX_MS, 5_000],
  ackTimeoutMs: [0, TIMER_MAX_MS, 10_000],
  pingTimeoutMs: [1, TIMER_MAX_MS, 5_000],
  maximumPacketSize: [1, U32_MAX, PACKET_BYTES_MAX],
  maxInflight: [1, U16_MAX, 100],
  maxDeliveryRetries: [1, U32_MAX, 5],
  highWaterBytes: [1, U32_MAX, 1_048_576],
} as const satisfies Readonly<Record<string, NumberRule>>;

const WAITING = {
  maxMessages: [0, U32_MAX, 10_000],
  maxBytes: [0, Number.MAX_SAFE_INTEGER, 67_108_864],
} as const satisfies Readonly<Record<string, NumberRule>>;

const WILL = {
  delaySeconds: [0, U32_MAX, 0],
  messageExpirySeconds: [0, U32_MAX, 0],
  payloadFormat: [0, 1, 0],
} as const satisfies Readonly<Record<string, NumberRule>>;

/**
 * Checks options once, at the door, and fills in defaults.
 * @throws {MessagingError} ERR_NO_SERVERS, ERR_EMPTY_CLIENT_ID, ERR_INVALID_PROTOCOL, ERR_INVALID_TOPIC, ERR_INVALID_QOS, ERR_INVALID_OPTIONS,
 *   ERR_AUTH_NOT_V5, ERR_AUTH_METHOD_MISSING, ERR_AUTH_NO_HANDLER
 */
export function settingsOf(options: MqttClientOptions): Settings {
  if (typeof options !== "object" || options === null) throw invalid("options must be an object");
  const protocolVersion = options.protocolVersion ?? 4;
  if (protocolVersion !== 4 && protocolVersion !== 5 && protocolVersion !== "auto") {
    throw new MessagingError(
      "ERR_INVALID_PROTOCOL",
      `protocolVersion must be 4, 5 or "auto", not ${String(protocolVersion)}`,
    );
  }
  const id = clientId(options);
  if (protocolVersion === 4) checkVersion4(options, id);
  const source: OptionSource = { code: CODE, options };
  const { maxMessages, maxBytes } = numbersOf(
    { code: CODE, options: options.waiting ?? {}, prefix: "waiting." },
    WAITING,
  );
  return Object.freeze({
    servers: servers(options),
    clientId: id,
    protocolVersion,
    ...access(options),
    ...numbersOf(source, NUMBERS),
    ...wordsOf(source, {
      outboundTopicAliases: ["auto", "off"],
      serverRedirect: ["follow", "ignore"],
      whenInflightFull: ["wait", "reject"],
    }),
    whenOffline:
      options.whenOffline === undefined
        ? null
        : wordsOf(source, { whenOffline: ["reject", "block", "dropOldest", "dropNewest"] }).whenOffline,
    waitingMessagesMax: maxMessages,
    waitingBytesMax: maxBytes,
    cleanStart: options.cleanStart ?? true,
    given: Object.freeze({ ...options }),
    userProperties: options.userProperties === undefined ? null : toUserProperties(options.userProperties),
    will: options.will ? checkedWill(options.will) : null,
    reconnect: reconnectOptions<ReconnectOptions>(options.reconnect ?? true),
    store: options.store ?? null,
    onMessage: options.onMessage ?? null,
  });
}

function servers(options: MqttClientOptions): readonly string[] {
  const list = typeof options.servers === "string" ? [options.servers] : options.servers;
  if (!Array.isArray(list) || list.length === 0) throw new MessagingError("ERR_NO_SERVERS", "no server address given");
  for (const server of list)
    if (typeof server !== "string" || server === "") throw invalid("a server address must be a string");
  return [...list];
}

function clientId(options: MqttClientOptions): string {
  const id: unknown = options.clientId;
  if (typeof id !== "string")
    throw new MessagingError("ERR_EMPTY_CLIENT_ID", 'clientId is required; "" lets the server choose');
  if (!id.isWellFormed() || id.includes("\0")) throw invalid("clientId must be well-formed text without U+0000");
  return id;
}

/** What MQTT 3.1.1 forbids in a CONNECT and 5.0 allows. */
function checkVersion4(options: MqttClientOptions, id: string): void {
  if (id === "" && options.cleanStart === false) {
    throw invalid('clientId "" needs a clean start in MQTT 3.1.1'); // [MQTT3-3.1.3-7]
  }
  if (options.password !== undefined && options.username === undefined && options.credentials === undefined) {
    throw invalid("a password needs a user name in MQTT 3.1.1"); // [MQTT3-3.1.2-22]
  }
}

function access(
  options: MqttClientOptions,
): Pick<Settings, "username" | "password" | "credentials" | "tls" | "webSocket" | "authentication" | "dial"> {
  if (options.username !== undefined && typeof options.username !== "string")
    throw invalid("username must be a string");
  const { password, authentication } = options;
  if (password !== undefined && !isText(password)) throw invalid("password must be a string or a Uint8Array");
  if (authentication !== undefined) checkAuthentication(authentication, options.protocolVersion ?? 4);
  return {
    username: options.username ?? null,
    password: options.password ?? null,
    credentials: options.credentials ?? null,
    tls: options.tls ?? null,
    webSocket: options.webSocket ?? null,
    authentication: options.authentication ?? null,
    dial: options.dial ?? null,
  };
}

function checkAuthentication(authentication: AuthenticationOptions, protocolVersion: unknown): void {
  if (protocolVersion === 4) throw missingInVersion4("enhanced authentication", "ERR_AUTH_NOT_V5");
  if (typeof authentication.method !== "string" || authentication.method === "") {
    throw new MessagingError("ERR_AUTH_METHOD_MISSING", "authentication needs the name of its method");
  }
  if (typeof authentication.respond !== "function") {
    throw new MessagingError("ERR_AUTH_NO_HANDLER", "authentication needs a respond function");
  }
}

function checkedWill(will: WillOptions): WillOptions {
  const { payload } = will;
  checkTopic(validateTopicName(will.topic), "will");
  checkQoS(will.qos ?? 0);
  if (payload !== undefined && !isText(payload)) throw invalid("will.payload must be a string or a Uint8Array");
  numbersOf({ code: CODE, options: will, prefix: "will." }, WILL);
  return will;
}

function isText(value: unknown): value is string | Uint8Array {
  return typeof value === "string" || value instanceof Uint8Array;
}

function invalid(what: string): MessagingError {
  return new MessagingError(CODE, what);
}
