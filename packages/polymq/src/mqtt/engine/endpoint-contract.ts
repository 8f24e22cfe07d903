import type { MessagingError } from "../../base/errors.ts";
import type { Outbox } from "../../transport/outbox.ts";
import type { ProtocolLevel, ReasonProperties } from "../codec/packets.ts";
import type { PublishHead } from "../codec/publish.ts";
import type { TopicDecoder, TopicEntry } from "../codec/topic-decoder.ts";
import type { SessionState } from "./session-state.ts";
import type { TopicAliases } from "./topic-aliases.ts";

/** What an engine tells its owner about messages, for client and server alike. None of these may throw. */
export interface EndpointHandler<Item, Route> {
  /**
   * A message came in. `head` holds offsets into `buffer` and is overwritten by the next message. For QoS above 0 the owner
   * settles `ticket` through `Endpoint.settle`; at QoS 0 it is `NO_TICKET`.
   */
  onPublish(topic: TopicEntry<Route>, head: PublishHead, buffer: Uint8Array, ticket: number): void;
  /** A PUBLISH that we sent is finished: by PUBACK, PUBCOMP, or a PUBREC that refuses it. */
  onPublishDone(item: Item, packetId: number, reasonCode: number, properties: ReasonProperties | null): void;
  /** The peer has taken a QoS 2 PUBLISH (PUBREC, also a repeated one): the owner calls `sendPubrel` once that state is safe. */
  onPublishReceived(item: Item, packetId: number): void;
  /** The peer released a QoS 2 message (PUBREL): the owner calls `sendPubcomp` once its id is forgotten for good. */
  onReleased(packetId: number, known: boolean): void;
  /** The engine is over because of `error`; what the peer should know is in the outbox. */
  onFailed(error: MessagingError): void;
}

/** What both roles need. */
export interface EndpointOptions<Item, Route> {
  readonly outbox: Outbox;
  readonly handler: EndpointHandler<Item, Route>;
  readonly topicDecoder: TopicDecoder<Route>;
  /** Largest packet accepted, in bytes. */
  readonly maximumPacketSize: number;
  readonly nowMs: number;
}

/** What was agreed for a connection that is now open. */
export interface EndpointAgreement<Item, Route> {
  readonly level: ProtocolLevel;
  readonly session: SessionState<Item>;
  /** True when both sides go on with a session from before. */
  readonly resumed: boolean;
  /** PUBLISH packets of QoS above 0 that we may have in flight. */
  readonly sendWindow: number;
  /** PUBLISH packets of QoS above 0 that the peer may have in flight. */
  readonly receiveMaximum: number;
  /** Null at level 4, which has none. */
  readonly aliases: TopicAliases<TopicEntry<Route>> | null;
  /** Largest packet that the peer accepts, in bytes. */
  readonly peerMaximumPacketSize: number;
}
