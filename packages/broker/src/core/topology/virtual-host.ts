import type { MessagingError } from "polymq/internal";
import type { TransientMessage } from "../message.ts";
import { PLAIN_HOST } from "../queues/hosted-name.ts";
import type { Queue } from "../queues/queue.ts";
import type { Destination } from "./exchange.ts";
import { type BindingTerms, ExchangeRegistry, type TopologyShared } from "./exchange-registry.ts";
import type { HostedConsumers } from "./hosted-consumers.ts";
import { HostedPublisher } from "./hosted-publisher.ts";
import { HostedQueues, type HostedQueuesOptions } from "./hosted-queues.ts";
import { KeyRoutes, type RoutingGraph } from "./key-routes.ts";
import type { PlainTopics } from "./plain-topics.ts";
import type {
  BindingDefinition,
  BindResult,
  ConsumeRequest,
  ConsumeResult,
  DeclareExchangeResult,
  DeclareQueueResult,
  DeleteExchangeResult,
  DeleteQueueResult,
  ExchangeDefinition,
  FindQueueResult,
  ForeseenMessage,
  GetterResult,
  HostedQueueDefinition,
  PublishOptions,
  PublishResult,
  PurgeQueueResult,
  QueueOwner,
  UnbindResult,
  VirtualHost,
} from "./topology-port.ts";

/** What a virtual host is made of. */
export interface VirtualHostOptions extends HostedQueuesOptions {
  readonly consumers: HostedConsumers;
  readonly topics: PlainTopics;
}

/** One name space of exchanges and queues. */
export class Host implements VirtualHost, RoutingGraph {
  readonly name: string;
  readonly registry: ExchangeRegistry;
  readonly queues: HostedQueues;
  readonly routes: KeyRoutes;
  readonly shared: TopologyShared;
  readonly hasTopics: boolean;
  readonly #consumers: HostedConsumers;
  readonly #publisher: HostedPublisher;

  constructor(options: VirtualHostOptions) {
    const { host, shared, topics } = options;
    this.name = host;
    this.hasTopics = host === PLAIN_HOST;
    this.shared = shared;
    this.#consumers = options.consumers;
    this.registry = new ExchangeRegistry(host, shared);
    this.queues = new HostedQueues(options);
    this.routes = new KeyRoutes(this, topics.router);
    this.#publisher = new HostedPublisher(this.routes, topics);
  }

  get refusal(): MessagingError | null {
    return this.#publisher.refusal;
  }

  exchange(name: string): ExchangeDefinition | null {
    return name === "" ? DEFAULT_EXCHANGE : (this.registry.get(name)?.definition ?? null);
  }

  exchanges(): ExchangeDefinition[] {
    return this.registry.list();
  }

  declareExchange(definition: ExchangeDefinition): DeclareExchangeResult {
    return this.registry.declare(definition);
  }

  deleteExchange(name: string, conditions: { readonly ifUnused?: boolean } = {}): DeleteExchangeResult {
    return this.registry.delete(name, conditions.ifUnused === true);
  }

  bindings(): BindingDefinition[] {
    return this.registry.bindings();
  }

  bind(binding: BindingDefinition, owner: QueueOwner): BindResult {
    const terms = this.#terms(binding, owner);
    return "is" in terms ? terms : this.registry.connect(terms);
  }

  unbind(binding: BindingDefinition, owner: QueueOwner): UnbindResult {
    const terms = this.#terms(binding, owner);
    if ("is" in terms) return terms.is;
    return this.registry.disconnect(terms) ? "unbound" : "not-bound";
  }

  queue(name: string, owner: QueueOwner): FindQueueResult {
    const hosted = this.queues.find(name);
    if (hosted === null) return { is: "not-found" };
    if (hosted.isLockedFor(owner)) return { is: "locked" };
    return { is: "found", queue: this.queues.counts(hosted) };
  }

  variantOf(name: string): string {
    return this.queues.find(name)?.declaration?.settings.variant ?? "";
  }

  queueNames(): string[] {
    return this.queues.names();
  }

  declareQueue(definition: HostedQueueDefinition, owner: QueueOwner): DeclareQueueResult {
    return this.queues.declare(definition, owner);
  }

  deleteQueue(
    name: string,
    owner: QueueOwner,
    conditions: { readonly ifUnused?: boolean; readonly ifEmpty?: boolean } = {},
  ): DeleteQueueResult {
    return this.queues.delete(name, owner, conditions);
  }

  purgeQueue(name: string, owner: QueueOwner): PurgeQueueResult {
    return this.queues.purge(name, owner);
  }

  consume(queue: string, request: ConsumeRequest, owner: QueueOwner): ConsumeResult {
    const hosted = this.queues.find(queue);
    if (hosted === null) return { is: "not-found" };
    return hosted.isLockedFor(owner) ? { is: "locked" } : this.#consumers.consume(hosted, request, owner);
  }

  getter(queue: string, owner: QueueOwner): GetterResult {
    const hosted = this.queues.find(queue);
    if (hosted === null) return { is: "not-found" };
    return hosted.isLockedFor(owner) ? { is: "locked" } : this.#consumers.getter(hosted, owner);
  }

  publish(message: TransientMessage, exchange: string, key: string, options: PublishOptions | null): PublishResult {
    return this.#publisher.publish(message, exchange, key, options);
  }

  foresee(messages: readonly ForeseenMessage[]): MessagingError | null {
    return this.#publisher.foresee(messages);
  }

  release(owner: QueueOwner): void {
    this.queues.release(owner);
  }

  /** A queue is gone. */
  forget(queue: Queue): void {
    const hosted = this.queues.forget(queue);
    if (hosted !== null) this.registry.dropQueue(hosted);
  }

  /** Both ends of a binding, or why there is none. */
  #terms(
    binding: BindingDefinition,
    owner: QueueOwner,
  ): BindingTerms | { readonly is: "no-source" | "no-destination" | "locked" | "reserved" } {
    const { source: sourceName, destination: to, key } = binding;
    if (sourceName === "" || (to.is === "exchange" && to.name === "")) return { is: "reserved" };
    const source = this.registry.get(sourceName);
    if (source === undefined) return { is: "no-source" };
    const destination: Destination | null =
      to.is === "queue" ? this.queues.find(to.name) : (this.registry.get(to.name) ?? null);
    if (destination === null) return { is: "no-destination" };
    if (destination.is === "queue" && destination.isLockedFor(owner)) return { is: "locked" };
    return { source, destination, key, arguments: binding.arguments };
  }
}

const DEFAULT_EXCHANGE: ExchangeDefinition = Object.freeze({
  name: "",
  kind: "direct",
  durable: true,
  autoDelete: false,
  internal: false,
  alternate: null,
});
