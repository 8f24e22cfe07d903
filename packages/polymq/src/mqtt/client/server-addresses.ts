import { MessagingError } from "../../base/errors.ts";
import { type Endpoint, parseEndpoint } from "../../transport/endpoint.ts";
import type { DialKind } from "../../transport/platform.ts";

/** Default port of each scheme. */
const PORTS: Readonly<Record<string, number>> = {
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

/**
 * Parses a server reference (MQTT 5.0 §4.11): addresses separated by spaces; each takes the scheme, the path and the
 * credentials of the server that sent it, unless it names its own. Left out are those that are no addresses, and those
 * that would leave an encrypted connection for one in the clear.
 */
export function referencedEndpoints(reference: string, from: Endpoint): Endpoint[] {
  const endpoints: Endpoint[] = [];
  for (const part of reference.split(" ")) {
    if (part === "") continue;
    try {
      const endpoint = parseEndpoint(part, from.scheme, PORTS);
      if (!isSecure(from) || isSecure(endpoint)) endpoints.push(inherit(endpoint, from));
    } catch {
      // A server may send anything: what cannot be dialled is no server to go to.
    }
  }
  return endpoints;
}

function isSecure(endpoint: Endpoint): boolean {
  const kind = dialKind(endpoint);
  return kind === "tls" || kind === "wss";
}

function inherit(endpoint: Endpoint, from: Endpoint): Endpoint {
  const { username, password } = endpoint.username === "" ? from : endpoint;
  return { ...endpoint, username, password, path: endpoint.path === "/" ? from.path : endpoint.path };
}
