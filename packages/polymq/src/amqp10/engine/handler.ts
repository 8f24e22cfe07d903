import type { FlowFields } from "../codec/flow.ts";
import type { Composite, DeliveryState } from "../codec/tables.ts";
import type { AmqpMap, Described } from "../codec/values.ts";
import type { ReceivedDelivery, SentDelivery } from "./deliveries.ts";
import type { End } from "./end.ts";
import type { ReceiverLink } from "./receiver-link.ts";
import type { SenderLink } from "./sender-link.ts";
import type { Session } from "./session.ts";

/** What an owner hangs onto the engine's objects: its own session, its own link, and an item per message that it sends. */
export interface Owners {
  session: unknown;
  link: unknown;
  item: unknown;
}

/** A link of either direction. */
export type AnyLink<O extends Owners> = SenderLink<O> | ReceiverLink<O>;

/** What an engine tells its owner. None of these may throw; each may call the engine again. */
export interface EngineHandler<O extends Owners> {
  /** Client: the server's SASL mechanisms. The owner answers with `saslInit`, or with `fail`; now or later. */
  onSaslMechanisms(mechanisms: readonly string[]): void;
  /** Client: a challenge; the owner answers with `saslRespond`. */
  onSaslChallenge(challenge: Uint8Array): void;
  /** Client: the exchange is over. With code 0 the engine goes on by itself when this returns, unless the owner calls `fail`; with any other it ends. */
  onSaslOutcome(code: number, additionalData: Uint8Array | null): void;
  /** Server: a client chose a mechanism; the owner answers with `saslChallenge` or `saslOutcome`, now or later. */
  onSaslInit(mechanism: string, response: Uint8Array | null, hostname: string | null): void;
  /** Server: the answer to a challenge; the owner answers as in `onSaslInit`. */
  onSaslResponse(response: Uint8Array): void;
  /** The peer's open came; ours is sent. A server that does not want this client calls `close` with an error. */
  onOpen(open: Composite<"open">): void;
  /** The connection is over, told once, after every link and session of it was told. What the peer should know is in the outbox. */
  onClose(end: End): void;
  /** A session is open: the peer answered our begin, or began one itself (`session.byPeer`) and has our answer. */
  onBegin(session: Session<O>, begin: Composite<"begin">): void;
  /** The session is over, told once, after every link of it was told. */
  onEnd(session: Session<O>, end: End): void;
  /**
   * The peer attached: our link is open, or, with `link.byPeer`, the owner answers with `link.accept` or `link.refuse`, now or later. An
   * answer to our attach without the terminus that we asked for is not told: the peer's detach with the reason follows.
   */
  onAttach(link: AnyLink<O>, attach: Composite<"attach">): void;
  /**
   * The link is over, told once. `link.left` holds its unsettled and unsent deliveries. With `closed` false the peer keeps the link's state
   * and it may be attached again by its name (§2.6.4).
   */
  onDetach(link: AnyLink<O>, end: End, closed: boolean): void;
  /** A sender whose queue is empty has credit, after it had none. */
  onCredit(link: SenderLink<O>): void;
  /** A message for which `send` said that it waits has left as a whole. */
  onSent(link: SenderLink<O>, item: O["item"]): void;
  /** A flow of this link with properties, or one that says how many messages the peer has available. Valid inside the call. */
  onFlow(link: AnyLink<O>, flow: FlowFields, properties: AmqpMap | null): void;
  /** A receiver that asked for it was drained: what was there has come, and credit is 0. */
  onDrained(link: ReceiverLink<O>): void;
  /** A whole message came. Unsettled ones are settled through `delivery.link.settle`. */
  onDelivery(delivery: ReceivedDelivery<O>): void;
  /** The peer said something of a delivery that we sent: its outcome when `settled`, else a state; in mode second the owner then calls `settle`. */
  onOutcome(delivery: SentDelivery<O>, state: DeliveryState | Described | null, settled: boolean): void;
  /** The peer said something of a delivery that we received and have not settled for good; with `settled` it is forgotten on both sides. */
  onSettled(delivery: ReceivedDelivery<O>, state: DeliveryState | Described | null, settled: boolean): void;
}
