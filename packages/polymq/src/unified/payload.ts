import { MessagingError } from "../base/errors.ts";
import { copyOf } from "../bytes/copy.ts";

/** A payload that may be sent later, when the caller may have changed its bytes. @throws {MessagingError} ERR_INVALID_MESSAGE */
export function keptPayload(payload: string | Uint8Array): string | Uint8Array {
  if (typeof payload === "string") return payload;
  if (payload instanceof Uint8Array) return copyOf(payload);
  throw new MessagingError("ERR_INVALID_MESSAGE", "a payload is text or bytes");
}
