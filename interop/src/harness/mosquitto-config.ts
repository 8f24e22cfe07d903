import { userInfo } from "node:os";
import { join } from "node:path";
import type { Certificates } from "./make-certificates.ts";

/** What a test may ask of its Mosquitto; every field has Mosquitto's own default unless said otherwise. */
export interface MosquittoOptions {
  /** Adds a TLS listener, one that wants a client certificate too, and with `websocket` one for secure WebSocket. */
  readonly tls?: Certificates;
  /** Adds a WebSocket listener. Default false. */
  readonly websocket?: boolean;
  /** Users and their passwords. Anonymous clients are let in only when there are none, or `allowAnonymous` says so. */
  readonly passwords?: Readonly<Record<string, string>>;
  readonly allowAnonymous?: boolean;
  /** Lines of an access control file, such as `user ada` and `topic readwrite a/#`. */
  readonly acl?: readonly string[];
  /** QoS 1 and 2 messages in flight per client; also its Receive Maximum. */
  readonly maxInflight?: number;
  readonly maxQueued?: number;
  /** Largest packet in bytes; told to MQTT 5 clients as Maximum Packet Size. */
  readonly maxPacketSize?: number;
  readonly maxKeepAliveSeconds?: number;
  readonly maxQos?: 0 | 1 | 2;
  /** Topic aliases that a client may use, 0 for none. */
  readonly maxTopicAlias?: number;
  readonly retainAvailable?: boolean;
  /** Keeps sessions, queues and retained messages over `restart()`. Default false. */
  readonly persistence?: boolean;
  /** Further lines of mosquitto.conf, placed before the listeners. */
  readonly extraLines?: readonly string[];
}

/** The ports of one Mosquitto. Those of listeners that were not asked for are undefined. */
export interface MosquittoPorts {
  readonly tcp: number;
  readonly tls: number | undefined;
  readonly mutualTls: number | undefined;
  readonly ws: number | undefined;
  readonly wss: number | undefined;
}

/** How many ports {@link assignPorts} wants at most. */
export const MOSQUITTO_PORTS_MAX = 5;

/** Hands the given free ports to the listeners that the options ask for. */
export function assignPorts(options: MosquittoOptions, free: readonly number[]): MosquittoPorts {
  const [tcp, tls, mutualTls, ws, wss] = free;
  if (tcp === undefined) throw new Error("no port given");
  return {
    tcp,
    tls: options.tls && tls,
    mutualTls: options.tls && mutualTls,
    ws: options.websocket === true ? ws : undefined,
    wss: options.websocket === true && options.tls !== undefined ? wss : undefined,
  };
}

/** Where a Mosquitto with this working directory has its files. */
export function mosquittoFiles(directory: string): { readonly config: string; passwords: string; acl: string } {
  return {
    config: join(directory, "mosquitto.conf"),
    passwords: join(directory, "passwords"),
    acl: join(directory, "acl"),
  };
}

/** The text of mosquitto.conf. Everything listens on 127.0.0.1 and everything it keeps lies in `directory`. */
export function mosquittoConfig(options: MosquittoOptions, ports: MosquittoPorts, directory: string): string {
  const files = mosquittoFiles(directory);
  const anonymous = options.allowAnonymous ?? options.passwords === undefined;
  const lines = [
    // Started as root it would change to the user mosquitto, who cannot read our directory.
    `user ${userInfo().username}`,
    "per_listener_settings false",
    "log_dest stderr",
    "log_type all",
    // Without it a QoS 1 or 2 exchange waits for delayed TCP acknowledgements.
    "set_tcp_nodelay true",
    `allow_anonymous ${anonymous}`,
    `persistence ${options.persistence ?? false}`,
    `persistence_location ${directory}/`,
    ...setting("password_file", options.passwords && files.passwords),
    ...setting("acl_file", options.acl && files.acl),
    ...setting("max_inflight_messages", options.maxInflight),
    ...setting("max_queued_messages", options.maxQueued),
    ...setting("max_packet_size", options.maxPacketSize),
    ...setting("max_keepalive", options.maxKeepAliveSeconds),
    ...setting("retain_available", options.retainAvailable),
    ...(options.extraLines ?? []),
    ...listeners(options, ports),
  ];
  return `${lines.join("\n")}\n`;
}

function listeners(options: MosquittoOptions, ports: MosquittoPorts): readonly string[] {
  const limits = [...setting("max_qos", options.maxQos), ...setting("max_topic_alias", options.maxTopicAlias)];
  const listener = (port: number | undefined, lines: readonly string[]): readonly string[] =>
    port === undefined ? [] : [`listener ${port} 127.0.0.1`, ...limits, ...lines];
  const tls = options.tls === undefined ? [] : tlsLines(options.tls);
  return [
    ...listener(ports.tcp, []),
    ...listener(ports.tls, tls),
    ...listener(ports.mutualTls, [...tls, "require_certificate true"]),
    ...listener(ports.ws, ["protocol websockets"]),
    ...listener(ports.wss, ["protocol websockets", ...tls]),
  ];
}

function tlsLines(certificates: Certificates): readonly string[] {
  return [
    `cafile ${certificates.caFile}`,
    `certfile ${certificates.server.certFile}`,
    `keyfile ${certificates.server.keyFile}`,
  ];
}

function setting(name: string, value: string | number | boolean | undefined): readonly string[] {
  return value === undefined ? [] : [`${name} ${value}`];
}
