import { isMessagingError, MessagingError } from "../../base/errors.ts";
import { commandInvalid, invalid } from "../codec/failures.ts";
import { methodRow } from "../codec/method-codec.ts";
import type { Method } from "../codec/method-types.ts";

/** Anything that is not a typed error is a defect of ours; it ends the connection instead of the process. */
export function asMessagingError(error: unknown): MessagingError {
  if (isMessagingError(error)) return error;
  return new MessagingError("ERR_PROTOCOL_VIOLATION", "internal error while handling a frame", { cause: error });
}

/** Refuses a method that a role may not send. @throws {MessagingError} ERR_INVALID_ARGUMENT */
export function checkSender(method: Method, role: "client" | "server"): void {
  const from = methodRow(method.method).from;
  if (from !== role && from !== "both") throw invalid(`${method.method} is not for a ${role} to send`);
}

/** Refuses a method that the peer's role may not send (503). */
export function checkReceived(method: Method, peer: "client" | "server"): void {
  const from = methodRow(method.method).from;
  if (from !== peer && from !== "both") throw commandInvalid(`${method.method} from a ${peer}`);
}
