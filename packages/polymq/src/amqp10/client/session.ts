import { asMessagingError, MessagingError } from "../../base/errors.ts";
import { noop } from "../../base/noop.ts";
import type { AmqpErrorInput } from "../codec/tables.ts";
import type { AmqpMap } from "../codec/values.ts";
import type { Session } from "../engine/session.ts";
import type { SessionOptions as EngineSessionOptions } from "../engine/session-options.ts";
import type { ConnectionCore } from "./connection-core.ts";
import { type LifeState, Lifetime } from "./lifetime.ts";
import type { ReceiverOptions, SenderOptions, SessionOptions } from "./options.ts";
import { type ErrorDetails, errorInput } from "./outcomes.ts";
import type { ClientOwners } from "./owners.ts";
import { isRabbitMq3 } from "./peer.ts";
import { AmqpReceiver } from "./receiver.ts";
import { AmqpRelay, type RelayOptions } from "./relay.ts";
import { AmqpRequester, type RequesterOptions } from "./requests/requester.ts";
import { AmqpResponder, type RequestHandler, type ResponderOptions } from "./requests/responder.ts";
import { AmqpSender } from "./sender.ts";
import { wholeNumber } from "./settings.ts";
import { AmqpCoordinator, type CoordinatorOptions } from "./transactions/coordinator.ts";
import type { Wire } from "./wire.ts";

/** Time that RabbitMQ 3 has to answer an end or a detach: it takes some milliseconds, where it answers at all. */
const RABBITMQ_3_ANSWER_MS = 1_000;

/** The options of a session, checked. */
export interface SessionSettings {
  readonly maxLinks: number;
  readonly engine: EngineSessionOptions;
}

/** @throws {MessagingError} ERR_INVALID_OPTIONS */
export function sessionSettings(options: SessionOptions): SessionSettings {
  const window = { from: 1, to: 0x7fff_ffff };
  const maxLinks = wholeNumber("maxLinks", options.maxLinks, { from: 1, to: 0x1_0000_0000, otherwise: 4_096 });
  return {
    maxLinks,
    engine: {
      handleMax: maxLinks - 1,
      incomingWindow: wholeNumber("incomingWindow", options.incomingWindow, { ...window, otherwise: 2_048 }),
      outgoingWindow: wholeNumber("outgoingWindow", options.outgoingWindow, { ...window, otherwise: 0x7fff_ffff }),
      properties: options.properties ?? null,
      desiredCapabilities: options.desiredCapabilities ?? [],
      offeredCapabilities: options.offeredCapabilities ?? [],
    },
  };
}

/** A session: links that share their windows and settle in one order (§2.5). Made by `AmqpConnection.createSession`. */
export class AmqpSession {
  /** For the connection. */
  readonly life: Lifetime = new Lifetime();
  /** For the connection: what it is part of. */
  readonly core: ConnectionCore;
  /** For the connection: whether others need this session, so that it is brought back before them. */
  comesFirst = false;
  readonly #settings: SessionSettings;
  readonly #links = new Set<AmqpSender | AmqpReceiver>();
  #session: Session<ClientOwners> | null = null;
  #answerMs = 0;
  readonly #onRestored: (() => Promise<void>)[] = [];

