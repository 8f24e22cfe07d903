import { MessagingError } from "../../base/errors.ts";
import { decode, type Endpoint, parseEndpoint } from "../../transport/endpoint.ts";
import type { DialKind } from "../../transport/platform.ts";

/** Default port of each scheme. */
const PORTS: Readonly<Record<string, number>> = { amqp: 5672, amqps: 5671, ws: 80, wss: 443 };

const KINDS: Readonly<Record<string, DialKind>> = { amqp: "tcp", amqps: "tls", ws: "ws", wss: "wss" };

/** One server and what its address says about the connection; null for what it does not say. */
export interface AmqpServer {
  readonly endpoint: Endpoint;
  readonly kind: DialKind;
  readonly vhost: string | null;
  readonly heartbeatSeconds: number | null;
  readonly frameMax: number | null;
  readonly channelMax: number | null;
}

/**
 * Parses `amqp[s]://[user:password@]host[:port][/vhost][?heartbeat=..&frame_max=..&channel_max=..]`, the virtual host percent-encoded; of `ws[s]://` path and query
 * belong to HTTP. A bare `host:port` is `amqp://`.
 * @throws {MessagingError} ERR_INVALID_OPTIONS
 */
export function amqpServer(address: string): AmqpServer {
  const endpoint = parseEndpoint(address, "amqp", PORTS);
  const kind = KINDS[endpoint.scheme] ?? "tcp";
  const web = kind === "ws" || kind === "wss";
  const cut = endpoint.path.indexOf("?");
  const path = cut < 0 ? endpoint.path : endpoint.path.slice(0, cut);
  const query = new URLSearchParams(web || cut < 0 ? "" : endpoint.path.slice(cut + 1));
  return {
    endpoint,
    kind,
    vhost: web || path === "/" ? null : decode(path.slice(1)),
    heartbeatSeconds: number(query, "heartbeat"),
    frameMax: number(query, "frame_max"),
    channelMax: number(query, "channel_max"),
  };
}

function number(query: URLSearchParams, name: string): number | null {
  const text = query.get(name);
  if (text === null) return null;
  if (/^\d{1,10}$/.test(text)) return Number(text);
  throw new MessagingError("ERR_INVALID_OPTIONS", `${name} in a server address must be a whole number`);
}
