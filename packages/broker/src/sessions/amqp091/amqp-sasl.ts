import { ReplyCode, readSaslAmqplain, readSaslPlain } from "polymq/amqp091/codec";
import { isMessagingError, type TextCodec } from "polymq/internal";
import type { AuthenticateRequest } from "../../auth/auth-hooks.ts";
import { ReplyError } from "./reply-error.ts";

/** Mechanisms that the broker offers, by its preference. */
export const MECHANISMS: readonly string[] = ["PLAIN", "AMQPLAIN", "EXTERNAL", "ANONYMOUS"];

/** Who a client says it is. */
export type SaslIdentity = Pick<AuthenticateRequest, "username" | "password">;

/**
 * Reads what a client proves itself with. EXTERNAL is the name in the certificate that TLS verified, without a password.
 * @throws {ReplyError} 503 for a mechanism that is not offered, 403 for a response in another form or EXTERNAL without a certificate
 */
export function identityOf(
  mechanism: string,
  response: Uint8Array,
  facts: { readonly text: TextCodec; readonly certificateCommonName: string },
): SaslIdentity {
  switch (mechanism) {
    case "PLAIN":
      return named(mechanism, () => readSaslPlain(facts.text, response), facts.text);
    case "AMQPLAIN":
      return named(mechanism, () => readSaslAmqplain(facts.text, response), facts.text);
    case "EXTERNAL":
      if (facts.certificateCommonName === "") throw loginRefused(mechanism);
      return { username: facts.certificateCommonName, password: null };
    case "ANONYMOUS":
      return { username: null, password: null };
    default:
      throw new ReplyError(ReplyCode.CommandInvalid, `unknown authentication mechanism '${mechanism}'`);
  }
}

/** What a client is told whose login is refused, in the words that client libraries look for. */
export function loginRefused(mechanism: string): ReplyError {
  return new ReplyError(
    ReplyCode.AccessRefused,
    `Login was refused using authentication mechanism ${mechanism}. For details see the broker logfile.`,
  );
}

function named(
  mechanism: string,
  read: () => { readonly username: string; readonly password: string },
  text: TextCodec,
): SaslIdentity {
  try {
    const { username, password } = read();
    const bytes = new Uint8Array(text.byteLength(password));
    text.write(bytes, 0, password);
    return { username, password: bytes };
  } catch (error) {
    if (isMessagingError(error)) throw loginRefused(mechanism);
    throw error;
  }
}
