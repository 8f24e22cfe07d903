// Hot path: `onBytes` and the flush run per turn.

import type { Clock, Timer } from "../../base/clock.ts";
import { type Diagnostics, diagnostics } from "../../base/diagnostics.ts";
import { Emitter, type EventOf, type EventStream } from "../../base/emitter.ts";
import { MessagingError } from "../../base/errors.ts";
import type { TextCodec } from "../../bytes/text.ts";
import { ChunkPool, Outbox } from "../../transport/outbox.ts";
import type { Transport, TransportHandler } from "../../transport/transport.ts";
import { Condition } from "../codec/conditions.ts";
import type { FlowFields } from "../codec/flow.ts";
import type { AmqpErrorInput, Composite } from "../codec/tables.ts";
import type { AmqpMap } from "../codec/values.ts";
import type { ReceivedDelivery, SentDelivery } from "../engine/deliveries.ts";
import { type End, errorOf } from "../engine/end.ts";
import { Engine } from "../engine/engine.ts";
import type { AnyLink, EngineHandler } from "../engine/handler.ts";
import type { ReceiverLink } from "../engine/receiver-link.ts";
import type { SenderLink } from "../engine/sender-link.ts";
import type { Session } from "../engine/session.ts";
import type { ConnectionSettings } from "./connection-settings.ts";
import { type LifeState, Lifetime } from "./lifetime.ts";
import type { SessionOptions } from "./options.ts";
import { type ErrorDetails, errorInput, type Outcome } from "./outcomes.ts";
import type { ClientOwners } from "./owners.ts";
import type { AmqpReceiver } from "./receiver.ts";
import { SaslDialogue } from "./sasl-dialogue.ts";
import type { AmqpSender } from "./sender.ts";
import { AmqpSession, sessionSettings } from "./session.ts";
import { TIME_MAX_MS } from "./settings.ts";

/** What a connection tells its listeners. `error` is null after an orderly end of ours. */
export type AmqpConnectionEvent =
  | { readonly type: "close"; readonly error: MessagingError | null }
  | { readonly type: "sessionClose"; readonly session: AmqpSession; readonly error: MessagingError | null }
  | { readonly type: "linkClose"; readonly link: AmqpSender | AmqpReceiver; readonly error: MessagingError | null };

/** What the server said in its open (§2.7.1). */
export interface AmqpPeer {
  readonly containerId: string;
  readonly hostname: string | null;
  readonly maxFrameSize: number;
  readonly maxSessions: number;
  readonly idleTimeoutMs: number | null;
  readonly offeredCapabilities: readonly string[];
  readonly desiredCapabilities: readonly string[];
  readonly properties: AmqpMap | null;
}

/** One AMQP 1.0 connection of a client, made by `connect`. It does not reconnect: when it is over, everything on it is. */
export class AmqpConnection {
  readonly #link: Wire;

  /** For `connect`. */
  constructor(wire: Wire) {
    this.#link = wire;
  }

  get state(): LifeState {
    return this.#link.life.state;
  }

  /** The error that ended it; null while it is open, and after an orderly end of ours. */
  get error(): MessagingError | null {
    return this.#link.life.error;
  }

  /** Resolves when it is over, with the error that ended it or null. Never rejects. */
  get closed(): Promise<MessagingError | null> {
    return this.#link.life.closed;
  }

  get containerId(): string {
    return this.#link.settings.containerId;
  }

  /** What the server said of itself. */
  get peer(): AmqpPeer {
    return this.#link.peer;
  }

  /** Sessions that are open or being opened or closed. */
  get sessions(): readonly AmqpSession[] {
    return this.#link.sessions;
  }

  /**
   * Begins a session; resolves when the server has answered.
   * @throws {MessagingError} ERR_NOT_CONNECTED, ERR_UNSUPPORTED when the server takes no more sessions, ERR_INVALID_OPTIONS, ERR_ABORTED, and
   *   the error of a connection or session that ended meanwhile
   */
  async createSession(options: SessionOptions = {}): Promise<AmqpSession> {
    const wire = this.#link;
    const settings = sessionSettings(options);
    if (wire.life.reason !== null) throw wire.life.reason;
    const session = new AmqpSession(wire, settings);
    session.begin();
    await session.whenOpen(options.signal);
    return session;
  }

  /**
   * Says goodbye and waits for the server's; resolves when the connection is over, however it ended. Links and sessions on it end with it,
   * and what they still waited for rejects. Calls after the first wait with it.
   * @throws {MessagingError} ERR_ABORTED when the signal fires first; the connection is then cut
   */
  async close(options: { readonly error?: ErrorDetails; readonly signal?: AbortSignal } = {}): Promise<void> {
    const wire = this.#link;
    wire.close(errorInput(options.error));
    try {
      await wire.life.whenClosed(options.signal);
    } catch (error) {
      this.destroy();
      throw error;
    }
  }

  /** Cuts the connection without a goodbye. */
  destroy(): void {
    this.#link.destroy(new MessagingError("ERR_CLIENT_CLOSED", "the connection was destroyed"));
  }

