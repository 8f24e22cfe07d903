// Hot path: `publish` runs per message. No closure, promise, spread, iterator or regex on its usual way.
import { type AmqpMap, type AmqpValue, Condition, plain } from "polymq/amqp10/codec";
import type { MessagingError } from "polymq/internal";
import { noRoomInAll, REFUSED } from "../../core/distribution.ts";
import type { TransientMessage } from "../../core/message.ts";
import { hostedName } from "../../core/queues/hosted-name.ts";
import type { EnqueueOptions } from "../../core/queues/queue-port.ts";
import type {
  ArgumentValue,
  ForeseenMessage,
  HeaderLookup,
  PublishOptions,
  PublishResult,
} from "../../core/topology/topology-port.ts";
import { Encoding } from "../translate/encodings.ts";
import type { TargetAddress } from "./addresses.ts";
import type { Amqp10Connection } from "./amqp10-connection.ts";
import type { IncomingMessage } from "./incoming-message.ts";
import { Refused } from "./refused.ts";
import type { PostedMessage } from "./transaction.ts";

/** `taken`: its outcome is accepted once all that it caused is durable. `unroutable`: nobody is bound to get it. */
export type Published = "taken" | "unroutable";

/** The priority of a message that says none (§3.2.1). */
const PRIORITY_DEFAULT = 4;

