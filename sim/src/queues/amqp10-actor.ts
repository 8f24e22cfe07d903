import type {
  AmqpConnection,
  AmqpCoordinator,
  AmqpDelivery,
  AmqpQueueMessage,
  AmqpReceiver,
  AmqpRelay,
  SettleOptions,
} from "polymq/amqp10";
import { isMessagingError } from "polymq/internal";
import type { Stage } from "../run/workload.ts";
import { openAmqp10 } from "./amqp10-connection.ts";
import type {
  ActorMessage,
  Addressed,
  ConsumeTerms,
  Destination,
  Guarantee,
  QueueActor,
  Said,
  TogetherEnd,
} from "./queue-actor.ts";

/**
 * Works with queues over AMQP 1.0: publishes until the broker accepts, and consumes in one of three ways: as a subscription, which is not told what became of
 * its settlements, or over a receiver that is told, for it settles second or in transactions.
 */
export class Amqp10Actor implements QueueActor {
  readonly name: string;
  readonly guarantees: readonly Guarantee[] = ["at least"];
  readonly #stage: Stage;
  readonly #role: "producer" | "consumer";
  #connection: AmqpConnection | null = null;
  /** For topics, and for what is published together. */
  #relay: AmqpRelay | null = null;
  #coordinator: AmqpCoordinator | null = null;

  constructor(name: string, stage: Stage, role: "producer" | "consumer") {
    this.name = name;
    this.#stage = stage;
    this.#role = role;
  }

  /** A link keeps its order; what goes to topics has one of its own. */
  row(to: Destination): string {
    return to.is;
  }

  async connect(): Promise<void> {
    this.#connection ??= await openAmqp10(this.name, this.#stage);
    if (this.#role !== "producer" || this.#coordinator !== null) return;
    const session = await this.#connection.createSession();
    try {
      this.#relay = await session.createRelay();
      this.#coordinator = await session.createCoordinator();
    } catch (error) {
      void session.close();
      throw error;
    }
  }

  async publish(to: Destination, payload: string): Promise<void> {
    if (to.is === "topic") await this.#relay?.send(to.topic, new TextEncoder().encode(payload));
    else {
      const routingKey = to.key === "" ? {} : { routingKey: to.key };
      await this.#open.publishToQueue(to.queue, payload, { ackTimeoutMs: 0, ...routingKey });
    }
  }

  async publishTogether(messages: readonly Addressed[], end: TogetherEnd): Promise<void> {
    const [relay, lasting] = [this.#relay, this.#coordinator];
    if (relay === null || lasting === null) throw new Error(`${this.name} is not connected yet`);
    if (end !== "leave") return await this.#inTransaction(messages, { relay, coordinator: lasting, end });
    // A coordinator that goes away takes its transactions with it.
    const session = await this.#open.createSession();
    try {
      const leave = (): Promise<void> => session.close();
      await this.#inTransaction(messages, { relay, coordinator: await session.createCoordinator(), end: leave });
    } finally {
      await session.close();
    }
  }

  async consume(terms: ConsumeTerms): Promise<void> {
    const { queue, group, handler, ...rest } = terms;
    const way = this.#stage.world.chance.pick(["subscription", "settling second", "in transactions"] as const);
    if (way !== "subscription") return await this.#receive(terms, way);
    const take = (message: AmqpQueueMessage): Promise<void> => handler(subscribed(message));
    await this.#open.subscribeToQueue(queue, group, { ...rest, ack: "manual", handler: take });
  }

  destroy(): Promise<void> {
    this.#connection?.destroy();
    return Promise.resolve();
  }

  async close(): Promise<void> {
    await this.#connection?.close();
  }

  get #open(): AmqpConnection {
    if (this.#connection === null) throw new Error(`${this.name} is not connected yet`);
    return this.#connection;
  }

  async #inTransaction(messages: readonly Addressed[], { relay, coordinator, end }: InTransaction): Promise<void> {
    const transaction = await coordinator.begin();
    const sent = Promise.allSettled(
      messages.map(({ to, payload }) => relay.send(addressOf(to), new TextEncoder().encode(payload), { transaction })),
    );
    try {
      await (typeof end === "function" ? end() : transaction[end]());
    } finally {
      await sent;
    }
  }

  async #receive(terms: ConsumeTerms, way: "settling second" | "in transactions"): Promise<void> {
    const { queue, group, filter, prefetch, concurrency, handler } = terms;
    const session = await this.#open.createSession();
    try {
      const receiver = await session.createReceiver(`$queue/${queue}${filter === "" ? "" : `/${filter}`}`, {
        credit: prefetch,
        settlementMode: way === "settling second" ? "second" : "first",
        properties: { "consumer-group": group },
      });
      const coordinator = way === "in transactions" ? await session.createCoordinator() : null;
      const take = (delivery: AmqpDelivery): Promise<void> => handler(received(delivery, coordinator));
      for (let i = 0; i < concurrency; i++) void this.#each(receiver, take);
    } catch (error) {
      void session.close();
      throw error;
    }
  }

  async #each(receiver: AmqpReceiver, take: (delivery: AmqpDelivery) => Promise<void>): Promise<void> {
    try {
      for await (const delivery of receiver) await take(delivery);
    } catch (error) {
      const isEnd = isMessagingError(error) && error.code === "ERR_CLIENT_CLOSED";
      if (!isEnd) this.#stage.world.violations.push(`${this.name}: receiving ended: ${String(error)}`);
    }
  }
}

/** What a transaction goes over, and how it ends. */
interface InTransaction {
  readonly relay: AmqpRelay;
  readonly coordinator: AmqpCoordinator;
  readonly end: "commit" | "rollback" | (() => Promise<void>);
}

function addressOf(to: Destination): string {
  if (to.is === "topic") return to.topic;
  return `$queue/${to.queue}${to.key === "" ? "" : `/${to.key}`}`;
}

function subscribed(message: AmqpQueueMessage): ActorMessage {
  const { offset, groupId } = message;
  return {
    offset,
    groupId,
    settle: async (said) => {
      if (said === "ack") await message.ack();
      else if (said === "reject") await message.reject("no");
      else await message.nack(said === "nack later" ? { delayMs: 200 } : {});
      return "sent";
    },
  };
}

function received(delivery: AmqpDelivery, coordinator: AmqpCoordinator | null): ActorMessage {
  const properties = delivery.message.applicationProperties;
  return {
    offset: Number(properties?.get("offset")),
    groupId: String(properties?.get("group-id")),
    settle: async (said) => {
      if (coordinator === null) await settled(delivery, said, {});
      else await coordinator.run((transaction) => settled(delivery, said, { transaction }));
      return "durable";
    },
  };
}

/** A message is given back in both ways that there are: `released` does not count as a delivery, `modified` may. */
function settled(delivery: AmqpDelivery, said: Said, how: SettleOptions): Promise<void> {
  switch (said) {
    case "ack":
      return delivery.accept(how);
    case "nack":
      return delivery.release(how);
    case "nack later":
      return delivery.modify({ deliveryFailed: true, ...how });
    case "reject":
      return delivery.reject({ condition: "amqp:precondition-failed", description: "no" }, how);
  }
}
