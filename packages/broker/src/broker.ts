import { ChunkPool, isMessagingError, lenientText, type MessagingError } from "polymq/internal";
import { ReasonCode, TopicDecoder, TopicEncoder } from "polymq/mqtt/codec";
import { type Clock, nodePlatform, type Platform } from "polymq/transport";
import { AccessControl } from "./auth/access-control.ts";
import { type BrokerQueues, brokerQueues } from "./broker-queues.ts";
import { Hub } from "./core/hub.ts";
import type { HubInspection } from "./core/inspection.ts";
import { hostResources } from "./host-resources.ts";
import { HttpApi } from "./http/http-api.ts";
import { amqp10Protocol, anyAmqpProtocol } from "./listeners/amqp10-protocol.ts";
import { amqp091Protocol } from "./listeners/amqp091-protocol.ts";
import type { ListenerAddress } from "./listeners/listener-address.ts";
import { type Listeners, type ListenersOptions, openListeners } from "./listeners/listeners.ts";
import { mqttProtocol } from "./listeners/mqtt-protocol.ts";
import { BrokerMetrics, type MetricsSnapshot } from "./metrics/broker-metrics.ts";
import type { BrokerOptions } from "./options.ts";
import { type Amqp10Context, amqp10Context } from "./sessions/amqp10/amqp10-context.ts";
import { Amqp10Wire } from "./sessions/amqp10/amqp10-wire.ts";
import { type AmqpContext, amqpContext } from "./sessions/amqp091/amqp-context.ts";
import { AmqpWire } from "./sessions/amqp091/amqp-wire.ts";
import { deadLetterHeaders } from "./sessions/amqp091/header-lookup.ts";
import type { ConnectionInspection } from "./sessions/connection-inspection.ts";
import { MqttConnection } from "./sessions/mqtt/mqtt-connection.ts";
import type { MqttContext } from "./sessions/mqtt/mqtt-context.ts";
import { MqttSession } from "./sessions/mqtt/mqtt-session.ts";
import { SysTopics } from "./sessions/mqtt/sys-topics.ts";
import { PropertyTranslator } from "./sessions/translate/property-translator.ts";
import { UnsentLimit } from "./sessions/unsent-limit.ts";
import { type BrokerSettings, brokerSettings } from "./settings.ts";
import { queueDefinition } from "./settings-queues.ts";
import type { Store } from "./storage/store.ts";
import { VERSION } from "./version.ts";

/** A picture of a broker at one moment. */
export interface BrokerInspection extends HubInspection {
  /** Clients that are connected. */
  readonly connections: readonly ConnectionInspection[];
  readonly metrics: MetricsSnapshot;
}

/** A running broker. */
export interface Broker extends AsyncDisposable {
  /** Where it listens, in the order of the options. */
  readonly addresses: readonly ListenerAddress[];
  /** The first listener's port. */
  readonly port: number;
  /** The first URL of the first listener, such as `mqtt://127.0.0.1:1883`. */
  readonly url: string;
  /** Its queues and their groups. */
  readonly queues: BrokerQueues;
  /** What callers of the HTTP side show as `Authorization: Bearer <token>`; null when nobody needs it, or no HTTP is served. */
  readonly httpToken: string | null;
  /** What is here now: sessions, subscriptions, counters. Costs time in proportion to the sessions. */
  inspect(): BrokerInspection;
  /** Resolves when the broker has ended: null after `close`, or the error that ended it, such as a failed store. Never rejects. */
  readonly closed: Promise<MessagingError | null>;
  /**
   * Stops listening, says goodbye to clients, stores what is left to store, and resolves when nothing is open any more;
   * what clients do not take within `drainTimeoutMs` is cut off.
   * @throws {MessagingError} ERR_STORE_FAILED when not everything could be stored; nothing is open any more all the same
   */
  close(): Promise<void>;
}

/**
 * Starts a broker in this process and resolves when it listens on all its ports.
 * @throws {MessagingError} ERR_INVALID_OPTIONS, ERR_LISTEN_FAILED, ERR_STORE_IN_USE, ERR_STORE_CORRUPT, ERR_STORE_VERSION, ERR_STORE_FAILED
 */
export async function startBroker(options: BrokerOptions = {}): Promise<Broker> {
  const settings = brokerSettings(options);
  const running = await RunningBroker.start(settings, { platform: nodePlatform(), openStore, openListeners });
  return running;
}

/** What a broker stands in: the runtime, what keeps its data, and where its connections come from. */
export interface BrokerSurroundings {
  readonly platform: Platform;
  /** Null when all is to be kept in memory. */
  readonly openStore: (settings: BrokerSettings) => Promise<Store | null>;
  readonly openListeners: (options: ListenersOptions) => Promise<Listeners>;
}

