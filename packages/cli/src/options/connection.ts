import type { Option } from "commander";
import type { ClientOptions, Dialect } from "polymq";
import { UsageError } from "../failure.ts";
import { type MqttFlags, mqttFlagOptions, mqttOptions } from "./mqtt-flags.ts";
import { type NetworkFlags, networkFlagOptions, networkOptions } from "./network-flags.ts";
import { envOption, option, parseSeconds, wholeNumber, wordOption } from "./parse.ts";
import { type TlsFlags, tlsFlagOptions, tlsOptions, wantsTls } from "./tls-flags.ts";

/** Flags of every command that connects a client. */
export interface ConnectionFlags extends TlsFlags, NetworkFlags, MqttFlags {
  readonly url?: string;
  readonly host?: string;
  readonly port?: number;
  readonly protocol?: ProtocolWord;
  readonly username?: string;
  readonly password?: string;
  readonly id?: string;
  readonly dialect?: Dialect;
  readonly connectTimeout?: number;
  /** False: `--no-reconnect`. */
  readonly reconnect?: boolean;
  readonly quiet?: boolean;
  readonly debug?: boolean;
}

/** Protocols as `--protocol` names them. */
export type ProtocolWord = "mqtt" | "amqp091" | "amqp10";

/** Scheme of the address and port of each protocol, without and with TLS. */
const PLACES: Readonly<Record<ProtocolWord, readonly [scheme: string, port: number, tlsPort: number]>> = {
  mqtt: ["mqtt", 1883, 8883],
  amqp091: ["amqp", 5672, 5671],
  amqp10: ["amqp10", 5672, 5671],
};

/** The options behind {@link ConnectionFlags}. */
export function connectionOptions(): readonly Option[] {
  const options = [
    envOption(
      "-L, --url <url>",
      "mqtt[s]:// ws[s]:// amqp[s]:// (0-9-1) amqp10[s]:// (1.0), instead of --host and --port",
      "POLYMQ_URL",
    ),
    option("-h, --host <name>", "server to connect to (default: localhost)"),
    option("-p, --port <number>", "its port (default: the protocol's)", wholeNumber(1, 65_535)),
    wordOption(
      "--protocol <name>",
      "what to speak (default: what the URL's scheme says, else mqtt)",
      Object.keys(PLACES),
    ),
    envOption("-u, --username <name>", "user name", "POLYMQ_USERNAME"),
    envOption("-P, --password <password>", "password; an environment variable is seen by fewer", "POLYMQ_PASSWORD"),
    option("-i, --id <name>", "client id, connection name or container id (default: a random one)"),
    ...tlsFlagOptions(),
    ...networkFlagOptions(),
    wordOption("--dialect <name>", "whose ways of queues the server has (default: what it says of itself)", [
      "polymq",
      "fluxmq",
      "rabbitmq",
      "mqtt",
      "amqp10",
    ]),
    option("--connect-timeout <seconds>", "longest wait for the connection", parseSeconds),
    option("--no-reconnect", "give up when the connection is lost"),
    option("--quiet", "print no notices about the connection on standard error"),
    option("-d, --debug", "tell there what the client does: connections, publishes, deliveries, settlements"),
  ];
  return [...options.map((each) => each.helpGroup("Connection:")), ...mqttFlagOptions()];
}

/** Where to connect. */
export interface Address {
  readonly url: string;
  /** What the URL and `--protocol` together stand for. */
  readonly protocol: ProtocolWord;
}

/** The address that the flags name. @throws {UsageError} */
export function addressOf(flags: ConnectionFlags): Address {
  const { url, host, port, protocol } = flags;
  if (url !== undefined && (host !== undefined || port !== undefined)) {
    throw new UsageError("--url and --host or --port exclude each other");
  }
  if (url === undefined) return hostAddress(flags);
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(url)?.[1]?.toLowerCase();
  if (scheme === undefined) throw new UsageError("--url is an address such as mqtt://host or amqp://host");
  if (wantsTls(flags) && !scheme.endsWith("s")) throw new UsageError(`TLS needs a scheme such as ${scheme}s://`);
  return { url, protocol: protocol ?? protocolOfScheme(scheme) };
}

function hostAddress(flags: ConnectionFlags): Address {
  const { host = "localhost", protocol = "mqtt" } = flags;
  const [scheme, plainPort, tlsPort] = PLACES[protocol];
  const isTls = wantsTls(flags);
  const name = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
  return { url: `${scheme}${isTls ? "s" : ""}://${name}:${flags.port ?? (isTls ? tlsPort : plainPort)}`, protocol };
}

function protocolOfScheme(scheme: string): ProtocolWord {
  if (scheme.startsWith("amqp10")) return "amqp10";
  return scheme.startsWith("amqp") ? "amqp091" : "mqtt";
}

/** How to connect; certificates are read from their files. @throws {UsageError}, and what reading threw */
export async function clientOptions(
  flags: ConnectionFlags,
  readFile: (path: string) => Promise<Uint8Array>,
): Promise<ClientOptions> {
  const { username, password, id, dialect, connectTimeout, reconnect } = flags;
  const { url, protocol } = addressOf(flags);
  const tls = await tlsOptions(flags, readFile);
  const mqtt = mqttOptions(flags, protocol);
  return {
    ...(flags.protocol === undefined ? {} : { protocol: flags.protocol }),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(id === undefined ? {} : { clientId: id }),
    ...(tls === null ? {} : { tls }),
    ...networkOptions(flags, url),
    ...(mqtt === null ? {} : { mqtt }),
    ...(dialect === undefined ? {} : { dialect }),
    ...(connectTimeout === undefined ? {} : { connectTimeoutMs: connectTimeout }),
    ...(reconnect === false ? { reconnect: false } : {}),
  };
}
