import { isMessagingError } from "polymq/internal";
import { MqttClient, type MqttQueueMessage } from "polymq/mqtt";
import {
  type LoadConsumer,
  type LoadPublisher,
  type LoadSink,
  ONCE,
  PREFETCH,
  RECONNECT,
} from "./queue-load-client.test-support.ts";

function mqttClient(port: number, clientId: string, session: "lasting" | "none"): MqttClient {
  return new MqttClient({
    servers: `mqtt://127.0.0.1:${port}`,
    clientId,
    protocolVersion: 5,
    cleanStart: session === "none",
    sessionExpirySeconds: session === "none" ? 0 : 3_600,
    ackTimeoutMs: 0,
    reconnect: RECONNECT,
  });
}

export class MqttLoadPublisher implements LoadPublisher {
  readonly #client: MqttClient;

  constructor(port: number, id: string) {
    this.#client = mqttClient(port, id, "lasting");
  }

  guarantee(number: number): string {
    return number % 2 === 0 ? "qos1" : ONCE;
  }

  connect(): Promise<void> {
    return this.#client.connect();
  }

  async publish(queue: string, name: string, number: number): Promise<void> {
    await this.#client.publishToQueue(queue, name, { qos: number % 2 === 0 ? 1 : 2 });
  }

  async destroy(): Promise<void> {
    await this.#client.destroy();
  }
}

export class MqttLoadConsumer implements LoadConsumer {
  readonly #client: MqttClient;

  constructor(port: number, id: string) {
    this.#client = mqttClient(port, id, "none");
  }

  get connected(): boolean {
    return this.#client.connected;
  }

  connect(): Promise<void> {
    return this.#client.connect();
  }

  async consume(queue: string, group: string, sink: LoadSink): Promise<void> {
    const handler = async (message: MqttQueueMessage): Promise<void> => {
      sink.onMessage(message.offset, message.text());
      try {
        await message.ack();
        sink.onAcked(message.offset);
      } catch (error) {
        // Its connection was lost, and the queue has it again.
        if (!isMessagingError(error) || error.peer?.code !== NOT_PENDING) throw error;
      }
    };
    const options = { prefetch: PREFETCH, concurrency: PREFETCH, ack: "manual", handler } as const;
    await this.#client.subscribeToQueue(queue, group, options);
  }

  async destroy(): Promise<void> {
    await this.#client.destroy();
  }
}

/** The broker's code for an acknowledgement of what is not pending. */
const NOT_PENDING = 0x80;
