// Hot path: `onBytes` and the flush run per turn.

import { abortedError, onAbort } from "../../base/abort.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import { asMessagingError, MessagingError } from "../../base/errors.ts";
import type { TextCodec } from "../../bytes/text.ts";
import { type ChunkPool, Outbox } from "../../transport/outbox.ts";
import type { Transport, TransportHandler } from "../../transport/transport.ts";
import { Condition } from "../codec/conditions.ts";
import type { FlowFields } from "../codec/flow.ts";
import type { AmqpErrorInput, Composite } from "../codec/tables.ts";
import type { AmqpMap } from "../codec/values.ts";
import type { ReceivedDelivery, SentDelivery } from "../engine/deliveries.ts";
import { type End, endError, errorOf } from "../engine/end.ts";
import { Engine } from "../engine/engine.ts";
import type { AnyLink, EngineHandler } from "../engine/handler.ts";
import type { ReceiverLink } from "../engine/receiver-link.ts";
import type { SenderLink } from "../engine/sender-link.ts";
import type { Session } from "../engine/session.ts";
import type { ConnectionSettings } from "./connection-settings.ts";
import { Lifetime } from "./lifetime.ts";
import type { Outcome } from "./outcomes.ts";
import type { ClientOwners } from "./owners.ts";
import { type AmqpPeer, peerOf } from "./peer.ts";
import type { AmqpReceiver } from "./receiver.ts";
import { SaslDialogue } from "./sasl-dialogue.ts";
import type { AmqpSender } from "./sender.ts";
import { TIME_MAX_MS } from "./settings.ts";
import { traceSent } from "./traces.ts";

/** Who a {@link Wire} belongs to. */
export interface WireOwner {
  /** Whether sessions and links that end with their connection will come back on another one. */
  readonly comesBack: boolean;
  /** The wire is over; told once, after all on it were told. */
  onOver(wire: Wire): void;
  onSessionOver(session: ClientOwners["session"]): void;
  onLinkOver(link: ClientOwners["link"]): void;
}

/** One connection to a server: moves bytes, time and deadlines between transport and engine, and tells owners what the engine says. */
export class Wire implements TransportHandler, EngineHandler<ClientOwners> {
  readonly settings: ConnectionSettings;
  readonly clock: Clock;
  readonly text: TextCodec;
  readonly engine: Engine<ClientOwners>;
  readonly life: Lifetime = new Lifetime();
  readonly #owner: WireOwner;
  readonly #outbox: Outbox;
  readonly #sasl: SaslDialogue;
  #transport: Transport | null = null;
  #peer: AmqpPeer | null = null;
  #timer: Timer | null = null;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #blockedSinceMs = -1;
  /** Why we end the connection, where that is more than the engine knows. */
  #reason: MessagingError | null = null;
  readonly #onFlush = (): void => this.flush();
  readonly #onTimer = (): void => this.#onTime();

  constructor(settings: ConnectionSettings, pool: ChunkPool, owner: WireOwner) {
    this.settings = settings;
    this.#owner = owner;
    const { clock, text } = settings.platform;
    this.clock = clock;
    this.text = text;
    this.#outbox = new Outbox({
      pool,
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

  /** What the server said in its open; null before. */
  get peer(): AmqpPeer | null {
    return this.#peer;
  }

  /** Dials, authenticates and opens; what fails leaves nothing open. @throws {MessagingError} as `connect` */
  async connect(signal: AbortSignal | undefined): Promise<void> {
    const { settings, clock } = this;
    const startedMs = clock.nowMs();
    this.#start(await settings.platform.dial(settings.endpoint, { ...settings.dial, signal }, this));
    const leftMs = Math.max(1, settings.connectTimeoutMs - (clock.nowMs() - startedMs));
    const timer = clock.setTimer(leftMs, () =>
      this.destroy(new MessagingError("ERR_CONNECT_TIMEOUT", `no open from ${settings.endpoint.display} in time`)),
    );
    const release = onAbort(signal, () => this.destroy(abortedError(signal as AbortSignal)));
    try {
      await this.life.whenOpen(undefined, () => {});
    } finally {
      timer.cancel();
      release();
    }
  }

  close(error: AmqpErrorInput | null): void {
    this.life.closing();
    this.engine.close(error);
    this.flush();
  }

  /** Ends the wire at once because of an error of ours, without a word. */
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
    this.#peer = peerOf(open);
    this.life.open();
  }

  onClose(end: End): void {
    this.life.end(end, this.#reason ?? undefined);
    this.#owner.onOver(this);
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
    const { owner } = session;
    if (owner.life.state === "closed") return;
    if (this.#survives(owner.life, end)) return owner.life.suspend(this.#why(end));
    owner.life.end(end, end.scope === "connection" ? (this.#reason ?? undefined) : undefined);
    this.#owner.onSessionOver(owner);
  }

  onAttach(link: AnyLink<ClientOwners>, attach: Composite<"attach">): void {
    if (link.byPeer) link.refuse(errorOf(Condition.notAllowed, "a client takes no links"));
    else link.owner.onAttached(attach);
  }

  onDetach(link: AnyLink<ClientOwners>, end: End): void {
    if (link.byPeer) return;
    const { owner } = link;
    if (owner.life.state === "closed") return;
    if (this.#survives(owner.life, end)) return owner.suspend(this.#why(end));
    owner.onDetached(end, end.scope === "connection" ? this.#reason : null);
    this.#owner.onLinkOver(owner);
  }

  onCredit(): void {}

  onSent(link: SenderLink<ClientOwners>, item: ClientOwners["item"]): void {
    if (item.trace !== null) traceSent(link, item, item.trace);
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

  /** The transport is there: the handshake begins. */
  #start(transport: Transport): void {
    this.#transport = transport;
    this.#outbox.open(transport);
    this.#sasl.secure = transport.info.secure;
    try {
      this.engine.start();
      this.flush();
    } catch (error) {
      // Of the encoder: what the application has the connection say.
      this.destroy(asMessagingError(error, "ERR_INVALID_ARGUMENT"));
    }
  }

  /** Whether what ends this way goes on when the connection is made again. */
  #survives(life: Lifetime, end: End): boolean {
    return end.scope === "connection" && life.lasting && this.#owner.comesBack;
  }

  #why(end: End): MessagingError {
    return this.#reason ?? endError(end);
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
