import { MessagingError } from "../../base/errors.ts";
import { type Endpoint, parseEndpoint } from "../../transport/endpoint.ts";
import type { DialKind } from "../../transport/platform.ts";

/** Default port of each scheme. */
export const PORTS: Readonly<Record<string, number>> = {
  mqtt: 1883,
  tcp: 1883,
  mqtts: 8883,
  ssl: 8883,
  tls: 8883,
  ws: 80,
  wss: 443,
};

const KINDS: Readonly<Partial<Record<number, DialKind>>> = { 1883: "tcp", 8883: "tls", 80: "ws", 443: "wss" };

/** Parses one server address; a bare `host:port` is `mqtt://`. @throws {MessagingError} ERR_INVALID_OPTIONS */
export function mqttEndpoint(address: string): Endpoint {
  return parseEndpoint(address, "mqtt", PORTS);
}

/** How an endpoint is dialled. */
export function dialKind(endpoint: Endpoint): DialKind {
  const kind = KINDS[PORTS[endpoint.scheme] ?? 0];
  if (kind === undefined) throw new MessagingError("ERR_INVALID_OPTIONS", `unknown scheme: ${endpoint.scheme}`);
  return kind;
}
