import { MessagingError } from "../../base/errors.ts";
import type { AmqpErrorInput, Composite } from "../codec/tables.ts";
import { type AmqpMap, type AmqpValue, type MapInput, plain } from "../codec/values.ts";
import type { End } from "../engine/end.ts";
import type { AnyLink } from "../engine/handler.ts";
import type { AttachFields } from "../engine/link.ts";
import type { Session } from "../engine/session.ts";
import { randomName } from "./connection-settings.ts";
import { type LifeState, Lifetime } from "./lifetime.ts";
import type { LinkOptions } from "./options.ts";
import { type ErrorDetails, errorInput } from "./outcomes.ts";
import type { ClientOwners } from "./owners.ts";
import type { AmqpSession } from "./session.ts";

/** What a link does for the sake of a server that departs from the specification. */
export interface LinkQuirks {
  /** A sender takes credit back with each outcome, and none for settled messages, from a server that gives some once and never again. */
  readonly ownCredit?: boolean;
  /** A receiver takes deliveries beyond its credit, from a server that counts it wrongly. */
  readonly lenient?: boolean;
  /** Properties of the attach after a reconnect, where they differ from those of the first one. */
  readonly propertiesAgain?: MapInput;
}

/** What a sender and a receiver have in common. */
export abstract class ClientLink {
  /** For the session and the connection. */
  readonly life: Lifetime = new Lifetime();
  /** Unique per direction and container. */
  readonly name: string;
  /** The session that it is part of. */
  readonly session: AmqpSession;
  /** As it was asked for. */
  protected readonly askedAddress: string | null;
  protected readonly quirks: LinkQuirks;
  readonly #onProperties: ((properties: AmqpMap) => void) | undefined;
  #remote: Composite<"attach"> | null = null;
  /** Why we do not want what the server agreed to. */
  #refusal: MessagingError | null = null;

  constructor(session: AmqpSession, address: string | null, options: LinkOptions, quirks: LinkQuirks) {
    this.session = session;
    this.quirks = quirks;
    this.askedAddress = address;
    this.name = options.name ?? `polymq-${randomName(session.core.platform)}`;
    this.#onProperties = options.onFlowProperties;
  }

  get state(): LifeState {
    return this.life.state;
  }

  /** The error that ended it; null while it is open, and after an orderly end of ours. */
  get error(): MessagingError | null {
    return this.life.error;
  }

  /** Resolves when it is over, with the error that ended it or null. Never rejects. */
  get closed(): Promise<MessagingError | null> {
    return this.life.closed;
  }