  /** Calls `listener` at each event of the type; the returned function stops it. */
  on<K extends AmqpConnectionEvent["type"]>(
    type: K,
    listener: (event: EventOf<AmqpConnectionEvent, K>) => unknown,
  ): () => void {
    return this.#link.events.on(type, listener);
  }

  /** All events from now on; ends with the connection. Up to 1,024 wait for a slow reader, then the oldest are dropped. */
  events(): EventStream<AmqpConnectionEvent> {
    return this.#link.events.events();
  }

  /** Closes the connection, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** The connection as its parts see it: moves bytes, time and deadlines between transport and engine, and tells owners what the engine says. */
export class Wire implements TransportHandler, EngineHandler<ClientOwners> {
  readonly settings: ConnectionSettings;
  readonly clock: Clock;
  readonly text: TextCodec;
  readonly engine: Engine<ClientOwners>;
  readonly life: Lifetime = new Lifetime();
  readonly events: Emitter<AmqpConnectionEvent>;
  readonly #outbox: Outbox;
  readonly #sasl: SaslDialogue;
  readonly #diagnostics: Diagnostics = diagnostics();
  #transport: Transport | null = null;
  #peer: AmqpPeer | null = null;
  #timer: Timer | null = null;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #blockedSinceMs = -1;
  /** Why we end the connection, where that is more than the engine knows. */
  #reason: MessagingError | null = null;
  readonly #onFlush = (): void => this.flush();
  readonly #onTimer = (): void => this.#onTime();

