import type { MessagingError } from "../../base/errors.ts";
import type { Outbox } from "../../transport/outbox.ts";
import type { ProtocolLevel, ReasonProperties } from "../codec/packets.ts";
import type { OutboundFlow } from "./outbound-flow.ts";
import type { Receiving } from "./reception.ts";
import type { OutboundAliases } from "./topic-aliases.ts";

/** What an engine tells its owner about what it sent, for client and server alike. None of these may throw. */
export interface EndpointHandler<Item> {
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
export interface EndpointOptions<Item> {
  readonly outbox: Outbox;
  readonly handler: EndpointHandler<Item>;
  /** Largest packet accepted, in bytes. */
  readonly maximumPacketSize: number;
  readonly nowMs: number;
}

/** What was agreed for a connection that is now open. */
export interface EndpointAgreement<Item> {
  readonly level: ProtocolLevel;
  /** The session's. */
  readonly outbound: OutboundFlow<Item>;
  readonly receiving: Receiving;
  /** PUBLISH packets of QoS above 0 that we may have in flight. */
  readonly sendWindow: number;
  /** For what we send; null where none may be used. */
  readonly aliases: OutboundAliases | null;
  /** Largest packet that the peer accepts, in bytes. */
  readonly peerMaximumPacketSize: number;
}
