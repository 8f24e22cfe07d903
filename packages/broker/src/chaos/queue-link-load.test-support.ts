import { AmqpClient, type AmqpQueueMessage } from "polymq/amqp091";
import { isMessagingError } from "polymq/internal";
import { Account, total, type Verdict } from "./ledger.test-support.ts";

/** A load on queues over AMQP 0-9-1. */
export interface QueueLinkLoadOptions {
  readonly publisherPort: number;
  readonly consumerPort: number;
  /** Publishers, each with a queue and a consumer of its own. */
  readonly pairs: number;
  /** Messages of each publisher. */
  readonly messages: number;
  /** Told after every first delivery, with their number so far. */
  readonly onProgress: (delivered: number) => void;
}

/** Publishes of one publisher that may be open at a time. */
const WINDOW = 200;

/** Time without any delivery after which a run counts as hung. */
const STALLED_MS = 60_000;

/** Publishers with confirms, which publish again what was not confirmed, and consumers that acknowledge when their handler is done. */
export class QueueLinkLoad {
  readonly #options: QueueLinkLoadOptions;
  readonly #accounts: Account[] = [];
  readonly #clients: AmqpClient[] = [];
  #reconnects = 0;
  #delivered = 0;
  #onEven: () => void = () => undefined;

  constructor(options: QueueLinkLoadOptions) {
    this.#options = options;
  }

  /** Connections made beyond the first ones. */
  get reconnects(): number {
    return this.#reconnects;
  }

  /** Resolves once everything is confirmed and every consumer has seen all; rejects when nothing is delivered for long. */
  async run(): Promise<Verdict> {
    const { pairs, publisherPort, consumerPort } = this.#options;
    const even = new Promise<void>((resolve) => {
      this.#onEven = resolve;
    });
    const publishers: AmqpClient[] = [];
    for (let i = 0; i < pairs; i++) {
      // At least once: what was not confirmed may be there twice.
      const account = new Account(`publisher-${i}`, () => 1);
      this.#accounts.push(account);
      publishers.push(this.#client(publisherPort));
      const consumer = this.#client(consumerPort);
      await Promise.all([publishers[i]?.connect(), consumer.connect()]);
      const handler = (message: AmqpQueueMessage): void => this.#saw(account, message);
      await untilDone(() => consumer.subscribeToQueue(`load-${i}`, "workers", { prefetch: 100, handler }));
    }
    await this.#unlessStalled(Promise.all([even, ...publishers.map((each, i) => this.#publish(each, i))]));
    return total(this.#accounts.map((account) => account.verdict()));
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
  }

  /** Ends all clients at once, after a failure. */
  destroy(): void {
    for (const client of this.#clients) client.destroy();
  }

  #client(port: number): AmqpClient {
    const client = new AmqpClient({
      servers: `amqp://127.0.0.1:${port}`,
      reconnect: { initialDelayMs: 10, maxDelayMs: 200, retryFirstConnect: true },
    });
    client.on("connect", ({ reconnected }) => {
      if (reconnected) this.#reconnects++;
    });
    this.#clients.push(client);
    return client;
  }

  #saw(account: Account, message: AmqpQueueMessage): void {
    const before = account.delivered;
    account.saw(Number.parseInt(message.text(), 10), 1);
    if (account.delivered === before) return;
    this.#delivered++;
    this.#options.onProgress(this.#delivered);
    if (this.#delivered === this.#options.pairs * this.#options.messages) this.#onEven();
  }

  async #publish(client: AmqpClient, index: number): Promise<void> {
    const account = this.#accounts[index];
    if (account === undefined) return;
    let open: Promise<void>[] = [];
    while (account.published < this.#options.messages) {
      const sequence = account.publish();
      const done = client.publishToQueue(`load-${index}`, `${sequence} ${PADDING}`).then(
        () => account.acknowledged(sequence),
        (error: unknown) => account.refused(sequence, isMessagingError(error) ? error.code : String(error)),
      );
      if (open.push(done) < WINDOW) continue;
      await Promise.all(open);
      open = [];
    }
    await Promise.all(open);
  }

  async #unlessStalled<T>(work: Promise<T>): Promise<T> {
    let watch: ReturnType<typeof setInterval> | undefined;
    const stalled = new Promise<never>((_, reject) => {
      let [seen, sinceMs] = [this.#delivered, performance.now()];
      watch = setInterval(() => {
        if (this.#delivered !== seen) [seen, sinceMs] = [this.#delivered, performance.now()];
        else if (performance.now() - sinceMs > STALLED_MS) {
          const states = this.#clients.map(({ state }) => state).join(", ");
          reject(new Error(`hung: ${this.#delivered} delivered, clients are ${states}`));
        }
      }, 1_000);
    });
    try {
      return await Promise.race([stalled, work]);
    } finally {
      clearInterval(watch);
    }
  }
}

const PADDING = "x".repeat(40);

/** Tries again what a broken link has failed. */
async function untilDone<T>(attempt: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!isMessagingError(error) || error.scope !== "connection") throw error;
    }
  }
}
