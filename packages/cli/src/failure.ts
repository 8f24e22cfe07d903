import { isMessagingError } from "polymq/internal";
import { ExitCode } from "./exit-code.ts";

/** A command line whose parts are right one by one, but not together. */
export class UsageError extends Error {
  override readonly name: string = "UsageError";
}

/** One line: the code first, then what happened, and what the system said when that is not in there yet. */
export function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = codeOf(error);
  const cause = codeOf(error.cause);
  const message = isMessagingError(error) ? error.message : error.message.replace(`${code}: `, "");
  const said = cause === "" || cause === code || message.includes(cause) ? "" : ` (${cause})`;
  const advice = cause === "EADDRINUSE" ? "; port 0 takes any free one" : "";
  return `${code === "" ? "" : `${code}: `}${message}${said}${advice}`.replaceAll(/\s*\n\s*/g, " ");
}

/** The exit code that a failure ends the command with. */
export function exitCodeOf(error: unknown): ExitCode {
  return isMessagingError(error) && error.scope === "connection" ? ExitCode.noConnection : ExitCode.failed;
}

/** The code of an error, ours or the system's, or "". */
export function codeOf(error: unknown): string {
  if (typeof error !== "object" || error === null || !("code" in error)) return "";
  return typeof error.code === "string" ? error.code : "";
}
