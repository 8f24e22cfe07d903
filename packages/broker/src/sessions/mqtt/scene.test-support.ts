import { ByteReader, ByteWriter, ChunkPool, Splitter, webText } from "polymq/internal";
import {
  type Connack,
  type Connect,
  decodePacket,
  encodePacket,
  measurePacket,
  type Packet,
  type Publish,
  type PublishProperties,
  type QoS,
  type Subscribe,
  type SubscribeFilter,
  TopicDecoder,
  TopicEncoder,
} from "polymq/mqtt/codec";
import { type MemoryTransport, memoryPair, VirtualClock } from "polymq/testing";
import type { TransportHandler } from "polymq/transport";
import { AccessControl } from "../../auth/access-control.ts";
import { Hub } from "../../core/hub.ts";
import { BrokerMetrics } from "../../metrics/broker-metrics.ts";
import type { BrokerOptions } from "../../options.ts";
import { brokerSettings } from "../../settings.ts";
import type { StoreBatch } from "../../storage/batch.ts";
import { MemoryMedium, MemoryStore } from "../../storage/memory-store.ts";
import type { Store } from "../../storage/store.ts";
import { PropertyTranslator } from "../translate/property-translator.ts";
import { UnsentLimit } from "../unsent-limit.ts";
import { MqttConnection } from "./mqtt-connection.ts";
import type { MqttContext } from "./mqtt-context.ts";
import { MqttSession } from "./mqtt-session.ts";

/** Everything but the frame: what a test writes down of a packet. */
type Draft<T extends Packet> = Partial<Omit<T, "type">>;

/** The packets that may have this type. */
export type PacketOf<K extends Packet["type"]> = Packet extends infer P
  ? P extends { readonly type: infer T }
    ? K extends T
      ? P
      : never
    : never
  : never;

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function textOf(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

export function hexBytes(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/[0-9a-f]{2}/g) ?? [], (pair) => Number.parseInt(pair, 16));
}

export function encode(packet: Packet, level: 4 | 5): Uint8Array {
  const writer = new ByteWriter(webText(), 256);
  encodePacket(writer, packet, level);
  return writer.buffer.slice(0, writer.at);
}

/** A CONNECT of 5.0 with a clean start, unless told otherwise. */
export function connectPacket(draft: Draft<Connect> = {}): Connect {
  return {
    type: "connect",
    level: 5,
    cleanStart: true,
    keepAliveSeconds: 0,
    clientId: "client",
    username: null,
    password: null,
    will: null,
    properties: null,
    ...draft,
  };
}

/** What a test publishes: QoS and text where it matters. */
export function publishPacket(
  topic: string,
  draft: Omit<Draft<Publish>, "payload" | "topic"> & { text?: string; payload?: Uint8Array } = {},
): Publish {
  const { text = "x", payload = bytesOf(text), ...rest } = draft;
  const packetId = rest.qos === undefined || rest.qos === 0 ? 0 : 1;
  return {
    type: "publish",
    topic,
    payload,
    qos: 0,
    retain: false,
    dup: false,
    packetId,
    properties: null,
    ...rest,
  };
}

/** A filter with options, or a SUBSCRIBE of several. */
export function subscribePacket(
  filters: readonly (string | (Partial<SubscribeFilter> & { readonly filter: string }))[],
  draft: Omit<Draft<Subscribe>, "filters"> = {},
): Subscribe {
  const full = filters.map((each) => ({
    qos: 2 as QoS,
    noLocal: false,
    retainAsPublished: false,
    retainHandling: 0 as const,
    ...(typeof each === "string" ? { filter: each } : each),
  }));
  return { type: "subscribe", packetId: 10, properties: null, ...draft, filters: full };
}

/** A client that speaks packets: it sends what the test says and answers nothing by itself. */
export class RawClient implements TransportHandler {
  readonly level: 4 | 5;
  /** Everything received and not taken yet. */
  readonly packets: Packet[] = [];
  /** Set when the connection is over. */
  closed = false;
  chunks = 0;
  readonly transport: MemoryTransport;
  readonly #clock: VirtualClock;
  readonly #splitter: Splitter;

