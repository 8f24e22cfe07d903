import type { AmqpQueueMessage } from "polymq/amqp091";
import type { Stage } from "../run/workload.ts";
import { SimAmqp091Client } from "../world/sim-amqp091-client.ts";
import type { ActorMessage, ConsumeTerms, Destination, Guarantee, QueueActor } from "./queue-actor.ts";

/** Works with queues over AMQP 0-9-1: publishes with confirms, again what was not confirmed, and settles without being told what became of it. */
export class Amqp091Actor implements QueueActor {
  readonly name: string;
  readonly guarantees: readonly Guarantee[] = ["at least"];
  readonly #client: SimAmqp091Client;

  constructor(name: string, stage: Stage) {
    this.name = name;
    this.#client = client(name, stage);
  }

  row(): string {
    return "all";
  }

  connect(): Promise<void> {
    return this.#client.connect();
  }

  async publish(to: Destination, payload: string): Promise<void> {
    if (to.is === "topic") await this.#client.publish(to.topic, payload);
    else await this.#client.publishToQueue(to.queue, payload, to.key === "" ? {} : { routingKey: to.key });
  }

  async consume({ queue, group, handler, ...terms }: ConsumeTerms): Promise<void> {
    await this.#client.subscribeToQueue(queue, group, {
      ...terms,
      ack: "manual",
      handler: (message) => handler(actorMessage(message)),
    });
  }

  destroy(): Promise<void> {
    this.#client.destroy();
    return Promise.resolve();
  }

  close(): Promise<void> {
    return this.#client.close();
  }
}

function client(name: string, stage: Stage): SimAmqp091Client {
  const { world, network, profile } = stage;
  const made = new SimAmqp091Client(
    name,
    {
      heartbeatSeconds: profile.keepAliveSeconds,
      maxUnconfirmed: profile.maxInflight,
      connectTimeoutMs: 5_000,
      recoveryTimeoutMs: 5_000,
      reconnect: { retryFirstConnect: true, initialDelayMs: 50, maxDelayMs: 2_000 },
    },
    { world, network },
  );
  const wrong = (what: string): void => void world.violations.push(`${name}: ${what}`);
  made.on("reconnectFailed", ({ error }) => wrong(`gave up: ${error.message}`));
  made.on("channelClosed", ({ error }) => wrong(`a channel was closed: ${error.message}`));
  made.on("consumerCancelled", ({ queue }) => wrong(`was cancelled at ${queue}`));
  made.on("recoveryFailed", ({ what, error }) => wrong(`${what} is not there again: ${error.message}`));
  made.on("handlerError", ({ error }) => wrong(`a handler failed: ${String(error)}`));
  made.on("state", ({ state }) => world.trace.note(name, state));
  return made;
}

function actorMessage(message: AmqpQueueMessage): ActorMessage {
  const { offset, groupId } = message;
  return {
    offset,
    groupId,
    settle: async (said) => {
      if (said === "ack") message.ack();
      else if (said === "reject") message.reject();
      else message.nack();
      return "sent";
    },
  };
}
