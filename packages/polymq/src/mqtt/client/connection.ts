// Hot path: `onBytes`, `nowMs` and `check` run per chunk or message.
import type { Clock, Timer } from "../../base/clock.ts";
import { MessagingError } from "../../base/errors.ts";
import type { Lazy } from "../../base/lazy.ts";
import type { TextCodec } from "../../bytes/text.ts";
import { type ChunkPool, Outbox } from "../../transport/outbox.ts";
import type { Transport, TransportHandler } from "../../transport/transport.ts";
import type {
  Auth,
  Connack,
  Connect,
  Disconnect,
  DisconnectProperties,
  QoS,
  ReasonProperties,
  Suback,
  Unsuback,
} from "../codec/packets.ts";
import { ClientEngine, type ClientHandler } from "../engine/client-engine.ts";
import { CLIENT_LEVEL_4 } from "../engine/client-level-4.ts";
import type { OutboundFlow } from "../engine/outbound-flow.ts";
import { type ServerCapabilities, serverCapabilities } from "./capabilities.ts";
import type { Intake } from "./intake.ts";
import type { Link } from "./link.ts";
import type { Mqtt5 } from "./mqtt5.ts";
import type { Settings } from "./options.ts";
import { type ClientItem, PendingPublish } from "./pending.ts";
import type { Publisher } from "./publisher.ts";
import { missingAtServer, missingInVersion4, refusedByServer } from "./refusals.ts";
import type { Route } from "./subscriptions.ts";

/** How often acknowledgement deadlines are looked at, as a share of the timeout. */
const EXPIRY_CHECKS = 4;

/** What a connection tells its client; each of `onOpen`, `onRefused` and `onEnd` at most once, `onEnd` last. */
export interface ConnectionOwner {
  onOpen(connack: Connack, connection: Connection): void;
  onRefused(connack: Connack): void;
  onAuth(packet: Auth, connection: Connection): void;
  onServerDisconnect(packet: Disconnect): void;
  /** A message came, and nothing is there to receive it: reading has stopped until `receive` is called. */
  onHeld(connection: Connection): void;
  /** PUBREL: the id may be forgotten; answered through `sendPubcomp`. */
  onReleased(packetId: number, known: boolean, connection: Connection): void;
  /** Time to look at deadlines of acknowledgements; what was written before `flowingSinceMs` left then at the earliest. */
  onExpiry(nowMs: number, flowingSinceMs: number): void;
  /** Nothing can be sent on it any more; `onEnd` follows. May be told repeatedly. */
  onOver(connection: Connection): void;
  /** The connection is over; null after a `disconnect` of ours. */
  onEnd(error: MessagingError | null, connection: Connection): void;
}

/** What is shared by all connections of a client. */
export interface ConnectionParts {
  readonly clock: Clock;
  readonly text: TextCodec;
  readonly pool: ChunkPool;
  readonly settings: Settings;
  /** The session's. */
  readonly outbound: OutboundFlow<ClientItem>;
  readonly publisher: Publisher;
  /** What receives messages, or null as long as nothing can. */
  readonly intake: () => Intake | null;
  readonly mqtt5: Lazy<Mqtt5>;
}

/** One network connection with its engine: moves bytes, time and deadlines between transport and engine. */
export class Connection implements Link, TransportHandler, ClientHandler<ClientItem> {
  readonly engine: ClientEngine<ClientItem, Route>;
  readonly outbox: Outbox;
  capabilities: ServerCapabilities;
  readonly clientId: string;
  readonly #parts: ConnectionParts;
  readonly #owner: ConnectionOwner;
  readonly #clock: Clock;
  #transport: Transport | null = null;
  #nowMs: number;
  #timer: Timer | null = null;
  #timerAtMs = Number.POSITIVE_INFINITY;
  /** When the transport began to hold bytes back, or -1. */
  #blockedSinceMs = -1;
  /** When it last began to take bytes again. */
  #flowingSinceMs: number;
  #wakeWanted = false;
  #paused = false;
  #readingWanted = true;
  /** True while messages are held that nothing can receive yet. */
  #holding = false;
  #ended = false;
  /** Set by whoever ends the connection, for `onEnd`. */
  #reason: MessagingError | null = null;
  readonly #drainWaiters: (() => void)[] = [];
  readonly #flush: () => void;
  readonly #onTimer: () => void;

