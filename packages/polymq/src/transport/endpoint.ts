import { MessagingError } from "../base/errors.ts";

/** Where and how to connect, parsed from a server URL. */
export interface Endpoint {
  /** The URL's scheme without the colon, such as `mqtt`, `mqtts`, `ws`, `wss`. */
  readonly scheme: string;
  readonly host: string;
  /** From the URL, or the scheme's default. */
  readonly port: number;
  /** Path and query, for WebSocket; `/` when the URL has none. */
  readonly path: string;
  /** User name from the URL, percent-decoded, or "". */
  readonly username: string;
  /** Password from the URL, percent-decoded, or "". */
  readonly password: string;
  /** The URL without credentials, safe to log. */
  readonly display: string;
}

/**
 * Parses `scheme://[user[:password]@]host[:port][/path]`; a bare `host:port` takes `defaultScheme`.
 * @param ports default port per allowed scheme; a scheme without one is refused
 * @throws {MessagingError} ERR_INVALID_OPTIONS
 */
export function parseEndpoint(url: string, defaultScheme: string, ports: Readonly<Record<string, number>>): Endpoint {
  const text = url.includes("://") ? url : `${defaultScheme}://${url}`;
  const scheme = text.slice(0, text.indexOf(":")).toLowerCase();
  const port = Object.hasOwn(ports, scheme) ? ports[scheme] : undefined;
  if (port === undefined) {
    throw new MessagingError("ERR_INVALID_OPTIONS", `unknown scheme in server address: ${scheme}`);
  }
  let parsed: URL;
  try {
    // `http:` makes every runtime parse host, port and credentials alike; special schemes drop their own default port.
    parsed = new URL(`http:${text.slice(scheme.length + 1)}`);
  } catch (cause) {
    throw new MessagingError("ERR_INVALID_OPTIONS", "a server address that is no URL", { cause });
  }
  const host = parsed.hostname.startsWith("[") ? parsed.hostname.slice(1, -1) : parsed.hostname;
  const given = parsed.port !== "" ? Number(parsed.port) : /:80(?:[/?#]|$)/.test(text) ? 80 : port;
  if (host === "") throw new MessagingError("ERR_INVALID_OPTIONS", "a server address without a host");
  const path = `${parsed.pathname}${parsed.search}`;
  return {
    scheme,
    host,
    port: given,
    path,
    username: decodeURIComponent(parsed.username),
    password: decodeURIComponent(parsed.password),
    display: `${scheme}://${parsed.hostname}:${given}${path === "/" ? "" : path}`,
  };
}