/** Takes the messages of one connection to where their addresses say. */
export class Publisher {
  readonly #connection: Amqp10Connection;
  readonly #view: TransientMessage;
  #applicationProperties: AmqpMap | null = null;
  readonly #lookUp: HeaderLookup = (name) => argumentOf(this.#applicationProperties?.get(name));
  /** Used again for every message. */
  readonly #options: { headers: HeaderLookup | null; moreKeys: string[] | null; enqueue: EnqueueOptions | null } = {
    headers: this.#lookUp,
    moreKeys: null,
    enqueue: null,
  };

  constructor(connection: Amqp10Connection) {
    const { id, access } = connection.client;
    this.#connection = connection;
    this.#view = connection.context.hub.transientMessage();
    this.#view.encoding = Encoding.Amqp10;
    this.#view.origin = "amqp1";
    this.#view.publisherId = id;
    this.#view.externalId = access.principal.name;
  }

  /**
   * Publishes a message.
   * @throws {Refused} for what a client does wrong, {MessagingError} for what a queue refuses
   */
  publish(message: IncomingMessage, to: TargetAddress, isSettled: boolean): Published {
    if (to.is === "commit") return this.#commit(message, to.queue);
    const view = this.#view;
    view.begin("", message.payload);
    view.properties = message.properties;
    view.isOwned = message.isAlone;
    view.guarantee = isSettled ? 0 : 1;
    if (message.properties !== null)
      view.expiresAtMs = message.expiresAtMs(this.#connection.context.hub.clock.epochMs());
    this.#applicationProperties = message.applicationProperties;
    try {
      return this.#route(message, to);
    } finally {
      view.end();
      this.#applicationProperties = null;
    }
  }

  /** Looks whether a message could be published now, for one that is published later. @throws as {@link publish} */
  check(message: IncomingMessage, to: TargetAddress): void {
    if (to.is === "commit") throw new Refused(Condition.notImplemented, "offsets are not committed in transactions");
    if (to.is === "topic") return;
    this.#applicationProperties = message.applicationProperties;
    const refusal = this.#connection.host.foresee([this.#foreseen(message, to)]);
    this.#applicationProperties = null;
    if (refusal !== null) throw refusal;
  }

  /** Why not all of these messages can be published now, or null. */
  obstacle(posted: readonly PostedMessage[]): Refused | null {
    const { message, host, context } = this.#connection;
    // Refused beforehand, though perhaps nobody would have to hold it: in the middle it could not be.
    if (context.hub.held.isTight && posted.some(({ to }) => to.is === "topic" || to.is === "exchange")) {
      context.hub.held.refusedCount++;
      return new Refused(Condition.transactionRollback, noRoomInAll().message);
    }
    const all: ForeseenMessage[] = [];
    for (const { to, bytes } of posted) {
      if (to.is === "topic" || to.is === "commit") continue;
      message.read(bytes);
      const properties = message.applicationProperties;
      all.push({ ...this.#foreseen(message, to), headers: (name) => argumentOf(properties?.get(name)) });
    }
    message.end();
    const refusal = host.foresee(all);
    return refusal === null ? null : new Refused(Condition.transactionRollback, refusal.message);
  }

  #foreseen(
    message: IncomingMessage,
    to: Exclude<TargetAddress, { readonly is: "topic" | "commit" }>,
  ): ForeseenMessage {
    const [exchange, key] =
      to.is === "exchange" ? [to.exchange, to.key] : ["", to.is === "queue" ? to.name : to.address];
    return { exchange, key, headers: this.#lookUp, payloadBytes: message.payload.length };
  }

  #route(message: IncomingMessage, to: Exclude<TargetAddress, { readonly is: "commit" }>): Published {
    const { hub } = this.#connection.context;
    const view = this.#view;
    switch (to.is) {
      case "topic": {
        view.topic = to.topic;
        if (hub.publish(view) === REFUSED) throw noRoomInAll();
        return "taken";
      }
      case "queue": {
        // The default exchange would take a name that no queue has any more to a plain topic.
        const { name: host } = this.#connection.host;
        if (!hub.queues.has(hostedName(host, to.name))) {
          throw new Refused(Condition.notFound, `there is no queue ${to.name}`);
        }
        return this.#throughExchange("", to.name, message);
      }
      case "address":
        return this.#throughExchange("", to.address, message);
      case "exchange":
        return this.#throughExchange(to.exchange, to.key, message);
      default:
        return to satisfies never;
    }
  }

  #throughExchange(exchange: string, key: string, message: IncomingMessage): Published {
    const { host } = this.#connection;
    const result = host.publish(this.#view, exchange, key, this.#optionsFor(message));
    if (result === "routed") return "taken";
    if (result === "unroutable") return "unroutable";
    throw this.#refusal(result, exchange, host.refusal);
  }

  #refusal(result: PublishResult, exchange: string, refusal: MessagingError | null): Error {
    this.#connection.context.metrics.messagesDenied++;
    if (result === "refused" && refusal !== null) return refusal;
    if (result === "no-exchange") return new Refused(Condition.notFound, `there is no exchange ${exchange}`);
    return new Refused(Condition.notAllowed, `clients cannot publish to the exchange ${exchange}`);
  }

  #optionsFor(message: IncomingMessage): PublishOptions {
    const options = this.#options;
    const priority = message.header?.priority ?? PRIORITY_DEFAULT;
    const deliverAfterMs = message.delayMs;
    options.enqueue = deliverAfterMs === 0 && message.header === null ? null : { priority, deliverAfterMs };
    return options;
  }

  /** Application properties `x-group-id` and `x-offset`: where a stream's group goes on. */
  #commit(message: IncomingMessage, queue: string): Published {
    const group = plain(message.applicationProperties?.get("x-group-id") ?? null);
    const said = plain(message.applicationProperties?.get("x-offset") ?? null);
    const offset = said === null ? Number.NaN : Number(said);
    if (typeof group !== "string" || !Number.isSafeInteger(offset) || offset < 0) {
      throw new Refused(Condition.invalidField, "a commit has the application properties x-group-id and x-offset");
    }
    const result = this.#connection.context.hub.queues.commit(queue, group, offset);
    if (result === "committed") return "taken";
    const condition = result.startsWith("unknown") ? Condition.notFound : Condition.preconditionFailed;
    throw new Refused(condition, `nothing was committed: ${result}`);
  }
}

/** A value for headers exchanges. */
function argumentOf(value: AmqpValue | undefined): ArgumentValue | undefined {
  if (value === undefined) return undefined;
  const bare = plain(value);
  if (bare instanceof Map) return Object.fromEntries(bare) as ArgumentValue;
  return bare as ArgumentValue;
}
