import { type Deferred, deferred } from "../../base/deferred.ts";
import { type Diagnostics, diagnostics } from "../../base/diagnostics.ts";
import { Emitter } from "../../base/emitter.ts";
import { MessagingError } from "../../base/errors.ts";
import { backoff } from "../../supervisor/backoff.ts";
import { Supervisor } from "../../supervisor/supervisor.ts";
import type { Endpoint } from "../../transport/endpoint.ts";
import { ChunkPool } from "../../transport/outbox.ts";
import type { Platform } from "../../transport/platform.ts";
import type { Auth, Connack, Disconnect, DisconnectProperties, ProtocolLevel } from "../codec/packets.ts";
import { ReasonCode } from "../codec/reason-codes.ts";
import { TopicDecoder } from "../codec/topic-decoder.ts";
import { TopicEncoder } from "../codec/topic-encoder.ts";
import { SessionState } from "../engine/session-state.ts";
import { attemptConnection, isVersionRefusal, RefusedError } from "./attempt.ts";
import { Authenticator, type AuthPort } from "./authenticator.ts";
import type { ServerCapabilities } from "./capabilities.ts";
import { connectPacket } from "./connect-packet.ts";
import type { Connection, ConnectionOwner, ConnectionParts } from "./connection.ts";
import type { DropReason, MqttClientEvent, MqttClientState } from "./events.ts";
import { Inbox, type InboxOwner } from "./inbox.ts";
import type { MqttMessage } from "./message.ts";
import type { Settings } from "./options.ts";
import type { ClientItem, PendingPublish } from "./pending.ts";
import { type Availability, Publisher, type PublisherOwner } from "./publisher.ts";
import { mqttEndpoint, referencedEndpoints } from "./server-addresses.ts";
import { StoreWriter } from "./store-writer.ts";
import { restoreSession } from "./stored-session.ts";
import { type MqttSubscription, Pressure } from "./subscription.ts";
import { Subscriptions, type SubscriptionsOwner } from "./subscriptions.ts";

/** Redirections followed within one attempt. */
const REDIRECTS_MAX = 3;

/**
 * The life of a client: connects, notices the end of a connection, comes back, and wires publisher, subscriptions and inbox
 * to the connection of the moment. It owns the one state; the public class on top only checks arguments.
 */
export class ClientCore implements ConnectionOwner, PublisherOwner, SubscriptionsOwner, InboxOwner {
  readonly settings: Settings;
  readonly platform: Platform;
  readonly events: Emitter<MqttClientEvent>;
  readonly publisher: Publisher;
  readonly subscriptions: Subscriptions;
  readonly inbox: Inbox;
  readonly closed: Promise<MessagingError | null>;
  readonly #closedEnd: Deferred<MessagingError | null> = deferred();
  readonly #session = new SessionState<ClientItem>();
  readonly #parts: ConnectionParts;
  readonly #supervisor: Supervisor;
  readonly #store: StoreWriter | null;
  readonly #authenticator: Authenticator | null;
  readonly #endpoints: readonly Endpoint[];
  readonly #diagnostics: Diagnostics = diagnostics();
  #state: MqttClientState = "disconnected";
  #connection: Connection | null = null;
  #capabilities: ServerCapabilities | null = null;
  #clientId: string;
  /** The level that an `auto` client has found to work; null while it does not know. */
  #level: ProtocolLevel | null = null;
  #storeOpen = false;
  /** True once a session of this client may exist on the server. */
  #hadSession = false;
  /** Where the server sent us (MQTT 5.0 §4.11), and whether that holds for good. */
  #redirect: { readonly endpoint: Endpoint; readonly permanent: boolean } | null = null;
  #attempt = 0;
  /** The connection that is being made. */
  #opening: Connection | null = null;
  #server = "";
  #pressure: Pressure = Pressure.None;
  #ended: Deferred<void> | null = null;

