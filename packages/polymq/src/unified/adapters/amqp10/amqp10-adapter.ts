// Hot path: `publish` runs per message.
import type { ConnectTarget } from "../../../amqp10/client/connect.ts";
import type { AmqpConnection } from "../../../amqp10/client/connection.ts";
import type { AmqpDelivery } from "../../../amqp10/client/delivery.ts";
import type { ConnectOptions } from "../../../amqp10/client/options.ts";
import type { AmqpReceiver } from "../../../amqp10/client/receiver.ts";
import { MessagingError } from "../../../base/errors.ts";
import { noop } from "../../../base/noop.ts";
import type {
  Adapter,
  AnyPublishOptions,
  ConsumeCall,
  Ending,
  QueueAdapter,
  Source,
  StreamAdapter,
  Tell,
} from "../../adapter.ts";
import { type Delivery, unsupported } from "../../delivery.ts";
import type { ClientState } from "../../events.ts";
import type { ClientAnswer, ClientRequestOptions } from "../../options.ts";
import type { Dialect } from "../../protocol.ts";
import type { Target } from "../../target.ts";
import { closeWithin, UnderWay } from "../under-way.ts";
import { ActiveMqQueue } from "./activemq-queue.ts";
import { Amqp10NodeDelivery } from "./amqp10-delivery.ts";
import { checkTopicOptions, dataOf, isBare, messageOf } from "./amqp10-options.ts";
import { Amqp10Publisher } from "./amqp10-publisher.ts";
import { Amqp10NodeQueue, Amqp10Queue, type AttachCall, type QueueHost } from "./amqp10-queues.ts";
import { Amqp10Requests } from "./amqp10-requests.ts";
import { type Node, sourceFor, type Ways, waysOf } from "./amqp10-ways.ts";
import { NodeSource } from "./node-source.ts";

/** Longest wait of `close` for work that is under way. */
const CLOSE_TIMEOUT_MS = 5_000;

/** Makes an AMQP 1.0 connection. */
export async function connectAmqp10(
  dial: (target: ConnectTarget, options: ConnectOptions) => Promise<AmqpConnection>,
  target: Target,
  tell: Tell,
): Promise<Adapter> {
  const { options } = target;
  const { username, password, credentials, ...common } = target.common;
  if (credentials !== undefined) throw unsupported("credentials that are asked for; use amqp10: { sasl }");
  const sasl = username === undefined ? {} : { sasl: { username, password: password ?? "" } };
  const native = await dial(target.urls, {
    containerId: target.clientId,
    ...common,
    ...sasl,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...options.amqp10,
  });
  listen(native, tell);
  try {
    return new Amqp10Adapter(native, waysOf(native.peer, options.dialect), tell);
  } catch (error) {
    native.destroy();
    throw error;
  }
}

class Amqp10Adapter implements Adapter, QueueHost {
  readonly protocol = "amqp10";
  readonly native: AmqpConnection;
  readonly ways: Ways;
  readonly publisher: Amqp10Publisher;
  readonly closed: Promise<MessagingError | null>;
  readonly #tell: Tell;
  readonly underWay: UnderWay = new UnderWay();
  readonly #requests: Amqp10Requests;
  /** The topic that was published to last, for most publishes are to the same. */
  #lastTopic: string | null = null;
  /** Links made so far to sources that last. */
  #links = 0;

  constructor(native: AmqpConnection, ways: Ways, tell: Tell) {
    this.native = native;
    this.ways = ways;
    this.#tell = tell;
    // What we destroy ourselves is no error.
    this.closed = native.closed.then((error) => (error?.code === "ERR_CLIENT_CLOSED" ? null : error));
    this.publisher = new Amqp10Publisher(native, ways);
    this.#requests = new Amqp10Requests(native, ways, this.underWay);
  }

  get dialect(): Dialect {
    return this.ways.dialect;
  }

  get state(): ClientState {
    const { state } = this.native;
    if (state === "open") return "connected";
    return state === "opening" ? "reconnecting" : state;
  }

