// Hot path: `onPublish` runs per message. No closure, promise, spread, iterator or regex here.
import { MessagingError } from "../../base/errors.ts";
import { PublishHead, readPublish } from "../codec/publish-head.ts";
import type { TopicDecoder, TopicEntry } from "../codec/topic-decoder.ts";
import { Arrival, type InboundFlow } from "./inbound-flow.ts";
import type { Receiving, Reception } from "./reception.ts";

/** A received PUBLISH of QoS 0 has no ticket. */
export const NO_TICKET = -1;

/** Who is told of messages. */
export interface ReceiverHandler<Route> {
  /**
   * A message came in. `head` holds offsets into `buffer` and is overwritten by the next message. For QoS above 0 the owner
   * settles `ticket` in the session's `InboundFlow`; at QoS 0 it is `NO_TICKET`. Must not throw.
   */
  onPublish(topic: TopicEntry<Route>, head: PublishHead, buffer: Uint8Array, ticket: number): void;
}

/** What a {@link Receiver} shares with those of other connections, and who it tells. */
export interface ReceiverParts<Route> {
  readonly handler: ReceiverHandler<Route>;
  /** The session's. */
  readonly inbound: InboundFlow;
  readonly topics: TopicDecoder<Route>;
}

/** Messages received on one connection: reads each PUBLISH in place, finds its topic, takes a ticket for its acknowledgement. */
export class Receiver<Route> implements Receiving {
  readonly #reception: Reception<Route>;
  readonly #handler: ReceiverHandler<Route>;
  readonly #inbound: InboundFlow;
  readonly #topics: TopicDecoder<Route>;
  readonly #head: PublishHead = new PublishHead();

  constructor(reception: Reception<Route>, { handler, inbound, topics }: ReceiverParts<Route>) {
    this.#reception = reception;
    this.#handler = handler;
    this.#inbound = inbound;
    this.#topics = topics;
    inbound.open(reception.endpoint, reception.receiveMaximum, reception.resumed);
  }

  onPublish(buffer: Uint8Array, start: number, end: number): void {
    const { reader, level, readProperties, endpoint } = this.#reception;
    const head = this.#head;
    reader.reset(buffer, start, end);
    readPublish(reader, level, head, readProperties);
    const topic = this.#resolveTopic(buffer, head);
    endpoint.checkPublish(head);
    let ticket = NO_TICKET;
    if (head.qos !== 0) {
      const inbound = this.#inbound;
      const arrival = inbound.arrive(head, topic.topic, buffer);
      if (arrival === Arrival.Repeated) return;
      if (arrival === Arrival.TooMany) {
        throw new MessagingError("ERR_RECEIVE_MAXIMUM_EXCEEDED", "more unacknowledged messages than allowed");
      }
      ticket = inbound.lastTicket;
    }
    this.#handler.onPublish(topic, head, buffer, ticket);
  }

  chunkEnded(): void {
    this.#inbound.chunkEnded();
  }

  settle(ticket: number, reasonCode: number): boolean {
    return this.#inbound.settle(ticket, reasonCode);
  }

  released(packetId: number): boolean {
    return this.#inbound.released(packetId);
  }

  suspend(): void {
    this.#inbound.suspend();
  }

  #resolveTopic(buffer: Uint8Array, head: PublishHead): TopicEntry<Route> {
    const alias = head.topicAlias;
    const { aliases } = this.#reception;
    if (alias !== 0 && aliases !== null && head.topicStart === head.topicEnd) return aliases.get(alias);
    const topic = this.#topics.decode(buffer, head.topicStart, head.topicEnd);
    if (alias !== 0 && aliases !== null) aliases.set(alias, topic);
    return topic;
  }
}
