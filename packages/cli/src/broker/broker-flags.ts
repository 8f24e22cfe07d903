import type { BrokerOptions, BrokerTlsOptions, ListenerOptions, ProtocolName, UserOptions } from "@polymq/broker";
import { InvalidArgumentError } from "commander";

/** The flags of `polymq broker` as the command line gives them. */
export interface BrokerFlags {
  readonly config?: string;
  readonly host?: string;
  readonly port?: number;
  readonly data?: string;
  readonly durability?: "fsync" | "buffered" | "memory";
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsCa?: string;
  readonly user?: readonly UserOptions[];
  readonly wsPath?: readonly string[];
  readonly maxConnections?: number;
  readonly amqpPort?: number;
  readonly amqp10Port?: number;
  readonly httpPort?: number;
  /** False: `--no-http`. */
  readonly http?: boolean;
  readonly httpToken?: string;
  readonly httpRemote?: boolean;
}

/** The broker's options for these flags; certificates are read from their files. */
export async function brokerOptions(
  flags: BrokerFlags,
  readFile: (path: string) => Promise<Uint8Array>,
): Promise<BrokerOptions> {
  return {
    ...listenerOptions(flags, await tlsOptions(flags, readFile)),
    ...(flags.data === undefined ? {} : { dataDir: flags.data }),
    ...(flags.durability === undefined ? {} : { durability: flags.durability }),
    ...(flags.user === undefined ? {} : { users: flags.user }),
    ...(flags.maxConnections === undefined ? {} : { connections: { countMax: flags.maxConnections } }),
    ...httpOptions(flags),
  };
}

function httpOptions({ http, httpToken, httpRemote }: BrokerFlags): BrokerOptions {
  if (http === false) return { http: false };
  const options = {
    ...(httpToken === undefined ? {} : { token: httpToken }),
    ...(httpRemote === true ? { remote: "allow" as const } : {}),
  };
  return Object.keys(options).length === 0 ? {} : { http: options };
}

/** One port for everything, and those for one protocol alone. */
function listenerOptions(flags: BrokerFlags, tls: BrokerTlsOptions | null): BrokerOptions {
  const { host, port, wsPath, amqpPort, amqp10Port, httpPort } = flags;
  const shared = { ...(host === undefined ? {} : { host }), ...(tls === null ? {} : { tls }) };
  const webSocket = wsPath === undefined ? {} : { webSocket: { paths: wsPath } };
  const alone = (name: ProtocolName, number: number | undefined): ListenerOptions[] =>
    number === undefined ? [] : [{ ...shared, port: number, protocols: [name], webSocket: false }];
  const further = [...alone("amqp091", amqpPort), ...alone("amqp10", amqp10Port), ...alone("http", httpPort)];
  if (further.length === 0) return { ...shared, ...webSocket, ...(port === undefined ? {} : { port }) };
  return { listeners: [{ ...shared, ...webSocket, port: port ?? PORT_DEFAULT }, ...further] };
}

/** Where a broker listens unless it is told. */
const PORT_DEFAULT = 1883;

/** What is wrong with flags that are each right, or null. */
export function conflictOf(flags: BrokerFlags): string | null {
  const { tlsCert, tlsKey, tlsCa, data, durability, config } = flags;
  if ((tlsCert === undefined) !== (tlsKey === undefined)) return "--tls-cert and --tls-key belong together";
  if (tlsCa !== undefined && tlsCert === undefined) return "--tls-ca needs --tls-cert and --tls-key";
  if (durability === "memory" && data !== undefined) return "--durability memory and --data exclude each other";
  if (durability !== undefined && durability !== "memory" && data === undefined && config === undefined) {
    return `--durability ${durability} needs --data`;
  }
  if (flags.http === false && (flags.httpPort !== undefined || flags.httpRemote === true)) {
    return "--no-http excludes --http-port and --http-remote";
  }
  return null;
}

/** One more `name:password`; the password may contain colons. */
export function collectUser(text: string, before: readonly UserOptions[] = []): readonly UserOptions[] {
  const colon = text.indexOf(":");
  if (colon < 1) throw new InvalidArgumentError("The form is name:password.");
  return [...before, { username: text.slice(0, colon), password: text.slice(colon + 1) }];
}

/** One more WebSocket path. */
export function collectPath(text: string, before: readonly string[] = []): readonly string[] {
  if (!text.startsWith("/")) throw new InvalidArgumentError("A path begins with /.");
  return [...before, text];
}

async function tlsOptions(
  flags: BrokerFlags,
  readFile: (path: string) => Promise<Uint8Array>,
): Promise<BrokerTlsOptions | null> {
  const { tlsCert, tlsKey, tlsCa } = flags;
  if (tlsCert === undefined || tlsKey === undefined) return null;
  const pair = { cert: await readFile(tlsCert), key: await readFile(tlsKey) };
  return tlsCa === undefined ? pair : { ...pair, ca: await readFile(tlsCa), clientCertificate: "require" };
}
