import type { ListenerSettings } from "./listener-settings.ts";
import type { ProtocolFactory } from "./protocol-factory.ts";

/** Where a broker can be reached. */
export interface ListenerAddress {
  /** `tls` also where connections without TLS are let in. */
  readonly transport: "tcp" | "tls";
  /** The address that was bound, such as `127.0.0.1` or `0.0.0.0`. */
  readonly host: string;
  /** The port that was bound. */
  readonly port: number;
  /** One for each protocol and way to carry it, ready to be given to a client. */
  readonly urls: readonly string[];
}

/** The {@link ListenerAddress} of a port that was bound. */
export function listenerAddress(
  settings: ListenerSettings,
  bound: { readonly host: string; readonly port: number },
  served: { readonly protocols: readonly ProtocolFactory[]; readonly http: "yes" | "no" },
): ListenerAddress {
  const { protocols, http } = served;
  const { tls, webSocket } = settings;
  const authority = `${reachable(bound.host)}:${bound.port}`;
  const urls: string[] = [];
  for (const kind of ["plain", "secure"] as const) {
    if (kind === "plain" ? tls?.plaintext === "refuse" : tls === null) continue;
    for (const { schemes } of protocols) if (schemes !== null) urls.push(`${schemes[kind]}://${authority}`);
    if (webSocket !== null && protocols.some((factory) => factory.subprotocol !== null)) {
      for (const path of webSocket.paths) urls.push(`${kind === "plain" ? "ws" : "wss"}://${authority}${path}`);
    }
    if (http === "yes") urls.push(`${kind === "plain" ? "http" : "https"}://${authority}`);
  }
  return { transport: tls === null ? "tcp" : "tls", host: bound.host, port: bound.port, urls };
}

/** The host part of a URL that leads to a bound address from this machine. */
function reachable(host: string): string {
  if (host === "0.0.0.0" || host === "::") return "localhost";
  return host.includes(":") ? `[${host}]` : host;
}
