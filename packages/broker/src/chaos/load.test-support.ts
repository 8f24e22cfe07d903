import { isMessagingError, MqttClient, type MqttMessage } from "polymq/mqtt";
import { Account, qosOf, total, type Verdict } from "./ledger.test-support.ts";

/** A load of publishers, each with a subscriber of its own. */
export interface LoadOptions {
  readonly publisherPort: number;
  readonly subscriberPort: number;
  /** Publishers, and as many subscribers. */
  readonly pairs: number;
  /** Messages of each publisher; without it they publish until {@link Load.stop}. */
  readonly messages?: number;
  /** Told after every first delivery, with their number so far. */
  readonly onProgress?: (delivered: number) => void;
}

/** Publishes of one publisher that may be open at a time. */
const WINDOW = 300;

/** Longest wait for an acknowledgement: only a hang takes as long. */
const ACK_TIMEOUT_MS = 240_000;

/** Messages of one publisher that may be acknowledged and not seen yet: both links of a pair are busy to the end. */
const LAG_MAX = 3_000;

/** Time without any delivery after which a run counts as hung. */
const STALLED_MS = 60_000;

const PADDING = "x".repeat(40);

/**
 * Publishers at QoS 1 and 2 in turn, half of them with 3.1.1 and half with 5.0, and subscribers the other way round, all with sessions
 * that outlive their connections. What the promises said and what the handlers saw goes into accounts.
 */
export class Load {
  readonly #options: LoadOptions;
  readonly #accounts: Account[] = [];
  readonly #publishers: MqttClient[] = [];
  readonly #subscribers: MqttClient[] = [];
  readonly #runs: Promise<void>[] = [];
  readonly #ends: Promise<void>[] = [];
  /** Let publishers look again whether they may go on. */
  readonly #wakers: (() => void)[] = [];
  #delivered = 0;
  #reconnects = 0;
  #stopping = false;
  #abandoned = false;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  /** Messages seen at least once, in all. */
  get delivered(): number {
    return this.#delivered;
  }

  /** Connections made beyond the first ones. */
  get reconnects(): number {
    return this.#reconnects;
  }

