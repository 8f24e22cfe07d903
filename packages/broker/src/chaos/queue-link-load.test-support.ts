import { isMessagingError } from "polymq/internal";
import { Account, total, type Verdict } from "./ledger.test-support.ts";
import { type LinkClient, type LinkProtocol, linkClient } from "./queue-link-clients.test-support.ts";

/** A load on queues. */
export interface QueueLinkLoadOptions {
  readonly protocol: LinkProtocol;
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
  readonly #clients: LinkClient[] = [];
  #delivered = 0;
  #onEven: () => void = () => undefined;

  constructor(options: QueueLinkLoadOptions) {
    this.#options = options;
  }

  /** Connections made beyond the first ones. */
  get reconnects(): number {
    return this.#clients.reduce((sum, { reconnects }) => sum + reconnects, 0);
  }

  /** Resolves once everything is confirmed and every consumer has seen all; rejects when nothing is delivered for long. */
  async run(): Promise<Verdict> {
    const { pairs, publisherPort, consumerPort } = this.#options;
    const even = new Promise<void>((resolve) => {
      this.#onEven = resolve;
    });
    const publishers: LinkClient[] = [];
    for (let i = 0; i < pairs; i++) {
      // At least once: what was not confirmed may be there twice.
      const account = new Account(`publisher-${i}`, () => 1);
      this.#accounts.push(account);
      publishers.push(this.#client(publisherPort));
      const consumer = this.#client(consumerPort);
      await Promise.all([publishers[i]?.connect(), consumer.connect()]);
      await consumer.consume(`load-${i}`, (text) => this.#saw(account, text));
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

  #client(port: number): LinkClient {
    const client = linkClient(this.#options.protocol, port);
    this.#clients.push(client);
    return client;
  }

  #saw(account: Account, text: string): void {
    const before = account.delivered;
    account.saw(Number.parseInt(text, 10), 1);
    if (account.delivered === before) return;
    this.#delivered++;
    this.#options.onProgress(this.#delivered);
    if (this.#delivered === this.#options.pairs * this.#options.messages) this.#onEven();
  }

  async #publish(client: LinkClient, index: number): Promise<void> {
    const account = this.#accounts[index];
    if (account === undefined) return;
    let open: Promise<void>[] = [];
    while (account.published < this.#options.messages) {
      const sequence = account.publish();
      const done = client.publish(`load-${index}`, `${sequence} ${PADDING}`).then(
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
