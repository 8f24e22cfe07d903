import { type AmqpConnection, type AmqpReceiver, type AmqpSession, type ConnectOptions, connect } from "polymq/amqp10";
import { AmqpClient } from "polymq/amqp091";
import { webText } from "polymq/internal";
import { MqttClient, type MqttClientOptions } from "polymq/mqtt";
import type { BrokerOptions } from "../../options.ts";
import { type MemoryBroker, type MemoryBrokerParts, memoryBroker } from "../../testing/memory-broker.ts";

export const TEXT: ReturnType<typeof webText> = webText();

/** A broker in memory with clients of every protocol; all are gone at the end of the scope. */
export class Amqp10Scene implements AsyncDisposable {
  readonly broker: MemoryBroker;
  readonly #clients: (() => Promise<void>)[] = [];

  private constructor(broker: MemoryBroker) {
    this.broker = broker;
  }

  static async open(options: BrokerOptions = {}, parts: MemoryBrokerParts = {}): Promise<Amqp10Scene> {
    return new Amqp10Scene(await memoryBroker({ sysIntervalSeconds: 0, ...options }, parts));
  }

  /** A connected client. */
  async connection(options: ConnectOptions = {}): Promise<AmqpConnection> {
    const connection = await connect("amqp://localhost", { dial: this.broker.dial, reconnect: false, ...options });
    this.#clients.push(() => connection.close());
    return connection;
  }

  /** A session of a client of its own. */
  async session(options: ConnectOptions = {}): Promise<AmqpSession> {
    return (await this.connection(options)).createSession();
  }

  async mqtt(options: Partial<MqttClientOptions> = {}): Promise<MqttClient> {
    const client = new MqttClient({
      servers: "mqtt://memory",
      clientId: `m${this.#clients.length}`,
      protocolVersion: 5,
      dial: this.broker.dial,
      ...options,
    });
    this.#clients.push(() => client[Symbol.asyncDispose]());
    await client.connect();
    return client;
  }

  async amqp091(): Promise<AmqpClient> {
    const client = new AmqpClient({ servers: "amqp://memory", dial: this.broker.dial, reconnect: false });
    this.#clients.push(() => client[Symbol.asyncDispose]());
    await client.connect();
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const end of this.#clients) await end();
    await this.broker.close();
  }
}

/** Bytes as text. */
export function textOf(bytes: Uint8Array | null): string {
  return bytes === null ? "" : Buffer.from(bytes).toString();
}

/** Texts of the next messages, which are accepted. */
export async function takeTexts(receiver: AmqpReceiver, count: number): Promise<string[]> {
  const texts: string[] = [];
  while (texts.length < count) {
    const delivery = await receiver.receive();
    texts.push(textOf(delivery.message.data));
    await delivery.accept();
  }
  return texts;
}
