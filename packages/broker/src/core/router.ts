// Hot path: runs per message. No closure, promise, spread, iterator or regex here; building a route may.
import type { Queue } from "./queues/queue.ts";
import { parseQueueAddress, type QueueAddress } from "./queues/queue-address.ts";
import { SharedGroup } from "./shared-group.ts";
import { type Subscriber, Subscription, type SubscriptionTerms } from "./subscription.ts";
import { checkFilter, TopicTrie } from "./topic-trie.ts";

/** Who gets the messages of a topic. Valid while its `version` is the router's; then routing costs one comparison. */
export interface Route {
  readonly version: number;
  /** One per subscriber, overlapping ones merged. */
  readonly subscriptions: readonly Subscription[];
  readonly groups: readonly SharedGroup[];
  /** Queues that take the topic, each once. */
  readonly queues: readonly Queue[];
  /** Those of them that take it by a filter of their own, and not only through an exchange. */
  readonly captures: readonly Queue[];
  /** What the topic asks of a queue; null for topics outside `$queue/`. */
  readonly address: QueueAddress | null;
}

/** A subscription that was made, and whether it is new or took the place of one with the same filter and group. */
export interface Subscribed {
  readonly subscription: Subscription;
  readonly is: "added" | "replaced";
}

/** One subscriber's subscriptions by group and filter, and the length of all these keys. */
interface Own {
  readonly byKey: Map<string, Subscription>;
  filterUnits: number;
}

/** Longest topic whose route is kept, in UTF-16 units: with the number of routes it bounds the memory. */
const KEPT_UNITS_MAX = 512;

/** All subscriptions and what queues take, and routes from topics to them. Every change makes a new version, which ends all cached routes. */
export class Router {
  readonly #plain = new TopicTrie<Subscription>();
  readonly #shared = new TopicTrie<SharedGroup>();
  readonly #captures = new TopicTrie<Queue>();
  readonly #bySubscriber = new Map<Subscriber, Own>();
  /** Finds queues that a topic reaches through an exchange; set by whoever knows exchanges. */
  bound: (topic: string, out: Queue[]) => void = ignore;
  #routes = new Map<string, Route>();
  readonly #routesMax: number;
  #version = 1;
  #count = 0;
  #sharedCount = 0;

  /** @param routesMax routes kept for reuse; a cache that is full is emptied */
  constructor(routesMax = 8192) {
    this.#routesMax = routesMax;
  }

  /** Changes with every subscription and unsubscription. */
  get version(): number {
    return this.#version;
  }

  /** Subscriptions, members of groups included. */
  get subscriptionCount(): number {
    return this.#count;
  }

  /** Groups with at least one member. */
  get groupCount(): number {
    return this.#shared.size;
  }

  /** Members of groups. */
  get sharedSubscriptionCount(): number {
    return this.#sharedCount;
  }

