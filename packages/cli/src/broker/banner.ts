import type { RunningBroker } from "../environment.ts";
import type { BrokerFlags } from "./broker-flags.ts";

/** What people see once the broker is ready: where to connect, what is kept, and how to try it. */
export function banner(version: string, broker: Running, flags: BrokerFlags): string {
  const urls = broker.addresses.flatMap((address) => address.urls);
  const lines = [
    `polymq broker ${version} is ready`,
    "",
    ...urls.map((url) => `  ${protocolOf(url).padEnd(LABEL_WIDTH)}${url}`),
    "",
    ...tokenLine(broker, flags),
    `  ${"Data".padEnd(LABEL_WIDTH)}${keeping(flags)}`,
    ...tryIt(urls, flags),
    "",
    "Ctrl-C stops it.",
    "",
  ];
  return lines.join("\n");
}

/** The one line of `--json`. */
export function readyLine(version: string, { addresses, httpToken }: Running): string {
  const list = addresses.map(({ transport, host, port, urls }) => ({ transport, host, port, urls }));
  return `${JSON.stringify({ event: "ready", version, addresses: list, httpToken })}\n`;
}

type Running = Pick<RunningBroker, "addresses" | "httpToken">;

/** A token that was given is nobody's to read here. */
function tokenLine({ addresses, httpToken }: Running, flags: BrokerFlags): readonly string[] {
  const isServed = addresses.some(({ urls }) => urls.some((url) => url.startsWith("http")));
  if (!isServed || httpToken === null || flags.httpToken !== undefined) return [];
  return [`  ${"HTTP token".padEnd(LABEL_WIDTH)}${httpToken}`];
}

const LABEL_WIDTH = 18;

const PROTOCOLS: ReadonlyMap<string, string> = new Map([
  ["mqtt", "MQTT"],
  ["mqtts", "MQTT, TLS"],
  ["amqp", "AMQP 0-9-1"],
  ["amqps", "AMQP 0-9-1, TLS"],
  ["amqp10", "AMQP 1.0"],
  ["amqp10s", "AMQP 1.0, TLS"],
  ["http", "HTTP"],
  ["https", "HTTP, TLS"],
  ["ws", "WebSocket"],
  ["wss", "WebSocket, TLS"],
]);

function protocolOf(url: string): string {
  const scheme = url.slice(0, url.indexOf(":"));
  return PROTOCOLS.get(scheme) ?? scheme;
}

function keeping(flags: BrokerFlags): string {
  if (flags.data === undefined) return "in memory, gone when it stops (--data DIR keeps it)";
  return `${flags.data} (${flags.durability ?? "fsync"})`;
}

/** Two lines for further terminals; where a client certificate is required, the broker does not know of one that would do. */
function tryIt(urls: readonly string[], flags: BrokerFlags): readonly string[] {
  const url = urls.find((each) => each.startsWith("mqtt")) ?? urls.find((each) => /^(?:ws|amqp)/.test(each));
  if (url === undefined || flags.tlsCa !== undefined) return [];
  const [user] = flags.user ?? [];
  const where = [
    ...(url === URL_DEFAULT ? [] : ["-L", url]),
    ...(user === undefined ? [] : ["-u", user.username, "-P", "..."]),
    ...(flags.tlsCert === undefined ? [] : ["--cafile", flags.tlsCert]),
  ];
  const line = (...words: readonly string[]): string => `  npx polymq ${[...words, ...where].map(quoted).join(" ")}`;
  return ["", "Try it in two other terminals:", line("sub", "-t", "hello"), line("pub", "-t", "hello", "-m", "world")];
}

/** Where clients connect when they are told nothing. */
const URL_DEFAULT = "mqtt://127.0.0.1:1883";

/** For a POSIX shell. */
function quoted(text: string): string {
  return /^[\w./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