/** The composition root: makes the parts, and starts and stops them in order. */
export class RunningBroker implements Broker {
  readonly queues: BrokerQueues;
  readonly closed: Promise<MessagingError | null>;
  readonly httpToken: string | null;
  readonly #settings: BrokerSettings;
  readonly #clock: Clock;
  readonly #openListeners: BrokerSurroundings["openListeners"];
  readonly #context: MqttContext;
  readonly #amqp: AmqpContext;
  readonly #amqp10: Amqp10Context;
  readonly #sys: SysTopics;
  readonly #startedAtMs: number;
  #listeners: Listeners | null = null;
  #resolveClosed: (error: MessagingError | null) => void = () => undefined;
  #closing: Promise<void> | null = null;
  #failure: MessagingError | null = null;

  private constructor(settings: BrokerSettings, surroundings: BrokerSurroundings, store: Store | null) {
    const { platform } = surroundings;
    this.#settings = settings;
    this.#clock = platform.clock;
    this.#startedAtMs = platform.clock.epochMs();
    this.httpToken = tokenOf(settings, platform);
    this.#openListeners = surroundings.openListeners;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    const metrics = new BrokerMetrics();
    const { text } = platform;
    const pool = new ChunkPool(64);
    const limits = settings.sessions.queue;
    const inflightBytesMax = settings.mqtt.maxInflightBytes;
    // Before the hub, for it may refuse its settings and a hub has timers.
    const access = new AccessControl({
      settings: settings.auth,
      clock: platform.clock,
      onHookFailed: () => metrics.hooksFailed++,
    });
    const hub = Hub.open({
      clock: platform.clock,
      store,
      limits: settings.hub,
      resources: { ...settings.resources, measure: () => hostResources(settings.dataDir) },
      queues: settings.queues,
      autoCreateQueues: settings.autoCreateQueues,
      queueLimits: settings.queueLimits,
      topology: {
        virtualHosts: settings.virtualHosts,
        randomBytes: (count) => platform.randomBytes(count),
        headersOf: deadLetterHeaders(lenientText(text)),
      },
      text,
      restoreSession: (restored, into) =>
        MqttSession.restore(restored, { hub: into, limits, inflightBytesMax, metrics, text }),
      onStoreFailed: (error) => this.#onStoreFailed(error),
      onError: (error) => this.#onInternalError(error, metrics),
    });
    this.queues = brokerQueues(hub);
    const shared = {
      hub,
      topology: hub.topology,
      metrics,
      access,
      sessions: settings.sessions,
      autoCreateQueues: settings.autoCreateQueues,
      text,
      pool,
      unsent: new UnsentLimit(pool, settings.sessions),
      translator: new PropertyTranslator(lenientText(text)),
      version: VERSION,
      randomBytes: (count: number) => platform.randomBytes(count),
    };
    this.#context = {
      ...shared,
      mqtt: settings.mqtt,
      topicDecoder: new TopicDecoder(text, 16_384),
      topicEncoder: new TopicEncoder(text, 16_384),
      serverName: `polymq/${VERSION}`,
      connections: new Set(),
    };
    this.#amqp = amqpContext({ ...shared, settings: settings.amqp091 });
    this.#amqp10 = amqp10Context({ ...shared, settings: settings.amqp10 });
    this.#sys = new SysTopics(this.#context, settings.sysIntervalSeconds);
  }

  /** Starts a broker in other surroundings than a process of its own. @throws {MessagingError} as {@link startBroker} */
  static async start(settings: BrokerSettings, surroundings: BrokerSurroundings): Promise<RunningBroker> {
    const store = await surroundings.openStore(settings);
    let broker: RunningBroker;
    try {
      broker = new RunningBroker(settings, surroundings, store);
    } catch (error) {
      await store?.close();
      throw error;
    }
    try {
      await broker.#listen();
    } catch (error) {
      await broker.close();
      throw error;
    }
    return broker;
  }

  get addresses(): readonly ListenerAddress[] {
    return this.#listeners?.addresses ?? [];
  }

  get port(): number {
    return this.addresses[0]?.port ?? 0;
  }

  get url(): string {
    return this.addresses[0]?.urls[0] ?? "";
  }

  /** The core, for tests that look inside. */
  get hub(): Hub {
    return this.#context.hub;
  }

  inspect(): BrokerInspection {
    const { hub, metrics } = this.#context;
    return { ...hub.inspect(), connections: this.#connections(), metrics: metrics.snapshot() };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #listen(): Promise<void> {
    const { metrics } = this.#context;
    const amqp10 = amqp10Protocol(() => new Amqp10Wire(this.#amqp10));
    const listeners = await this.#openListeners({
      listeners: this.#settings.listeners,
      limits: this.#settings.admission,
      protocols: [
        mqttProtocol(() => new MqttConnection(this.#context)),
        amqp10,
        amqp091Protocol(() => new AmqpWire(this.#amqp)),
        anyAmqpProtocol(amqp10),
      ],
      requests: this.#httpApi(),
      metrics,
      clock: this.#clock,
    });
    this.#listeners = listeners;
    if (this.#failure === null) return;
    await listeners.stop();
    await listeners.close();
    throw this.#failure;
  }

  #httpApi(): HttpApi | null {
    const { http, mqtt } = this.#settings;
    if (http === null) return null;
    const { hub, metrics, access, translator } = this.#context;
    return new HttpApi({
      hub,
      metrics,
      access,
      translator,
      settings: http,
      token: this.httpToken,
      version: VERSION,
      topicLevelsMax: mqtt.topicLevelsMax,
      readQueue: (value) => queueDefinition(value, ""),
      startedAtMs: this.#startedAtMs,
      connections: () => this.#connections(),
      closeConnection: (id) => this.#closeConnection(id),
    });
  }

  #connections(): ConnectionInspection[] {
    const all = [...this.#context.connections, ...this.#amqp.wires, ...this.#amqp10.wires];
    return all.flatMap((connection) => connection.inspect() ?? []);
  }

  #closeConnection(id: string): boolean {
    const all = [...this.#context.connections, ...this.#amqp.wires, ...this.#amqp10.wires];
    const found = all.find((connection) => connection.inspect()?.id === id);
    found?.dismiss();
    return found !== undefined;
  }

  /**
   * Listeners first, so that nobody comes in; then what was taken over is acknowledged; then clients, while the store is still
   * there; the store last.
   */
  async #close(): Promise<void> {
    const { hub, connections } = this.#context;
    this.#sys.stop();
    await this.#listeners?.stop();
    await hub.committer.flush().catch(() => undefined); // a store that failed says so below
    for (const connection of [...connections])
      connection.end(ReasonCode.ServerShuttingDown, this.#settings.drainTimeoutMs);
    for (const wire of [...this.#amqp.wires, ...this.#amqp10.wires]) wire.shutDown(this.#settings.drainTimeoutMs);
    await this.#drain();
    await this.#listeners?.close();
    try {
      await hub.close();
    } finally {
      this.#resolveClosed(this.#failure);
    }
  }

  /** Waits until all clients have taken what is on its way to them, within the deadline. */
  #drain(): Promise<void> {
    const { connections } = this.#context;
    const untilMs = this.#clock.nowMs() + this.#settings.drainTimeoutMs;
    return new Promise((resolve) => {
      const look = (): void => {
        const clients = connections.size + this.#amqp.wires.size + this.#amqp10.wires.size;
        if (clients === 0 || this.#clock.nowMs() >= untilMs) resolve();
        else this.#clock.setTimer(DRAIN_LOOK_MS, look);
      };
      look();
    });
  }

  /** What cannot be read is lost, and nobody must take it for delivered: the broker says so in the one way that is not overlooked. */
  #onInternalError(error: unknown, metrics: BrokerMetrics): void {
    metrics.internalErrors++;
    if (this.#closing === null && isMessagingError(error) && STORE_ERRORS.has(error.code)) this.#onStoreFailed(error);
  }

  /** Nothing can be acknowledged any more: better no broker than one that forgets. */
  #onStoreFailed(error: MessagingError): void {
    if (this.#failure !== null) return;
    this.#failure = error;
    // It may be known while this object is being made.
    queueMicrotask(() => this.close().catch(() => undefined));
  }
}

/** What reading a store may end with. */
const STORE_ERRORS: ReadonlySet<string> = new Set(["ERR_STORE_CORRUPT", "ERR_STORE_FAILED"]);

/** How often a draining broker looks whether its clients are gone. */
const DRAIN_LOOK_MS = 5;

/** The token that was given, or one that nobody guesses. */
function tokenOf({ http }: BrokerSettings, platform: Platform): string | null {
  if (http === null || http.access === "open") return null;
  return http.token ?? Buffer.from(platform.randomBytes(TOKEN_BYTES)).toString("base64url");
}

const TOKEN_BYTES = 24;

async function openStore(settings: BrokerSettings): Promise<Store | null> {
  if (settings.dataDir === null || settings.durability === "memory") return null;
  // Loaded only when it is needed: a broker in memory starts without a native module.
  const { LmdbStore } = await import("./storage/lmdb-store.ts");
  return await LmdbStore.open({ directory: settings.dataDir, durability: settings.durability });
}
