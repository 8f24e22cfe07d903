import type { TextCodec } from "polymq/internal";
import type { AuthenticateRequest } from "../../auth/auth-hooks.ts";

/** Mechanisms that the broker offers, by its preference: EXTERNAL only to who has a certificate, for there are clients that choose it without one. */
export function mechanismsFor(certificateCommonName: string): readonly string[] {
  return certificateCommonName === "" ? ["PLAIN", "ANONYMOUS"] : ["EXTERNAL", "PLAIN", "ANONYMOUS"];
}

/** Who a client says it is. */
export type SaslIdentity = Pick<AuthenticateRequest, "username" | "password">;

/** Bytes of an initial response, which holds a name and a password. */
const RESPONSE_BYTES_MAX = 8_192;

/**
 * Reads what a client proves itself with; null for a mechanism that is not offered, for a response in another form, and for EXTERNAL without a certificate.
 * EXTERNAL is the name in the certificate that TLS verified, without a password.
 */
export function saslIdentity(
  mechanism: string,
  response: Uint8Array | null,
  facts: { readonly text: TextCodec; readonly certificateCommonName: string },
): SaslIdentity | null {
  switch (mechanism) {
    case "PLAIN":
      return response === null || response.length > RESPONSE_BYTES_MAX ? null : plain(response, facts.text);
    case "EXTERNAL":
      return facts.certificateCommonName === "" ? null : { username: facts.certificateCommonName, password: null };
    case "ANONYMOUS":
      return { username: null, password: null };
    default:
      return null;
  }
}

/** `[authorization identity] NUL name NUL password` (RFC 4616); acting for somebody else is not offered. */
function plain(response: Uint8Array, text: TextCodec): SaslIdentity | null {
  const first = response.indexOf(0);
  const second = response.indexOf(0, first + 1);
  if (first < 0 || second < 0 || response.indexOf(0, second + 1) >= 0) return null;
  try {
    const username = text.utf8(response, first + 1, second);
    const authorize = text.utf8(response, 0, first);
    if (username === "" || (authorize !== "" && authorize !== username)) return null;
    return { username, password: response.slice(second + 1) };
  } catch {
    return null; // not UTF-8
  }
}