  constructor(settings: ConnectionSettings) {
    this.settings = settings;
    const { clock, text } = settings.platform;
    this.clock = clock;
    this.text = text;
    this.events = new Emitter((error, event) => this.#warn(`a listener of ${event.type} failed`, error));
    this.#outbox = new Outbox({
      pool: new ChunkPool(),
      text,
      armFlush: () => clock.nextTurn(this.#onFlush),
      highWaterBytes: HIGH_WATER_BYTES,
    });
    this.engine = new Engine<ClientOwners>({
      role: "client",
      outbox: this.#outbox,
      handler: this,
      nowMs: clock.nowMs(),
      open: settings.open,
      sasl: settings.mechanisms === null ? "none" : "required",
      maxFrameSize: settings.maxFrameSize,
      channelMax: settings.maxSessions - 1,
      idleTimeoutMs: settings.idleTimeoutMs,
      // The attempt has a deadline of its own, which comes first.
      handshakeTimeoutMs: Math.min(TIME_MAX_MS, settings.connectTimeoutMs + CLOSING_MS),
    });
    this.#sasl = new SaslDialogue(this.engine, settings, {
      answered: () => this.flush(),
      failed: (error) => this.destroy(error),
    });
  }

  get peer(): AmqpPeer {
    if (this.#peer === null) throw new MessagingError("ERR_NOT_CONNECTED", "the connection is not open yet");
    return this.#peer;
  }

  get sessions(): readonly AmqpSession[] {
    return this.engine.sessions.filter((session) => !session.byPeer).map((session) => session.owner);
  }

  /** The transport is there: the handshake begins. */
  start(transport: Transport): void {
    this.#transport = transport;
    this.#outbox.open(transport);
    this.#sasl.secure = transport.info.secure;
    this.engine.start();
    this.flush();
  }

  close(error: AmqpErrorInput | null): void {
    this.life.closing();
    this.engine.close(error);
    this.flush();
  }

  /** Ends the connection at once because of an error of ours, without a word. */
  destroy(error: MessagingError): void {
    if (this.engine.over) return;
    this.#reason ??= error;
    this.engine.lost(error);
    this.#transport?.destroy();
  }

  /** Writes what was gathered; what waits for room goes on. */
  flush(): void {
    if (this.#transport === null) return;
    this.engine.flush(this.clock.nowMs());
    if (!this.#outbox.blocked) this.#blockedSinceMs = -1;
    else if (this.#blockedSinceMs < 0) this.#blockedSinceMs = this.clock.nowMs();
    if (this.engine.over) this.#closeInOrder();
    else this.#arm();
  }

  // Transport

  onBytes(chunk: Uint8Array): void {
    this.engine.onBytes(chunk, this.clock.nowMs());
    this.flush();
  }

  onDrain(): void {
    this.#outbox.drained();
    this.#blockedSinceMs = this.#outbox.blocked ? this.clock.nowMs() : -1;
    if (this.#outbox.blocked) return;
    if (this.engine.over) this.#transport?.close();
    else this.engine.pump();
  }

  onClosed(error: Error | null): void {
    this.#timer?.cancel();
    this.#transport = null;
    this.engine.lost(error);
    this.#outbox.close();
  }

  // Engine: the connection

  onSaslMechanisms(mechanisms: readonly string[]): void {
    this.#sasl.onMechanisms(mechanisms);
  }

  onSaslChallenge(challenge: Uint8Array): void {
    this.#sasl.onChallenge(challenge);
  }

  onSaslOutcome(code: number, additionalData: Uint8Array | null): void {
    const refusal = this.#sasl.onOutcome(code, additionalData);
    if (refusal === null) return;
    this.#reason ??= refusal;
    this.engine.fail(Condition.unauthorizedAccess, refusal.message, refusal);
  }

  onSaslInit(): void {}

  onSaslResponse(): void {}

  onOpen(open: Composite<"open">): void {
    this.#peer = {
      containerId: open.containerId,
      hostname: open.hostname,
      maxFrameSize: open.maxFrameSize,
      maxSessions: open.channelMax + 1,
      idleTimeoutMs: open.idleTimeOut,
      offeredCapabilities: open.offeredCapabilities,
      desiredCapabilities: open.desiredCapabilities,
      properties: open.properties,
    };
    this.life.open();
  }

  onClose(end: End): void {
    this.life.end(end, this.#reason ?? undefined);
    this.events.emit({ type: "close", error: this.life.error });
    this.events.end();
    // Whoever ended it may be in the middle of something: the flush of this turn writes the goodbye and closes.
    this.#outbox.commit();
  }

  // Engine: sessions and links

  onBegin(session: Session<ClientOwners>): void {
    if (session.byPeer) session.end(errorOf(Condition.notAllowed, "a client takes no sessions"));
    else session.owner.life.open();
  }

  onEnd(session: Session<ClientOwners>, end: End): void {
    if (session.byPeer) return;
    session.owner.life.end(end);
    this.events.emit({ type: "sessionClose", session: session.owner, error: session.owner.error });
  }

  onAttach(link: AnyLink<ClientOwners>, attach: Composite<"attach">): void {
    if (link.byPeer) link.refuse(errorOf(Condition.notAllowed, "a client takes no links"));
    else link.owner.onAttached(attach);
  }

  onDetach(link: AnyLink<ClientOwners>, end: End): void {
    if (link.byPeer) return;
    link.owner.onDetached(end);
    this.events.emit({ type: "linkClose", link: link.owner, error: link.owner.error });
  }

  onCredit(): void {}

  onSent(_link: SenderLink<ClientOwners>, item: ClientOwners["item"]): void {
    item.onSent?.();
  }

  onFlow(link: AnyLink<ClientOwners>, _flow: FlowFields, properties: AmqpMap | null): void {
    if (properties !== null) link.owner.onProperties(properties);
  }

  onDrained(link: ReceiverLink<ClientOwners>): void {
    (link.owner as AmqpReceiver).onDrained();
  }

  onDelivery(delivery: ReceivedDelivery<ClientOwners>): void {
    (delivery.link.owner as AmqpReceiver).onDelivery(delivery);
  }

  onOutcome(delivery: SentDelivery<ClientOwners>, state: Outcome | null, settled: boolean): void {
    (delivery.link.owner as AmqpSender).onOutcome(delivery, state, settled);
  }

  onSettled(delivery: ReceivedDelivery<ClientOwners>, state: Outcome | null, settled: boolean): void {
    (delivery.link.owner as AmqpReceiver).onSettled(delivery, state, settled);
  }

  /** Calls what the application gave; what it throws concerns nobody here. */
  tell(what: string, call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#warn(`${what} failed`, error);
    }
  }

  #warn(message: string, error: unknown): void {
    const channel = this.#diagnostics.warning;
    if (channel.hasSubscribers) channel.publish({ component: "amqp 1.0 client", message, error });
  }

  #closeInOrder(): void {
    const transport = this.#transport;
    if (transport === null) return;
    if (!this.#outbox.blocked) transport.close();
    this.#timer?.cancel();
    this.#timer = this.clock.setTimer(CLOSING_MS, () => transport.destroy());
  }

  /** Sets the one timer for the nearest deadline, unless it is set for an earlier time already. */
  #arm(): void {
    const { writeTimeoutMs } = this.settings;
    let deadlineMs = this.engine.deadlineMs;
    if (writeTimeoutMs > 0 && this.#blockedSinceMs >= 0) {
      deadlineMs = Math.min(deadlineMs, this.#blockedSinceMs + writeTimeoutMs);
    }
    if (deadlineMs >= this.#timerAtMs) return;
    this.#timer?.cancel();
    this.#timerAtMs = deadlineMs;
    const waitMs = Math.max(1, deadlineMs - this.clock.nowMs());
    this.#timer = this.clock.setTimer(waitMs, this.#onTimer);
  }

  #onTime(): void {
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    const { writeTimeoutMs } = this.settings;
    const heldMs = this.#blockedSinceMs < 0 ? -1 : this.clock.nowMs() - this.#blockedSinceMs;
    if (writeTimeoutMs > 0 && heldMs >= writeTimeoutMs) {
      return this.destroy(new MessagingError("ERR_WRITE_TIMEOUT", `the server took no bytes for ${writeTimeoutMs} ms`));
    }
    // A process that stood still must not look like a silent server: input that waits is read first.
    this.clock.nextTurn(() => {
      if (this.engine.over) return;
      this.engine.onTime(this.clock.nowMs());
      this.flush();
    });
  }
}

/** Unsent bytes above which links wait for room. */
const HIGH_WATER_BYTES = 1_048_576;

/** Time that a goodbye has to leave before the connection is cut. */
const CLOSING_MS = 1_000;
