import { join } from "node:path";
import type { Certificates } from "./make-certificates.ts";
import type { RabbitmqSite } from "./rabbitmq-site.ts";

/** The plugins that the harness knows how to place on a port of their own. */
export type RabbitmqPlugin =
  | "rabbitmq_mqtt"
  | "rabbitmq_web_mqtt"
  | "rabbitmq_amqp1_0"
  | "rabbitmq_management"
  | "rabbitmq_shovel"
  | "rabbitmq_federation"
  | "rabbitmq_consistent_hash_exchange"
  | "rabbitmq_stream"
  | "rabbitmq_auth_mechanism_ssl";

/** What a test may ask of its RabbitMQ node. */
export interface RabbitmqOptions {
  /** Default `["rabbitmq_mqtt"]`. */
  readonly plugins?: readonly RabbitmqPlugin[];
  /** Adds TLS listeners for AMQP and, with their plugins, for MQTT and MQTT over WebSocket. */
  readonly tls?: Certificates;
  /** The cluster's ground, from `makeRabbitmqSite`; the node then leaves stopping it to the caller. Default: its own. */
  readonly site?: RabbitmqSite;
  /** Further lines of rabbitmq.conf. */
  readonly extraLines?: readonly string[];
}

/** Every port of one node. Those whose plugin is off stay unused. */
export interface RabbitmqPorts {
  readonly distribution: number;
  readonly amqp: number;
  readonly amqps: number;
  readonly mqtt: number;
  readonly mqtts: number;
  readonly webMqtt: number;
  readonly webMqtts: number;
  readonly management: number;
  readonly stream: number;
}

/** How many ports {@link rabbitmqPorts} takes. */
export const RABBITMQ_PORTS_COUNT = 9;

/** Gives each listener one of {@link RABBITMQ_PORTS_COUNT} free ports. */
export function rabbitmqPorts(free: readonly number[]): RabbitmqPorts {
  const take = (index: number): number => {
    const port = free[index];
    if (port === undefined) throw new Error(`${RABBITMQ_PORTS_COUNT} ports are needed`);
    return port;
  };
  return {
    distribution: take(0),
    amqp: take(1),
    amqps: take(2),
    mqtt: take(3),
    mqtts: take(4),
    webMqtt: take(5),
    webMqtts: take(6),
    management: take(7),
    stream: take(8),
  };
}

/** The ports that a node with these options must open before it is ready. */
export function listeningPorts(options: RabbitmqOptions, ports: RabbitmqPorts): readonly number[] {
  const plugins = options.plugins ?? DEFAULT_PLUGINS;
  const tls = options.tls !== undefined;
  const open = [ports.amqp];
  if (tls) open.push(ports.amqps);
  if (plugins.includes("rabbitmq_mqtt") || plugins.includes("rabbitmq_web_mqtt")) open.push(ports.mqtt);
  if (tls && plugins.includes("rabbitmq_mqtt")) open.push(ports.mqtts);
  if (plugins.includes("rabbitmq_web_mqtt")) open.push(ports.webMqtt);
  if (tls && plugins.includes("rabbitmq_web_mqtt")) open.push(ports.webMqtts);
  if (plugins.includes("rabbitmq_management")) open.push(ports.management);
  if (plugins.includes("rabbitmq_stream")) open.push(ports.stream);
  return open;
}

const DEFAULT_PLUGINS: readonly RabbitmqPlugin[] = ["rabbitmq_mqtt"];

/** The text of enabled_plugins, an Erlang term. */
export function enabledPlugins(options: RabbitmqOptions): string {
  return `[${(options.plugins ?? DEFAULT_PLUGINS).join(",")}].\n`;
}

