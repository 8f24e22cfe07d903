import { MessagingError } from "../base/errors.ts";
import type { DialHook, TlsOptions, WebSocketDialOptions } from "../transport/platform.ts";
import type { ClientCredentials, ClientOptions, ClientReconnectOptions } from "./options.ts";
import type { Protocol, SchemeProtocols, Urls } from "./protocol.ts";

/** Where and how to connect, for an adapter. */
export interface Target {
  readonly protocol: Protocol;
  /** Whether a server that answers with AMQP 1.0 is taken at its word. */
  readonly successor: "follow" | "refuse";
  /** In the schemes of the protocol client. */
  readonly urls: readonly string[];
  readonly clientId: string;
  readonly options: ClientOptions;
  /** Those options that the clients of MQTT and AMQP 0-9-1 call alike. */
  readonly common: CommonOptions;
}

/** Options under the names that the clients of MQTT and AMQP 0-9-1 share. */
export interface CommonOptions {
  readonly username?: string;
  readonly password?: string;
  readonly credentials?: () => ClientCredentials | Promise<ClientCredentials>;
  readonly tls?: TlsOptions;
  readonly webSocket?: Partial<WebSocketDialOptions>;
  readonly connectTimeoutMs?: number;
  readonly reconnect?: boolean | ClientReconnectOptions;
  readonly dial?: DialHook;
}

const SCHEMES: SchemeProtocols = {
  mqtt: "mqtt",
  mqtts: "mqtt",
  ws: "mqtt",
  wss: "mqtt",
  amqp: "amqp091",
  amqps: "amqp091",
  amqp10: "amqp10",
  amqp10s: "amqp10",
};

const CHOICES: readonly unknown[] = [undefined, "auto", "mqtt", "amqp091", "amqp10"];

/** Checks where to connect. @throws {MessagingError} ERR_NO_SERVERS, ERR_INVALID_OPTIONS, ERR_INVALID_PROTOCOL */
export function targetOf(urls: Urls, options: ClientOptions, randomId: () => string): Target {
  if (typeof options !== "object" || options === null) throw invalid("options must be an object");
  const list = typeof urls === "string" ? [urls] : urls;
  if (!Array.isArray(list) || list.length === 0) throw new MessagingError("ERR_NO_SERVERS", "no server address given");
  if (!CHOICES.includes(options.protocol)) {
    throw new MessagingError("ERR_INVALID_PROTOCOL", `protocol must be auto, mqtt, amqp091 or amqp10`);
  }
  const protocols = list.map((url) => protocolOf(url));
  const choice = options.protocol ?? "auto";
  const [first] = protocols;
  if (choice === "auto" && protocols.some((each) => each !== first)) {
    throw invalid("the addresses are of more than one protocol");
  }
  const protocol = choice === "auto" ? (first as Protocol) : choice;
  return {
    protocol,
    successor: options.protocol === "auto" ? "follow" : "refuse",
    urls: list.map((url: string) => url.replace(/^amqp10(s?):/i, "amqp$1:")),
    clientId: options.clientId ?? randomId(),
    options,
    common: commonOf(options),
  };
}

function protocolOf(url: unknown): Protocol {
  const scheme = typeof url === "string" ? /^([a-z][a-z0-9+.-]*):\/\//i.exec(url)?.[1]?.toLowerCase() : undefined;
  if (scheme === undefined) throw invalid("a server address is a URL, such as mqtt://host or amqp://host");
  if (Object.hasOwn(SCHEMES, scheme)) return SCHEMES[scheme as keyof SchemeProtocols];
  throw new MessagingError("ERR_INVALID_PROTOCOL", `no protocol has the scheme ${scheme}`);
}

function commonOf(options: ClientOptions): CommonOptions {
  const { username, password, credentials, tls, webSocket, connectTimeoutMs, reconnect, dial } = options;
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(credentials === undefined ? {} : { credentials }),
    ...(tls === undefined ? {} : { tls }),
    ...(webSocket === undefined ? {} : { webSocket }),
    ...(connectTimeoutMs === undefined ? {} : { connectTimeoutMs }),
    ...(reconnect === undefined ? {} : { reconnect }),
    ...(dial === undefined ? {} : { dial }),
  };
}

function invalid(what: string): MessagingError {
  return new MessagingError("ERR_INVALID_OPTIONS", what);
}