  /** For the connection. */
  constructor(core: ConnectionCore, settings: SessionSettings) {
    this.core = core;
    this.#settings = settings;
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

  /** Properties that the server sent with its begin. */
  get properties(): AmqpMap | null {
    return this.#session?.remote?.properties ?? null;
  }

  /** Links that are open or being opened or closed. */
  get links(): readonly (AmqpSender | AmqpReceiver)[] {
    return [...this.#links];
  }

  /** For links: how long the server's answer to an end or a detach is waited for. */
  get answerMs(): number {
    return isRabbitMq3(this.core.peer) ? Math.min(RABBITMQ_3_ANSWER_MS, this.#answerMs) : this.#answerMs;
  }

  /**
   * Attaches a link to send to `address`; null with a dynamic target, or for the anonymous relay. Resolves when the server has attached too.
   * @throws {MessagingError} ERR_LINK_DETACHED with the server's reason when it refuses, ERR_INVALID_ARGUMENT for a name in use,
   *   ERR_INVALID_OPTIONS, ERR_UNSUPPORTED when there may be no more links, ERR_NOT_SUPPORTED_BY_SERVER for a mode that it does not agree to,
   *   ERR_NOT_CONNECTED while the connection is being made again, ERR_ABORTED, and the error of a session or connection that is over
   */
  createSender(address: string | null, options: SenderOptions = {}): Promise<AmqpSender> {
    return this.open(options.signal, () => new AmqpSender(this, address, options));
  }

  /**
   * Attaches a link to receive from `address`; null with a dynamic source. Resolves when the server has attached too; messages may come from then on.
   * @throws {MessagingError} as {@link AmqpSession.createSender}; ERR_NOT_SUPPORTED_BY_SERVER also for filters that it ignores, when asked to
   */
  createReceiver(address: string | null, options: ReceiverOptions = {}): Promise<AmqpReceiver> {
    return this.open(options.signal, () => new AmqpReceiver(this, address, options));
  }

  /**
   * Makes a requester: requests go to `address`, answers come to a dynamic node of its own. @throws {MessagingError} as {@link AmqpSession.createSender}
   */
  async createRequester(address: string | null, options: RequesterOptions = {}): Promise<AmqpRequester> {
    return await new AmqpRequester(this, options).open(address);
  }

  /**
   * Answers requests that come to `address`: `handler` makes the answer, which goes to the request's `reply-to`. A request is accepted when its answer is
   * sent, and rejected when the handler fails. @throws {MessagingError} as {@link AmqpSession.createReceiver}
   */
  createResponder(
    address: string | null,
    handler: RequestHandler,
    options: ResponderOptions = {},
  ): Promise<AmqpResponder> {
    return AmqpResponder.attach(this, address, handler, options);
  }

  /**
   * Attaches to the server's coordinator of transactions (§4.2).
   * @throws {MessagingError} as {@link AmqpSession.createSender}; ERR_LINK_DETACHED from a server without transactions
   */
  async createCoordinator(options: CoordinatorOptions = {}): Promise<AmqpCoordinator> {
    return await AmqpCoordinator.attach(this, options);
  }

  /**
   * Makes a relay: a sender whose messages go each to an address of its own, over the anonymous terminus where the server has one, else over a link
   * for each address. @throws {MessagingError} as {@link AmqpSession.createSender}
   */
  async createRelay(options: RelayOptions = {}): Promise<AmqpRelay> {
    this.#open();
    return await new AmqpRelay(this, options).open();
  }

  /**
   * Ends the session; resolves when the server has too, however it ended, or has left it unanswered for `connectTimeoutMs` (RabbitMQ 3, which loses answers:
   * for a second). Its links end with it, and what they waited for rejects.
   * @throws {MessagingError} ERR_ABORTED when the signal fires first; the ending goes on
   */
  async close(options: { readonly error?: ErrorDetails; readonly signal?: AbortSignal } = {}): Promise<void> {
    if (this.life.state === "reconnecting") {
      this.fail(null, new MessagingError("ERR_SESSION_ENDED", "session ended by us"));
      this.core.onSessionOver(this);
    }
    this.leave();
    this.life.closing();
    this.#end(errorInput(options.error));
    await this.life.whenClosed(options.signal);
  }

  /** Ends the session, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** For parts of the client: attaches the link that `make` gives, and waits for the server. */
  async open<L extends AmqpSender | AmqpReceiver>(signal: AbortSignal | undefined, make: () => L): Promise<L> {
    const session = this.#open();
    const link = make();
    link.attach(session);
    this.#links.add(link);
    await link.life.whenOpen(signal, () => link.giveUp());
    return link;
  }

  /** For the connection: we are about to end the session, or the connection. */
  leave(): void {
    if (this.life.state === "open") for (const link of this.#links) link.leave();
  }

  /** For the connection. */
  begin(wire: Wire): void {
    this.#session = wire.engine.begin(this.#settings.engine, this);
    this.#answerMs = wire.settings.connectTimeoutMs;
  }

  /** For the connection. */
  async whenOpen(signal: AbortSignal | undefined): Promise<void> {
    await this.life.whenOpen(signal, () => this.#end(null));
  }

  /** For parts of the client: `then` is done each time that the session has come back, before the connection counts as back. */
  onRestored(then: () => Promise<void>): void {
    this.#onRestored.push(then);
  }

  /** For the connection: begins the session and attaches its links on a new one. What the server refuses ends; rejects when `wire` is over. */
  async restore(wire: Wire): Promise<void> {
    try {
      this.begin(wire);
      await this.life.whenOpen(undefined, noop);
      const links = [...this.#links].filter((link) => link.state === "reconnecting");
      await Promise.all(links.map((link) => this.#restoreLink(link)));
      for (const then of this.#onRestored) await then();
    } catch (error) {
      if (wire.life.reason !== null) throw wire.life.reason;
      if (this.life.state === "closed") return;
      const failure = asMessagingError(error, "ERR_SESSION_ENDED");
      // Without what others need, such as a token, these would be refused for good: it is for the next attempt to try again.
      if (failure.scope === "connection") {
        wire.destroy(failure);
        throw failure;
      }
      this.fail(failure);
      this.core.onSessionOver(this);
    }
  }

  /** For the connection: it is over, for good. */
  fail(error: MessagingError | null, reason: MessagingError = error as MessagingError): void {
    for (const link of [...this.#links]) {
      link.fail(error, reason);
      this.core.onLinkOver(link);
    }
    this.life.finish(error, reason);
  }

  /** For the connection: a link of this session is over. */
  forget(link: AmqpSender | AmqpReceiver): void {
    this.#links.delete(link);
  }

  /** Says that it ends. A server that never answers keeps nobody waiting for ever. */
  #end(error: AmqpErrorInput | null): void {
    const session = this.#session;
    if (session === null || this.life.state === "closed") return;
    session.end(error);
    const timer = this.core.clock.setTimer(this.answerMs, () => session.giveUpWaiting());
    void this.life.closed.then(() => timer.cancel());
  }

  async #restoreLink(link: AmqpSender | AmqpReceiver): Promise<void> {
    const session = this.#session as Session<ClientOwners>;
    try {
      link.attach(session);
      await link.life.whenOpen(undefined, noop);
    } catch (error) {
      // What the server refuses was told already.
      if (session.state !== "mapped") throw error;
      if (link.life.state !== "reconnecting") return;
      link.fail(asMessagingError(error, "ERR_LINK_DETACHED"));
      this.core.onLinkOver(link);
    }
  }

  #open(): Session<ClientOwners> {
    if (this.life.reason !== null) throw this.life.reason;
    if (this.#session === null || this.life.state !== "open") {
      throw new MessagingError("ERR_NOT_CONNECTED", "the session is not open");
    }
    if (this.links.length >= this.#settings.maxLinks) {
      throw new MessagingError("ERR_UNSUPPORTED", `this session was made for ${this.#settings.maxLinks} links`);
    }
    return this.#session;
  }
}
