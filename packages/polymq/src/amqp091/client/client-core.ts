import { onAbort } from "../../base/abort.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import { type Deferred, deferred } from "../../base/deferred.ts";
import { type ConnectTrace, diagnostics } from "../../base/diagnostics.ts";
import { Emitter } from "../../base/emitter.ts";
import { asMessagingError, isMessagingError, MessagingError } from "../../base/errors.ts";
import { ChannelTracer, type Tracer } from "../../base/tracer.ts";
import { lenientText } from "../../bytes/text.ts";
import { Redial } from "../../supervisor/redial.ts";
import { Supervisor } from "../../supervisor/supervisor.ts";
import { ChunkPool } from "../../transport/outbox.ts";
import type { Platform } from "../../transport/platform.ts";
import type { Method, MethodOf, SyncMethodName } from "../codec/method-types.ts";
import type { ServerFacts } from "../engine/client-engine.ts";
import { AmqpChannel, type ChannelHost } from "./channel.ts";
import type { Connection, ConnectionOwner } from "./connection.ts";
import { Connector } from "./connector.ts";
import { type AmqpDialect, dialectOf } from "./dialect.ts";
import type { AmqpClientEvent, AmqpClientState } from "./events.ts";
import { notConnected } from "./failures.ts";
import type { Settings } from "./options.ts";
import type { PublisherOptions } from "./publisher.ts";
import { restoreTopology } from "./recovery.ts";
import { PromisedReply } from "./requests.ts";
import { askOnce } from "./temporary-channel.ts";
import { Topology } from "./topology.ts";

/** The life of a client: connects, notices the end of a connection, comes back and restores what was there. It owns the one state. */
export class ClientCore implements ChannelHost, ConnectionOwner {
  readonly settings: Settings;
  readonly platform: Platform;
  readonly events: Emitter<AmqpClientEvent>;
  readonly closed: Promise<MessagingError | null>;
  readonly topology: Topology = new Topology();
  readonly clock: Clock;
  readonly prefetch: number;
  /** The ways of the server in use, or of the last one. */
  dialect: AmqpDialect = "rabbitmq";
  readonly publisherOptions: Omit<PublisherOptions, "confirms" | "onReturned">;
  readonly #closedEnd: Deferred<MessagingError | null> = deferred();
  readonly #tracer: Tracer;
  readonly #connector: Connector;
  readonly #supervisor: Supervisor;
  readonly #channels = new Set<AmqpChannel>();
  #state: AmqpClientState = "disconnected";
  #connection: Connection | null = null;
  #facts: ServerFacts | null = null;
  #server = 0;
  #hadConnection = false;
  #names = 0;
  /** Attempts since the last connection, or since `connect`. */
  #attempts = 0;
  /** Consumers that hold more than they should: nothing is read meanwhile. */
  #fullConsumers = 0;
  #ended: Deferred<void> | null = null;

