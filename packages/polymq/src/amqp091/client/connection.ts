// Hot path: `onBytes` and the upcalls of the engine run per chunk or message.
import type { Clock, Timer } from "../../base/clock.ts";
import { type Deferred, deferred } from "../../base/deferred.ts";
import { MessagingError } from "../../base/errors.ts";
import { noop } from "../../base/noop.ts";
import type { Tracer } from "../../base/tracer.ts";
import type { TextCodec } from "../../bytes/text.ts";
import { type ChunkPool, Outbox } from "../../transport/outbox.ts";
import type { Transport, TransportHandler } from "../../transport/transport.ts";
import type { Method } from "../codec/method-types.ts";
import { RouteDecoder } from "../codec/route-decoder.ts";
import type { SaslMechanism } from "../codec/sasl.ts";
import {
  CLIENT_CAPABILITIES,
  ClientEngine,
  type ClientHandler,
  refusalError,
  type ServerFacts,
} from "../engine/client-engine.ts";
import type { CloseReason } from "../engine/endpoint-options.ts";
import type { Tuning } from "../engine/tuning.ts";
import { closedError } from "./failures.ts";
import type { ChannelOwner, Incoming, Link, Reply, Types } from "./link.ts";
import type { Settings } from "./options.ts";
import type { PendingPublish } from "./pending-publish.ts";
import { failRequests } from "./requests.ts";

/** What a connection needs. */
export interface ConnectionParts {
  readonly clock: Clock;
  /** Lenient: no server checks what its publishers send. */
  readonly text: TextCodec;
  readonly pool: ChunkPool;
  readonly settings: Settings;
  readonly tracer: Tracer;
}

/** What one connection is made with. */
export interface ConnectionChoice {
  readonly mechanisms: readonly SaslMechanism[];
  readonly vhost: string;
  readonly tuning: Tuning;
}

/** What a connection tells its client. */
export interface ConnectionOwner {
  onBlocked(reason: string | null): void;
  /** The connection is over: told once, whether it was open or not; null when we asked for it. */
  onEnd(error: MessagingError | null, connection: Connection): void;
}

/** Time that last words have to leave before the connection is cut. */
const CLOSING_MS = 1_000;

/** One network connection with its engine: moves bytes, time and deadlines between transport and engine. */
export class Connection implements ClientHandler<Types> {
  /** Gets the transport's upcalls. */
  readonly socket: TransportHandler = {
    onBytes: (chunk) => this.#onBytes(chunk),
    onDrain: () => this.#onDrain(),
    onClosed: (error) => this.#onSocketClosed(error),
  };
  readonly engine: ClientEngine<Types>;
  readonly outbox: Outbox;
  readonly tracer: Tracer;
  /** Resolves when the connection is open; rejects when it ends before. */
  readonly opened: Promise<ServerFacts>;
  /** The server asks for no publishes (`connection.blocked`). */
  blocked = false;
  /** Answers to requests so far. */
  answers = 0;
  readonly #opening: Deferred<ServerFacts> = deferred();
  readonly #clock: Clock;
  readonly #owner: ConnectionOwner;
  readonly #links = new Set<Link>();
  /** Those whose end is awaited. */
  readonly #closing = new Map<Link, Deferred<void>>();
  /** Secrets that await their answer. */
  readonly #secrets = new Set<Reply>();
  #transport: Transport | null = null;
  #nowMs: number;
  #timer: Timer | null = null;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #paused = false;
  #ended = false;
  #roomWanted = false;
  #reason: MessagingError | null = null;
  readonly #flush: () => void;

