import { MqttClient, type MqttClientEvent, type MqttClientOptions, type MqttMessage, type QoS } from "polymq/mqtt";
import { expect } from "vitest";
import { withDeadline } from "../harness/deadline.ts";
import { uniqueName } from "../peers/scenario.ts";
import type { Address } from "./link.test-support.ts";

/** Longest wait for anything that a broker owes us. */
const ANSWER_TIMEOUT_MS = 15_000;

/** Where a stage's clients go, unless a test says otherwise. */
export interface StageTarget {
  readonly level: 4 | 5;
  address(): Address;
}

/** Fresh names, and clients that are gone when the test is over, however it ends. */
export class Stage implements AsyncDisposable {
  readonly level: 4 | 5;
  /** A topic of this run alone. */
  readonly topic: string = uniqueName("topic");
  readonly #address: () => Address;
  readonly #clients: MqttClient[] = [];

  constructor(target: StageTarget) {
    this.level = target.level;
    this.#address = target.address;
  }

  /** A client that is not connected yet. */
  client(options: Partial<MqttClientOptions> = {}): MqttClient {
    const client = new MqttClient({
      clientId: uniqueName("polymq"),
      protocolVersion: this.level,
      // Full jitter would only make runs differ; a broker that is being restarted is asked again soon.
      reconnect: { initialDelayMs: 50, maxDelayMs: 200, jitter: "none" },
      ...this.#address(),
      ...options,
    });
    this.#clients.push(client);
    return client;
  }

  async connect(options: Partial<MqttClientOptions> = {}): Promise<MqttClient> {
    const client = this.client(options);
    await client.connect();
    return client;
  }

  /** Options of a session that outlives its connection. */
  lasting(clientId: string = uniqueName("session")): Partial<MqttClientOptions> {
    return { clientId, cleanStart: false, ...(this.level === 5 ? { sessionExpirySeconds: 300 } : {}) };
  }

  /** Ends a lasting session at the server. */
  async forget(clientId: string): Promise<void> {
    const client = await this.connect({ clientId, cleanStart: true });
    await client.close();
  }

  /** A client of its own that listens to the stage's topic, or another filter. */
  async watcher(filter: string = this.topic, qos: QoS = 2): Promise<Ear> {
    return await Ear.of(await this.connect(), filter, qos);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.destroy()));
  }
}

/** Keeps the messages that a client gets, to be taken in order. */
export class Ear {
  readonly client: MqttClient;
  readonly #messages: MqttMessage[] = [];
  readonly #waiting: ((message: MqttMessage) => void)[] = [];

  constructor(client: MqttClient) {
    this.client = client;
  }

  /** Subscribes with a handler that takes everything at once. */
  static async of(client: MqttClient, filter: string, qos: QoS = 2): Promise<Ear> {
    const ear = new Ear(client);
    await client.subscribe(filter, { qos, handler: ear.hear });
    return ear;
  }

  /** A handler for `subscribe`, or for messages of a resumed session that nobody has subscribed to yet. */
  readonly hear = (message: MqttMessage): void => {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#messages.push(message);
    else waiting(message);
  };

  /** Takes the next message, waiting for it. */
  async next(): Promise<MqttMessage> {
    const message = this.#messages.shift();
    if (message !== undefined) return message;
    const coming = new Promise<MqttMessage>((resolve) => this.#waiting.push(resolve));
    return await withDeadline(coming, ANSWER_TIMEOUT_MS, () => "waited for a message in vain");
  }

  async take(count: number): Promise<readonly MqttMessage[]> {
    const taken: MqttMessage[] = [];
    while (taken.length < count) taken.push(await this.next());
    return taken;
  }

  /** The next payloads, as text. */
  async texts(count: number): Promise<readonly string[]> {
    return (await this.take(count)).map((message) => message.text());
  }

  /** Takes the next message and checks what it says. */
  async expect(text: string): Promise<MqttMessage> {
    const message = await this.next();
    expect(message.text()).toBe(text);
    return message;
  }

  /** Proves that nothing is on its way here: what is published to `topic` now is what comes next. */
  async expectNothingBefore(topic: string): Promise<void> {
    const mark = uniqueName("mark");
    await this.client.publish(topic, mark, { qos: 1 });
    await this.expect(mark);
  }
}

/** The next event of a type. */
export function eventOf<K extends MqttClientEvent["type"]>(
  client: MqttClient,
  type: K,
  timeoutMs: number = ANSWER_TIMEOUT_MS,
): Promise<Extract<MqttClientEvent, { readonly type: K }>> {
  const coming = new Promise<Extract<MqttClientEvent, { readonly type: K }>>((resolve) => {
    client.once(type, (event) => resolve(event as Extract<MqttClientEvent, { readonly type: K }>));
  });
  return withDeadline(coming, timeoutMs, () => `no event ${type}`);
}

/** `["text 0", "text 1", ...]` */
export function numbered(text: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${text} ${index}`);
}
