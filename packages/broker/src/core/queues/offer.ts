// Hot path: runs per queued message. No closure, promise, spread, iterator or regex here.
import { isMessagingError, type MessagingError } from "polymq/internal";
import type { Enqueueable, Queue } from "./queue.ts";
import type { DeadLetterFacts } from "./queue-message.ts";
import type { EnqueueOptions } from "./queue-port.ts";

/** Takes a message to a queue, or says why that does not take it; a message that cannot be stored, such as with a text above 65,535 bytes, is refused as others are. */
export function offerTo(
  queue: Queue,
  message: Enqueueable,
  options: EnqueueOptions | null,
  deadLetter: DeadLetterFacts | null = null,
): MessagingError | null {
  const refusal = queue.refusal(message.payload.length, options);
  if (refusal === null) return enqueued(queue, message, options, deadLetter);
  queue.overflow.onRefused(message, options, refusal);
  return refusal;
}

/** The same for a queue that was asked before. */
export function enqueued(
  queue: Queue,
  message: Enqueueable,
  options: EnqueueOptions | null,
  deadLetter: DeadLetterFacts | null = null,
): MessagingError | null {
  try {
    queue.enqueue(message, options, deadLetter);
    return null;
  } catch (error) {
    if (isMessagingError(error)) return error;
    throw error;
  }
}
