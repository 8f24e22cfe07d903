import { matchPrefix, type ProtocolFactory, SNIFF_BYTES_MAX } from "./protocol-factory.ts";

/** What a port serves at one stage of a connection: as it comes in, or inside TLS. */
export interface Offer {
  readonly protocols: readonly ProtocolFactory[];
  readonly tls: "yes" | "no";
  readonly http: "yes" | "no";
}

/** Where a connection goes. */
export type Route =
  | { readonly is: "protocol"; readonly factory: ProtocolFactory }
  | { readonly is: "tls" }
  | { readonly is: "http" }
  /** Too few bytes to tell. */
  | { readonly is: "more" }
  | { readonly is: "unknown" };

/** A TLS record of type handshake, major version 3 (RFC 8446 §5.1): no protocol that we serve in the clear begins like it. */
const TLS_HELLO = "\x16\x03";

/** Every method of RFC 9110 §9 and PATCH, with the space behind it; the longest just fit into what is looked at. */
const HTTP_METHODS = ["GET ", "HEAD ", "POST ", "PUT ", "DELETE ", "CONNECT ", "OPTIONS ", "TRACE ", "PATCH "];

/** Tells by its first bytes where a connection goes; with {@link SNIFF_BYTES_MAX} of them it never asks for more. */
export function routeOf(firstBytes: Uint8Array, offer: Offer): Route {
  const seen = firstBytes.length > SNIFF_BYTES_MAX ? firstBytes.subarray(0, SNIFF_BYTES_MAX) : firstBytes;
  const factory = protocolOf(seen, offer.protocols);
  if (factory !== null && factory !== "more") return { is: "protocol", factory };
  let undecided = factory === "more";
  if (offer.tls === "yes") {
    const match = matchPrefix(seen, TLS_HELLO);
    if (match === "yes") return { is: "tls" };
    if (match === "more") undecided = true;
  }
  if (offer.http === "yes") {
    const matches = HTTP_METHODS.map((method) => matchPrefix(seen, method));
    if (matches.includes("yes")) return { is: "http" };
    if (matches.includes("more")) undecided = true;
  }
  return undecided && seen.length < SNIFF_BYTES_MAX ? { is: "more" } : { is: "unknown" };
}

/** The first protocol in the list that these bytes belong to; `more` while one before it may still be it, null when there is none. */
export function protocolOf(
  firstBytes: Uint8Array,
  protocols: readonly ProtocolFactory[],
): ProtocolFactory | "more" | null {
  const isAll = firstBytes.length >= SNIFF_BYTES_MAX;
  for (const factory of protocols) {
    const match = factory.matches(firstBytes);
    if (match === "yes") return factory;
    if (match === "more" && !isAll) return "more";
  }
  return null;
}
