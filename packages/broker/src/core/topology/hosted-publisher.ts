// Hot path: runs per message. No closure, promise, spread, iterator or regex here, except for messages with several keys.
import { MessagingError } from "polymq/internal";
import { noRoomInAll, REFUSED } from "../distribution.ts";
import type { TransientMessage } from "../message.ts";
import { offerTo } from "../queues/offer.ts";
import type { Queue } from "../queues/queue.ts";
import type { EnqueueOptions } from "../queues/queue-port.ts";
import type { KeyRoute, KeyRoutes } from "./key-routes.ts";
import type { PlainTopics } from "./plain-topics.ts";
import type { ForeseenMessage, PublishOptions, PublishResult } from "./topology-port.ts";

/** Takes messages along their routes: to queues, and to plain topics. */
export class HostedPublisher {
  readonly #routes: KeyRoutes;
  readonly #topics: PlainTopics;
  #refusal: MessagingError | null = null;

  constructor(routes: KeyRoutes, topics: PlainTopics) {
    this.#routes = routes;
    this.#topics = topics;
  }

  /** Why the last message was refused. */
  get refusal(): MessagingError | null {
    return this.#refusal;
  }

  publish(message: TransientMessage, exchange: string, key: string, options: PublishOptions | null): PublishResult {
    this.#refusal = null;
    const route = this.#routes.find(exchange, key, options === null ? null : options.headers);
    if (route === null) return "no-exchange";
    if (route.isInternal) return "internal";
    const enqueue = options === null ? null : options.enqueue;
    if (options === null || options.moreKeys === null) {
      address(message, route, exchange, key);
      return this.#along(message, route, enqueue);
    }
    return this.#alongAll(message, route, { exchange, key, more: options.moreKeys }, options);
  }

  foresee(messages: readonly ForeseenMessage[]): MessagingError | null {
    const ahead = new Map<Queue, { count: number; bytes: number }>();
    for (const { exchange, key, headers, payloadBytes } of messages) {
      const route = this.#routes.find(exchange, key, headers);
      if (route === null) return new MessagingError("ERR_QUEUE_NOT_FOUND", `there is no exchange ${exchange}`);
      if (route.isInternal) return new MessagingError("ERR_INVALID_TOPIC", `the exchange ${exchange} is internal`);
      if (route.is === "address" && route.plain !== null) {
        const refusal = this.#topics.queues.foresee(route.plain);
        if (refusal !== null) return refusal;
      }
      const queues = route.is === "address" ? (route.plain?.queues ?? []) : route.queues;
      for (const queue of queues) {
        const before = ahead.get(queue) ?? { count: 0, bytes: 0 };
        const refusal = queue.refusal(payloadBytes, null, before);
        if (refusal !== null) return refusal;
        ahead.set(queue, { count: before.count + 1, bytes: before.bytes + payloadBytes });
      }
    }
    return null;
  }

  /** Takes a message to everybody on its route; it says already by which it goes. */
  #along(message: TransientMessage, route: KeyRoute, enqueue: EnqueueOptions | null): PublishResult {
    const { plain, queues } = route;
    if (route.is === "topic" && plain !== null) {
      const matched = this.#topics.publish(message, plain);
      if (matched === REFUSED) return this.#refuse();
      return matched > 0 ? "routed" : "unroutable";
    }
    const { statistics } = this.#topics;
    statistics.messagesIn++;
    statistics.bytesIn += message.payload.length;
    if (route.is === "address" && plain !== null) {
      this.#refusal = this.#topics.queues.publish(message, enqueue, plain);
      return this.#refusal === null ? "routed" : "refused";
    }
    let matched = queues.length;
    for (let i = 0; i < queues.length; i++) this.#offer(queues[i] as Queue, message, enqueue);
    const offered = plain === null ? 0 : this.#topics.deliver(message, plain);
    if (this.#refusal !== null) return "refused";
    if (offered === REFUSED && matched === 0) return this.#refuse();
    if (offered > 0) matched += offered;
    if (matched > 0) return "routed";
    statistics.messagesUnmatched++;
    return "unroutable";
  }

  /** A queue gets the message once, whatever keys lead to it, with the key that it was published with. */
  #alongAll(
    message: TransientMessage,
    first: KeyRoute,
    to: { readonly exchange: string; readonly key: string; readonly more: readonly string[] },
    options: PublishOptions,
  ): PublishResult {
    const had = new Set(first.queues);
    address(message, first, to.exchange, to.key);
    let result = this.#along(message, first, options.enqueue);
    for (const key of to.more) {
      const route = this.#routes.find(to.exchange, key, options.headers);
      if (route === null) continue;
      const queues = route.queues.filter((queue) => !had.has(queue));
      for (const queue of queues) had.add(queue);
      const parts: [KeyRoute, string][] = [];
      if (queues.length > 0) parts.push([{ ...route, queues, plain: null }, to.key]);
      // Subscribers know a topic by its key.
      if (route.plain !== null) parts.push([{ ...route, queues: [] }, key]);
      for (const [part, by] of parts) {
        address(message, part, to.exchange, by);
        const next = this.#along(message, part, options.enqueue);
        if (next === "refused" || result === "unroutable") result = next;
      }
    }
    return result;
  }

  #refuse(): PublishResult {
    this.#refusal = noRoomInAll();
    return "refused";
  }

  #offer(queue: Queue, message: TransientMessage, enqueue: EnqueueOptions | null): void {
    const refusal = offerTo(queue, message, enqueue);
    if (refusal !== null) this.#refusal = refusal;
  }
}

/** Says in the message by which way it goes. An address says itself where that leads. */
function address(message: TransientMessage, route: KeyRoute, exchange: string, key: string): void {
  if (route.is === "address") message.readdress(route.topic, null, "");
  else message.readdress(route.topic, exchange, key);
}
