/** Publishers and consumers of one queue, and the books about what they were told and what they saw. */
import { type LoadConsumer, type LoadPublisher, ONCE } from "./queue-load-client.test-support.ts";
import { CONSUMER_KINDS, loadConsumer, loadPublisher } from "./queue-load-protocols.test-support.ts";

/** Publishes that one publisher has open at a time. */
const OPEN_MAX = 20;

/** Time without a delivery after which the load counts as stalled. */
const STALLED_MS = 60_000;

/** The queue of the load. */
export const LOAD_QUEUE = "load";

const GROUPS = ["one", "two"] as const;

/** What the books say; each list names messages. */
export interface QueueVerdict {
  readonly published: number;
  readonly confirmed: number;
  /** Deliveries, repeated ones included. */
  readonly delivered: number;
  /** Confirmed to the publisher, and never seen by a group. */
  readonly lost: readonly string[];
  /** Offsets under which different messages were seen. */
  readonly reused: readonly string[];
  /** Offsets below the highest one that nobody saw, for every group is given every message. */
  readonly missing: readonly string[];
  /** Messages of QoS 2 of MQTT with more than one offset. */
  readonly twice: readonly string[];
  /** Delivered to a group by a broker whose predecessor had confirmed that group's acknowledgement. */
  readonly afterAck: readonly string[];
  /** Publishes that ended otherwise than confirmed. */
  readonly refused: readonly string[];
}

/** 9 publishers and 8 consumers in two groups that acknowledge by hand and have it confirmed; the protocols in turn, each group with members of all. */
export class QueueLoad {
  readonly #publishers: LoadPublisher[];
  readonly #consumers: { readonly client: LoadConsumer; readonly group: (typeof GROUPS)[number] }[];
  readonly #confirmed = new Set<string>();
  readonly #seen = new Map<string, Set<string>>(GROUPS.map((group) => [group, new Set()]));
  /** Offsets by group. */
  readonly #seenAt = new Map<string, Set<number>>(GROUPS.map((group) => [group, new Set()]));
  readonly #acked = new Map<string, Set<number>>(GROUPS.map((group) => [group, new Set()]));
  /** Of them, those of brokers that are gone. */
  readonly #settled = new Map<string, ReadonlySet<number>>();
  readonly #byOffset = new Map<number, string>();
  readonly #offsets = new Map<string, Set<number>>();
  readonly #reused = new Set<string>();
  readonly #afterAck: string[] = [];
  readonly #refused: string[] = [];
  readonly #onProgress: (delivered: number) => void;
  #delivered = 0;
  /** The highest offset that anybody saw, and one more. */
  #next = 0;
  #published = 0;
  #stopping = false;
  #lastAtMs = performance.now();
  #wake: () => void = () => undefined;

