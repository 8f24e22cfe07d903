/** A broker in memory on a virtual clock for the tests beside this file: queues of the default exchange, consumers, confirms. */
import { webText } from "../../bytes/text.ts";
import { seededRandom } from "../../testing/seeded-random.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import { dialThroughHook } from "../../transport/dial-hook.ts";
import { type MemoryPair, memoryPair } from "../../transport/memory.ts";
import { ChunkPool, Outbox } from "../../transport/outbox.ts";
import type { DialOptions, Platform } from "../../transport/platform.ts";
import type { TransportHandler } from "../../transport/transport.ts";
import type { Content } from "../codec/content.ts";
import type { FieldTable } from "../codec/field-value.ts";
import type { Method } from "../codec/method-types.ts";
import { RouteDecoder } from "../codec/route-decoder.ts";
import { RouteEncoder } from "../codec/route-encoder.ts";
import { shortStringBytes } from "../codec/strings.ts";
import type { EngineTypes, ServerChannel } from "../engine/channel.ts";
import { ServerEngine } from "../engine/server-engine.ts";
import { AmqpClientBase } from "./amqp-client.ts";
import type { AmqpClientEvent } from "./events.ts";
import type { AmqpClientOptions } from "./options.ts";

const TEXT = webText();

interface Texts extends EngineTypes {
  readonly owner: string;
  readonly consumer: string;
  readonly route: string;
  readonly request: string;
  readonly message: string;
}

type Channel = ServerChannel<Texts>;

/** What somebody published. */
export interface FakePublish {
  readonly body: string;
  readonly block: Uint8Array;
  readonly exchange: string;
  readonly routingKey: string;
}

/** One connection from the broker's side. */
export class FakeLink {
  readonly engine: ServerEngine<Texts>;
  readonly methods: Method[] = [];
  /** Bodies of publishes as text, and their property blocks. */
  readonly published: FakePublish[] = [];
  readonly #consumers = new Map<string, Channel>();
  readonly settled: string[] = [];
  /** How many were settled before each of the methods that end a transaction. */
  readonly settledBefore: number[] = [];
  readonly pair: MemoryPair;
  channel: Channel | null = null;
  readonly #outbox: Outbox;
  readonly #broker: FakeBroker;

