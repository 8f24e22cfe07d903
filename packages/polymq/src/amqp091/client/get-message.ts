import { deferred } from "../../base/deferred.ts";
import type { PropertiesDecoder } from "../codec/properties-decoder.ts";
import type { Connection } from "./connection.ts";
import type { Incoming, Link } from "./link.ts";
import { AmqpMessage } from "./message.ts";
import { PromisedReply } from "./requests.ts";

/** Asks for one message of a queue (`basic.get`); null when it is empty. Throws when the request cannot be sent. */
export function getMessage(
  connection: Connection,
  link: Link,
  from: { readonly queue: string; readonly noAck: boolean; readonly decoder: PropertiesDecoder },
): Promise<AmqpMessage | null> {
  const { queue, noAck, decoder } = from;
  const done = deferred<AmqpMessage | null>();
  const got = (on: Link, content: Incoming): void => {
    if (!noAck) connection.engine.expectAck(on, content.deliveryTag);
    const message = new AmqpMessage(content, decoder, noAck ? null : connection, on);
    const { tracer } = connection;
    if (tracer.deliver.hasSubscribers) tracer.delivered(queue, message.body.length, content.deliveryTag);
    done.resolve(message);
  };
  const reply = new PromisedReply(() => done.resolve(null), done.reject, got);
  connection.engine.request(link, { method: "basic.get", queue, noAck }, reply);
  connection.answerAwaited();
  return done.promise;
}
