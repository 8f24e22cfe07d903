import { MessagingError } from "../base/errors.ts";
import { decode, type Endpoint } from "./endpoint.ts";

/** True for the address of a local socket. */
export function isLocalAddress(url: string): boolean {
  return /^unix:/i.test(url);
}

/**
 * Parses `unix:/path` or `unix:///path`.
 * @throws {MessagingError} ERR_INVALID_OPTIONS
 */
export function parseLocalEndpoint(url: string): Endpoint {
  const given = /^unix:(?:\/\/)?(\/[^/].*)$/i.exec(url)?.[1];
  if (given === undefined) throw new MessagingError("ERR_INVALID_OPTIONS", "a local socket needs an absolute path");
  const path = decode(given);
  return { scheme: "unix", host: "", port: 0, path, username: "", password: "", display: `unix:${path}` };
}
