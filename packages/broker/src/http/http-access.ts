import { createHash, timingSafeEqual } from "node:crypto";
import type { ConnectionAccess } from "../auth/connection-access.ts";
import { ApiError } from "./api-error.ts";
import type { ApiCall, EndpointAccess } from "./endpoint.ts";
import type { HttpContext } from "./http-context.ts";

type Peer = Pick<ApiCall, "headers" | "peer">;

/** Credentials as a request shows them. */
interface Credentials {
  readonly username: string | null;
  readonly secret: string;
}

/** Names that no stranger can make lead here: localhost, and addresses. */
const LOCAL_HOST = /^(?:localhost|\d+\.\d+\.\d+\.\d+|\[[\da-f:]+\])(?::\d+)?$/i;
const LOOPBACK = /^(?:127\.|::1$|::ffff:127\.)/;

/**
 * Refuses callers on other machines unless they are welcome, and pages of other origins always: a browser sends what they ask for from this machine,
 * also when the page's own name was made to lead here.
 * @throws {ApiError} 403
 */
export function checkOrigin({ peer, headers }: Peer, { settings }: HttpContext): void {
  const host = headerOf(headers, "host") ?? "";
  const origin = headerOf(headers, "origin");
  if (origin !== null && origin !== `http://${host}` && origin !== `https://${host}`) {
    throw new ApiError(403, "ORIGIN_REFUSED", "pages of other origins are not answered");
  }
  if (settings.remote === "allow") return;
  if (!LOOPBACK.test(peer.remoteAddress)) {
    throw new ApiError(403, "REMOTE_REFUSED", "only callers on this machine are answered (option http.remote)");
  }
  if (origin !== null && !LOCAL_HOST.test(host)) {
    throw new ApiError(403, "ORIGIN_REFUSED", "a page is answered when it comes from localhost or an address");
  }
}

/** Lets whoever shows the token in; what clients' own credentials allow is for the endpoint to ask. @throws {ApiError} 401 */
export function checkToken(call: Peer, access: EndpointAccess, context: HttpContext): void {
  if (access === "token" && context.token !== null && !hasToken(call, context))
    throw unauthorized("show the token: Authorization: Bearer <token>");
}

/** True when the request shows the token. */
export function hasToken({ headers }: Peer, { token }: HttpContext): boolean {
  if (token === null) return false;
  const shown = credentialsOf(headers);
  return shown !== null && shown.username === null && equal(shown.secret, token);
}

/**
 * What the client may do whose credentials a request shows: HTTP Basic, or FluxMQ's `X-FluxMQ-Username` with a bearer's secret. Where nobody needs the
 * token a request may show none, and is a client that names no user.
 * @param domain the user that a secret without a name belongs to, or null
 * @throws {ApiError} 401 without or with wrong credentials, 403, 503
 */
export async function publisherAccess(
  call: Peer,
  domain: string | null,
  context: HttpContext,
): Promise<ConnectionAccess> {
  const { headers, peer } = call;
  const given = credentialsOf(headers);
  const shown = given === null ? null : { ...given, username: given.username ?? domain };
  const isNamed = shown !== null && shown.username !== null;
  if (!isNamed && context.token !== null) throw unauthorized("say who you are, or show the token");
  const entry = await context.access.authenticate({
    clientId: headerOf(headers, "x-fluxmq-client-id") ?? `http:${peer.remoteAddress}:${peer.remotePort}`,
    username: isNamed ? shown.username : null,
    password: isNamed ? Buffer.from(shown.secret) : null,
    certificateCommonName: peer.peerCommonName,
    protocol: "http",
    transport: peer,
  });
  if (entry.allow) return entry.access;
  context.metrics.clientsRefused++;
  if (entry.reason === "serverBusy")
    throw new ApiError(503, "SERVER_BUSY", "nobody could say in time whether you may come in");
  if (entry.reason === "badCredentials") throw unauthorized("wrong name or password");
  throw new ApiError(403, "NOT_AUTHORIZED", "you may not come in");
}

function credentialsOf(headers: ApiCall["headers"]): Credentials | null {
  const [, scheme = "", value = ""] = /^(\S+) +(\S+)$/.exec(headerOf(headers, "authorization") ?? "") ?? [];
  switch (scheme.toLowerCase()) {
    case "basic": {
      const pair = Buffer.from(value, "base64").toString("utf8");
      const colon = pair.indexOf(":");
      return colon < 0 ? null : { username: pair.slice(0, colon), secret: pair.slice(colon + 1) };
    }
    case "bearer":
    case "client":
      return { username: headerOf(headers, "x-fluxmq-username"), secret: value };
    default:
      return null;
  }
}

function headerOf(headers: ApiCall["headers"], name: string): string | null {
  const value = headers[name];
  return typeof value === "string" && value !== "" ? value : null;
}

function unauthorized(message: string): ApiError {
  return new ApiError(401, "UNAUTHORIZED", message, {
    "www-authenticate": 'Bearer realm="polymq", Basic realm="polymq"',
  });
}

/** Takes as long for a wrong text as for the right one. */
function equal(shown: string, expected: string): boolean {
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(shown), digest(expected));
}
