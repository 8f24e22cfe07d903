import { ReplyCode } from "polymq/amqp091/codec";
import { ReplyError } from "./reply-error.ts";

/** The longest time that RabbitMQ takes, ms. */
const MOST_MS = 4_294_967_295;

/** The property `expiration` in milliseconds. @throws {ReplyError} 406, with RabbitMQ's reason */
export function expirationMs(said: string): number {
  if (/^\d{1,9}$/.test(said)) return Number(said);
  const [, digits, rest = ""] = /^([+-]?\d+)(.*)$/s.exec(said) ?? [];
  if (digits === undefined) throw invalid(said, "no_integer");
  if (rest !== "") throw invalid(said, `{leftover_string,"${rest}"}`);
  const ms = Number(digits);
  if (ms < 0) throw invalid(said, `{value_negative,${ms}}`);
  if (ms > MOST_MS) throw invalid(said, `{value_too_large,${BigInt(digits)}}`);
  return ms;
}

function invalid(said: string, why: string): ReplyError {
  return new ReplyError(ReplyCode.PreconditionFailed, `invalid expiration '${said}': ${why}`);
}