/** The text of rabbitmq.conf. A key of a plugin that is off would stop the node, so those are left out. */
export function rabbitmqConfig(options: RabbitmqOptions, ports: RabbitmqPorts): string {
  const plugins = options.plugins ?? DEFAULT_PLUGINS;
  const lines = [
    `listeners.tcp.1 = 127.0.0.1:${ports.amqp}`,
    // Machines that build software are short of disk or memory by RabbitMQ's measure; a blocked publisher proves nothing.
    "disk_free_limit.absolute = 50MB",
    "vm_memory_high_watermark.relative = 0.8",
    "log.console = true",
    "log.console.level = info",
    "log.file = false",
  ];
  if (plugins.includes("rabbitmq_mqtt") || plugins.includes("rabbitmq_web_mqtt")) {
    lines.push(`mqtt.listeners.tcp.1 = 127.0.0.1:${ports.mqtt}`);
  }
  if (plugins.includes("rabbitmq_web_mqtt")) {
    lines.push("web_mqtt.tcp.ip = 127.0.0.1", `web_mqtt.tcp.port = ${ports.webMqtt}`);
  }
  if (plugins.includes("rabbitmq_management")) {
    lines.push("management.tcp.ip = 127.0.0.1", `management.tcp.port = ${ports.management}`);
  }
  if (plugins.includes("rabbitmq_stream")) lines.push(`stream.listeners.tcp.1 = 127.0.0.1:${ports.stream}`);
  if (options.tls !== undefined) lines.push(...tlsLines(options.tls, plugins, ports));
  lines.push(...(options.extraLines ?? []));
  return `${lines.join("\n")}\n`;
}

function tlsLines(tls: Certificates, plugins: readonly RabbitmqPlugin[], ports: RabbitmqPorts): readonly string[] {
  const lines = [
    `listeners.ssl.1 = 127.0.0.1:${ports.amqps}`,
    `ssl_options.cacertfile = ${tls.caFile}`,
    `ssl_options.certfile = ${tls.server.certFile}`,
    `ssl_options.keyfile = ${tls.server.keyFile}`,
    "ssl_options.verify = verify_peer",
    "ssl_options.fail_if_no_peer_cert = false",
  ];
  if (plugins.includes("rabbitmq_mqtt")) lines.push(`mqtt.listeners.ssl.1 = 127.0.0.1:${ports.mqtts}`);
  if (plugins.includes("rabbitmq_web_mqtt")) {
    lines.push(
      "web_mqtt.ssl.ip = 127.0.0.1",
      `web_mqtt.ssl.port = ${ports.webMqtts}`,
      `web_mqtt.ssl.cacertfile = ${tls.caFile}`,
      `web_mqtt.ssl.certfile = ${tls.server.certFile}`,
      `web_mqtt.ssl.keyfile = ${tls.server.keyFile}`,
    );
  }
  return lines;
}

/** The environment of a node's scripts: nothing of it is read from or written to the machine's own RabbitMQ. */
export function rabbitmqEnvironment(node: {
  readonly name: string;
  readonly directory: string;
  readonly site: RabbitmqSite;
  readonly ports: RabbitmqPorts;
}): Readonly<Record<string, string>> {
  const { directory } = node;
  return {
    HOME: node.site.home,
    ERL_EPMD_PORT: `${node.site.epmdPort}`,
    ERL_EPMD_ADDRESS: "127.0.0.1",
    ERL_CRASH_DUMP_SECONDS: "0",
    RABBITMQ_NODENAME: node.name,
    RABBITMQ_DIST_PORT: `${node.ports.distribution}`,
    RABBITMQ_CONFIG_FILE: join(directory, "rabbitmq.conf"),
    RABBITMQ_CONF_ENV_FILE: join(directory, "rabbitmq-env.conf"),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(directory, "advanced.config"),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(directory, "enabled_plugins"),
    RABBITMQ_MNESIA_BASE: join(directory, "data"),
    RABBITMQ_LOG_BASE: join(directory, "log"),
    RABBITMQ_PID_FILE: join(directory, "pid"),
    // Makes the start script become the Erlang machine, so that our signals reach it and not a shell before it.
    RABBITMQ_ALLOW_INPUT: "1",
    // Distribution on loopback only; -noinput, since there is no shell to read for.
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "-kernel inet_dist_use_interface {127,0,0,1} -noinput",
  };
}
