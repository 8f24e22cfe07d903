import type { MqttQueueMessage } from "polymq/mqtt";
import { lastingClient } from "../run/actor-client.ts";
import type { Stage } from "../run/workload.ts";
import type { SimClient } from "../world/sim-client.ts";
import type { ActorMessage, ConsumeTerms, Destination, Guarantee, QueueActor, Said } from "./queue-actor.ts";

/** Works with queues over MQTT: publishes at QoS 2 or 1, and has each settlement confirmed. */
export class MqttActor implements QueueActor {
  readonly name: string;
  readonly guarantees: readonly Guarantee[] = ["at least", "exactly", "exactly"];
  readonly #client: SimClient;

  /** @param role only a consumer needs MQTT 5.0 */
  constructor(name: string, stage: Stage, role: "producer" | "consumer") {
    this.name = name;
    this.#client = lastingClient(name, stage, role === "producer" ? {} : { protocolVersion: 5 });
  }

  /** MQTT keeps the order of each QoS alone. */
  row(_to: Destination, guarantee: Guarantee): string {
    return guarantee;
  }

  connect(): Promise<void> {
    return this.#client.connect();
  }

  async publish(to: Destination, payload: string, guarantee: Guarantee): Promise<void> {
    const qos = guarantee === "exactly" ? 2 : 1;
    if (to.is === "topic") await this.#client.publish(to.topic, payload, { qos });
    else
      await this.#client.publishToQueue(to.queue, payload, { qos, ...(to.key === "" ? {} : { routingKey: to.key }) });
  }

  async consume({ queue, group, handler, ...terms }: ConsumeTerms): Promise<void> {
    await this.#client.subscribeToQueue(queue, group, {
      ...terms,
      ack: "manual",
      handler: (message) => handler(actorMessage(message)),
    });
  }

  async destroy(): Promise<void> {
    await this.#client.destroy();
  }

  close(): Promise<void> {
    return this.#client.close();
  }
}

function actorMessage(message: MqttQueueMessage): ActorMessage {
  const { offset, groupId } = message;
  return {
    offset,
    groupId,
    settle: async (said) => {
      await settled(message, said);
      return "durable";
    },
  };
}

function settled(message: MqttQueueMessage, said: Said): Promise<void> {
  switch (said) {
    case "ack":
      return message.ack();
    case "nack":
      return message.nack();
    case "nack later":
      return message.nack({ delayMs: 200 });
    case "reject":
      return message.reject("no");
  }
}
