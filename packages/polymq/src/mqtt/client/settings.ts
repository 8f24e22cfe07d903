import { MessagingError } from "../../base/errors.ts";
import { validateTopicName } from "../codec/topic.ts";
import type {
  AuthenticationOptions,
  MqttClientOptions,
  ReconnectOptions,
  Settings,
  WhenOffline,
  WillOptions,
} from "./options.ts";
import { toUserProperties } from "./user-properties.ts";

/** The protocol's largest packet: 5 bytes of fixed header and 268,435,455 more. */
const PACKET_BYTES_MAX = 268_435_460;
const OFFLINE_POLICIES: readonly WhenOffline[] = ["reject", "block", "dropOldest", "dropNewest"];
const U16_MAX = 65_535;
const U32_MAX = 4_294_967_295;
const TIMER_MAX_MS = 2_147_483_647;

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
  return Object.freeze({
    servers: servers(options),
    clientId: id,
    protocolVersion,
    ...access(options),
    ...session(options),
    ...timing(options),
    ...limits(options),
    will: options.will === undefined ? null : checkedWill(options.will),
    reconnect: reconnect(options),
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
    throw invalid("a password needs a username in MQTT 3.1.1"); // [MQTT3-3.1.2-22]
  }
}

function access(
  options: MqttClientOptions,
): Pick<Settings, "username" | "password" | "credentials" | "tls" | "webSocket" | "authentication" | "dial"> {
  if (options.username !== undefined && typeof options.username !== "string")
    throw invalid("username must be a string");
  const { password, authentication } = options;
  if (password !== undefined && typeof password !== "string" && !(password instanceof Uint8Array)) {
    throw invalid("password must be a string or a Uint8Array");
  }
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
  if (protocolVersion === 4) throw new MessagingError("ERR_AUTH_NOT_V5", "MQTT 3.1.1 has no enhanced authentication");
  if (typeof authentication.method !== "string" || authentication.method === "") {
    throw new MessagingError("ERR_AUTH_METHOD_MISSING", "authentication needs the name of its method");
  }
  if (typeof authentication.respond !== "function") {
    throw new MessagingError("ERR_AUTH_NO_HANDLER", "authentication needs a function that answers challenges");
  }
}

function session(
  options: MqttClientOptions,
): Pick<
  Settings,
  | "cleanStart"
  | "sessionExpirySeconds"
  | "outboundTopicAliases"
  | "connectProperties"
  | "serverRedirect"
  | "topicAliasMaximum"
  | "receiveMaximum"
> {
  const sessionExpirySeconds = integer(options.sessionExpirySeconds, "sessionExpirySeconds", 0, U32_MAX, 0);
  const topicAliasMaximum = integer(options.topicAliasMaximum, "topicAliasMaximum", 0, U16_MAX, 0);
  const receiveMaximum = integer(options.receiveMaximum, "receiveMaximum", 1, U16_MAX, U16_MAX);
  const size = options.maximumPacketSize;
  return {
    cleanStart: options.cleanStart ?? true,
    sessionExpirySeconds,
    topicAliasMaximum,
    receiveMaximum,
    outboundTopicAliases: word(options.outboundTopicAliases, "outboundTopicAliases", ["auto", "off"], "auto"),
    serverRedirect: word(options.serverRedirect, "serverRedirect", ["follow", "ignore"], "follow"),
    connectProperties: {
      ...(sessionExpirySeconds > 0 ? { sessionExpirySeconds } : {}),
      ...(options.receiveMaximum === undefined ? {} : { receiveMaximum }),
      ...(size === undefined ? {} : { maximumPacketSize: size }),
      ...(topicAliasMaximum > 0 ? { topicAliasMaximum } : {}),
      ...(options.requestResponseInformation === true ? { requestResponseInformation: true } : {}),
      ...(options.requestProblemInformation === false ? { requestProblemInformation: false } : {}),
      ...(options.userProperties === undefined ? {} : { userProperties: toUserProperties(options.userProperties) }),
    },
  };
}

