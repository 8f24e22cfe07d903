import { isMessagingError, type MqttClient, type MqttQueueMessage } from "polymq/mqtt";
import { countReconnects, demoClient } from "./client.ts";
import { GROUP, type Outcome, QUEUE, RETRY_MS, type WorkerPlan } from "./messages.ts";
import { PREFETCH, type WorkerClient, type WorkMessage } from "./worker-client.ts";

/** The broker's code for a message that is not in this worker's hands any more. */
const NOT_PENDING = 0x80;

/** A worker over MQTT 5.0: each settlement is confirmed. */
export class MqttWorkerClient implements WorkerClient {
  readonly #client: MqttClient;
  readonly #reconnects: () => number;

  constructor(plan: WorkerPlan) {
    this.#client = demoClient({ ...plan, protocolVersion: 5 }, "clean");
    this.#reconnects = countReconnects(this.#client);
  }

  get reconnects(): number {
    return this.#reconnects();
  }

  connect(): Promise<void> {
    return this.#client.connect();
  }

  async work(handler: (message: WorkMessage) => Promise<void>): Promise<void> {
    await this.#client.subscribeToQueue(QUEUE, GROUP, {
      prefetch: PREFETCH,
      concurrency: PREFETCH,
      ack: "manual",
      handler: (message) => handler(this.#workMessage(message)),
    });
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  #workMessage(message: MqttQueueMessage): WorkMessage {
    const connection = this.reconnects;
    const { offset, deliveryCount } = message;
    const settle = async (outcome: Outcome): Promise<boolean> => {
      try {
        await settled(message, outcome);
        // Settlements by id pass over to the next connection: they hold, but others may have had the message meanwhile.
        return this.reconnects === connection;
      } catch (error) {
        // The link broke in between: it comes to somebody once more.
        if (!isMessagingError(error)) throw error;
        if (error.code !== "ERR_STALE_DELIVERY" && error.peer?.code !== NOT_PENDING) throw error;
        return false;
      }
    };
    return { offset, deliveryCount, json: () => message.json(), settle };
  }
}

function settled(message: MqttQueueMessage, outcome: Outcome): Promise<void> {
  if (outcome === "nacked") return message.nack({ delayMs: RETRY_MS });
  return outcome === "rejected" ? message.reject("more than three hours late") : message.ack();
}