  constructor(parts: ConnectionParts, choice: ConnectionChoice, owner: ConnectionOwner) {
    const { clock, settings } = parts;
    this.tracer = parts.tracer;
    this.#clock = clock;
    this.#owner = owner;
    this.#nowMs = clock.nowMs();
    this.#flush = () => this.#onFlush();
    this.opened = this.#opening.promise;
    this.opened.catch(noop);
    this.outbox = new Outbox({
      pool: parts.pool,
      text: parts.text,
      armFlush: () => this.#armFlush(),
      highWaterBytes: settings.highWaterBytes,
    });
    this.engine = new ClientEngine<Types>({
      outbox: this.outbox,
      handler: this,
      routes: new RouteDecoder(parts.text),
      mechanisms: choice.mechanisms,
      clientProperties: { ...settings.clientProperties, capabilities: CLIENT_CAPABILITIES },
      virtualHost: choice.vhost,
      tuning: choice.tuning,
      bodyBytesMax: settings.bodyBytesMax,
      assemblyBytesMax: settings.bodyBytesMax * 4,
      handshakeTimeoutMs: settings.connectTimeoutMs,
      closeTimeoutMs: settings.closeTimeoutMs,
      nowMs: this.#nowMs,
    });
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** The transport is there: the protocol header leaves. */
  start(transport: Transport): void {
    this.#transport = transport;
    this.outbox.open(transport);
    this.engine.start();
    this.outbox.flush();
    this.#arm();
  }

  /** Opens a channel for `owner`. @throws {MessagingError} ERR_NOT_CONNECTED, ERR_CHANNEL_MAX */
  openChannel(owner: ChannelOwner): Link {
    const link = this.engine.openChannel(owner);
    this.#links.add(link);
    return link;
  }

  /** Closes a channel; resolves when its number is free, or the connection over. */
  closeChannel(link: Link): Promise<void> {
    if (this.#ended || this.engine.over || !link.usable) return Promise.resolve();
    const done = deferred<void>();
    this.#closing.set(link, done);
    this.engine.closeChannel(link);
    return done.promise;
  }

  /** Sends a new secret; `reply` gets the answer, or the end of the connection. @throws {MessagingError} as the engine */
  updateSecret(secret: Uint8Array, reason: string, reply: Reply): void {
    this.engine.updateSecret(secret, reason, reply);
    this.#secrets.add(reply);
  }

  /** Calls `onRoom` of every channel once the outbox has room again. */
  wakeWhenRoom(): void {
    this.#roomWanted = true;
    if (!this.outbox.blocked) this.outbox.commit();
  }

  /** Closes in order: `onEnd(null)` follows. */
  close(): void {
    if (this.#ended) return;
    this.engine.close();
    this.#arm();
  }

  /** Ends at once. */
  destroy(error: MessagingError | null): void {
    if (this.#ended) return;
    this.#reason ??= error;
    this.engine.end();
    this.#transport?.destroy();
    this.#finish();
  }

  /** True while confirms or answers are to come: they must be read, whatever else comes with them. */
  get awaiting(): boolean {
    for (const link of this.#links) {
      if (link.unconfirmedCount > 0 || link.requests.length > 0 || link.owner.awaitsMessages) return true;
    }
    return false;
  }

  /** Something was sent that is answered: a handler may wait for it while its consumer holds up the reading. */
  answerAwaited(): void {
    if (this.#paused) this.setReading(true);
  }

  /** Stops or starts reading. */
  setReading(reading: boolean): void {
    if (this.#paused === !reading || this.#transport === null) return;
    this.#paused = !reading;
    if (reading) this.#transport.resume();
    else this.#transport.pause();
  }

  #onBytes(chunk: Uint8Array): void {
    this.#nowMs = this.#clock.nowMs();
    this.engine.onBytes(chunk, this.#nowMs);
    this.#onFlush();
  }

  #onDrain(): void {
    this.outbox.drained();
    if (this.outbox.blocked) return;
    if (this.engine.over) this.#transport?.close();
    else this.#room();
  }

  #onSocketClosed(error: Error | null): void {
    if (this.#reason === null && !this.engine.over) {
      const detail = error === null ? "the server closed the connection" : `the connection broke: ${error.message}`;
      this.#reason = new MessagingError("ERR_CONNECTION_LOST", detail, error === null ? undefined : { cause: error });
    }
    this.#finish();
  }

  // Engine

  onOpen(facts: ServerFacts): void {
    this.#opening.resolve(facts);
  }

  onRefused(reason: CloseReason, during: "authentication" | "opening"): void {
    this.#reason = refusalError(reason, during);
    this.#closeInOrder();
  }

  onClosed(reason: CloseReason | null): void {
    if (reason !== null)
      this.#reason ??= closedError("ERR_SERVER_DISCONNECT", "the server closed the connection", reason);
    this.#closeInOrder();
  }

  onFailed(error: MessagingError): void {
    this.#reason ??= error;
    this.#closeInOrder();
  }

  onChannelOpen(): void {}

  onChannelClosed(link: Link, reason: CloseReason | null): void {
    this.#links.delete(link);
    this.#closing.get(link)?.resolve();
    this.#closing.delete(link);
    link.owner.onClosed(link, reason);
  }

  onReply(_link: Link, request: Reply, reply: Method): void {
    this.answers++;
    request.answered(reply);
  }

  onSecretUpdated(request: Reply): void {
    this.#secrets.delete(request);
    request.answered({ method: "connection.update-secret-ok" });
  }

  onDeliver(link: Link, content: Incoming): void {
    link.owner.onDeliver(link, content);
  }

  onGetOk(link: Link, request: Reply, content: Incoming): void {
    request.got(link, content);
  }

  onReturn(link: Link, content: Incoming): void {
    link.owner.onReturn(content);
  }

  onConfirm(link: Link, message: PendingPublish, tag: number, accepted: boolean): void {
    link.owner.onConfirm(message, tag, accepted);
  }

  onCancel(link: Link, consumerTag: string): void {
    link.owner.onCancel(consumerTag);
  }

  onFlow(link: Link): void {
    link.owner.onFlow();
  }

  onBlocked(reason: string | null): void {
    this.blocked = reason !== null;
    this.#owner.onBlocked(reason);
    if (reason === null) this.#tellRoom();
  }

  #armFlush(): void {
    this.#nowMs = this.#clock.nowMs();
    this.engine.onTurn(this.#nowMs);
    this.#clock.nextTurn(this.#flush);
  }

  #onFlush(): void {
    if (this.#ended) return;
    this.engine.beforeFlush();
    if (this.outbox.hasUnflushed) {
      this.outbox.flush();
      this.engine.sent(this.#nowMs);
    } else this.outbox.flush();
    if (!this.outbox.blocked) this.#room();
    this.#arm();
  }

  #room(): void {
    if (!this.#roomWanted) return;
    this.#roomWanted = false;
    this.#tellRoom();
  }

  #tellRoom(): void {
    for (const link of this.#links) link.owner.onRoom();
  }

  #arm(): void {
    if (this.#ended || this.engine.over) return;
    const deadlineMs = this.engine.deadlineMs;
    if (deadlineMs >= this.#timerAtMs) return;
    this.#timer?.cancel();
    this.#timerAtMs = deadlineMs;
    this.#timer = this.#clock.setTimer(Math.max(1, deadlineMs - this.#clock.nowMs()), () => this.#onTime());
  }

  #onTime(): void {
    this.#timer = null;
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    // Input that waits is read first: a process that stood still must not take its server for dead.
    this.#clock.nextTurn(() => {
      if (this.#ended) return;
      this.#nowMs = this.#clock.nowMs();
      if (this.#paused) this.engine.onTimeWhilePaused(this.#nowMs);
      else this.engine.onTime(this.#nowMs);
      this.#arm();
    });
  }

  /** Ends the connection when what was written has left; last words that the peer does not take must not keep it. */
  #closeInOrder(): void {
    if (this.#transport === null) return this.#finish();
    this.outbox.flush();
    if (!this.outbox.blocked) this.#transport.close();
    this.#timer?.cancel();
    this.#timer = this.#clock.setTimer(CLOSING_MS, () => this.#transport?.destroy());
  }

  #finish(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#timer?.cancel();
    this.#timer = null;
    this.engine.end();
    this.outbox.close();
    const error = this.#reason;
    this.#opening.reject(error ?? new MessagingError("ERR_CONNECTION_LOST", "the connection ended in the handshake"));
    // Requests of channels that belong to no application, such as those that restore the topology.
    const lost = error ?? new MessagingError("ERR_CONNECTION_LOST", "the connection ended");
    for (const link of this.#links) failRequests(link, lost);
    this.#links.clear();
    for (const each of this.#closing.values()) each.resolve();
    this.#closing.clear();
    for (const each of this.#secrets) each.failed(lost);
    this.#secrets.clear();
    this.#owner.onEnd(error, this);
  }
}