  constructor(parts: ConnectionParts, connect: Connect, owner: ConnectionOwner) {
    const { clock, settings } = parts;
    this.clientId = connect.clientId;
    this.#parts = parts;
    this.#owner = owner;
    this.#clock = clock;
    this.#nowMs = clock.nowMs();
    this.#flowingSinceMs = this.#nowMs;
    this.#flush = () => this.#onFlush();
    this.#onTimer = () => this.#onTime();
    this.outbox = new Outbox({
      pool: parts.pool,
      text: parts.text,
      armFlush: () => this.#armFlush(),
      highWaterBytes: settings.highWaterBytes,
    });
    this.engine = new ClientEngine({
      outbox: this.outbox,
      handler: this,
      outbound: parts.outbound,
      requests: () => parts.intake()?.requests ?? null,
      receiver: (reception) => parts.intake()?.receiver(reception) ?? null,
      maximumPacketSize: settings.maximumPacketSize,
      nowMs: this.#nowMs,
      connect,
      rules: connect.level === 4 ? CLIENT_LEVEL_4 : parts.mqtt5.loaded.level,
      maxInflight: settings.maxInflight,
      pingTimeoutMs: settings.pingTimeoutMs,
      useTopicAliases: settings.outboundTopicAliases === "auto",
    });
    this.capabilities = serverCapabilities(NO_CONNACK, settings);
  }

  /** The transport is there: CONNECT leaves, or the connection ends with the reason why it cannot be written. */
  start(transport: Transport): void {
    this.#transport = transport;
    this.outbox.open(transport);
    try {
      this.engine.start();
      this.outbox.flush();
    } catch (error) {
      // Of the encoder; what is not typed is made so with every other failure of the attempt.
      this.destroy(error as MessagingError);
    }
  }

  nowMs(): number {
    return this.#nowMs;
  }

  wakeWhenRoom(): void {
    this.#wakeWanted = true;
    if (!this.outbox.blocked) this.outbox.commit();
  }

  check(qos: QoS, retain: boolean, block: Uint8Array | null): void {
    const server = this.capabilities;
    if (qos > server.maximumQoS) throw missingAtServer(`QoS ${qos}`); // [MQTT-3.2.2-11]
    if (retain && !server.retainAvailable) throw missingAtServer("retained messages"); // [MQTT-3.2.2-14]
    if (block !== null && this.engine.protocolLevel === 4) throw missingInVersion4("publish properties");
  }

  fail(error: MessagingError): void {
    this.engine.fail(error);
  }

  sendAuth(packet: Auth): void {
    this.engine.sendAuth(packet);
  }