  /** Connects everybody, subscribes, and begins to publish. */
  async start(): Promise<void> {
    const { pairs, publisherPort, subscriberPort } = this.#options;
    for (let i = 0; i < pairs; i++) {
      this.#accounts.push(new Account(`publisher-${i}`));
      this.#publishers.push(this.#client(`publisher-${i}`, publisherPort, i % 2 === 0 ? 4 : 5));
      this.#subscribers.push(this.#client(`subscriber-${i}`, subscriberPort, i % 2 === 0 ? 5 : 4));
    }
    await Promise.all([...this.#publishers, ...this.#subscribers].map((client) => client.connect()));
    await Promise.all(this.#accounts.map((account, i) => this.#subscribe(i, account)));
    for (const [i, account] of this.#accounts.entries()) this.#runs.push(this.#publish(i, account));
  }

  /** Publishes nothing more; resolves once every publish has settled and every subscriber has seen all that there will be. */
  async stop(): Promise<Verdict> {
    this.#stopping = true;
    for (const wake of this.#wakers) wake();
    return await this.finished();
  }

  /** As {@link Load.stop}, after all of a limited number of messages. */
  async finished(): Promise<Verdict> {
    await this.unlessStalled(Promise.all([...this.#runs, ...this.#ends]));
    return this.verdict();
  }

  /** Resolves as `work` does; rejects when nothing is delivered for long. */
  async unlessStalled<T>(work: Promise<T>): Promise<T> {
    let watch: ReturnType<typeof setInterval> | undefined;
    const stalled = new Promise<never>((_, reject) => {
      let [seen, sinceMs] = [this.#delivered, performance.now()];
      watch = setInterval(() => {
        if (this.#delivered !== seen) [seen, sinceMs] = [this.#delivered, performance.now()];
        else if (performance.now() - sinceMs > STALLED_MS) reject(new Error(`hung: ${this.#picture()}`));
      }, 1_000);
    });
    try {
      return await Promise.race([stalled, work]);
    } finally {
      clearInterval(watch);
    }
  }

  /** What stands in the books now. */
  verdict(): Verdict {
    return total(this.#accounts.map((account) => account.verdict()));
  }

  /** Closes all clients. */
  async close(): Promise<void> {
    await Promise.all([...this.#publishers, ...this.#subscribers].map((client) => client.close()));
  }

  /** Ends all clients at once, after a failure. */
  async destroy(): Promise<void> {
    this.#stopping = true;
    this.#abandoned = true;
    for (const wake of this.#wakers) wake();
    await Promise.all([...this.#publishers, ...this.#subscribers].map((client) => client.destroy()));
    await Promise.allSettled(this.#runs);
  }

  /** Where everybody stands, for the error of a run that hangs. */
  #picture(): string {
    const { published, acknowledged, delivered } = this.verdict();
    const clients = [...this.#publishers, ...this.#subscribers];
    const states = clients.map((client) => `${client.clientId} ${client.state} ${client.waiting.messages} waiting`);
    return `${published} published, ${acknowledged} acknowledged, ${delivered} delivered; ${states.join(", ")}`;
  }

  #client(clientId: string, port: number, protocolVersion: 4 | 5): MqttClient {
    const client = new MqttClient({
      servers: `mqtt://127.0.0.1:${port}`,
      clientId,
      protocolVersion,
      cleanStart: false,
      ...(protocolVersion === 5 ? { sessionExpirySeconds: 3_600 } : {}),
      maxInflight: WINDOW / 2,
      ackTimeoutMs: ACK_TIMEOUT_MS,
      reconnect: { initialDelayMs: 10, maxDelayMs: 200, retryFirstConnect: true },
    });
    let isFirst = true;
    client.on("connect", () => {
      if (!isFirst) this.#reconnects++;
      isFirst = false;
    });
    return client;
  }

  async #subscribe(index: number, account: Account): Promise<void> {
    const client = this.#subscribers[index];
    if (client === undefined) return;
    let ended: () => void = () => undefined;
    this.#ends.push(
      new Promise((resolve) => {
        ended = resolve;
      }),
    );
    const handler = (message: MqttMessage): void => {
      if (message.topic.endsWith("/end")) return ended();
      const before = account.delivered;
      account.saw(Number.parseInt(message.text(), 10), message.qos);
      if (account.delivered === before) return;
      this.#delivered++;
      this.#wakers[index]?.();
      this.#options.onProgress?.(this.#delivered);
    };
    await client.subscribe(`chaos/${index}/#`, { qos: 2, handler });
  }

  async #publish(index: number, account: Account): Promise<void> {
    const client = this.#publishers[index];
    if (client === undefined) return;
    let open = 0;
    let wake: () => void = () => undefined;
    const settled = (): void => {
      open--;
      wake();
    };
    const until = (isSo: () => boolean): Promise<void> => {
      if (isSo()) return Promise.resolve();
      return new Promise((resolve) => {
        wake = () => {
          if (isSo()) resolve();
        };
      });
    };
    const hasRoom = (): boolean => this.#stopping || (open < WINDOW && account.published - account.delivered < LAG_MAX);
    this.#wakers.push(() => wake());
    const most = this.#options.messages ?? Number.POSITIVE_INFINITY;
    while (account.published < most && !this.#stopping) {
      await until(hasRoom);
      if (this.#stopping) break;
      const sequence = account.publish();
      open++;
      client
        .publish(`chaos/${index}/data`, `${sequence} ${PADDING}`, { qos: qosOf(sequence) })
        .then(
          () => account.acknowledged(sequence),
          (error: unknown) => account.refused(sequence, isMessagingError(error) ? error.code : String(error)),
        )
        .finally(settled);
    }
    await until(() => open === 0);
    // Behind all others in the subscriber's session: when it is seen, nothing else is on its way.
    if (!this.#abandoned) await client.publish(`chaos/${index}/end`, "", { qos: 2 });
  }
}
