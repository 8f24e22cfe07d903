import { MessagingError } from "../../base/errors.ts";
import type { AzureToken, AzureTokenProvider } from "./token-authority.ts";

/** The parts of a connection string of Service Bus or Event Hubs. */
export interface AzureConnectionString {
  /** `namespace.servicebus.windows.net`. */
  readonly host: string;
  readonly keyName: string;
  readonly key: string;
  /** The queue, topic or hub, where it names one. */
  readonly entityPath: string | null;
}

/** Reads `Endpoint=sb://...;SharedAccessKeyName=...;SharedAccessKey=...[;EntityPath=...]`. @throws {MessagingError} ERR_INVALID_ARGUMENT */
export function parseConnectionString(text: string): AzureConnectionString {
  const parts = new Map<string, string>();
  for (const part of text.split(";")) {
    const equals = part.indexOf("=");
    if (equals > 0) parts.set(part.slice(0, equals).trim().toLowerCase(), part.slice(equals + 1).trim());
  }
  const host = /^sb:\/\/([^/]+)\/?$/.exec(parts.get("endpoint") ?? "")?.[1];
  const keyName = parts.get("sharedaccesskeyname");
  const key = parts.get("sharedaccesskey");
  if (host === undefined || keyName === undefined || key === undefined) {
    throw new MessagingError("ERR_INVALID_ARGUMENT", "a connection string without endpoint, key name or key");
  }
  return { host, keyName, key, entityPath: parts.get("entitypath") ?? null };
}

/**
 * Tokens from a shared access key.
 * @param options.lifetimeMs how long each lasts. Default 3,600,000
 * @param options.nowMs the time, in ms since 1970. Default: the system's
 */
export function sharedAccessTokens(
  keyName: string,
  key: string,
  options: { readonly lifetimeMs?: number; readonly nowMs?: () => number } = {},
): AzureTokenProvider {
  const { lifetimeMs = 3_600_000, nowMs = systemNow } = options;
  return async (audience): Promise<AzureToken> => {
    const expires = Math.floor((nowMs() + lifetimeMs) / 1_000);
    const resource = encodeURIComponent(audience);
    const signature = encodeURIComponent(await sign(key, `${resource}\n${expires}`));
    return {
      token: `SharedAccessSignature sr=${resource}&sig=${signature}&se=${expires}&skn=${encodeURIComponent(keyName)}`,
      type: "servicebus.windows.net:sastoken",
      expiresAtMs: expires * 1_000,
    };
  };
}

function systemNow(): number {
  return Date.now();
}

/** HMAC-SHA256 as base64. */
async function sign(key: string, text: string): Promise<string> {
  const encoder = new TextEncoder();
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const imported = await crypto.subtle.importKey("raw", encoder.encode(key), algorithm, false, ["sign"]);
  const bytes = new Uint8Array(await crypto.subtle.sign("HMAC", imported, encoder.encode(text)));
  return btoa(String.fromCharCode(...bytes));
}