  constructor(settings: Settings, platform: Platform) {
    this.settings = settings;
    this.platform = platform;
    this.closed = this.#closedEnd.promise;
    this.#clientId = settings.clientId;
    this.#endpoints = settings.servers.map(mqttEndpoint);
    this.#store = settings.store === null ? null : new StoreWriter(settings.store);
    this.#authenticator = settings.authentication === null ? null : new Authenticator(settings.authentication);
    this.events = new Emitter((error, event) => this.#warn(`a listener of ${event.type} failed`, error));
    const topics = new TopicEncoder(platform.text);
    this.publisher = new Publisher(settings, this, this.#session, { topics, store: this.#store });
    this.inbox = new Inbox(this, this.#session, { store: this.#store, onMessage: settings.onMessage });
    this.subscriptions = new Subscriptions(this, this.#session.outbound, settings.ackTimeoutMs);
    this.inbox.attach(this.subscriptions);
    this.#parts = {
      clock: platform.clock,
      text: platform.text,
      pool: new ChunkPool(4),
      settings,
      session: this.#session,
      topics: new TopicDecoder(platform.text),
      publisher: this.publisher,
      inbox: this.inbox,
    };
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

  get authenticator(): Authenticator | null {
    return this.#authenticator;
  }

  availability(): Availability {
    switch (this.#state) {
      case "connected":
        return "online";
      case "connecting":
      case "reconnecting":
        return "offline";
      case "disconnected":
        return "none";
      case "disconnecting":
        return "draining";
      case "closed":
        return "closed";
    }
  }

  async connect(signal: AbortSignal | undefined): Promise<void> {
    if (this.#state === "closed") throw new MessagingError("ERR_CLIENT_CLOSED", "the client is closed");
    if (this.#state !== "disconnected")
      throw new MessagingError("ERR_ALREADY_CONNECTED", `the client is ${this.#state}`);
    this.#enter("connecting");
    this.#attempt = 0;
    try {
      await this.#openStore();
      await this.#supervisor.start(signal);
    } catch (error) {
      this.#afterFailedStart(error instanceof MessagingError ? error : connectFailed(error));
      throw error;
    }
  }

  /** Ends the connection in order and stays usable; harmless when there is none. */
  async disconnect(reasonCode: number, properties: DisconnectProperties | null): Promise<void> {
    if (this.#state === "closed" || this.#state === "disconnected") return;
    await this.#shutDown(reasonCode, properties);
    this.#failAll(new MessagingError("ERR_NOT_CONNECTED", "the client was disconnected"));
    this.#enter("disconnected");
  }

  /** Waits for what is under way, at most `timeoutMs`, then ends for good. */
  async close(timeoutMs: number): Promise<void> {
    if (this.#state === "closed") return;
    if (this.#state === "disconnecting") return void (await this.closed);
    const wasUp = this.#state === "connected" || this.#state === "reconnecting";
    this.#enter("disconnecting");
    if (wasUp) await this.#drain(timeoutMs);
    await this.#shutDown(ReasonCode.NormalDisconnection, null);
    await this.#end(null);
  }

  /** Ends now. */
  async destroy(error: MessagingError | null): Promise<void> {
    if (this.#state === "closed") return;
    this.#supervisor.stop();
    this.#connection?.destroy(null);
    await this.#end(error);
  }

  // Connection

  onOpen(connack: Connack): void {
    const connection = this.#opening;
    if (connection === null) return;
    this.#connection = connection;
    this.#capabilities = connection.capabilities;
    this.#hadSession = true;
    if (connection.capabilities.assignedClientId !== "") this.#clientId = connection.capabilities.assignedClientId;
    if (!connack.sessionPresent) this.#store?.write({ op: "clearReceived" }, null);
    this.#authenticator?.onAccepted(connection.capabilities.authenticationData, this.#authPort(connection));
    this.#enter("connected");
    this.subscriptions.open(connection, connack.sessionPresent);
    this.publisher.open(connection, connack.sessionPresent);
    this.#reconsiderReading();
    this.events.emit({ type: "serverCapabilities", capabilities: connection.capabilities });
    this.events.emit({
      type: "connect",
      sessionPresent: connack.sessionPresent,
      server: this.#server,
      protocolVersion: connection.engine.protocolLevel,
    });
  }

  onRefused(): void {
    // The attempt rejects with the refusal.
  }

  onAuth(packet: Auth): void {
    const connection = this.#opening ?? this.#connection;
    if (connection !== null) this.#authenticator?.onAuth(packet, this.#authPort(connection));
  }

  onServerDisconnect(packet: Disconnect): void {
    const serverReference = packet.properties?.serverReference ?? "";
    this.#noteRedirect(packet.reasonCode, serverReference);
    this.events.emit({
      type: "serverDisconnect",
      reasonCode: packet.reasonCode,
      reasonString: packet.properties?.reasonString ?? "",
      serverReference,
    });
  }

  onReleased(packetId: number, known: boolean): void {
    const connection = this.#connection;
    if (connection === null) return;
    if (this.#store === null || !known) return connection.engine.sendPubcomp(packetId, known);
    // Forgotten for good before PUBCOMP: afterwards the server may use the id for another message.
    this.#store.write({ op: "deleteReceived", packetId }, (error) => {
      if (error !== null) connection.fail(error);
      else if (this.#connection === connection) connection.engine.sendPubcomp(packetId, known);
    });
  }

  onExpiry(nowMs: number): void {
    this.publisher.expire(nowMs);
    this.subscriptions.expire(nowMs);
  }

  onEnd(error: MessagingError | null): void {
    this.publisher.close();
    this.subscriptions.close();
    this.#connection = null;
    this.#capabilities = null;
    this.#authenticator?.close(error);
    this.#ended?.resolve();
    if (this.#state !== "connected") return;
    const lost = error ?? new MessagingError("ERR_CONNECTION_LOST", "the connection ended");
    this.#enter("reconnecting");
    this.events.emit({ type: "connectionLost", error: lost });
    this.#trace("lost", lost);
    this.#supervisor.lost(lost);
  }

  // Parts

  dropped(item: PendingPublish | MqttMessage, reason: DropReason): void {
    const direction = reason === "slowConsumer" || reason === "unclaimed" ? "inbound" : "outbound";
    const { topic, qos, payload } = item;
    this.events.emit({ type: "messageDropped", direction, reason, topic, qos, payloadBytes: payload.length });
  }

  awaitsReply(): void {
    if (this.#pressure !== Pressure.None) this.#reconsiderReading();
  }

  lost(filter: string, error: MessagingError): void {
    this.events.emit({ type: "subscriptionLost", filter, error });
  }

  handlerFailed(message: MqttMessage, error: unknown): void {
    this.events.emit({ type: "handlerError", message, error });
  }

  pressure(pressure: Pressure): void {
    this.#pressure = pressure;
    this.#reconsiderReading();
  }

  unsubscribe(subscription: MqttSubscription): Promise<void> {
    if (this.availability() === "online" || this.availability() === "offline")
      return this.subscriptions.remove(subscription);
    subscription.end();
    return Promise.resolve();
  }

  storeFailed(error: Error): void {
    this.events.emit({ type: "backgroundError", error: storeError(error) });
  }

  #makeSupervisor(): Supervisor {
    const { settings, platform } = this;
    const rules = settings.reconnect ?? {};
    const { shouldReconnect, delay } = rules;
    return new Supervisor({
      clock: platform.clock,
      serverCount: () => this.#endpoints.length,
      connect: (index, signal) => this.#connectTo(index, signal),
      backoff: backoff(
        {
          initialDelayMs: rules.initialDelayMs,
          maxDelayMs: rules.maxDelayMs,
          jitter: rules.jitter,
          delay: delay === undefined ? undefined : (attempt, error) => delay(attempt, asMessagingError(error)),
        },
        () => platform.random(),
      ),
      attemptsMax: rules.maxAttempts,
      firstConnect: rules.retryFirstConnect === true ? "retry" : "once",
      shouldReconnect:
        settings.reconnect === null
          ? () => false
          : shouldReconnect === undefined
            ? undefined
            : (error, attempt) => shouldReconnect(asMessagingError(error), attempt),
      handler: {
        onAttempt: (attempt, index) => this.#onAttempt(attempt, index),
        onWaiting: () => undefined,
        onGaveUp: (error) => this.#onGaveUp(asMessagingError(error)),
      },
    });
  }

  #onAttempt(attempt: number, index: number): void {
    this.#attempt = attempt;
    this.#server = this.#endpoints[index]?.display ?? "";
    this.#trace("dialing", null);
    if (this.#state === "reconnecting") this.events.emit({ type: "reconnecting", attempt, server: this.#server });
  }

  #onGaveUp(error: MessagingError): void {
    // A first connect that fails is told by its promise.
    if (this.#state !== "reconnecting") return;
    this.#enter("disconnected");
    this.#failAll(error);
    this.events.emit({ type: "reconnectFailed", error });
  }

  async #connectTo(index: number, signal: AbortSignal): Promise<void> {
    const configured = this.#endpoints[index];
    if (configured === undefined) throw new MessagingError("ERR_NO_SERVERS", "no server address given");
    let endpoint = this.#redirect?.endpoint ?? configured;
    if (this.#redirect?.permanent === false) this.#redirect = null;
    for (let hops = 0; ; hops++) {
      try {
        return await this.#connectAtBestLevel(endpoint, signal);
      } catch (error) {
        this.#trace("failed", asMessagingError(error));
        const next = hops < REDIRECTS_MAX ? this.#redirection(error, endpoint) : null;
        if (next === null) {
          this.#redirect = null;
          throw error;
        }
        endpoint = next;
      }
    }
  }

  /** `auto` tries 5.0 first, and 3.1.1 when the server fails in a way in which one without 5.0 fails. */
  async #connectAtBestLevel(endpoint: Endpoint, signal: AbortSignal): Promise<void> {
    const { protocolVersion } = this.settings;
    if (protocolVersion !== "auto") return this.#connectAt(endpoint, protocolVersion, signal);
    if (this.#level !== null) return this.#connectAt(endpoint, this.#level, signal);
    try {
      await this.#connectAt(endpoint, 5, signal);
      this.#level = 5;
    } catch (error) {
      if (!isVersionRefusal(error)) throw error;
      await this.#connectAt(endpoint, 4, signal);
      this.#level = 4;
    }
  }

  async #connectAt(endpoint: Endpoint, level: ProtocolLevel, signal: AbortSignal): Promise<void> {
    const { platform, settings } = this;
    this.#server = endpoint.display;
    const choice = { level, endpoint, clientId: this.#clientId, cleanStart: this.#cleanStart(level) };
    const connect = await connectPacket(settings, choice, platform.text);
    const onCreated = (connection: Connection): void => {
      this.#opening = connection;
    };
    try {
      await attemptConnection({ platform, parts: this.#parts, endpoint, connect, owner: this, signal, onCreated });
      this.#trace("connected", null);
    } finally {
      this.#opening = null;
    }
  }

  /** A clean start is asked for once: with MQTT 5.0 and an expiry, later connections go on with this client's own session. */
  #cleanStart(level: ProtocolLevel): boolean {
    const { cleanStart, sessionExpirySeconds } = this.settings;
    return cleanStart && !(level === 5 && sessionExpirySeconds > 0 && this.#hadSession);
  }

  #redirection(error: unknown, from: Endpoint): Endpoint | null {
    if (!(error instanceof RefusedError)) return null;
    this.#noteRedirect(error.connack.reasonCode, error.connack.properties?.serverReference ?? "", from);
    const endpoint = this.#redirect?.endpoint ?? null;
    if (this.#redirect?.permanent === false) this.#redirect = null;
    return endpoint;
  }

  #noteRedirect(reasonCode: number, reference: string, from: Endpoint | undefined = this.#endpoints[0]): void {
    const permanent = reasonCode === ReasonCode.ServerMoved;
    if (this.settings.serverRedirect === "ignore" || from === undefined) return;
    if (!permanent && reasonCode !== ReasonCode.UseAnotherServer) return;
    const endpoint = referencedEndpoints(reference, from)[0];
    if (endpoint !== undefined) this.#redirect = { endpoint, permanent };
  }

  async #openStore(): Promise<void> {
    const { store, clientId } = this.settings;
    if (store === null || this.#storeOpen) return;
    if (clientId === "") throw new MessagingError("ERR_EMPTY_CLIENT_ID", "a store needs a client id of your own");
    await restoreSession(store, clientId, this.settings, { publisher: this.publisher, inbound: this.#session.inbound });
    this.#storeOpen = true;
  }

  #afterFailedStart(error: MessagingError): void {
    if (this.#state !== "connecting") return;
    this.#enter("disconnected");
    this.#failAll(error);
  }

  /** Stops reconnecting and ends the connection, in order where there is one. */
  async #shutDown(reasonCode: number, properties: DisconnectProperties | null): Promise<void> {
    if (this.#state !== "disconnecting") this.#enter("disconnecting");
    const connection = this.#connection;
    if (connection !== null) {
      this.#ended = deferred<void>();
      connection.disconnect(reasonCode, properties);
      await this.#endWithin(connection, this.#ended.promise);
      this.#ended = null;
    }
    this.#supervisor.stop();
  }

  /** A peer that does not end its side must not keep us. */
  async #endWithin(connection: Connection, ended: Promise<void>): Promise<void> {
    const timer = this.platform.clock.setTimer(CLOSE_MS, () => connection.destroy(null));
    await ended;
    timer.cancel();
  }

  async #drain(timeoutMs: number): Promise<void> {
    const done = deferred<void>();
    const timer = this.platform.clock.setTimer(timeoutMs, () => done.resolve());
    const work = Promise.all([this.publisher.idle(), ...this.subscriptions.all().map((each) => each.drained())]);
    work.then(() => done.resolve(), done.reject);
    await done.promise;
    timer.cancel();
  }

  async #end(error: MessagingError | null): Promise<void> {
    this.#failAll(error ?? new MessagingError("ERR_CLIENT_CLOSED", "the client was closed"));
    this.subscriptions.endAll();
    this.#enter("closed");
    this.events.emit({ type: "closed", error });
    this.#trace("closed", error);
    this.events.end();
    if (this.#store !== null) {
      await this.#store.idle();
      if (this.#storeOpen) await this.settings.store?.close();
    }
    this.#closedEnd.resolve(error);
  }

  #failAll(error: MessagingError): void {
    const { cleanStart, sessionExpirySeconds } = this.settings;
    this.publisher.fail(error, cleanStart && sessionExpirySeconds === 0 ? "forget" : "keep");
    this.subscriptions.fail(error);
  }

  #authPort(connection: Connection): AuthPort {
    return {
      sendAuth: (packet) => connection.engine.sendAuth(packet),
      fail: (error) => connection.destroy(error),
    };
  }

  /** Reading stops while a subscription's buffer is full; answers that are awaited must be read all the same, within limits. */
  #reconsiderReading(): void {
    const outbound = this.#session.outbound;
    const awaiting = outbound.inflight > 0 || outbound.requests > 0;
    const stop = this.#pressure === Pressure.Hard || (this.#pressure === Pressure.Soft && !awaiting);
    this.#connection?.setReading(!stop);
  }

  #enter(state: MqttClientState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.events.emit({ type: "state", state });
  }

  #trace(phase: "dialing" | "connected" | "failed" | "lost" | "closed", error: MessagingError | null): void {
    const channel = this.#diagnostics.connect;
    if (!channel.hasSubscribers) return;
    channel.publish({
      protocol: "mqtt",
      clientId: this.#clientId,
      server: this.#server,
      phase,
      attempt: this.#attempt,
      error,
    });
  }

  #warn(message: string, error: unknown): void {
    const channel = this.#diagnostics.warning;
    if (channel.hasSubscribers) channel.publish({ component: "mqtt client", message, error });
  }
}

/** Time that an orderly end of the connection may take. */
const CLOSE_MS = 1_000;

function asMessagingError(error: unknown): MessagingError {
  return error instanceof MessagingError ? error : connectFailed(error);
}

function connectFailed(cause: unknown): MessagingError {
  return new MessagingError("ERR_CONNECT_FAILED", cause instanceof Error ? cause.message : String(cause), { cause });
}

function storeError(cause: Error): MessagingError {
  return cause instanceof MessagingError ? cause : new MessagingError("ERR_STORE_FAILED", cause.message, { cause });
}
