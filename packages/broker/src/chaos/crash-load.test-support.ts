import { isMessagingError, MqttClient, type MqttQueueMessage } from "polymq/mqtt";
import { QueueLedger } from "./queue-ledger.test-support.ts";

const GROUPS = ["bill", "ship"] as const;
const PUBLISHERS = 8;
const CONSUMERS_PER_GROUP = 4;

/** Publishes of one publisher that are open at a time, and messages that a consumer holds. */
const WINDOW = 40;
const PREFETCH = 50;

/** Handlers at a time: far more than can be out, so that each message is in the books when it arrives and not when a handler is free. */
const CONCURRENCY = 1_000;

/** Time without any delivery after which a run counts as hung. */
const STALLED_MS = 60_000;

const PADDING = "x".repeat(200);

/** Eight publishers, half of them at QoS 2, and two groups of four consumers on one queue, over whatever broker is there. */
export class CrashLoad {
  readonly ledger: QueueLedger = new QueueLedger(GROUPS);
  readonly #queue: string;
  readonly #port: number;
  readonly #clients: MqttClient[] = [];
  readonly #runs: Promise<void>[] = [];
  readonly #wakers: (() => void)[] = [];
  #life = 1;
  #isStopping = false;

  constructor(queue: string, port: number) {
    this.#queue = queue;
    this.#port = port;
  }

  async start(): Promise<void> {
    for (const group of GROUPS) {
      for (let i = 0; i < CONSUMERS_PER_GROUP; i++) await this.#consume(group, `${group}-${i}`);
    }
    for (let i = 0; i < PUBLISHERS; i++) {
      const client = this.#client(`publisher-${i}`);
      await client.connect();
      for (let slot = 0; slot < WINDOW; slot++)
        this.#runs.push(this.#publish(client, `${i}/${slot}`, i % 2 === 0 ? 1 : 2));
    }
  }

  /** Tells that another broker has taken over. */
  brokerReplaced(): void {
    this.#life++;
  }

  /** Resolves after this many more deliveries. */
  async progress(deliveries: number): Promise<void> {
    const goal = this.ledger.deliveries + deliveries;
    await this.#until(() => this.ledger.deliveries >= goal);
  }

  /** Publishes nothing more; resolves once every publish has settled and everything was delivered and acknowledged. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#runs);
    await this.#until(() => this.ledger.isComplete);
  }

  async destroy(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#clients.map((client) => client.destroy()));
    await Promise.allSettled(this.#runs);
  }

  /** Looks after each delivery and each acknowledgement, and gives up when none comes for long. */
  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      await new Promise<void>((resolve, reject) => {
        this.#wakers.push(resolve);
        timer = setTimeout(() => reject(new Error(`hung: ${JSON.stringify(this.ledger.verdict())}`)), STALLED_MS);
      });
      clearTimeout(timer);
    }
  }

  #wake(): void {
    for (const wake of this.#wakers.splice(0)) wake();
  }

  async #publish(client: MqttClient, name: string, qos: 1 | 2): Promise<void> {
    for (let i = 0; !this.#isStopping; i++) {
      const id = `${name}/${i}`;
      this.ledger.published();
      try {
        await client.publishToQueue(this.#queue, `${id} ${PADDING}`, { qos });
        this.ledger.confirmed(id);
      } catch (error) {
        if (!this.#isStopping || !isMessagingError(error)) throw error;
      }
    }
  }

  async #consume(group: string, clientId: string): Promise<void> {
    const client = this.#client(clientId);
    let life = this.#life;
    client.on("connect", () => {
      life = this.#life;
    });
    await client.connect();
    const handler = async (message: MqttQueueMessage): Promise<void> => {
      const { offset } = message;
      const [id = ""] = message.text().split(" ", 1);
      this.ledger.delivered(group, offset, id, life);
      const deliveredBy = life;
      try {
        await message.ack();
        this.ledger.acknowledged(group, offset, deliveredBy);
      } catch (error) {
        // The broker or the link went before it was confirmed: the message comes again.
        if (!isMessagingError(error)) throw error;
      }
      this.#wake();
    };
    await client.subscribeToQueue(this.#queue, group, {
      ack: "manual",
      prefetch: PREFETCH,
      concurrency: CONCURRENCY,
      handler,
    });
  }

  #client(clientId: string): MqttClient {
    const client = new MqttClient({
      servers: `mqtt://127.0.0.1:${this.#port}`,
      clientId,
      protocolVersion: 5,
      cleanStart: false,
      sessionExpirySeconds: 3_600,
      ackTimeoutMs: 240_000,
      reconnect: { initialDelayMs: 10, maxDelayMs: 200, retryFirstConnect: true },
    });
    this.#clients.push(client);
    return client;
  }
}
