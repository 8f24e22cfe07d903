// Hot path: links are asked per message. No closure, promise, spread, iterator or regex here.
import { MessagingError } from "../../base/errors.ts";
import { Condition } from "../codec/conditions.ts";
import { FlowFields } from "../codec/flow.ts";
import type { AmqpErrorInput, Composite, CompositeInput } from "../codec/tables.ts";
import type { AmqpMap, MapInput } from "../codec/values.ts";
import type { End } from "./end.ts";
import type { Owners } from "./handler.ts";
import type { Session } from "./session.ts";

/** What an attach of ours says, handle and role aside; defaults as in the specification (§2.7.3). */
export type AttachFields = Omit<CompositeInput<"attach">, "type" | "handle" | "role">;

/** What the answer to the peer's attach says; what is left out is answered as the peer asked for it. */
export type AcceptFields = Partial<Omit<AttachFields, "name">>;

/**
 * Where a link is. `attaching`: our attach is sent. `offered`: the peer's attach waits for the owner's answer. `refused`: one side
 * answered without a terminus and a detach follows. `detaching`: our detach is sent, the peer's is awaited, everything else of the link is
 * dropped. `leaving`: the peer has closed it, and the owner's answer to that is awaited.
 */
export type LinkState =
  | { readonly is: "attaching" }
  | { readonly is: "offered"; readonly attach: Composite<"attach"> }
  | { readonly is: "attached"; readonly remote: Composite<"attach"> }
  | { readonly is: "refused" }
  | { readonly is: "detaching" }
  | { readonly is: "leaving" }
  | { readonly is: "detached" };

/** What both directions of a link have in common: names, handles, attach and detach. */
export abstract class Link<O extends Owners> {
  readonly session: Session<O>;
  readonly name: string;
  /** Our handle. */
  readonly handle: number;
  /** What the owner hangs onto it; with `byPeer` set by the owner in `onAttach`. */
  owner: O["link"];
  /** True when the peer attached first. */
  readonly byPeer: boolean;
  /** The peer's handle, or -1. */
  remoteHandle = -1;
  abstract readonly isSender: boolean;
  #state: LinkState;
  #ended = false;
  /** The counter of §2.6.7: deliveries that the sender has sent, or skipped by a drain. */
  protected deliveryCount = 0;
  protected linkCredit = 0;
  /** The credit that was left when the link ended. */
  creditLeft = 0;
  /** Whether the owner answers the peer's closing detach itself ({@link answerDetach}), once what that ends is stored. Default false. */
  answersLater = false;
  protected readonly flowFields: FlowFields = new FlowFields();

  constructor(session: Session<O>, name: string, handle: number, owner: O["link"], state: LinkState) {
    this.session = session;
    this.name = name;
    this.handle = handle;
    this.owner = owner;
    this.#state = state;
    this.byPeer = state.is === "offered";
  }

  get state(): LinkState {
    return this.#state;
  }

  /** True while deliveries can pass. */
  get attached(): boolean {
    return this.#state.is === "attached";
  }

  /** True once one side has ended it. */
  get isOver(): boolean {
    const { is } = this.#state;
    return is === "detaching" || is === "leaving" || is === "detached";
  }

  /** The peer's attach, once the link is open; else null. */
  get remote(): Composite<"attach"> | null {
    return this.#state.is === "attached" ? this.#state.remote : null;
  }

  /** Deliveries that may still be sent, or come, by the credit that was given. */
  get credit(): number {
    return this.linkCredit;
  }