  constructor(broker: FakeBroker, handler: TransportHandler) {
    this.#broker = broker;
    const { clock } = broker;
    this.pair = memoryPair({ clock });
    this.pair.client.attach(handler);
    this.#outbox = new Outbox({
      pool: new ChunkPool(),
      text: TEXT,
      armFlush: () => clock.nextTurn(() => this.#flush()),
      highWaterBytes: 1_000_000,
    });
    this.#outbox.open(this.pair.server);
    this.engine = new ServerEngine<Texts>({
      outbox: this.#outbox,
      routes: new RouteDecoder(TEXT),
      tuning: { channelMax: broker.channelMax, frameMax: 4_096, heartbeatSeconds: 0 },
      bodyBytesMax: 100_000,
      assemblyBytesMax: 100_000,
      handshakeTimeoutMs: 10_000,
      closeTimeoutMs: 1_000,
      nowMs: clock.nowMs(),
      serverProperties: { product: broker.product },
      mechanisms: ["PLAIN", "AMQPLAIN", "EXTERNAL"],
      ownerOf: (id) => `c${id}`,
      handler: this.#handler(),
    });
    this.pair.server.attach({
      onBytes: (chunk) => {
        this.engine.onBytes(chunk, clock.nowMs());
        this.#flush();
      },
      onDrain: () => this.#outbox.drained(),
      onClosed: () => this.engine.end(),
    });
  }

  /** Delivers to a consumer, with an exchange and a routing key. */
  deliver(
    consumerTag: string,
    body: string,
    block: Uint8Array = new Uint8Array(2),
    [exchange, key]: readonly [string, string] = ["", "q"],
  ): void {
    const route = new RouteEncoder(TEXT).encode(exchange, key);
    this.channel = this.#consumers.get(consumerTag) ?? this.#last();
    const tag = shortStringBytes(TEXT, consumerTag, "tag");
    this.engine.deliver(this.#last(), tag, false, route, block, new TextEncoder().encode(body), body);
    this.#flush();
  }

  /** Sends a method on the channel that was used last. */
  send(method: Method): void {
    this.engine.send(this.#last(), method);
    this.#flush();
  }

  /** Closes the channel that was used last. */
  closeChannel(code: number, text: string): void {
    this.engine.closeChannel(this.#last(), code, text);
    this.#flush();
  }

  /** Confirms publishes up to a number. */
  confirmThrough(tag: number): void {
    for (let each = 1; each <= tag; each++) this.engine.confirm(this.#last(), each);
    this.#flush();
  }

  flush(): void {
    this.#flush();
  }

  #last(): Channel {
    if (this.channel === null) throw new Error("no channel was opened");
    return this.channel;
  }

  #flush(): void {
    this.engine.beforeFlush();
    this.#outbox.flush();
  }

  #handler(): ConstructorParameters<typeof ServerEngine<Texts>>[0]["handler"] {
    return {
      onChannelClosed: () => undefined,
      onFlow: () => undefined,
      onClosed: () => this.pair.server.close(),
      onFailed: () => this.pair.server.close(),
      onSecureOk: () => undefined,
      onUpdateSecret: (secret, reason) => {
        this.#broker.secrets.push(`${new TextDecoder().decode(secret)} ${reason}`);
        if (!this.#broker.silent.has("connection.update-secret")) this.engine.acceptSecret();
      },
      onStartOk: (start) => {
        this.#broker.clientProperties.push(start.clientProperties);
        this.#broker.starts.push(
          `${start.mechanism} ${new TextDecoder().decode(start.response).replaceAll("\0", ":")}`,
        );
        if (!this.#broker.silent.has("connection.start-ok")) this.engine.accept();
      },
      onOpen: (vhost) => {
        this.#broker.vhosts.push(vhost);
        if (vhost === "none") this.engine.close(530, "NOT_ALLOWED - no such vhost");
        else this.engine.acceptOpen();
      },
      onChannelOpen: (channel) => {
        this.channel = channel;
      },
      onMethod: (channel, method) => this.#onMethod(channel, method),
      onPublish: (channel, content, tag) => this.#onPublish(channel, content, tag),
      onSettled: (_channel, message, settlement, requeue) =>
        void this.settled.push(`${settlement} ${message}${requeue ? " requeue" : ""}`),
    };
  }

  #onMethod(channel: Channel, method: Method): void {
    if (method.method === "tx.commit" || method.method === "tx.rollback") this.settledBefore.push(this.settled.length);
    this.methods.push(method);
    this.channel = channel;
    if (this.#broker.silent.has(method.method)) return;
    switch (method.method) {
      case "queue.declare": {
        if (method.queue === "refused") return this.engine.closeChannel(channel, 406, "PRECONDITION_FAILED - no");
        if (!method.passive) this.#broker.missing.delete(method.queue);
        else if (this.#broker.missing.has(method.queue))
          return this.engine.closeChannel(channel, 404, "NOT_FOUND - no such queue");
        const queue = method.queue === "" ? `gen-${++this.#broker.names}` : method.queue;
        return this.engine.send(channel, { method: "queue.declare-ok", queue, messageCount: 0, consumerCount: 0 });
      }
      case "basic.consume":
        this.#consumers.set(method.consumerTag, channel);
        return this.engine.send(channel, { method: "basic.consume-ok", consumerTag: method.consumerTag });
      case "basic.cancel":
        return this.engine.send(channel, { method: "basic.cancel-ok", consumerTag: method.consumerTag });
      case "queue.delete":
        return this.engine.send(channel, { method: "queue.delete-ok", messageCount: 0 });
      case "basic.get":
        return this.engine.send(channel, { method: "basic.get-empty" });
      default:
        return this.engine.send(channel, { method: `${method.method}-ok` } as Method);
    }
  }

  #onPublish(channel: Channel, content: Content<string, string>, tag: number): void {
    this.channel = channel;
    const block = content.properties.slice(content.propertiesStart, content.propertiesEnd);
    const body = content.bodyView().slice();
    const { exchange, routingKey } = content.route;
    this.published.push({ body: new TextDecoder().decode(body), block, exchange, routingKey });
    if (content.route.routingKey === "nowhere" && content.mandatory) {
      const replyText = shortStringBytes(TEXT, "NO_ROUTE", "text");
      this.engine.returnMessage(channel, { replyCode: 312, replyText }, content.route.bytes, block, body);
    }
    if (this.#broker.confirms === "at once" && tag > 0) this.engine.confirm(channel, tag);
    if (this.#broker.confirms === "refuse" && tag > 0) this.engine.refuse(channel, tag);
  }
}

/** What all connections have in common. */
export class FakeBroker {
  readonly clock: VirtualClock = new VirtualClock();
  readonly links: FakeLink[] = [];
  readonly starts: string[] = [];
  readonly vhosts: string[] = [];
  confirms: "at once" | "by hand" | "refuse" = "at once";
  channelMax = 10;
  names = 0;
  product = "fake";
  /** Methods that are not answered. */
  readonly silent = new Set<string>();
  readonly secrets: string[] = [];
  readonly clientProperties: FieldTable[] = [];
  readonly dials: DialOptions[] = [];
  /** Queues that a passive declaration does not find. */
  readonly missing = new Set<string>();
  /** Hosts that refuse to be dialled. */
  readonly down = new Set<string>();

  get link(): FakeLink {
    const link = this.links.at(-1);
    if (link === undefined) throw new Error("nobody has connected");
    return link;
  }

  platform(): Platform {
    const noise = seededRandom(1);
    return {
      clock: this.clock,
      text: TEXT,
      kinds: ["tcp", "tls", "ws", "wss"],
      randomBytes: (count) => new Uint8Array(count).map(() => Math.floor(noise() * 256)),
      random: () => 1,
      dial: (endpoint, options, handler) => {
        this.dials.push(options);
        const dial = async (): ReturnType<Platform["dial"]> => {
          if (this.down.has(endpoint.host)) throw new Error("refused");
          const link = new FakeLink(this, handler);
          this.links.push(link);
          return link.pair.client;
        };
        return dialThroughHook(this.clock, endpoint, { ...options, dial }, handler);
      },
    };
  }

  /** Lets everything happen that needs no time, then awaits the promise, which must have settled. */
  async now<T>(promise: Promise<T>): Promise<T> {
    promise.catch(() => undefined);
    await this.clock.settle();
    const pending = Symbol("pending");
    // Rejects as the promise does when it has been rejected.
    if ((await Promise.race([promise, Promise.resolve(pending)])) === pending)
      throw new Error("the promise is still pending");
    return await promise;
  }
}

/** A client on the broker's platform. */
export class TestClient extends AmqpClientBase {
  constructor(broker: FakeBroker, options: Partial<AmqpClientOptions> = {}) {
    super({ servers: "amqp://a", ...options }, broker.platform());
  }
}

/** A connected client and every event so far. */
export async function connected(
  options: Partial<AmqpClientOptions> = {},
  product = "fake",
): Promise<{ readonly broker: FakeBroker; readonly client: TestClient; readonly events: AmqpClientEvent[] }> {
  const broker = new FakeBroker();
  broker.product = product;
  const client = new TestClient(broker, options);
  const events: AmqpClientEvent[] = [];
  for (const type of [
    "connectionLost",
    "channelClosed",
    "consumerCancelled",
    "recoveryFailed",
    "handlerError",
  ] as const) {
    client.on(type, (event) => void events.push(event));
  }
  await broker.now(client.connect());
  return { broker, client, events };
}
