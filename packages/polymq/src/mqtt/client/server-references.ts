import { type Endpoint, parseEndpoint } from "../../transport/endpoint.ts";
import { dialKind, PORTS } from "./server-addresses.ts";

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
