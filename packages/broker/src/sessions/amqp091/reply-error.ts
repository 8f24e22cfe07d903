import { ReplyCode, replyName } from "polymq/amqp091/codec";
import { isMessagingError } from "polymq/internal";

/** A method that is refused: ends its channel or connection with a reply code and text, as the code says. It never leaves this folder. */
export class ReplyError extends Error {
  readonly replyCode: number;

  /** @param what the text behind the code's name, as RabbitMQ writes it */
  constructor(replyCode: number, what: string) {
    super(`${replyName(replyCode)} - ${what}`);
    this.name = "ReplyError";
    this.replyCode = replyCode;
  }
}

/** The reply for whatever was thrown while a method was carried out. */
export function replyFor(error: unknown): ReplyError {
  if (error instanceof ReplyError) return error;
  if (isMessagingError(error)) {
    switch (error.code) {
      case "ERR_QUEUE_NOT_FOUND":
        return new ReplyError(ReplyCode.NotFound, error.message);
      case "ERR_QUEUE_IN_USE":
      case "ERR_QUEUE_EXISTS":
      case "ERR_INVALID_ARGUMENT":
      case "ERR_INVALID_TOPIC":
      case "ERR_QUEUE_LIMIT":
      case "ERR_QUEUE_FULL":
        return new ReplyError(ReplyCode.PreconditionFailed, error.message);
      case "ERR_MESSAGE_TOO_LARGE":
      case "ERR_PACKET_TOO_LARGE":
        return new ReplyError(ReplyCode.PreconditionFailed, error.message);
      default:
        break;
    }
  }
  return new ReplyError(ReplyCode.InternalError, "an error inside the broker");
}
