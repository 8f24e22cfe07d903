import { onAbort, raceAbort, throwIfAborted } from "../../base/abort.ts";
import { type Deferred, deferred } from "../../base/deferred.ts";
import type { ConnectTrace } from "../../base/diagnostics.ts";
import { Emitter } from "../../base/emitter.ts";
import { asMessagingError, MessagingError } from "../../base/errors.ts";
import { noop } from "../../base/noop.ts";
import type { Tracer } from "../../base/tracer.ts";
import { Supervisor } from "../../supervisor/supervisor.ts";
import { ChunkPool } from "../../transport/outbox.ts";
import type { Platform } from "../../transport/platform.ts";
import type {
  Auth,
  Connack,
  Disconnect,
  DisconnectProperties,
  ProtocolLevel,
  PublishProperties,
} from "../codec/packets.ts";
import { ReasonCode } from "../codec/reason-codes.ts";
import { TopicEncoder } from "../codec/topic-encoder.ts";
import { OutboundFlow } from "../engine/outbound-flow.ts";
import type { Availability } from "./admission.ts";
import type { Authenticator } from "./authenticator.ts";
import type { ServerCapabilities } from "./capabilities.ts";
import { checkUsable } from "./check-usable.ts";
import type { ClientParts } from "./client-parts.ts";
import type { Connection, ConnectionParts } from "./connection.ts";
import { Connector, type ConnectorOwner } from "./connector.ts";
import type { DropReason, MqttClientEvent, MqttClientState } from "./events.ts";
import type { Intake, IntakeOwner } from "./intake.ts";
import type { MqttMessage } from "./message.ts";
import { NeededParts } from "./needed-parts.ts";
import type { Settings } from "./options.ts";
import type { ClientItem, PendingPublish } from "./pending.ts";
import { Publisher, type PublisherOwner } from "./publisher.ts";
import type { StoredSession } from "./stored-session.ts";
import { within } from "./within.ts";

/**
 * The life of a client: connects, notices the end of a connection, comes back, and wires publisher and intake to the
 * connection of the moment. It owns the one state; the public class on top only checks arguments.
 */
export class ClientCore implements ConnectorOwner, PublisherOwner, IntakeOwner {
  readonly settings: Settings;
  readonly platform: Platform;
  readonly events: Emitter<MqttClientEvent>;
  readonly publisher: Publisher;
  /** Null until its code is there. */
  intake: Intake | null = null;
  readonly closed: Promise<MessagingError | null>;
  readonly parts: NeededParts;
  readonly #closedEnd: Deferred<MessagingError | null> = deferred();
  /** What the session has in flight to the server. */
  readonly #outbound = new OutboundFlow<ClientItem>();
  readonly #connector: Connector;
  readonly #supervisor: Supervisor;
  readonly #tracer: Tracer;
  #state: MqttClientState = "disconnected";
  #connection: Connection | null = null;
  #capabilities: ServerCapabilities | null = null;
  #clientId: string;
  #sessionPresent = false;
  /** True once a session of this client may exist on the server. */
  #hadSession = false;
  #attempt = 0;
  /** The `connect` call that is under way; aborted when it is overtaken by events. */
  #connecting: AbortController | null = null;
  /** Resolves at the end of the connection that is being ended in order. */
  #ended: Deferred<void> | null = null;
  /** A `disconnect` or `close` under way. */
  #stopping: Promise<void> | null = null;
  /** True while `close` waits for what is under way: a lost connection is made again for it. */
  #draining = false;