function timing(
  options: MqttClientOptions,
): Pick<Settings, "keepAliveSeconds" | "connectTimeoutMs" | "writeTimeoutMs" | "ackTimeoutMs" | "pingTimeoutMs"> {
  return {
    keepAliveSeconds: integer(options.keepAliveSeconds, "keepAliveSeconds", 0, U16_MAX, 60),
    connectTimeoutMs: integer(options.connectTimeoutMs, "connectTimeoutMs", 1, TIMER_MAX_MS, 10_000),
    writeTimeoutMs: integer(options.writeTimeoutMs, "writeTimeoutMs", 0, TIMER_MAX_MS, 5_000),
    ackTimeoutMs: integer(options.ackTimeoutMs, "ackTimeoutMs", 0, TIMER_MAX_MS, 10_000),
    pingTimeoutMs: integer(options.pingTimeoutMs, "pingTimeoutMs", 1, TIMER_MAX_MS, 5_000),
  };
}

function limits(
  options: MqttClientOptions,
): Pick<
  Settings,
  | "maximumPacketSize"
  | "maxInflight"
  | "whenInflightFull"
  | "whenOffline"
  | "waitingMessagesMax"
  | "waitingBytesMax"
  | "highWaterBytes"
> {
  const offline = options.whenOffline;
  return {
    maximumPacketSize: integer(options.maximumPacketSize, "maximumPacketSize", 1, U32_MAX, PACKET_BYTES_MAX),
    maxInflight: integer(options.maxInflight, "maxInflight", 1, U16_MAX, 100),
    whenInflightFull: word(options.whenInflightFull, "whenInflightFull", ["wait", "reject"], "wait"),
    whenOffline: offline === undefined ? null : word(offline, "whenOffline", OFFLINE_POLICIES, "reject"),
    waitingMessagesMax: integer(options.waiting?.maxMessages, "waiting.maxMessages", 0, U32_MAX, 10_000),
    waitingBytesMax: integer(options.waiting?.maxBytes, "waiting.maxBytes", 0, Number.MAX_SAFE_INTEGER, 67_108_864),
    highWaterBytes: integer(options.highWaterBytes, "highWaterBytes", 1, U32_MAX, 1_048_576),
  };
}

function checkedWill(will: WillOptions): WillOptions {
  const wrong = validateTopicName(will.topic);
  if (wrong !== null) throw new MessagingError("ERR_INVALID_TOPIC", `will: ${wrong}`);
  const qos: number = will.qos ?? 0;
  if (qos !== 0 && qos !== 1 && qos !== 2)
    throw new MessagingError("ERR_INVALID_QOS", `will: qos must be 0, 1 or 2, not ${qos}`);
  const { payload, payloadFormat } = will;
  if (payload !== undefined && typeof payload !== "string" && !(payload instanceof Uint8Array)) {
    throw invalid("will: payload must be a string or a Uint8Array");
  }
  integer(will.delaySeconds, "will.delaySeconds", 0, U32_MAX, 0);
  integer(will.messageExpirySeconds, "will.messageExpirySeconds", 0, U32_MAX, 0);
  integer(payloadFormat, "will.payloadFormat", 0, 1, 0);
  return will;
}

function reconnect(options: MqttClientOptions): ReconnectOptions | null {
  const given = options.reconnect ?? true;
  if (given === false) return null;
  const chosen = given === true ? {} : given;
  integer(chosen.initialDelayMs, "reconnect.initialDelayMs", 0, TIMER_MAX_MS, 1_000);
  integer(chosen.maxDelayMs, "reconnect.maxDelayMs", 0, TIMER_MAX_MS, 120_000);
  integer(chosen.maxAttempts, "reconnect.maxAttempts", 1, U32_MAX, 1);
  word(chosen.jitter, "reconnect.jitter", ["full", "none"], "full");
  return chosen;
}

function integer(value: number | undefined, name: string, least: number, most: number, standard: number): number {
  if (value === undefined) return standard;
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw invalid(`${name} must be a whole number from ${least} to ${most}, not ${String(value)}`);
}

function word<W extends string>(value: W | undefined, name: string, words: readonly W[], standard: W): W {
  if (value === undefined) return standard;
  if (words.includes(value)) return value;
  throw invalid(`${name} must be one of ${words.join(", ")}, not ${String(value)}`);
}

function invalid(what: string): MessagingError {
  return new MessagingError("ERR_INVALID_OPTIONS", what);
}
