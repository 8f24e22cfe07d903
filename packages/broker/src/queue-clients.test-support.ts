/** Brokers and clients for tests of queues over MQTT, and messages as they come. */
import { MqttClient, type MqttClientOptions, type MqttQueueMessage } from "polymq/mqtt";
import { expect, vi } from "vitest";
import { type Broker, startBroker } from "./broker.ts";
import type { BrokerOptions } from "./options.ts";

/** Longest wait for something to happen. */
export const WAIT = { timeout: 10_000, interval: 5 };

/** What a test has opened. */
export class Opened {
  readonly #open: (() => unknown)[] = [];

  /** Has something closed at the test's end. */
  push(close: () => unknown): void {
    this.#open.push(close);
  }

  async broker(options: BrokerOptions = {}): Promise<Broker> {
    const broker = await startBroker({ port: 0, ...options });
    this.push(() => broker.close().catch(() => undefined));
    return broker;
  }

  /** A client of MQTT 5.0 that is connected. */
  async client(broker: Broker, options: Partial<MqttClientOptions> = {}): Promise<MqttClient> {
    const made = new MqttClient({ servers: broker.url, clientId: "", protocolVersion: 5, ...options });
    this.push(() => made.destroy());
    await made.connect();
    return made;
  }

  /** Closes everything, the newest first. */
  async close(): Promise<void> {
    for (const close of this.#open.splice(0).reverse()) await close();
  }
}

/** Messages as they come, for a test to wait for. */
export class Got {
  readonly messages: MqttQueueMessage[] = [];
  readonly handler = (message: MqttQueueMessage): void => void this.messages.push(message);

  /** The first `count` payloads, once they are there. */
  async texts(count: number): Promise<string[]> {
    await vi.waitFor(() => expect(this.messages.length).toBeGreaterThanOrEqual(count), WAIT);
    return this.messages.slice(0, count).map((message) => message.text());
  }

  async at(index: number): Promise<MqttQueueMessage> {
    await this.texts(index + 1);
    return this.messages[index] as MqttQueueMessage;
  }
}

/** Publishes one after the other. */
export async function publishAll(from: MqttClient, queue: string, texts: readonly string[]): Promise<void> {
  for (const text of texts) await from.publishToQueue(queue, text);
}