  /** Resolves when all bytes written so far have left, or the connection has ended. */
  drained(): Promise<void> {
    this.outbox.flush();
    if (this.#ended || !this.outbox.blocked) return Promise.resolve();
    return new Promise((resolve) => this.#drainWaiters.push(resolve));
  }

  /**
   * Says goodbye and ends the connection in order.
   * @throws {MessagingError} ERR_INVALID_ARGUMENT, with the connection as it was, for what a client may not say
   */
  disconnect(reasonCode: number, properties: DisconnectProperties | null): void {
    if (this.#ended) return;
    this.engine.disconnect(reasonCode, properties);
    this.#owner.onOver(this);
    this.#closeInOrder();
  }

  /** Ends at once, without a goodbye. */
  destroy(error: MessagingError | null): void {
    if (this.#ended) return;
    this.#reason ??= error;
    this.engine.end();
    this.#owner.onOver(this);
    this.#transport?.destroy();
    if (this.#transport === null) this.#finish();
  }

  /** Stops or starts reading. */
  setReading(reading: boolean): void {
    if (this.#ended) return;
    this.#readingWanted = reading;
    const paused = !reading || this.#holding;
    if (this.#paused === paused || this.#transport === null) return;
    this.#paused = paused;
    if (paused) this.#transport.pause();
    else this.#transport.resume();
  }

  /** Messages can be received now: takes those that were held, and reads on. */
  receive(): void {
    this.engine.receive();
    if (!this.#holding) return;
    this.#holding = false;
    this.#parts.intake()?.inbox.chunkEnded();
    this.setReading(this.#readingWanted);
  }

  // Transport

  onBytes(chunk: Uint8Array): void {
    this.#nowMs = this.#clock.nowMs();
    this.engine.onBytes(chunk, this.#nowMs);
    this.#parts.intake()?.inbox.chunkEnded();
    // Acknowledgements and what handlers published leave now: waiting for the turn's end costs a round trip 10 to 20 %.
    if (this.outbox.hasUnflushed) this.#onFlush();
    // An answered PINGREQ makes the next one due before the deadline of its answer, for which the timer is still set.
    this.#arm();
  }

  onDrain(): void {
    this.outbox.drained();
    const nowMs = this.#clock.nowMs();
    this.#blockedSinceMs = this.outbox.blocked ? nowMs : -1;
    if (this.outbox.blocked) return;
    this.#flowingSinceMs = nowMs;
    if (this.engine.over) this.#transport?.close();
    else this.#wake();
    this.#tellDrained();
  }

  onClosed(error: Error | null): void {
    if (this.#reason === null && !this.engine.over) {
      const detail = error === null ? "the server closed the connection" : `the connection broke: ${error.message}`;
      this.#reason = new MessagingError("ERR_CONNECTION_LOST", detail, error === null ? undefined : { cause: error });
    }
    this.#finish();
  }

  // Engine

  onConnected(connack: Connack): void {
    this.capabilities = serverCapabilities(connack, this.#parts.settings);
    this.#owner.onOpen(connack, this);
    this.#arm();
  }

  onRefused(connack: Connack): void {
    this.#owner.onRefused(connack);
    this.#transport?.destroy();
  }

  onHeld(): void {
    this.#holding = true;
    this.setReading(this.#readingWanted);
    this.#owner.onHeld(this);
  }

  onPublishDone(item: ClientItem, packetId: number, reasonCode: number, properties: ReasonProperties | null): void {
    if (item instanceof PendingPublish) this.#parts.publisher.onDone(item, packetId, reasonCode, properties);
  }

  onPublishReceived(item: ClientItem, packetId: number): void {
    if (item instanceof PendingPublish) this.#parts.publisher.onReceived(item, packetId);
  }

  onReleased(packetId: number, known: boolean): void {
    this.#owner.onReleased(packetId, known, this);
  }

  onAnswer(item: ClientItem, packet: Suback | Unsuback): void {
    if (!(item instanceof PendingPublish)) item.settle.answered(packet);
  }

  onPingresp(): void {
    this.#parts.publisher.onPingresp();
  }

  onAuth(packet: Auth): void {
    this.#owner.onAuth(packet, this);
  }

  onServerDisconnect(packet: Disconnect): void {
    this.#owner.onServerDisconnect(packet);
    this.#reason ??= refusedByServer("ERR_SERVER_DISCONNECT", "ended the connection", packet);
    this.#owner.onOver(this);
    this.#closeInOrder();
  }

  onFailed(error: MessagingError): void {
    this.#reason ??= error;
    this.#owner.onOver(this);
    // What the server should know is in the outbox: it leaves before the end, if the link still takes it.
    if (error.code === "ERR_PING_TIMEOUT" || error.code === "ERR_WRITE_TIMEOUT") {
      this.outbox.flush();
      this.#transport?.destroy();
    } else this.#closeInOrder();
  }

  #armFlush(): void {
    this.#nowMs = this.#clock.nowMs();
    this.engine.onTurn(this.#nowMs);
    this.#clock.nextTurn(this.#flush);
  }

  #onFlush(): void {
    if (this.#ended) return;
    this.outbox.flush();
    this.engine.sent(this.#nowMs);
    if (this.outbox.blocked && this.#blockedSinceMs < 0) this.#blockedSinceMs = this.#nowMs;
    if (this.#wakeWanted) this.#wake();
    this.#arm();
  }

  #wake(): void {
    if (!this.#wakeWanted) return;
    this.#wakeWanted = false;
    this.#parts.publisher.pump();
  }

  /** Sets the one timer for the nearest deadline, unless it is set for an earlier time already. */
  #arm(): void {
    if (this.#ended || this.engine.over) return;
    const deadlineMs = this.#deadlineMs();
    if (deadlineMs >= this.#timerAtMs) return;
    this.#timer?.cancel();
    this.#timerAtMs = deadlineMs;
    this.#timer = this.#clock.setTimer(Math.max(1, deadlineMs - this.#clock.nowMs()), this.#onTimer);
  }

  /** Ends the connection when what was written has left; a goodbye that the peer does not take must not keep it. */
  #closeInOrder(): void {
    if (this.#transport === null) return this.#finish();
    this.outbox.flush();
    if (!this.outbox.blocked) this.#transport.close();
    this.#timer?.cancel();
    this.#timer = this.#clock.setTimer(CLOSING_MS, () => this.#transport?.destroy());
  }

  #tellDrained(): void {
    for (const tell of this.#drainWaiters.splice(0)) tell();
  }

  #deadlineMs(): number {
    const { ackTimeoutMs, writeTimeoutMs } = this.#parts.settings;
    let deadlineMs = this.engine.deadlineMs;
    if (ackTimeoutMs > 0 && this.#awaitsReply()) {
      deadlineMs = Math.min(deadlineMs, this.#nowMs + Math.max(1, ackTimeoutMs / EXPIRY_CHECKS));
    }
    if (writeTimeoutMs > 0 && this.#blockedSinceMs >= 0)
      deadlineMs = Math.min(deadlineMs, this.#blockedSinceMs + writeTimeoutMs);
    return deadlineMs;
  }

  #awaitsReply(): boolean {
    const outbound = this.#parts.outbound;
    return outbound.inflight > 0 || outbound.requests > 0;
  }

  #onTime(): void {
    this.#timer = null;
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    const nowMs = this.#clock.nowMs();
    this.#nowMs = nowMs;
    const { writeTimeoutMs } = this.#parts.settings;
    if (writeTimeoutMs > 0 && this.#blockedSinceMs >= 0 && nowMs - this.#blockedSinceMs >= writeTimeoutMs) {
      this.engine.fail(new MessagingError("ERR_WRITE_TIMEOUT", `the server took no bytes for ${writeTimeoutMs} ms`));
      return;
    }
    // A deadline counts from when its packet left: while bytes are held back, none is due.
    if (!this.outbox.blocked) this.#owner.onExpiry(nowMs, this.#flowingSinceMs);
    this.#checkKeepAlive(nowMs);
    this.#arm();
  }

  /** A pause of ours, or a process that stood still, must not look like a dead server: input that waits is read first. */
  #checkKeepAlive(nowMs: number): void {
    if (this.#paused) return this.engine.onTimeWhilePaused(nowMs);
    if (nowMs < this.engine.deadlineMs) return;
    this.#clock.nextTurn(() => {
      if (this.#ended) return;
      this.engine.onTime(this.#clock.nowMs());
      this.#arm();
    });
  }

  #finish(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#timer?.cancel();
    this.#timer = null;
    this.engine.end();
    this.outbox.close();
    this.#tellDrained();
    this.#owner.onEnd(this.#reason, this);
  }
}

/** Time that a goodbye has to leave before the connection is cut. */
const CLOSING_MS = 1_000;

const NO_CONNACK: Connack = { type: "connack", sessionPresent: false, reasonCode: 0, properties: null };