  /** Where messages of `topic` go. Callers may keep the route and compare its version. */
  route(topic: string): Route {
    const known = this.#routes.get(topic);
    if (known !== undefined && known.version === this.#version) return known;
    return this.#build(topic);
  }

  /** Adds a subscription, or replaces the one with the same filter and group. @throws {MessagingError} ERR_INVALID_TOPIC */
  subscribe(subscriber: Subscriber, terms: SubscriptionTerms): Subscribed {
    checkFilter(terms.filter);
    const subscription = new Subscription(subscriber, terms);
    const own = this.#ownOf(subscriber);
    const key = subscriptionKey(terms.filter, subscription.group);
    const old = own.byKey.get(key);
    own.byKey.set(key, subscription);
    if (old === undefined) own.filterUnits += key.length;
    if (subscription.group === null) this.#plain.set(terms.filter, subscriber.id, subscription);
    else this.#join(subscription, subscription.group, old);
    if (old === undefined) {
      this.#count++;
      if (subscription.group !== null) this.#sharedCount++;
    }
    this.#version++;
    return { subscription, is: old === undefined ? "added" : "replaced" };
  }

  /**
   * True when with these terms the subscriber would have at most `countMax` subscriptions, and `filterUnitsMax` UTF-16 units of filters and group names;
   * or when they would replace one.
   */
  mayAdd(subscriber: Subscriber, terms: SubscriptionTerms, countMax: number, filterUnitsMax: number): boolean {
    const own = this.#bySubscriber.get(subscriber);
    const key = subscriptionKey(terms.filter, terms.group ?? null);
    const units = key.length + (own?.filterUnits ?? 0);
    if ((own?.byKey.size ?? 0) < countMax && units <= filterUnitsMax) return true;
    return own?.byKey.has(key) === true;
  }

  /** Removes a subscription and returns it, or null when there was none. */
  unsubscribe(subscriber: Subscriber, filter: string, group: string | null = null): Subscription | null {
    const own = this.#bySubscriber.get(subscriber);
    const key = subscriptionKey(filter, group);
    const subscription = own?.byKey.get(key);
    if (own === undefined || subscription === undefined) return null;
    own.byKey.delete(key);
    own.filterUnits -= key.length;
    if (own.byKey.size === 0) this.#bySubscriber.delete(subscriber);
    this.#remove(subscription);
    return subscription;
  }

  /** Removes all subscriptions of a subscriber and returns them. */
  unsubscribeAll(subscriber: Subscriber): Subscription[] {
    const removed = this.subscriptionsOf(subscriber);
    this.#bySubscriber.delete(subscriber);
    for (const subscription of removed) this.#remove(subscription);
    return removed;
  }

  /** A subscriber's subscriptions, oldest first. */
  subscriptionsOf(subscriber: Subscriber): Subscription[] {
    return Array.from(this.#bySubscriber.get(subscriber)?.byKey.values() ?? []);
  }

  /** All subscriptions. */
  subscriptions(): Subscription[] {
    return Array.from(this.#bySubscriber.values()).flatMap((own) => Array.from(own.byKey.values()));
  }

  /** Has a queue take the topics of these filters. */
  capture(queue: Queue, filters: readonly string[]): void {
    for (const filter of filters) this.#captures.set(filter, queue.name, queue);
    this.#version++;
  }

  /** Ends all cached routes: something has changed that they depend on. */
  invalidate(): void {
    this.#version++;
  }

  /** Ends what {@link capture} began. */
  uncapture(queue: Queue, filters: readonly string[]): void {
    for (const filter of filters) this.#captures.remove(filter, queue.name);
    this.#version++;
  }

  /** A group with at least one member, or null. */
  group(name: string, filter: string): SharedGroup | null {
    return this.#shared.get(filter, name) ?? null;
  }

  #ownOf(subscriber: Subscriber): Own {
    let own = this.#bySubscriber.get(subscriber);
    if (own === undefined) {
      own = { byKey: new Map(), filterUnits: 0 };
      this.#bySubscriber.set(subscriber, own);
    }
    return own;
  }

  #join(subscription: Subscription, name: string, old: Subscription | undefined): void {
    let group = this.#shared.get(subscription.filter, name);
    if (group === undefined) {
      group = new SharedGroup(name, subscription.filter);
      this.#shared.set(subscription.filter, name, group);
    }
    if (old === undefined) group.add(subscription);
    else {
      group.replace(old, subscription);
      old.sharedGroup = null;
    }
    subscription.sharedGroup = group;
  }

  #remove(subscription: Subscription): void {
    const group = subscription.sharedGroup;
    if (group === null) {
      const { filter, subscriber } = subscription;
      // A new session of the same id may already have taken the place.
      if (this.#plain.get(filter, subscriber.id) === subscription) this.#plain.remove(filter, subscriber.id);
    } else {
      group.remove(subscription);
      if (group.members.length === 0) this.#shared.remove(group.filter, group.name);
      subscription.sharedGroup = null;
      this.#sharedCount--;
    }
    this.#count--;
    this.#version++;
  }

  #build(topic: string): Route {
    const found: Subscription[] = [];
    const groups: SharedGroup[] = [];
    this.#plain.match(topic, found);
    this.#shared.match(topic, groups);
    const captures: Queue[] = [];
    this.#captures.match(topic, captures);
    const queues = captures.slice();
    this.bound(topic, queues);
    const route: Route = {
      version: this.#version,
      subscriptions: mergeBySubscriber(found),
      groups,
      queues: eachOnce(queues),
      captures: eachOnce(captures),
      address: parseQueueAddress(topic),
    };
    if (topic.length > KEPT_UNITS_MAX) return route;
    if (this.#routes.size >= this.#routesMax) this.#routes = new Map();
    this.#routes.set(topic, route);
    return route;
  }
}

function eachOnce(queues: Queue[]): Queue[] {
  return queues.length < 2 ? queues : Array.from(new Set(queues));
}

function ignore(): void {}

function mergeBySubscriber(found: Subscription[]): Subscription[] {
  if (found.length < 2) return found;
  const bySubscriber = new Map<Subscriber, Subscription[]>();
  for (const subscription of found) {
    const same = bySubscriber.get(subscription.subscriber);
    if (same === undefined) bySubscriber.set(subscription.subscriber, [subscription]);
    else same.push(subscription);
  }
  if (bySubscriber.size === found.length) return found;
  return Array.from(bySubscriber.values(), (same) => Subscription.merge(same));
}

/** A group's name has no "/", so the two cannot be confused. */
function subscriptionKey(filter: string, group: string | null): string {
  return group === null ? `/${filter}` : `${group}/${filter}`;
}