  constructor(settings: Settings, platform: Platform) {
    this.settings = settings;
    this.platform = platform;
    this.clock = platform.clock;
    this.prefetch = settings.prefetch;
    this.closed = this.#closedEnd.promise;
    const text = lenientText(platform.text);
    const id = Array.from(platform.randomBytes(8), (byte) => byte.toString(16).padStart(2, "0")).join("");
    const tracer = new ChannelTracer(diagnostics(), { clientId: id }, "amqp091");
    this.#tracer = tracer;
    this.events = new Emitter((error, event) => tracer.warn(`a listener of ${event.type} failed`, error));
    this.publisherOptions = { text, settings, idPrefix: `${id}-` };
    this.#connector = new Connector(platform, {
      clock: platform.clock,
      text,
      pool: new ChunkPool(16),
      settings,
      tracer,
    });
    this.#supervisor = this.#makeSupervisor();
  }

  get state(): AmqpClientState {
    return this.#state;
  }

  get facts(): ServerFacts | null {
    return this.#state === "connected" ? this.#facts : null;
  }

  get blocked(): boolean {
    return this.#connection?.blocked === true;
  }

  async connect(signal: AbortSignal | undefined): Promise<void> {
    if (this.#state === "closed") throw new MessagingError("ERR_CLIENT_CLOSED", "the client is closed");
    if (this.#state !== "disconnected")
      throw new MessagingError("ERR_ALREADY_CONNECTED", `the client is ${this.#state}`);
    this.#attempts = 0;
    this.#enter("connecting");
    // The caller's signal ends this call, not the connection that comes of it.
    const attempt = new AbortController();
    const release = onAbort(signal, () => attempt.abort(signal?.reason));
    try {
      await this.#supervisor.start(attempt.signal);
    } catch (cause) {
      if (this.state === "connecting") this.#enter("disconnected");
      throw asMessagingError(cause, "ERR_CONNECT_FAILED");
    } finally {
      release();
    }
  }

  async channel(confirms: boolean): Promise<AmqpChannel> {
    const connection = this.#connection;
    if (this.#state !== "connected" || connection === null) throw notConnected();
    const channel = new AmqpChannel(this, confirms);
    this.#channels.add(channel);
    try {
      await channel.open(connection);
    } catch (error) {
      channel.end(asMessagingError(error, "ERR_CHANNEL_CLOSED"));
      throw error;
    }
    return channel;
  }

  /** A channel with confirms that opens as soon as there is a connection; what is published on it waits until then. @throws {MessagingError} ERR_NOT_CONNECTED */
  eventualChannel(): AmqpChannel {
    if (this.#state !== "connected" && this.#state !== "reconnecting") throw notConnected();
    const channel = new AmqpChannel(this, true);
    this.#channels.add(channel);
    const connection = this.#connection;
    // One that is lost meanwhile is followed by another, on which every channel opens.
    const failed = (error: unknown): void => {
      if (connection?.ended === false) channel.end(asMessagingError(error, "ERR_CHANNEL_CLOSED"));
    };
    if (connection !== null) channel.open(connection).catch(failed);
    return channel;
  }

  /** Sends one request on a channel of its own; what it declares comes back after a reconnect. */
  async ask(method: MethodOf<SyncMethodName>): Promise<Method> {
    const connection = this.#connection;
    if (this.#state !== "connected" || connection === null) throw notConnected();
    const reply = await askOnce(connection, method);
    this.topology.note(method, reply);
    return reply;
  }

  updateSecret(secret: Uint8Array, reason: string): Promise<void> {
    const done = deferred<void>();
    const connection = this.#connection;
    if (connection === null) return Promise.reject(notConnected());
    connection.updateSecret(secret, reason, new PromisedReply(() => done.resolve(), done.reject, null));
    return done.promise;
  }

  /** Ends the connection in order; the client stays usable. */
  async disconnect(): Promise<void> {
    if (this.#state === "closed" || this.#state === "disconnected") return;
    await this.#shutDown();
    if (this.#state !== "disconnecting") return;
    this.#enter("disconnected");
    for (const channel of [...this.#channels]) channel.end(new MessagingError("ERR_NOT_CONNECTED", "disconnected"));
  }

  /** Waits for publishes and handlers at most `timeoutMs`, then ends for good. */
  async close(timeoutMs: number): Promise<void> {
    if (this.#state === "closed") return void (await this.closed);
    if (this.#state === "connected") {
      const done = deferred<void>();
      const timer = this.platform.clock.setTimer(timeoutMs, () => done.resolve());
      Promise.all([...this.#channels].map((channel) => channel.close())).then(() => done.resolve(), done.reject);
      await done.promise;
      timer.cancel();
    }
    await this.#shutDown();
    this.#finish(null);
  }

  /** Ends now. */
  destroy(error: MessagingError | null): void {
    if (this.#state === "closed") return;
    this.#enter("closed");
    this.#supervisor.stop();
    this.#connection?.destroy(error);
    this.#finish(error);
  }

  // Channels

  emit(event: AmqpClientEvent): void {
    this.events.emit(event);
  }

  consumerTag(): string {
    return `polymq-${this.publisherOptions.idPrefix}${++this.#names}`;
  }

  replyAddress(): string {
    // FluxMQ has no direct reply-to, but topics: one that nobody else can know.
    return this.dialect === "fluxmq" ? this.consumerTag() : "amq.rabbitmq.reply-to";
  }

  bytesOf(body: string | Uint8Array): Uint8Array {
    if (body instanceof Uint8Array) return body;
    if (typeof body !== "string") throw new MessagingError("ERR_INVALID_MESSAGE", "a body is text or bytes");
    const { text } = this.platform;
    const bytes = new Uint8Array(text.byteLength(body));
    text.write(bytes, 0, body);
    return bytes;
  }

  channelEnded(channel: AmqpChannel): void {
    this.#channels.delete(channel);
  }

  pressure(full: boolean): void {
    this.#fullConsumers += full ? 1 : -1;
    if (this.#fullConsumers === 0) this.#connection?.setReading(true);
    else this.stillFull();
  }

  consumerEnded(queue: string): void {
    if (!this.topology.deletesItself(queue)) return;
    for (const channel of this.#channels) if (channel.consumes(queue)) return;
    this.topology.forgetQueue(queue);
  }

  stillFull(): void {
    if (this.#connection?.awaiting === false) this.#connection.setReading(false);
  }

  // Connection

  onBlocked(reason: string | null): void {
    this.emit(reason === null ? { type: "unblocked" } : { type: "blocked", reason });
  }

  onEnd(error: MessagingError | null, connection: Connection): void {
    if (this.#connection !== connection) return;
    this.#connection = null;
    this.#facts = null;
    if (connection.blocked) this.onBlocked(null);
    const lost = error ?? new MessagingError("ERR_CONNECTION_LOST", "the connection ended");
    for (const channel of [...this.#channels]) channel.suspend(lost);
    this.#ended?.resolve();
    if (this.#state !== "connected") return;
    this.#trace("lost", lost);
    this.#attempts = 0;
    this.#enter("reconnecting");
    this.emit({ type: "connectionLost", error: lost });
    this.#supervisor.lost(lost);
  }

  async #attempt(index: number, signal: AbortSignal): Promise<void> {
    this.#server = index;
    this.#attempts++;
    this.#trace("dialing", null);
    try {
      const connection = await this.#open(index, signal);
      if (connection.ended) throw new MessagingError("ERR_CONNECTION_LOST", "the connection ended");
    } catch (error) {
      this.#trace("failed", asMessagingError(error, "ERR_CONNECT_FAILED"));
      throw error;
    }
    this.#trace("connected", null);
    const reconnected = this.#hadConnection;
    this.#hadConnection = true;
    this.#enter("connected");
    this.emit({ type: "connect", server: this.#connector.display(index), reconnected });
  }

  /** Connects, and restores what was there. */
  async #open(index: number, signal: AbortSignal): Promise<Connection> {
    const { connection, facts } = await this.#connector.connect(index, this, signal);
    if (connection.ended) throw new MessagingError("ERR_CONNECTION_LOST", "the connection ended");
    this.#connection = connection;
    this.#facts = facts;
    const { dialect } = this.settings;
    this.dialect = dialect === "auto" ? dialectOf(facts.serverProperties) : dialect;
    const release = onAbort(signal, () => connection.destroy(null));
    const unwatch = this.#watchAnswers(connection);
    try {
      await restoreTopology(connection, this.topology, (what, error) =>
        this.emit({ type: "recoveryFailed", what, error }),
      );
      // One that is made meanwhile opens by itself.
      for (const channel of this.#channels) if (!channel.isOn(connection)) await this.#reopen(channel, connection);
    } finally {
      release();
      unwatch();
    }
    return connection;
  }

  /** A server that allows fewer channels than the last one ends those that do not fit. */
  async #reopen(channel: AmqpChannel, connection: Connection): Promise<void> {
    try {
      await channel.open(connection);
    } catch (error) {
      if (!isMessagingError(error) || error.code !== "ERR_CHANNEL_MAX") throw error;
      channel.end(error);
      this.emit({ type: "channelClosed", error });
    }
  }

  /** Ends a connection whose server stops answering while it is asked to restore, as one does that waits for the leader of a queue. */
  #watchAnswers(connection: Connection): () => void {
    const { recoveryTimeoutMs } = this.settings;
    let timer: Timer | null = null;
    const watch = (): void => {
      const before = connection.answers;
      timer = this.clock.setTimer(recoveryTimeoutMs, () => {
        if (connection.answers !== before) return watch();
        const message = `no answer within ${recoveryTimeoutMs} ms while the topology was restored`;
        connection.destroy(new MessagingError("ERR_CONNECT_TIMEOUT", message));
      });
    };
    watch();
    return () => timer?.cancel();
  }

  #makeSupervisor(): Supervisor {
    const { platform } = this;
    const { reconnect } = this.settings;
    return new Supervisor({
      clock: platform.clock,
      serverCount: () => this.#connector.serverCount,
      connect: (index, signal) => this.#attempt(index, signal),
      redial: () => (reconnect === null ? null : new Redial(reconnect, platform.clock, () => platform.random())),
      handler: {
        onAttempt: (attempt, index) => {
          if (this.#state !== "reconnecting") return;
          this.emit({ type: "reconnecting", attempt, server: this.#connector.display(index) });
        },
        onGaveUp: (error) => this.#onGaveUp(error),
      },
    });
  }

  #onGaveUp(error: MessagingError): void {
    // A first connect that fails is told by its promise.
    if (this.#state !== "reconnecting") return;
    this.#enter("disconnected");
    for (const channel of [...this.#channels]) channel.end(error);
    this.emit({ type: "reconnectFailed", error });
  }

  async #shutDown(): Promise<void> {
    if (this.#state === "closed") return;
    const connection = this.#connection;
    this.#enter("disconnecting");
    if (connection !== null) {
      const ended = this.#endOf(connection);
      connection.close();
      await ended;
    }
    this.#supervisor.stop();
  }

  #endOf(connection: Connection): Promise<void> {
    if (connection.ended) return Promise.resolve();
    this.#ended ??= deferred();
    const { promise } = this.#ended;
    return promise.then(() => {
      this.#ended = null;
    });
  }

  #finish(error: MessagingError | null): void {
    this.#enter("closed");
    const why = error ?? new MessagingError("ERR_CLIENT_CLOSED", "the client was closed");
    for (const channel of [...this.#channels]) channel.end(why);
    this.emit({ type: "closed", error });
    this.#trace("closed", error);
    this.events.end();
    this.#closedEnd.resolve(error);
  }

  #trace(phase: ConnectTrace["phase"], error: MessagingError | null): void {
    this.#tracer.connection(phase, { server: this.server, attempt: this.#attempts }, error);
  }

  #enter(state: AmqpClientState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.emit({ type: "state", state });
  }

  /** The address of the server in use, without credentials. */
  get server(): string {
    return this.#connector.display(this.#server);
  }
}
