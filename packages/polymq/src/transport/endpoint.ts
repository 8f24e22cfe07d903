import { MessagingError } from "../base/errors.ts";

/** Where and how to connect, parsed from a server URL. */
export interface Endpoint {
  /** The URL's scheme without the colon, such as `mqtt`, `mqtts`, `ws`, `wss`. */
  readonly scheme: string;
  readonly host: string;
  /** From the URL, or the scheme's default. */
  readonly port: number;
  /** Path and query, for WebSocket; `/` when the URL has none. For the scheme `unix` the local socket's path. */
  readonly path: string;
  /** User name from the URL, percent-decoded, or "". */
  readonly username: string;
  /** Password from the URL, percent-decoded, or "". */
  readonly password: string;
  /** The URL without credentials and query, safe to log. */
  readonly display: string;
}

/**
 * Parses `scheme://[user[:password]@]host[:port][/path]`; a bare `host:port` takes `defaultScheme`. For local sockets: `parseLocalEndpoint`.
 * @param ports default port per allowed scheme; a scheme without one is refused
 * @throws {MessagingError} ERR_INVALID_OPTIONS
 */
export function parseEndpoint(url: string, defaultScheme: string, ports: Readonly<Record<string, number>>): Endpoint {
  const text = url.includes("://") || url.startsWith("unix:/") ? url : `${defaultScheme}://${url}`;
  const scheme = text.slice(0, text.indexOf(":")).toLowerCase();
  const port = Object.hasOwn(ports, scheme) ? ports[scheme] : undefined;
  if (port === undefined) {
    throw new MessagingError("ERR_INVALID_OPTIONS", `unknown scheme in server address: ${scheme}`);
  }
  const rest = text.slice(scheme.length + 1);
  if (rest.startsWith("///")) throw new MessagingError("ERR_INVALID_OPTIONS", "a server address without a host");
  // Every runtime parses host, port and credentials of `http:` alike, but it drops port 80 as its own default; `https:` keeps it.
  const parsed = parse(`http:${rest}`);
  const given = parsed.port === "" ? parse(`https:${rest}`).port : parsed.port;
  const host = parsed.hostname.startsWith("[") ? parsed.hostname.slice(1, -1) : parsed.hostname;
  const number = given === "" ? port : Number(given);
  return {
    scheme,
    host,
    port: number,
    path: `${parsed.pathname}${parsed.search}`,
    username: decode(parsed.username),
    password: decode(parsed.password),
    display: `${scheme}://${parsed.hostname}:${number}${parsed.pathname === "/" ? "" : parsed.pathname}`,
  };
}

/** The parser's own error is left out: it carries the text with the password in it. */
function parse(url: string): URL {
  try {
    return new URL(url);
  } catch {
    throw new MessagingError("ERR_INVALID_OPTIONS", "a server address that is no URL");
  }
}

/** Undoes percent-encoding. @throws {MessagingError} ERR_INVALID_OPTIONS */
export function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new MessagingError("ERR_INVALID_OPTIONS", "a server address with a stray % in it");
  }
}
