import { AmqpClient, type AmqpClientOptions, type AmqpMessage } from "polymq/amqp091";
import { isMessagingError } from "polymq/internal";
import {
  type LoadConsumer,
  type LoadPublisher,
  type LoadSink,
  PREFETCH,
  RECONNECT,
} from "./queue-load-client.test-support.ts";

function amqpClient(port: number, connectionName: string, options: Partial<AmqpClientOptions> = {}): AmqpClient {
  return new AmqpClient({ servers: `amqp://127.0.0.1:${port}`, connectionName, reconnect: RECONNECT, ...options });
}

export class Amqp091LoadPublisher implements LoadPublisher {
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
export class Amqp091LoadConsumer implements LoadConsumer {
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