  /** The server's attach, as it came (§2.7.3). */
  get remote(): Composite<"attach"> {
    if (this.#remote === null) throw new MessagingError("ERR_NOT_CONNECTED", "the link is not open yet");
    return this.#remote;
  }

  /** Properties of the server's attach. */
  get properties(): AmqpMap | null {
    return this.remote.properties;
  }

  /** Messages that may be sent, or come, now. */
  get availableCredit(): number {
    return this.life.state === "open" ? this.engineLink.credit : 0;
  }

  /**
   * Detaches for good; resolves when the server has too, however the link ended, or has left it unanswered for `connectTimeoutMs` (RabbitMQ 3: for a
   * second). While the connection is being made again the link ends at once,
   * and the server does not hear of it.
   * @throws {MessagingError} ERR_ABORTED when the signal fires first; the closing goes on
   */
  async close(options: { readonly error?: ErrorDetails; readonly signal?: AbortSignal } = {}): Promise<void> {
    await this.#end(true, options);
  }

  /** Detaches so that the server keeps what it has of this link, for one of the same name later (§2.6.4). Otherwise as `close`. */
  async detach(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    await this.#end(false, options);
  }

  /** Closes the link, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** For the session: we are about to end the link, or what it is on. */
  leave(): void {}

  /** For the session: nobody waits for this link any more. */
  giveUp(): void {
    if (this.life.state !== "closed") this.#detach(true, null);
  }

  /** For the connection: the server attached too. */
  onAttached(attach: Composite<"attach">): void {
    const before = this.#remote === null ? undefined : this.address;
    this.#remote = attach;
    this.#refusal = this.disagreement(attach);
    if (this.#refusal !== null) return this.#detach(true, null);
    const link = this.engineLink;
    if (link.isSender) link.settledAreFree = this.quirks.ownCredit === true;
    this.life.open();
    this.opened();
    if (before !== undefined && before !== this.address) this.session.core.onAddressChanged(this.self);
  }

  /** For the connection: the link is over; `ours` is the reason where we know more than `end` says. */
  onDetached(end: End, ours: MessagingError | null): void {
    this.life.end(end, this.#refusal ?? ours ?? undefined);
    this.over(this.life.reason as MessagingError);
  }

  /** For the connection: it is lost and will come back. */
  suspend(reason: MessagingError): void {
    this.life.suspend(reason);
    this.suspended(reason);
  }

  /** For the session: the link does not come back. */
  fail(error: MessagingError | null, reason: MessagingError = error as MessagingError): void {
    this.life.finish(error, reason);
    this.over(reason);
  }

  /** For the session: attaches the link, the first time or, under the same name, on a new connection. */
  abstract attach(session: Session<ClientOwners>): void;

  /** Where the other end is: as asked for, or as the server named a dynamic node. */
  abstract get address(): string | null;

  /** For the connection: properties came with a flow. */
  onProperties(properties: AmqpMap): void {
    const listener = this.#onProperties;
    if (listener !== undefined) this.session.core.tell("onFlowProperties", () => listener(properties));
  }

  protected abstract get engineLink(): AnyLink<ClientOwners>;

  /** What is wrong with the server's answer, or null. */
  protected abstract disagreement(attach: Composite<"attach">): MessagingError | null;

  /** The link has just been opened, perhaps again. */
  protected abstract opened(): void;

  /** The connection is lost, the link will be attached again. */
  protected abstract suspended(reason: MessagingError): void;

  /** Itself, as one of the two. */
  protected abstract get self(): ClientOwners["link"];

  /** Everything that still waits ends with `reason`. */
  protected abstract over(reason: MessagingError): void;

  /** What both kinds of attach say. */
  protected attachFields(options: LinkOptions): AttachFields {
    return {
      name: this.name,
      properties: (this.#remote === null ? undefined : this.quirks.propertiesAgain) ?? options.properties ?? null,
      desiredCapabilities: options.desiredCapabilities ?? [],
      offeredCapabilities: options.offeredCapabilities ?? [],
    };
  }

  async #end(
    closed: boolean,
    options: { readonly error?: ErrorDetails; readonly signal?: AbortSignal },
  ): Promise<void> {
    if (this.life.state === "reconnecting") {
      // There is no connection to say it on.
      this.fail(null, new MessagingError("ERR_LINK_DETACHED", "link ended by us"));
      this.session.core.onLinkOver(this.self);
    } else if (this.life.state !== "closed") {
      this.leave();
      this.life.closing();
      this.#detach(closed, errorInput(options.error));
    }
    await this.life.whenClosed(options.signal);
  }

  /** Says that it detaches. A server that never answers keeps nobody waiting for ever. */
  #detach(closed: boolean, error: AmqpErrorInput | null): void {
    const link = this.engineLink;
    link.detach({ closed, error });
    const timer = this.session.core.clock.setTimer(this.session.answerMs, () => link.giveUpWaiting());
    void this.life.closed.then(() => timer.cancel());
  }
}

/** The text of a terminus' address: strings as they are, other types by their plain value. */
export function addressText(address: AmqpValue): string | null {
  return address === null ? null : String(plain(address));
}

/** The error of a mode that the server did not agree to. */
export function modeRefused(what: string): MessagingError {
  return new MessagingError(
    "ERR_NOT_SUPPORTED_BY_SERVER",
    `the server does not agree to the ${what} that was asked for`,
  );
}
