import { type AmqpErrorInput, Condition } from "polymq/amqp10/codec";
import { isMessagingError, type MessagingError } from "polymq/internal";

/** Thrown where a link or a message cannot be what a client asks for; says so with a condition (§2.8.15). */
export class Refused extends Error {
  readonly condition: string;

  constructor(condition: string, message: string) {
    super(message);
    this.name = "Refused";
    this.condition = condition;
  }
}

/** What a client is told. */
export function errorFor(error: unknown): AmqpErrorInput {
  if (error instanceof Refused) return said(error.condition, error.message);
  if (isMessagingError(error)) return said(conditionOf(error), error.message);
  return said(Condition.internalError, "internal error");
}

/** An error with a description. */
export function said(condition: string, description: string): AmqpErrorInput {
  return { type: "error", condition, description };
}

/** The condition that says what an error of the core says. */
export function conditionOf(error: MessagingError): string {
  switch (error.code) {
    case "ERR_QUEUE_NOT_FOUND":
      return Condition.notFound;
    case "ERR_QUEUE_FULL":
    case "ERR_QUEUE_LIMIT":
    case "ERR_SUBSCRIBE_FAILED":
      return Condition.resourceLimitExceeded;
    case "ERR_MESSAGE_TOO_LARGE":
      return Condition.messageSizeExceeded;
    case "ERR_INVALID_TOPIC":
    case "ERR_INVALID_ARGUMENT":
      return Condition.invalidField;
    case "ERR_QUEUE_MODE_MISMATCH":
      return Condition.preconditionFailed;
    case "ERR_MALFORMED_PACKET":
      return Condition.decodeError;
    default:
      return Condition.internalError;
  }
}