  constructor(port: number, onProgress: (delivered: number) => void) {
    this.#onProgress = onProgress;
    this.#publishers = Array.from({ length: 9 }, (_, i) => loadPublisher(i, port, `publisher-${i}`));
    this.#consumers = GROUPS.flatMap((group) =>
      Array.from({ length: CONSUMER_KINDS }, (_, i) => ({ client: loadConsumer(i, port, `${group}-${i}`), group })),
    );
  }

  get delivered(): number {
    return this.#delivered;
  }

  async start(): Promise<void> {
    for (const { client, group } of this.#consumers) {
      await client.connect();
      await client.consume(LOAD_QUEUE, group, {
        onMessage: (offset, name) => this.#onMessage(group, offset, name),
        onAcked: (offset) => void this.#acked.get(group)?.add(offset),
      });
    }
    for (const publisher of this.#publishers) await publisher.connect();
    this.#publishers.forEach((publisher, i) => void this.#publish(publisher, i));
  }

  /** The broker is gone, and the next one not there yet: what it has confirmed must hold for ever. */
  async afterKill(): Promise<void> {
    // Until its last bytes are read.
    while (this.#consumers.some(({ client }) => client.connected))
      await new Promise((resolve) => setImmediate(resolve));
    for (const [group, offsets] of this.#acked) this.#settled.set(group, new Set(offsets));
  }

  /** Publishes no more, waits until every group has seen everything, and closes the books. */
  async stop(): Promise<QueueVerdict> {
    this.#stopping = true;
    await this.unlessStalled(this.#whenEven());
    const groups = [...this.#seen];
    return {
      published: this.#published,
      confirmed: this.#confirmed.size,
      delivered: this.#delivered,
      lost: groups.flatMap(([group, seen]) =>
        [...this.#confirmed].filter((name) => !seen.has(name)).map((name) => `${group} ${name}`),
      ),
      reused: [...this.#reused],
      missing: groups.flatMap(([group]) => this.#missingOf(group)),
      twice: [...this.#offsets].filter(([name, offsets]) => isOnce(name) && offsets.size > 1).map(([name]) => name),
      afterAck: this.#afterAck,
      refused: this.#refused,
    };
  }

  /** Resolves as `moment` does; rejects when nothing is delivered for long. */
  async unlessStalled(moment: Promise<void>): Promise<void> {
    this.#lastAtMs = performance.now();
    let timer: ReturnType<typeof setInterval> | undefined;
    const stalled = new Promise<never>((_, reject) => {
      timer = setInterval(() => {
        if (performance.now() - this.#lastAtMs > STALLED_MS) reject(new Error(`stalled: ${this.#standing()}`));
      }, 1_000);
    });
    try {
      await Promise.race([moment, stalled]);
    } finally {
      clearInterval(timer);
    }
  }

  async destroy(): Promise<void> {
    this.#stopping = true;
    await Promise.all(
      [...this.#publishers, ...this.#consumers.map(({ client }) => client)].map((each) => each.destroy()),
    );
  }

  async #publish(publisher: LoadPublisher, index: number): Promise<void> {
    let open = 0;
    let wake: () => void = () => undefined;
    for (let number = 0; !this.#stopping; number++) {
      while (open >= OPEN_MAX) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      if (this.#stopping) return;
      const name = `${index}/${number}/${publisher.guarantee(number)}`;
      this.#published++;
      open++;
      publisher
        .publish(LOAD_QUEUE, name, number)
        .then(
          () => void this.#confirmed.add(name),
          (error: unknown) => void this.#refused.push(`${name} ${String(error)}`),
        )
        .finally(() => {
          open--;
          wake();
          this.#wake();
        });
    }
  }

  #onMessage(group: string, offset: number, name: string): void {
    if (this.#settled.get(group)?.has(offset) === true) this.#afterAck.push(`${group} ${offset} ${name}`);
    const known = this.#byOffset.get(offset);
    if (known !== undefined && known !== name) this.#reused.add(`${offset}: ${known} and ${name}`);
    this.#byOffset.set(offset, name);
    const offsets = this.#offsets.get(name);
    if (offsets === undefined) this.#offsets.set(name, new Set([offset]));
    else offsets.add(offset);
    this.#seen.get(group)?.add(name);
    this.#seenAt.get(group)?.add(offset);
    this.#next = Math.max(this.#next, offset + 1);
    this.#delivered++;
    this.#lastAtMs = performance.now();
    this.#onProgress(this.#delivered);
    this.#wake();
  }

  /** Everything published is confirmed, and everything in the queue seen by every group. */
  async #whenEven(): Promise<void> {
    const isEven = (): boolean =>
      this.#confirmed.size + this.#refused.length === this.#published &&
      [...this.#seen.values()].every((seen) => seen.size >= this.#confirmed.size) &&
      [...this.#seenAt.values()].every((offsets) => offsets.size === this.#next);
    while (!isEven()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #missingOf(group: string): string[] {
    const offsets = this.#seenAt.get(group) ?? new Set();
    const missing: string[] = [];
    for (let offset = 0; offset < this.#next; offset++) if (!offsets.has(offset)) missing.push(`${group} ${offset}`);
    return missing;
  }

  #standing(): string {
    const seen = [...this.#seen].map(([group, names]) => `${group} ${names.size}`).join(", ");
    const missing = GROUPS.flatMap((group) => this.#missingOf(group));
    const gaps = `${missing.length} offsets not seen: ${missing.slice(0, 10).join(", ")}`;
    return `${this.#published} published, ${this.#confirmed.size} confirmed, seen: ${seen}, ${gaps}`;
  }
}

function isOnce(name: string): boolean {
  return name.endsWith(ONCE);
}
