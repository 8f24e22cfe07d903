import type { DeliveryState, Described } from "polymq/amqp10/codec";
import type { End, ReceivedDelivery, ReceiverLink, SenderLink, SentDelivery } from "polymq/amqp10/engine";

/** What the broker hangs onto the engine's objects. */
export interface Amqp10Types {
  session: undefined;
  link: BrokerLink | undefined;
  item: SentItem;
}

export type EngineReceiver = ReceiverLink<Amqp10Types>;
export type EngineSender = SenderLink<Amqp10Types>;
export type Incoming = ReceivedDelivery<Amqp10Types>;
export type Sent = SentDelivery<Amqp10Types>;

/** What a client says of a delivery. */
export type PeerState = DeliveryState | Described | null;

/** The broker's side of a link that a client has attached. */
export interface BrokerLink {
  /** There may be room again: in the outbox, or because an alarm is over. */
  wake(): void;
  /** The client, or its connection, is done with it. @param closed false: the client may come back for it (§2.6.4) */
  end(end: End, closed: boolean): void;
}

/** A link on which a client sends. */
export interface IncomingLink extends BrokerLink {
  onDelivery(delivery: Incoming): void;
  /** The client has settled a delivery of which it was told the outcome (receiver settle mode second). */
  onSettled(delivery: Incoming): void;
}

/** A link on which a client receives. */
export interface OutgoingLink extends BrokerLink {
  /** There is credit, or a message that had to wait has left. */
  onCredit(): void;
}

/** A delivery to a client that is not settled. */
export interface SentItem {
  /** What the client made of it. Called once with a terminal outcome. */
  onOutcome(delivery: Sent, state: PeerState, settled: boolean): void;
}
