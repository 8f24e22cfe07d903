/** What each protocol does in the load on a queue; a further protocol is two more classes here. */
import { AmqpClient, type AmqpClientOptions, type AmqpMessage } from "polymq/amqp091";
import { isMessagingError } from "polymq/internal";
import { MqttClient, type MqttQueueMessage } from "polymq/mqtt";

/** Protocols that take part. */
export const LOAD_PROTOCOLS = ["mqtt", "amqp091"] as const;
export type LoadProtocol = (typeof LOAD_PROTOCOLS)[number];

/** Publishes to a queue; what was not confirmed when the connection broke is published again. */
export interface LoadPublisher {
  /** How surely the message with this number is published: its name ends with it. */
  guarantee(number: number): string;
  connect(): Promise<void>;
  /** Resolves when the broker has confirmed it. */
  publish(queue: string, name: string, number: number): Promise<void>;
  destroy(): Promise<void>;
}

/** What a consumer tells of. */
export interface LoadSink {
  onMessage(offset: number, name: string): void;
  /** The broker has said that this acknowledgement holds. */
  onAcked(offset: number): void;
}

/** Consumes a queue as a member of a group, and has every acknowledgement confirmed. */
export interface LoadConsumer {
  readonly connected: boolean;
  connect(): Promise<void>;
  consume(queue: string, group: string, sink: LoadSink): Promise<void>;
  destroy(): Promise<void>;
}

const PREFETCH = 50;
const RECONNECT = { initialDelayMs: 10, maxDelayMs: 100 } as const;

/** The end of the name of what may be in the queue once only. */
export const ONCE = "qos2";

export function loadPublisher(protocol: LoadProtocol, port: number, id: string): LoadPublisher {
  return protocol === "mqtt" ? new MqttLoadPublisher(port, id) : new AmqpLoadPublisher(port, id);
}

export function loadConsumer(protocol: LoadProtocol, port: number, id: string): LoadConsumer {
  return protocol === "mqtt" ? new MqttLoadConsumer(port, id) : new AmqpLoadConsumer(port, id);
}

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

class MqttLoadPublisher implements LoadPublisher {
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

class MqttLoadConsumer implements LoadConsumer {
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

function amqpClient(port: number, connectionName: string, options: Partial<AmqpClientOptions> = {}): AmqpClient {
  return new AmqpClient({ servers: `amqp://127.0.0.1:${port}`, connectionName, reconnect: RECONNECT, ...options });
}

class AmqpLoadPublisher implements LoadPublisher {
  readonly #client: AmqpClient;

  constructor(port: number, id: string) {
    this.#client = amqpClient(port, id);
  }

  guarantee(): string {
    return "confirmed";
  }

  connect(): Promise<void> {
    return this.#client.connect();
  }

  publish(queue: string, name: string): Promise<void> {
    return this.#client.publishToQueue(queue, name);
  }

  destroy(): Promise<void> {
    this.#client.destroy();
    return Promise.resolve();
  }
}

/** Acknowledges in transactions, for `tx.commit-ok` alone says that acknowledgements hold. */
class AmqpLoadConsumer implements LoadConsumer {
  readonly #client: AmqpClient;
  /** Acknowledged and not yet committed, on the connection of now. */
  #open: number[] = [];
  #state: "idle" | "committing" = "idle";

  constructor(port: number, id: string) {
    this.#client = amqpClient(port, id, { prefetch: PREFETCH });
    this.#client.on("connectionLost", () => {
      this.#open = [];
    });
  }

  get connected(): boolean {
    return this.#client.connected;
  }

  connect(): Promise<void> {
    return this.#client.connect();
  }

  async consume(queue: string, group: string, sink: LoadSink): Promise<void> {
    const channel = await this.#client.channel({ confirms: false });
    await channel.txSelect();
    const commit = async (): Promise<void> => {
      if (this.#state === "committing") return;
      this.#state = "committing";
      while (this.#open.length > 0) {
        const offsets = this.#open;
        this.#open = [];
        try {
          await channel.txCommit();
          for (const offset of offsets) sink.onAcked(offset);
        } catch (error) {
          // The transaction went with its connection; its messages come again.
          if (!isMessagingError(error)) throw error;
        }
      }
      this.#state = "idle";
    };
    const handler = (message: AmqpMessage): void => {
      const offset = Number(message.properties.headers?.["offset"]);
      sink.onMessage(offset, message.text());
      try {
        message.ack();
      } catch (error) {
        if (!isMessagingError(error) || error.code !== "ERR_STALE_DELIVERY") throw error;
        return;
      }
      this.#open.push(offset);
      void commit();
    };
    await channel.consume(`$queue/${queue}`, { handler, autoAck: false, arguments: { "x-consumer-group": group } });
  }

  destroy(): Promise<void> {
    this.#client.destroy();
    return Promise.resolve();
  }
}