  publish(topic: string, payload: string | Uint8Array, options: AnyPublishOptions | undefined): Promise<unknown> {
    if (topic !== this.#lastTopic) this.#lastTopic = checkedTopic(topic);
    if (options !== undefined) checkTopicOptions(options);
    if (topic.startsWith("$queue/")) return this.queue(topic.slice("$queue/".length), []).publish(payload, options);
    const settled = (options?.qos ?? 0) === 0;
    if (options === undefined || isBare(options)) {
      const sent = this.publisher.sendData(topic, dataOf(payload), settled ? "none" : "awaited");
      if (sent !== null) return sent;
    }
    const call = { settled, signal: options?.signal };
    return this.underWay.counted(this.publisher.send(this.ways.topicTarget(topic), messageOf(payload, options), call));
  }

  async subscribe(filter: string, call: ConsumeCall): Promise<Source> {
    if (call.qos === 2) throw unsupported("QoS 2");
    if (call.topic !== null) throw unsupported("noLocal, retainAsPublished and retainHandling");
    const node = this.ways.topicSource(filter);
    const { ways } = this;
    const settled = call.qos === 0 ? "received" : "byHand";
    const wrap = (message: AmqpDelivery): Delivery =>
      new Amqp10NodeDelivery(message, { topic: ways.topicOf(message.message, filter), queue: null, settled, ways });
    return await this.#receiveFrom(node, call, wrap, filter);
  }

  async unsubscribe(filter: string): Promise<void> {
    await this.underWay.end(filter);
  }

  queue(name: string, groups: readonly string[]): QueueAdapter {
    const keeping = this.ways.groups;
    if (keeping !== null) return new ActiveMqQueue(this, keeping, name, groups);
    if (groups.length > 0 && this.dialect !== "polymq") {
      throw unsupported("groups that are there before their first member");
    }
    if (this.#hasQueues()) return new Amqp10Queue(this, name);
    return new Amqp10NodeQueue(this, name);
  }

  stream(name: string): StreamAdapter {
    if (this.#hasQueues()) return new Amqp10Queue(this, name);
    throw unsupported("streams");
  }

  async receive(node: Node, call: ConsumeCall, queue: string): Promise<Source> {
    const facts = { topic: `$queue/${queue}`, queue, settled: "byHand", ways: this.ways } as const;
    return await this.#receiveFrom(node, call, (message) => new Amqp10NodeDelivery(message, facts), "");
  }

  request(address: string, payload: string | Uint8Array, options: ClientRequestOptions): Promise<Delivery> {
    return this.#requests.request(address, payload, options);
  }

  respond(
    address: string,
    responder: (request: Delivery) => ClientAnswer,
    signal: AbortSignal | undefined,
  ): Promise<Ending> {
    return this.#requests.respond(address, responder, signal);
  }

  /** Ends subscriptions and waits for outcomes, at most so long, then says goodbye. */
  async close(timeoutMs: number = CLOSE_TIMEOUT_MS): Promise<void> {
    if (this.native.state === "closed") return;
    const leftMs = await this.underWay.finish(timeoutMs, () => this.publisher.idle());
    await closeWithin(leftMs, this.native, () => this.native.close());
  }

  destroy(): void {
    this.native.destroy();
  }

  #hasQueues(): boolean {
    return this.dialect === "polymq" || this.dialect === "fluxmq";
  }

  async #receiveFrom(
    node: Node,
    call: ConsumeCall,
    wrap: (message: AmqpDelivery) => Delivery,
    filter: string,
  ): Promise<Source> {
    const receiver = await this.attach(node, call);
    const lasting = node.subscription !== undefined;
    const source = new NodeSource({ receiver, lasting, call, wrap, tell: this.#tell, ways: this.ways });
    return this.underWay.keep(source, receiver.session.closed, filter);
  }

  async attach(node: Node, { prefetch, signal }: AttachCall): Promise<AmqpReceiver> {
    const within = signal === undefined ? {} : { signal };
    const session = await this.native.createSession(within);
    try {
      const credit = prefetch === undefined ? {} : ({ credit: prefetch === "none" ? "manual" : prefetch } as const);
      // What stands behind the bar tells links of one subscription apart.
      const name = node.subscription === undefined ? {} : { name: `${node.subscription}|${++this.#links}` };
      return await session.createReceiver(node.address, { source: sourceFor(node), ...name, ...credit, ...within });
    } catch (error) {
      session.close().catch(noop);
      throw error;
    }
  }
}

function checkedTopic(topic: string): string {
  if (typeof topic === "string" && topic !== "" && !/[+#\0]/.test(topic)) return topic;
  throw new MessagingError("ERR_INVALID_TOPIC", "a topic is text without wildcards, and not empty");
}

function listen(native: AmqpConnection, tell: Tell): void {
  native.on("connectionLost", ({ error }) => tell({ type: "connectionLost", error }));
  native.on("reconnecting", ({ attempt, server }) => tell({ type: "reconnecting", attempt, server }));
  native.on("reconnected", ({ server }) => tell({ type: "reconnected", server }));
  native.on("handlerError", ({ error }) => tell({ type: "handlerError", error }));
  native.on("linkClose", ({ error }) => {
    if (error !== null && error.code !== "ERR_CLIENT_CLOSED") tell({ type: "backgroundError", error });
  });
  native.on("close", ({ error }) => {
    if (error?.code === "ERR_RECONNECT_EXHAUSTED") tell({ type: "reconnectFailed", error });
  });
}
