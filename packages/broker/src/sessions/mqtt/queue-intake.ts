// Hot path: `take` runs per message to a queue. No closure, promise, spread, iterator or regex here.
import { ByteReader, type MessagingError, type TextCodec } from "polymq/internal";
import { ReasonCode } from "polymq/mqtt/codec";
import type { Hub } from "../../core/hub.ts";
import type { MessageView } from "../../core/message.ts";
import type { Route } from "../../core/router.ts";
import type { ConnectionQueues } from "./connection-queues.ts";
import { QueuePropertyReader } from "./queue-properties.ts";

/** Takes a client's messages on queue addresses to the queues: messages, and settlements of messages. */
export class QueueIntake {
  readonly #hub: Hub;
  readonly #properties: QueuePropertyReader;

  constructor(hub: Hub, text: TextCodec) {
    this.#hub = hub;
    this.#properties = new QueuePropertyReader(new ByteReader(text));
  }

  /**
   * Takes a message; returns 0, or the reason code with which it is refused, and then nothing has changed. What it changed is durable with the
   * committer's open batch.
   * @param dup sent before, on a connection that is gone
   */
  take(message: MessageView, dup: boolean, route: Route, queues: ConnectionQueues): number {
    const { address } = route;
    const { statistics } = this.#hub;
    statistics.messagesIn++;
    statistics.bytesIn += message.payload.length;
    switch (address?.is) {
      case "publish": {
        const refusal = this.#hub.queues.publish(message, this.#properties.enqueueOptions(message), route);
        return refusal === null ? 0 : publishCode(refusal);
      }
      case "settle":
        return this.#settle(message, dup, address, queues);
      case "commit":
        // MQTT has no commit: an acknowledged message is committed. It must not become a message of the queue.
        return ReasonCode.ImplementationSpecificError;
      default:
        return ReasonCode.TopicNameInvalid;
    }
  }

  #settle(
    message: MessageView,
    dup: boolean,
    address: { readonly queue: string; readonly verb: "ack" | "nack" | "reject" },
    queues: ConnectionQueues,
  ): number {
    const settlement = this.#properties.settlement(address.verb, message);
    if (settlement === null) return ReasonCode.UnspecifiedError;
    // Clients repeat on later connections only [MQTT-4.4.0-1], and what was in hand has gone back with the one before: others may have it.
    if (dup && address.verb === "nack") return ReasonCode.UnspecifiedError;
    const result = queues.settle(address.queue, settlement);
    return result === "settled" ? 0 : ReasonCode.UnspecifiedError;
  }
}

/** PUBACK and PUBREC have no word for a message that is too large, or for a queue that is not there. */
function publishCode(refusal: MessagingError): number {
  switch (refusal.code) {
    case "ERR_QUEUE_FULL":
    case "ERR_QUEUE_LIMIT":
    case "ERR_MESSAGE_TOO_LARGE":
      return ReasonCode.QuotaExceeded;
    case "ERR_INVALID_TOPIC":
    case "ERR_QUEUE_NOT_FOUND":
      return ReasonCode.TopicNameInvalid;
    default:
      return ReasonCode.UnspecifiedError;
  }
}