  constructor(settings: Settings, platform: Platform, client: ClientParts) {
    this.settings = settings;
    this.platform = platform;
    this.closed = this.#closedEnd.promise;
    this.#clientId = settings.clientId;
    this.#tracer = client.tracer(this);
    this.events = new Emitter((error, event) => this.#tracer.warn(`a listener of ${event.type} failed`, error));
    const topics = new TopicEncoder(platform.text);
    this.publisher = new Publisher(settings, this, this.#outbound, { topics, tracer: this.#tracer });
    const intakeParts = { settings, text: platform.text, outbound: this.#outbound, tracer: this.#tracer };
    this.parts = new NeededParts(settings, platform, client, {
      intake: (Code) => this.#attach(new Code(this, intakeParts)),
      recovery: (code) => {
        this.publisher.resendWith(code.Resender);
        return code;
      },
      hasInflight: () => this.#outbound.inflight > 0,
      storeFailed: (error) => this.#background(error),
    });
    const parts: ConnectionParts = {
      clock: platform.clock,
      text: platform.text,
      pool: new ChunkPool(16),
      settings,
      outbound: this.#outbound,
      publisher: this.publisher,
      intake: () => this.intake,
      mqtt5: this.parts.mqtt5,
    };
    this.#connector = new Connector(platform, parts, this);
    this.#supervisor = this.#makeSupervisor();
  }

  get state(): MqttClientState {
    return this.#state;
  }

  get capabilities(): ServerCapabilities | null {
    return this.#state === "connected" ? this.#capabilities : null;
  }

  get clientId(): string {
    return this.#clientId;
  }

  get level(): ProtocolLevel | null {
    return this.#connection?.engine.protocolLevel ?? null;
  }

  get canReject(): boolean {
    return this.level === 5;
  }

  get connection(): Connection | null {
    return this.#state === "connected" ? this.#connection : null;
  }

  /** Null without one, and until `connect` has loaded what it takes. */
  #store(): StoredSession | null {
    return this.parts.store?.part ?? null;
  }

  get authenticator(): Authenticator | null {
    return this.parts.authentication?.part ?? null;
  }

  availability(): Availability {
    return AVAILABILITY[this.#state];
  }

  async connect(signal: AbortSignal | undefined): Promise<void> {
    if (this.#state === "closed") throw new MessagingError("ERR_CLIENT_CLOSED", "the client is closed");
    if (this.#state !== "disconnected")
      throw new MessagingError("ERR_ALREADY_CONNECTED", `the client is ${this.#state}`);
    throwIfAborted(signal);
    this.#attempt = 0;
    // The caller's signal ends this call, not the connection that comes of it.
    const call = new AbortController();
    this.#connecting = call;
    // It can be aborted from here on, by a listener of the new state too.
    this.intake?.subscriptions.interrupt(null);
    this.#enter("connecting");
    const release = onAbort(signal, () => call.abort(signal?.reason));
    try {
      throwIfAborted(call.signal);
      await raceAbort(this.#prepare(), call.signal);
      await this.#supervisor.start(call.signal);
    } catch (cause) {
      const error = asMessagingError(cause, "ERR_CONNECT_FAILED");
      if (this.#connecting === call && this.state === "connecting") {
        this.#enter("disconnected");
        this.#failAll(error);
        this.intake?.subscriptions.interrupt(error);
      }
      throw error;
    } finally {
      release();
      if (this.#connecting === call) this.#connecting = null;
    }
  }

  /** Ends the connection in order and stays usable; harmless when there is none. */
  async disconnect(reasonCode: number, properties: DisconnectProperties | null): Promise<void> {
    if (this.#stopping !== null) return await this.#stopping;
    if (this.#state === "closed" || this.#state === "disconnected") return;
    await this.#stopOnce(async () => {
      await this.#shutDown(reasonCode, properties);
      if (this.#state === "closed") return;
      this.#failAll(new MessagingError("ERR_NOT_CONNECTED", "the client was disconnected"));
      this.#enter("disconnected");
    });
  }

  /** Waits for what is under way, at most `timeoutMs`, then ends for good. */
  async close(timeoutMs: number): Promise<void> {
    while (this.#stopping !== null) await this.#stopping;
    if (this.#state === "closed") return void (await this.closed);
    await this.#stopOnce(async () => {
      const wasUp = this.#state === "connected" || this.#state === "reconnecting";
      const { clock } = this.platform;
      const untilMs = clock.nowMs() + timeoutMs;
      // What was called before this, and waits for its code, is under way, too.
      const { loading } = this.parts;
      if (wasUp && loading !== null) await within(clock, timeoutMs, { work: loading.catch(noop), end: this.closed });
      if (this.availability() === "closed") return;
      this.#enter("disconnecting");
      if (wasUp) await this.#drain(untilMs - clock.nowMs());
      if (this.#state === "disconnecting") await this.#shutDown(ReasonCode.NormalDisconnection, null);
      if (this.#state === "disconnecting") await this.#end(null);
    });
  }

  /** Ends now. */
  async destroy(error: MessagingError | null): Promise<void> {
    if (this.#state === "closed") return void (await this.closed);
    this.#enter("closed");
    this.#draining = false;
    this.#stopTrying();
    this.#connection?.destroy(null);
    await this.#end(error);
  }

  // Connection

  cleanStart(level: ProtocolLevel): boolean {
    const { cleanStart, sessionExpirySeconds } = this.settings;
    // Asked for once: with MQTT 5.0 and an expiry, later connections go on with this client's own session.
    return cleanStart && !(level === 5 && sessionExpirySeconds > 0 && this.#hadSession);
  }

  checkAccepted(connack: Connack): Promise<void> | null {
    return this.authenticator?.onAccepted(connack.properties?.authenticationData?.slice() ?? null) ?? null;
  }

  attemptFailed(error: MessagingError): void {
    this.authenticator?.close(error);
    this.#trace("failed", error);
  }

  onOpen(connack: Connack, connection: Connection): void {
    const { sessionPresent } = connack;
    this.#connection = connection;
    this.#capabilities = connection.capabilities;
    this.#hadSession = true;
    this.#sessionPresent = sessionPresent;
    if (connection.capabilities.assignedClientId !== "") this.#clientId = connection.capabilities.assignedClientId;
    this.#store()?.begin(connection, sessionPresent);
    this.#trace("connected", null);
    if (!this.#draining) this.#enter("connected");
    this.intake?.open(connection, sessionPresent);
    // A listener of the new state may have ended the connection again.
    if (connection.engine.over) return;
    this.publisher.open(connection, sessionPresent);
    this.events.emit({ type: "serverCapabilities", capabilities: connection.capabilities });
    this.events.emit({
      type: "connect",
      sessionPresent,
      server: this.#connector.server,
      protocolVersion: connection.engine.protocolLevel,
    });
  }

  onRefused(connack: Connack): void {
    this.#connector.noteRedirect(connack.reasonCode, connack.properties?.serverReference);
  }

  onAuth(packet: Auth, connection: Connection): void {
    this.authenticator?.onAuth(packet, connection);
  }

  onServerDisconnect(packet: Disconnect): void {
    const serverReference = packet.properties?.serverReference ?? "";
    this.#connector.noteRedirect(packet.reasonCode, serverReference);
    this.events.emit({
      type: "serverDisconnect",
      reasonCode: packet.reasonCode,
      reasonString: packet.properties?.reasonString ?? "",
      serverReference,
    });
  }

  onHeld(connection: Connection): void {
    this.parts.intake.load().catch((error: unknown) => connection.fail(asMessagingError(error, "ERR_LOAD_FAILED")));
  }

  onReleased(packetId: number, known: boolean, connection: Connection): void {
    const store = this.#store();
    if (store === null) connection.engine.sendPubcomp(packetId, known);
    else store.release(connection, packetId, known);
  }

  onExpiry(nowMs: number, flowingSinceMs: number): void {
    this.publisher.expire(nowMs, flowingSinceMs);
    this.intake?.subscriptions.expire(nowMs, flowingSinceMs);
  }

  onOver(): void {
    this.publisher.close();
    this.intake?.over();
  }

  onEnd(error: MessagingError | null): void {
    this.onOver();
    this.#connection = null;
    this.#capabilities = null;
    this.authenticator?.close(error);
    this.#ended?.resolve();
    if (this.#state !== "connected" && !this.#draining) return;
    const lost = error ?? new MessagingError("ERR_CONNECTION_LOST", "the connection ended");
    if (!this.#draining) this.#enter("reconnecting");
    this.events.emit({ type: "connectionLost", error: lost });
    this.#trace("lost", lost);
    this.publisher.lost(lost);
    this.#supervisor.lost(lost);
  }

  // Parts

  dropped(item: PendingPublish | MqttMessage, reason: DropReason): void {
    const direction = reason === "slowConsumer" || reason === "unclaimed" ? "inbound" : "outbound";
    const { topic, qos, payload } = item;
    this.events.emit({ type: "messageDropped", direction, reason, topic, qos, payloadBytes: payload.length });
  }

  awaitingChanged(): void {
    this.intake?.awaitingChanged();
  }

  storeFailed(error: MessagingError): void {
    this.#background(error);
    this.#connection?.fail(error);
  }

  #onAttempt(attempt: number, index: number): void {
    this.#attempt = attempt;
    this.#connector.choose(index);
    this.#trace("dialing", null);
    if (this.#state !== "reconnecting") return;
    this.events.emit({ type: "reconnecting", attempt, server: this.#connector.server });
  }

  #onGaveUp(error: MessagingError): void {
    // A first connect that fails is told by its promise.
    if (this.#state !== "reconnecting" && !this.#draining) return;
    if (!this.#draining) this.#enter("disconnected");
    this.#failAll(error);
    this.intake?.subscriptions.interrupt(error);
    this.events.emit({ type: "reconnectFailed", error });
  }

  /** A property block for PUBLISH, or null for none. @throws {MessagingError} as `publish` */
  encodeProperties(properties: PublishProperties): Uint8Array | null {
    return this.parts.encodeProperties(properties, () => checkUsable(this, undefined));
  }

  /** The receiving side is there: it takes what an open connection brings from now on. */
  #attach(intake: Intake): Intake {
    this.intake = intake;
    const connection = this.#connection;
    if (connection !== null && !connection.engine.over) intake.open(connection, this.#sessionPresent);
    return intake;
  }

  /** All that a connection may need, before there is one: nothing is loaded while a link is down. */
  async #prepare(): Promise<void> {
    const loading = this.parts.load();
    if (loading !== null) await loading;
    const store = this.#store();
    const intake = this.intake;
    if (store === null || intake === null) return;
    if (intake.inbox.store === null) {
      intake.inbox.store = store.writer;
      this.publisher.keepIn(store);
    }
    await store.open({ outbound: this.#outbound, inbound: intake.inbound });
  }

  #makeSupervisor(): Supervisor {
    const { platform } = this;
    const { reconnect } = this.settings;
    return new Supervisor({
      clock: platform.clock,
      serverCount: () => this.#connector.serverCount,
      connect: (index, signal) => this.#connector.connect(index, signal),
      redial: () =>
        reconnect === null
          ? null
          : new this.parts.recovery.loaded.Redial(reconnect, platform.clock, () => platform.random()),
      handler: {
        onAttempt: (attempt, index) => this.#onAttempt(attempt, index),
        onGaveUp: (error) => this.#onGaveUp(error),
      },
    });
  }

  /** Makes a `disconnect` or `close` known to those that come meanwhile. */
  async #stopOnce(stop: () => Promise<void>): Promise<void> {
    const done = deferred<void>();
    this.#stopping = done.promise;
    try {
      await stop();
    } finally {
      this.#stopping = null;
      done.resolve();
    }
  }

  #stopTrying(): void {
    this.#connecting?.abort(new MessagingError("ERR_ABORTED", "the client was told to stop"));
    this.#supervisor.stop();
  }

  /** Stops reconnecting and ends the connection, in order where there is one. */
  async #shutDown(reasonCode: number, properties: DisconnectProperties | null): Promise<void> {
    const connection = this.#connection;
    if (connection === null) {
      this.#enter("disconnecting");
    } else {
      const ended = deferred<void>();
      this.#ended = ended;
      // Throws for what may not be said, before anything has changed.
      connection.disconnect(reasonCode, properties);
      this.#enter("disconnecting");
      await this.#endWithin(connection, ended.promise);
      this.#ended = null;
    }
    this.#stopTrying();
  }

  /** A peer that does not end its side must not keep us. */
  async #endWithin(connection: Connection, ended: Promise<void>): Promise<void> {
    const timer = this.platform.clock.setTimer(CLOSE_MS, () => connection.destroy(null));
    await ended;
    timer.cancel();
  }

  /** Waits for publishes, for handlers, and for bytes to leave. */
  async #drain(timeoutMs: number): Promise<void> {
    this.#draining = true;
    const work = Promise.all([this.intake?.drained(), this.publisher.drain()]);
    const drained = work.then(() => this.#connection?.drained());
    await within(this.platform.clock, timeoutMs, { work: drained, end: this.closed });
    this.#draining = false;
  }

  async #end(error: MessagingError | null): Promise<void> {
    this.#enter("closed");
    this.#failAll(error ?? new MessagingError("ERR_CLIENT_CLOSED", "the client was closed"));
    this.intake?.end();
    // A store that fails or hangs is told of, and does not keep the client from ending.
    await this.#store()
      ?.close(this.platform.clock)
      .catch((cause: MessagingError) => this.#background(cause));
    this.events.emit({ type: "closed", error });
    this.#trace("closed", error);
    this.events.end();
    this.#closedEnd.resolve(error);
  }

  #failAll(error: MessagingError): void {
    const { cleanStart, sessionExpirySeconds } = this.settings;
    // What a store holds is sent again by the next connection as it would be by the next process.
    const forget = cleanStart && sessionExpirySeconds === 0 && this.settings.store === null;
    this.publisher.fail(error, forget ? "forget" : "keep");
    this.intake?.fail(error);
  }

  #enter(state: MqttClientState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.events.emit({ type: "state", state });
  }

  #trace(phase: ConnectTrace["phase"], error: MessagingError | null): void {
    this.#tracer.connection(phase, { server: this.#connector.server, attempt: this.#attempt }, error);
  }

  #background(error: MessagingError): void {
    this.events.emit({ type: "backgroundError", error });
  }
}

/** Time that an orderly end of the connection may take. */
const CLOSE_MS = 1_000;

const AVAILABILITY: Readonly<Record<MqttClientState, Availability>> = {
  connected: "online",
  connecting: "offline",
  reconnecting: "offline",
  disconnected: "none",
  disconnecting: "draining",
  closed: "closed",
};