  /**
   * Answers the peer's attach (`offered`): the link is open. Source and target are the peer's unless given.
   * @throws {MessagingError} ERR_INVALID_ARGUMENT in any other state, and what the encoder refuses
   */
  accept(fields: AcceptFields = {}): void {
    if (this.#state.is !== "offered") throw new MessagingError("ERR_INVALID_ARGUMENT", "this link is not offered");
    const attach = this.#state.attach;
    this.sendAttach({
      name: this.name,
      sndSettleMode: attach.sndSettleMode,
      rcvSettleMode: attach.rcvSettleMode,
      source: attach.source,
      target: attach.target,
      ...fields,
    });
    this.opened(attach);
  }

  /** Answers the peer's attach with no: an attach without termini, and a detach with the reason (§2.6.3). */
  refuse(error: AmqpErrorInput | null): void {
    if (this.#state.is !== "offered") return;
    // Our terminus is missing (§2.6.3); without the other one as well, go-amqp knows this for a refusal, too.
    this.sendAttach({ name: this.name, source: null, target: null });
    this.#state = { is: "refused" };
    this.detach({ closed: true, error });
  }

  /**
   * Sends a detach; with `closed` the link is over on both sides, else the peer may keep its state (§2.6.4). The owner hears `onDetach` when
   * the peer has answered.
   */
  detach(how: { readonly closed: boolean; readonly error?: AmqpErrorInput | null }): void {
    if (this.isOver) return;
    const { closed, error = null } = how;
    // The peer hears of an end only where it has heard of the link.
    if (this.#state.is === "offered") return this.refuse(error);
    this.session.flushLink();
    this.#state = { is: "detaching" };
    this.linkCredit = 0;
    this.session.send({ type: "detach", handle: this.handle, closed, error });
    this.stopped();
  }

  /** Answers the closing detach of the peer, on a link that {@link answersLater}; in any other state nothing is done. */
  answerDetach(error: AmqpErrorInput | null = null): void {
    if (this.#state.is !== "leaving") return;
    this.session.send({ type: "detach", handle: this.handle, closed: true, error });
    this.session.linkLeft(this as unknown as Parameters<Session<O>["linkLeft"]>[0]);
    this.#state = { is: "detached" };
  }

  /** The peer has left our detach unanswered: the owner hears `onDetach` now instead. The link's name is free again once the answer has come after all. */
  giveUpWaiting(): void {
    if (this.#state.is !== "detaching") return;
    this.session.linkUnanswered(this as unknown as Parameters<Session<O>["linkUnanswered"]>[0]);
  }

  /** For the session: sends our attach. */
  sendAttach(fields: AttachFields): void {
    this.session.send({
      ...fields,
      type: "attach",
      handle: this.handle,
      role: !this.isSender,
      initialDeliveryCount: this.isSender ? (fields.initialDeliveryCount ?? 0) : null,
    });
    if (this.isSender) this.deliveryCount = fields.initialDeliveryCount ?? 0;
    this.attachSent(fields);
  }

  /** For the session: both attaches are exchanged. */
  opened(attach: Composite<"attach">): void {
    this.#state = { is: "attached", remote: attach };
    if (!this.isSender) this.deliveryCount = attach.initialDeliveryCount ?? 0;
    this.attachedNow(attach);
  }

  /** For the session: the peer answered without the terminus that we asked for. */
  refused(): void {
    this.#state = { is: "refused" };
  }

  /**
   * For the session: the peer detached, session or connection ended, or (`detaching`) we detach because of a violation. True the first time,
   * when the owner is to be told.
   */
  ended(state: "detaching" | "leaving" | "detached"): boolean {
    this.#state = { is: state };
    if (this.#ended) return false;
    this.#ended = true;
    this.creditLeft = this.linkCredit;
    this.linkCredit = 0;
    this.stopped();
    return true;
  }

  /** Ends this link because the peer violated a rule of it; the owner is told at once. */
  protected violated(condition: string, description: string): void {
    this.session.linkViolated(this as unknown as Parameters<Session<O>["linkViolated"]>[0], condition, description);
  }

  /** A flow of the peer for this link. */
  abstract onFlow(flow: FlowFields, properties: AmqpMap | null): void;

  /** Sends this link's flow now, perhaps with properties (§2.7.4). */
  abstract sendFlow(how?: { readonly echo?: boolean; readonly properties?: MapInput | null }): void;

  /** Our attach was sent. */
  protected abstract attachSent(fields: AttachFields): void;

  /** The link has just been opened. */
  protected abstract attachedNow(attach: Composite<"attach">): void;

  /** Nothing passes any more. */
  protected abstract stopped(): void;
}

/** How a link that the peer violated ends. */
export function linkViolation(error: End["error"]): End {
  return { scope: "link", by: "violation", error, cause: null };
}

/** Conditions that links end with. */
export const LINK_CONDITIONS: Readonly<Record<"limit" | "size" | "field", string>> = {
  limit: Condition.transferLimitExceeded,
  size: Condition.messageSizeExceeded,
  field: Condition.notAllowed,
};