  constructor(level: 4 | 5, transport: MemoryTransport, clock: VirtualClock) {
    this.level = level;
    this.#clock = clock;
    this.#splitter = new Splitter(measurePacket(300_000_000), (buffer, start, end) => {
      this.packets.push(decodePacket(new ByteReader(webText(), buffer.slice(start, end)), level));
      return true;
    });
    this.transport = transport.attach(this);
  }

  /** Sends packets in one chunk and waits until the broker has come to rest. */
  async send(...packets: readonly Packet[]): Promise<void> {
    await this.write(...packets.map((packet) => encode(packet, this.level)));
  }

  /** Sends bytes in one chunk and waits until the broker has come to rest. */
  async write(...parts: readonly Uint8Array[]): Promise<void> {
    const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    this.transport.write(all);
    await this.#clock.settle();
  }

  /** Takes all received packets of a type, oldest first. */
  take<K extends Packet["type"]>(type: K): PacketOf<K>[] {
    const found = this.packets.filter((packet) => packet.type === type);
    const rest = this.packets.filter((packet) => packet.type !== type);
    this.packets.splice(0, this.packets.length, ...rest);
    return found as PacketOf<K>[];
  }

  /** Takes the one received packet of a type. */
  one<K extends Packet["type"]>(type: K): PacketOf<K> {
    const found = this.take(type);
    const [first] = found;
    if (first === undefined || found.length > 1) throw new Error(`${found.length} packets of type ${type}`);
    return first;
  }

  /** Takes all received messages as texts. */
  texts(): string[] {
    return this.take("publish").map((packet) => textOf(packet.payload));
  }

  async ack(type: "puback" | "pubrec" | "pubrel" | "pubcomp", packetId: number, reasonCode = 0): Promise<void> {
    await this.send({ type, packetId, reasonCode, properties: null });
  }

  async subscribe(...filters: Parameters<typeof subscribePacket>[0]): Promise<readonly number[]> {
    await this.send(subscribePacket(filters));
    return this.one("suback").reasonCodes;
  }

  async unsubscribe(...filters: readonly string[]): Promise<readonly number[]> {
    await this.send({ type: "unsubscribe", packetId: 11, filters, properties: null });
    return this.one("unsuback").reasonCodes;
  }

  async publish(topic: string, text: string, draft: Parameters<typeof publishPacket>[1] = {}): Promise<void> {
    await this.send(publishPacket(topic, { text, ...draft }));
  }

  /** Publishes with properties, at QoS 0. */
  async publishWith(topic: string, properties: PublishProperties): Promise<void> {
    await this.send(publishPacket(topic, { properties }));
  }

  async disconnect(reasonCode = 0, sessionExpirySeconds?: number): Promise<void> {
    const properties = sessionExpirySeconds === undefined ? null : { sessionExpirySeconds };
    await this.send({ type: "disconnect", reasonCode, properties });
  }

  /** Ends the connection without a word. */
  async drop(): Promise<void> {
    this.transport.destroy();
    await this.#clock.settle();
  }

  onBytes(chunk: Uint8Array): void {
    this.chunks++;
    this.#splitter.push(chunk);
  }

  onDrain(): void {}

  onClosed(): void {
    this.closed = true;
  }
}

/** What a scene is made of, besides options of the broker. */
export interface SceneParts {
  readonly clock?: VirtualClock;
  readonly store?: Store;
}

/** The MQTT side of a broker in memory, on a virtual clock. */
export class Scene {
  readonly clock: VirtualClock;
  readonly hub: Hub;
  readonly metrics: BrokerMetrics = new BrokerMetrics();
  readonly context: MqttContext;
  /** What was thrown where nothing should be. */
  readonly errors: unknown[] = [];
  storeFailures = 0;

