import { MessagingError } from "../../base/errors.ts";
import { checkedOptions, type OptionRule } from "../../base/option-rules.ts";
import { reconnectOptions } from "../../supervisor/reconnect-options.ts";
import { checkQoS, checkTopic } from "../codec/arguments.ts";
import { validateTopicName, wrongText } from "../codec/topic.ts";
import type { AuthenticationOptions, MqttClientOptions, ReconnectOptions, Settings, WillOptions } from "./options.ts";
import { missingInVersion4 } from "./refusals.ts";
import { toUserProperties } from "./user-properties.ts";

/** The protocol's largest packet: 5 bytes of fixed header and 268,435,455 more. */
const PACKET_BYTES_MAX = 268_435_460;
const U16_MAX = 65_535;
const U32_MAX = 4_294_967_295;
const TIMER_MAX_MS = 2_147_483_647;
const CODE = "ERR_INVALID_OPTIONS";

const OPTIONS = {
  username: "string",
  credentials: "function",
  tls: "object",
  webSocket: "object",
  authentication: "object",
  dial: "function",
  store: "object",
  onMessage: "function",
  requestResponseInformation: "boolean",
  requestProblemInformation: "boolean",
  cleanStart: "boolean",
  waiting: "object",
  will: "object",
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
  outboundTopicAliases: ["auto", "off"],
  serverRedirect: ["follow", "ignore"],
  whenInflightFull: ["wait", "reject"],
  whenOffline: ["reject", "block", "dropOldest", "dropNewest"],
} as const satisfies Readonly<Record<string, OptionRule>>;

const WAITING = {
  maxMessages: [0, U32_MAX, 10_000],
  maxBytes: [0, Number.MAX_SAFE_INTEGER, 67_108_864],
} as const satisfies Readonly<Record<string, OptionRule>>;

const WILL = {
  retain: "boolean",
  contentType: "string",
  responseTopic: "string",
  correlationData: "object",
  delaySeconds: [0, U32_MAX, 0],
  messageExpirySeconds: [0, U32_MAX, 0],
  payloadFormat: [0, 1, 0],
} as const satisfies Readonly<Record<string, OptionRule>>;

/**
 * Checks options once, at the door, and fills in defaults.
 * @throws {MessagingError} ERR_NO_SERVERS, ERR_EMPTY_CLIENT_ID, ERR_INVALID_PROTOCOL, ERR_INVALID_TOPIC, ERR_INVALID_QOS, ERR_INVALID_OPTIONS,
 *   ERR_AUTH_NOT_V5, ERR_AUTH_METHOD_MISSING, ERR_AUTH_NO_HANDLER
 */
export function settingsOf(options: MqttClientOptions): Settings {
  if (typeof options !== "object" || options === null) throw invalid("options must be an object");
  const protocolVersion = options.protocolVersion ?? 4;
  if (![4, 5, "auto"].includes(protocolVersion)) {
    throw new MessagingError(
      "ERR_INVALID_PROTOCOL",
      `protocolVersion must be 4, 5 or "auto", not ${String(protocolVersion)}`,
    );
  }
  const id = clientId(options);
  if (protocolVersion === 4) checkVersion4(options, id);
  const { cleanStart, waiting, will, ...checked } = checkedOptions({ code: CODE, options }, OPTIONS);
  const { password = null, authentication, userProperties, whenOffline = null } = options;
  if (password !== null && !isText(password)) throw invalid("password must be a string or a Uint8Array");
  if (authentication) checkAuthentication(authentication, protocolVersion);
  const { maxMessages, maxBytes } = checkedOptions({ code: CODE, options: waiting ?? {}, prefix: "waiting." }, WAITING);
  return Object.freeze({
    servers: servers(options),
    clientId: id,
    protocolVersion,
    password,
    ...checked,
    whenOffline,
    waitingMessagesMax: maxMessages,
    waitingBytesMax: maxBytes,
    cleanStart: cleanStart ?? true,
    given: Object.freeze({ ...options }),
    userProperties: userProperties === undefined ? null : toUserProperties(userProperties),
    will: will && checkedWill(will),
    reconnect: reconnectOptions<ReconnectOptions>(options.reconnect ?? true),
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
  const wrong = id === "" ? null : wrongText(id, "clientId");
  if (wrong !== null) throw invalid(wrong);
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
  checkedOptions({ code: CODE, options: will, prefix: "will." }, WILL);
  if (will.userProperties) toUserProperties(will.userProperties);
  return will;
}

function isText(value: unknown): value is string | Uint8Array {
  return typeof value === "string" || value instanceof Uint8Array;
}

function invalid(what: string): MessagingError {
  return new MessagingError(CODE, what);
}
