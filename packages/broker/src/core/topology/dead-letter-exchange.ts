import { withoutExpiry } from "../queues/dead-letters.ts";
import { isCycle } from "../queues/death-history.ts";
import { nameInHost } from "../queues/hosted-name.ts";
import { routingKeyOf } from "../queues/message-address.ts";
import { offerTo } from "../queues/offer.ts";
import type { Queue } from "../queues/queue.ts";
import type { DeadLetterFacts, QueueMessage } from "../queues/queue-message.ts";
import type { HostedQueue } from "./hosted-queue.ts";
import type { KeyRoute, KeyRoutes } from "./key-routes.ts";
import type { PlainTopics } from "./plain-topics.ts";
import type { TopologyOptions } from "./topology-port.ts";

/** Where a dead letter goes. */
interface Way {
  readonly exchange: string;
  readonly key: string;
  readonly route: KeyRoute;
}

/**
 * Sends dead letters through the exchange that their queue names. One that came round to a queue without anybody having rejected it on the way
 * does not go there again. What the exchange cannot route, or no queue takes, goes the way of queues without such an exchange.
 */
export class DeadLetterExchange {
  readonly #topics: PlainTopics;
  readonly #headersOf: NonNullable<TopologyOptions["headersOf"]>;

  constructor(topics: PlainTopics, headersOf: TopologyOptions["headersOf"]) {
    this.#topics = topics;
    this.#headersOf = headersOf ?? noHeaders;
  }

  /** As `DeadLetterRoute`. */
  bury(
    hosted: HostedQueue | undefined,
    routes: KeyRoutes,
    message: QueueMessage,
    facts: DeadLetterFacts,
  ): "taken" | "dropped" | "pass" {
    const { deadLetterExchange: exchange = null, deadLetterKey = null } = hosted?.declaration?.settings ?? {};
    if (exchange === null) return "pass";
    const key = deadLetterKey ?? routingKeyOf(message);
    const route = routes.find(exchange, key, this.#headersOf(message));
    if (route === null || route.is === "address") return "pass";
    const way = { exchange, key, route };
    const free = route.queues.filter((queue) => !isCycle(facts.deaths, nameInHost(queue.name)));
    let taken = 0;
    for (const queue of free) if (this.#enqueue(queue, message, facts, way)) taken++;
    taken += this.#publish(message, way);
    if (taken > 0) return "taken";
    return free.length < route.queues.length ? "dropped" : "pass";
  }

  #enqueue(queue: Queue, message: QueueMessage, facts: DeadLetterFacts, way: Way): boolean {
    const { exchange, key, route } = way;
    const letter = { ...withoutExpiry(message), topic: route.topic, exchange, routingKey: key };
    return offerTo(queue, letter, { priority: message.priority }, facts) === null;
  }

  /** Plain topics get it as any message; how many did. */
  #publish(message: QueueMessage, way: Way): number {
    const { plain, topic } = way.route;
    if (plain === null) return 0;
    const { payload, properties, encoding, publisherId, origin, externalId } = message;
    const parts = { payload, properties, encoding, publisherId, origin, externalId };
    const letter = this.#topics.makeMessage({
      ...parts,
      topic,
      exchange: way.exchange,
      routingKey: way.key,
      guarantee: 1,
    });
    return way.route.is === "topic" ? this.#topics.publish(letter, plain) : this.#topics.deliver(letter, plain);
  }
}

function noHeaders(): null {
  return null;
}