  constructor(options: BrokerOptions = {}, parts: SceneParts = {}) {
    const settings = brokerSettings(options);
    const text = webText();
    const { metrics } = this;
    const limits = settings.sessions.queue;
    const inflightBytesMax = settings.mqtt.maxInflightBytes;
    const pool = new ChunkPool(4);
    this.clock = parts.clock ?? new VirtualClock();
    this.hub = Hub.open({
      clock: this.clock,
      store: parts.store ?? null,
      limits: settings.hub,
      queueLimits: settings.queueLimits,
      restoreSession: (restored, hub) =>
        MqttSession.restore(restored, { hub, limits, inflightBytesMax, metrics, text }),
      onStoreFailed: () => this.storeFailures++,
      onError: (error) => this.errors.push(error),
    });
    this.context = {
      hub: this.hub,
      metrics,
      access: new AccessControl({
        settings: settings.auth,
        clock: this.clock,
        onHookFailed: () => metrics.hooksFailed++,
      }),
      mqtt: settings.mqtt,
      sessions: settings.sessions,
      text,
      pool,
      unsent: new UnsentLimit(pool, settings.sessions),
      topicDecoder: new TopicDecoder(text, 1024),
      topicEncoder: new TopicEncoder(text, 1024),
      translator: new PropertyTranslator(text),
      serverName: "polymq/test",
      randomBytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
      connections: new Set(),
    };
  }

  /** A connection on which nothing was said yet. */
  open(level: 4 | 5 = 5, chunkBytes = 1_048_576): RawClient {
    const pair = memoryPair({ clock: this.clock, chunkBytes });
    const connection = new MqttConnection(this.context);
    connection.onOpen(pair.server.attach(connection));
    return new RawClient(level, pair.client, this.clock);
  }

  /** Connects and takes CONNACK, which must be a yes. */
  async client(clientId: string, draft: Draft<Connect> = {}): Promise<RawClient & { readonly connack: Connack }> {
    const client = this.open(draft.level ?? 5);
    await client.send(connectPacket({ ...draft, clientId }));
    const connack = client.one("connack");
    if (connack.reasonCode !== 0) throw new Error(`refused with ${connack.reasonCode}`);
    return Object.assign(client, { connack });
  }

  /** A client whose session outlives its connection. */
  keeper(clientId: string, draft: Draft<Connect> = {}): Promise<RawClient & { readonly connack: Connack }> {
    const properties = { sessionExpirySeconds: 3_600, ...draft.properties };
    return this.client(clientId, { cleanStart: false, ...draft, properties: draft.level === 4 ? null : properties });
  }

  async advance(seconds: number): Promise<void> {
    await this.clock.advance(seconds * 1000);
  }
}

/** A store whose commits the test lets through, or fails. */
export class HeldStore extends MemoryStore {
  readonly #waiting: { readonly batch: StoreBatch; readonly settle: (error: Error | null) => void }[] = [];

  constructor(medium: MemoryMedium = new MemoryMedium()) {
    super(medium);
  }

  get pending(): number {
    return this.#waiting.length;
  }

  override commit(batch: StoreBatch): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ batch, settle: (error) => (error === null ? resolve() : reject(error)) });
    });
  }

  /** Completes the commit that is under way. */
  release(): void {
    const next = this.#waiting.shift();
    if (next === undefined) throw new Error("no commit is under way");
    void super.commit(next.batch); // complete at once
    next.settle(null);
  }

  /** Fails the commit that is under way. */
  fail(): void {
    const next = this.#waiting.shift();
    if (next === undefined) throw new Error("no commit is under way");
    next.settle(new Error("the disk is full"));
  }
}

/** A hook whose answers the test gives, by topic or filter. */
export interface DeferredDecisions {
  /** What was asked about, in order. */
  readonly names: string[];
  readonly ask: (who: unknown, name: string) => Promise<boolean>;
  answer(name: string, allowed: boolean): void;
}

export function deferredDecisions(): DeferredDecisions {
  const names: string[] = [];
  const answers = new Map<string, (allowed: boolean) => void>();
  return {
    names,
    ask: (_who, name) => {
      names.push(name);
      return new Promise((resolve) => answers.set(name, resolve));
    },
    answer: (name, allowed) => {
      const resolve = answers.get(name);
      if (resolve === undefined) throw new Error(`nobody asked about ${name}`);
      resolve(allowed);
    },
  };
}

export { MemoryMedium, MemoryStore };
