// Hot path: `find` runs per message. No closure, promise, spread, iterator or regex here; building a route may.
import type { Queue } from "../queues/queue.ts";
import { ownAddress, QUEUE_PREFIX } from "../queues/queue-address.ts";
import type { Route, Router } from "../router.ts";
import { isPlainTopic, keyOfTopic, TOPICS_EXCHANGE, topicOfKey } from "../topic-keys.ts";
import type { Binding, Exchange } from "./exchange.ts";
import type { HostedQueue } from "./hosted-queue.ts";
import type { HeaderLookup } from "./topology-port.ts";

/** Where messages of one key go from one exchange. */
export interface KeyRoute {
  /** The versions for which it holds: of the exchanges, and of the plain topics, -1 when it does not ask them. */
  readonly version: number;
  readonly plainVersion: number;
  /** What the message's topic becomes. */
  readonly topic: string;
  /** Queues that take it, each once. */
  readonly queues: readonly Queue[];
  /** The plain topic that it reaches besides; null for none. */
  readonly plain: Route | null;
  /** `address`: it is a queue's address, and the plain route is that one's. `topic`: it is nothing but a plain topic. */
  readonly is: "queues" | "topic" | "address";
  readonly isInternal: boolean;
}

/** What routes are looked for among; a virtual host. */
export interface RoutingGraph {
  /** Changes with every exchange, binding and queue. */
  readonly shared: { readonly version: number };
  readonly registry: { get(name: string): Exchange | undefined };
  readonly queues: { queue(name: string): Queue | null };
  /** True when plain topics and queue addresses belong to it. */
  readonly hasTopics: boolean;
}

/** Routes kept for reuse; a cache that is full is emptied. */
const ROUTES_MAX = 8192;

/** Longest key whose route is kept, in UTF-16 units: with the number of routes it bounds the memory. */
const KEPT_UNITS_MAX = 512;

/** What a walk through exchanges has found. */
interface Found {
  readonly exchanges: Set<Exchange>;
  readonly queues: Set<HostedQueue>;
  readsHeaders: boolean;
}

/** Routes of a virtual host by exchange and key. One that was looked up before costs two look-ups and two comparisons. */
export class KeyRoutes {
  readonly #graph: RoutingGraph;
  readonly #router: Router;
  readonly #kept = new Map<string, Map<string, KeyRoute>>();
  #count = 0;

  constructor(graph: RoutingGraph, router: Router) {
    this.#graph = graph;
    this.#router = router;
  }

  /** Null when there is no such exchange. */
  find(exchange: string, key: string, headers: HeaderLookup | null): KeyRoute | null {
    const known = this.#kept.get(exchange)?.get(key);
    if (known === undefined || known.version !== this.#graph.shared.version) return this.#make(exchange, key, headers);
    if (known.plainVersion >= 0 && known.plainVersion !== this.#router.version)
      return this.#make(exchange, key, headers);
    return known;
  }

  /** Adds to `out` the queues that a topic reaches through the topics' exchange. */
  queuesOfTopic(topic: string, out: Queue[]): void {
    const exchange = this.#graph.registry.get(TOPICS_EXCHANGE);
    if (exchange === undefined || exchange.outgoing.size === 0 || !isPlainTopic(topic)) return;
    for (const { queue } of this.#walk(exchange, keyOfTopic(topic), null).queues) out.push(queue);
  }

  #make(exchangeName: string, key: string, headers: HeaderLookup | null): KeyRoute | null {
    if (exchangeName === "") return this.#keep(exchangeName, key, this.#defaultRoute(key));
    const exchange = this.#graph.registry.get(exchangeName);
    if (exchange === undefined) return null;
    const found = this.#walk(exchange, key, headers);
    const queues = Array.from(found.queues, (one) => one.queue);
    const topic = topicOfKey(key);
    const topics = this.#graph.registry.get(TOPICS_EXCHANGE);
    const reachesTopics = topics !== undefined && found.exchanges.has(topics);
    const plain =
      this.#graph.hasTopics && reachesTopics && isPlainTopic(topic) ? this.#plainBeside(topic, queues) : null;
    const isInternal = exchange.definition.internal;
    const route = this.#route({ topic, queues, plain, is: "queues", isInternal });
    return found.readsHeaders ? route : this.#keep(exchangeName, key, route);
  }

  #defaultRoute(key: string): KeyRoute {
    const none = { queues: [], plain: null, isInternal: false };
    const queue = this.#graph.queues.queue(key);
    if (queue !== null) {
      return this.#route({ ...none, topic: ownAddress(queue.name) ?? topicOfKey(key), queues: [queue], is: "queues" });
    }
    if (!this.#graph.hasTopics) return this.#route({ ...none, topic: topicOfKey(key), is: "queues" });
    const isAddress = key.startsWith(QUEUE_PREFIX);
    const topic = isAddress ? key : topicOfKey(key);
    const isTopic = isAddress || isPlainTopic(topic);
    const plain = isTopic ? this.#router.route(topic) : null;
    return this.#route({ ...none, topic, plain, is: isAddress ? "address" : isTopic ? "topic" : "queues" });
  }

  /** A queue that captures the topic and is bound as well gets the message once. */
  #plainBeside(topic: string, queues: readonly Queue[]): Route {
    const plain = this.#router.route(topic);
    const captures = plain.captures.filter((queue) => !queues.includes(queue));
    return captures.length === plain.captures.length ? plain : { ...plain, captures };
  }

  #route(parts: Omit<KeyRoute, "version" | "plainVersion">): KeyRoute {
    return {
      ...parts,
      version: this.#graph.shared.version,
      plainVersion: parts.plain === null ? -1 : parts.plain.version,
    };
  }

  #keep(exchange: string, key: string, route: KeyRoute): KeyRoute {
    if (key.length > KEPT_UNITS_MAX) return route;
    if (this.#count >= ROUTES_MAX) {
      this.#kept.clear();
      this.#count = 0;
    }
    let byKey = this.#kept.get(exchange);
    if (byKey === undefined) {
      byKey = new Map();
      this.#kept.set(exchange, byKey);
    }
    if (!byKey.has(key)) this.#count++;
    byKey.set(key, route);
    return route;
  }

  /** Follows bindings from an exchange on, through each exchange once; what one cannot route goes to its alternate. */
  #walk(from: Exchange, key: string, headers: HeaderLookup | null): Found {
    const found: Found = { exchanges: new Set(), queues: new Set(), readsHeaders: false };
    const waiting = [from];
    for (let exchange = waiting.pop(); exchange !== undefined; exchange = waiting.pop()) {
      if (found.exchanges.has(exchange)) continue;
      found.exchanges.add(exchange);
      if (exchange.readsHeaders) found.readsHeaders = true;
      const chosen = new Set<Binding>();
      exchange.choose(key, headers, chosen);
      for (const { destination } of chosen) {
        if (destination.is === "queue") found.queues.add(destination);
        else waiting.push(destination);
      }
      const { alternate } = exchange.definition;
      const next = chosen.size === 0 && alternate !== null ? this.#graph.registry.get(alternate) : undefined;
      if (next !== undefined) waiting.push(next);
    }
    return found;
  }
}
