/** What each protocol does in the load over bad links. */
import { type AmqpConnection, connect } from "polymq/amqp10";
import { AmqpClient } from "polymq/amqp091";
import { isMessagingError } from "polymq/internal";

export const LINK_PROTOCOLS = ["AMQP 0-9-1", "AMQP 1.0"] as const;
export type LinkProtocol = (typeof LINK_PROTOCOLS)[number];

/** A client that publishes again what was not confirmed, and acknowledges when its handler is done. */
export interface LinkClient {
  readonly state: string;
  /** Connections made beyond the first one. */
  readonly reconnects: number;
  connect(): Promise<void>;
  publish(queue: string, payload: string): Promise<void>;
  consume(queue: string, onMessage: (text: string) => void): Promise<void>;
  close(): Promise<void>;
  /** Ends it at once, after a failure. */
  destroy(): void;
}

const GROUP = "workers";
const PREFETCH = 100;
const RECONNECT = { initialDelayMs: 10, maxDelayMs: 200, retryFirstConnect: true } as const;

export function linkClient(protocol: LinkProtocol, port: number): LinkClient {
  return protocol === "AMQP 1.0" ? new Amqp10LinkClient(port) : new Amqp091LinkClient(port);
}

class Amqp091LinkClient implements LinkClient {
  readonly #client: AmqpClient;
  #reconnects = 0;

  constructor(port: number) {
    this.#client = new AmqpClient({ servers: `amqp://127.0.0.1:${port}`, reconnect: RECONNECT });
    this.#client.on("connect", ({ reconnected }) => {
      if (reconnected) this.#reconnects++;
    });
  }

  get state(): string {
    return this.#client.state;
  }

  get reconnects(): number {
    return this.#reconnects;
  }

  connect(): Promise<void> {
    return this.#client.connect();
  }

  publish(queue: string, payload: string): Promise<void> {
    return this.#client.publishToQueue(queue, payload);
  }

  async consume(queue: string, onMessage: (text: string) => void): Promise<void> {
    const options = { prefetch: PREFETCH, handler: (message: { text(): string }) => onMessage(message.text()) };
    await untilDone(() => this.#client.subscribeToQueue(queue, GROUP, options));
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  destroy(): void {
    this.#client.destroy();
  }
}

class Amqp10LinkClient implements LinkClient {
  readonly #url: string;
  #connection: AmqpConnection | null = null;
  #reconnects = 0;

  constructor(port: number) {
    this.#url = `amqp://127.0.0.1:${port}`;
  }

  get state(): string {
    return this.#connection?.state ?? "opening";
  }

  get reconnects(): number {
    return this.#reconnects;
  }

  async connect(): Promise<void> {
    this.#connection = await connect(this.#url, { reconnect: RECONNECT });
    this.#connection.on("reconnected", () => void this.#reconnects++);
  }

  publish(queue: string, payload: string): Promise<void> {
    return this.#open().publishToQueue(queue, payload, { ackTimeoutMs: 0 });
  }

  async consume(queue: string, onMessage: (text: string) => void): Promise<void> {
    const options = { prefetch: PREFETCH, handler: (message: { text(): string }) => onMessage(message.text()) };
    await untilDone(() => this.#open().subscribeToQueue(queue, GROUP, options));
  }

  async close(): Promise<void> {
    await this.#connection?.close();
  }

  destroy(): void {
    this.#connection?.destroy();
  }

  #open(): AmqpConnection {
    if (this.#connection === null) throw new Error("not connected yet");
    return this.#connection;
  }
}

/** Tries again what a broken link has failed. */
async function untilDone<T>(attempt: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!isMessagingError(error) || (error.scope !== "connection" && error.code !== "ERR_NOT_CONNECTED")) throw error;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
