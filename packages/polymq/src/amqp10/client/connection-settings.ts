import { MessagingError } from "../../base/errors.ts";
import { reconnectOptions } from "../../supervisor/reconnect-options.ts";
import { type Endpoint, parseEndpoint } from "../../transport/endpoint.ts";
import { isLocalAddress, parseLocalEndpoint } from "../../transport/local-endpoint.ts";
import type { DialKind, DialOptions, Platform } from "../../transport/platform.ts";
import type { EngineOptions } from "../engine/engine-options.ts";
import type { ConnectOptions, ReconnectOptions, SaslOptions } from "./options.ts";
import type { ClientOwners } from "./owners.ts";
import { passwordMechanisms, type SaslMechanism } from "./sasl.ts";
import { TIME_MAX_MS, wholeNumber } from "./settings.ts";

/** The options of a client, checked and complete. */
export interface ClientSettings {
  readonly platform: Platform;
  readonly containerId: string;
  /** One for each server, at least one. */
  readonly servers: readonly ConnectionSettings[];
  /** Null for a connection that ends when it is lost. */
  readonly reconnect: ReconnectOptions | null;
}

/** The options of a connection to one server. */
export interface ConnectionSettings {
  readonly platform: Platform;
  readonly endpoint: Endpoint;
  readonly open: EngineOptions<ClientOwners>["open"];
  readonly maxFrameSize: number;
  readonly maxSessions: number;
  readonly idleTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly writeTimeoutMs: number;
  /** Best first; null for no SASL layer. */
  readonly mechanisms: readonly SaslMechanism[] | null;
  readonly allowSecretsInClear: boolean;
  readonly dial: DialOptions;
}

const PORTS: Readonly<Record<string, number>> = {
  amqp: 5672,
  amqps: 5671,
  "amqp+ssl": 5671,
  ws: 80,
  wss: 443,
};
const KINDS: Readonly<Record<string, DialKind>> = {
  amqp: "tcp",
  amqps: "tls",
  "amqp+ssl": "tls",
  unix: "unix",
  ws: "ws",
  wss: "wss",
};

/** The subprotocol of AMQP over WebSocket (AMQP WebSocket Binding 1.0, §2.1). */
const SUBPROTOCOL = "amqp";

/** @throws {MessagingError} ERR_NO_SERVERS, ERR_INVALID_OPTIONS */
export function clientSettings(
  platform: Platform,
  urls: string | readonly string[],
  options: ConnectOptions,
): ClientSettings {
  const list = typeof urls === "string" ? [urls] : urls;
  if (list.length === 0) throw new MessagingError("ERR_NO_SERVERS", "no server address given");
  const containerId = options.containerId ?? `polymq-${randomName(platform)}`;
  return {
    platform,
    containerId,
    servers: list.map((url) => connectionSettings(platform, url, containerId, options)),
    reconnect: reconnectOptions<ReconnectOptions>(options.reconnect ?? true),
  };
}

function connectionSettings(
  platform: Platform,
  url: string,
  containerId: string,
  options: ConnectOptions,
): ConnectionSettings {
  const endpoint = isLocalAddress(url) ? parseLocalEndpoint(url) : parseEndpoint(url, "amqp", PORTS);
  const time = { from: 0, to: TIME_MAX_MS };
  const connectTimeoutMs = wholeNumber("connectTimeoutMs", options.connectTimeoutMs, { ...time, otherwise: 30_000 });
  return {
    platform,
    endpoint,
    open: {
      containerId,
      hostname: options.hostname ?? (endpoint.host === "" ? null : endpoint.host),
      properties: options.properties ?? null,
      desiredCapabilities: options.desiredCapabilities ?? [],
      offeredCapabilities: options.offeredCapabilities ?? [],
    },
    maxFrameSize: wholeNumber("maxFrameSize", options.maxFrameSize, { from: 512, to: 0xffff_ffff, otherwise: 65_536 }),
    maxSessions: wholeNumber("maxSessions", options.maxSessions, { from: 1, to: 65_536, otherwise: 256 }),
    idleTimeoutMs: wholeNumber("idleTimeoutMs", options.idleTimeoutMs, { ...time, otherwise: 60_000 }),
    connectTimeoutMs: connectTimeoutMs === 0 ? TIME_MAX_MS : connectTimeoutMs,
    writeTimeoutMs: wholeNumber("writeTimeoutMs", options.writeTimeoutMs, { ...time, otherwise: 30_000 }),
    mechanisms: mechanismsOf(options.sasl, endpoint),
    allowSecretsInClear: options.allowSecretsInClear ?? false,
    dial: {
      kind: KINDS[endpoint.scheme] ?? "tcp",
      connectTimeoutMs,
      tls: options.tls,
      webSocket: { ...options.webSocket, protocols: options.webSocket?.protocols ?? [SUBPROTOCOL] },
      dial: options.dial,
    },
  };
}

/** A name that nobody else has: 24 hexadecimal digits. */
export function randomName(platform: Platform): string {
  return Array.from(platform.randomBytes(12), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function mechanismsOf(sasl: SaslOptions | undefined, endpoint: Endpoint): readonly SaslMechanism[] | null {
  if (sasl === "none") return null;
  if (sasl === undefined) {
    return endpoint.username === "" ? null : passwordMechanisms(endpoint.username, endpoint.password);
  }
  if ("username" in sasl) return passwordMechanisms(sasl.username, sasl.password);
  const mechanisms = "begin" in sasl ? [sasl] : sasl;
  if (mechanisms.length === 0) throw new MessagingError("ERR_INVALID_OPTIONS", "sasl names no mechanism");
  return mechanisms;
}
