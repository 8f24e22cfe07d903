import type { MemoryBroker } from "@polymq/broker/testing";
import type { Stage } from "../run/workload.ts";
import type { GroupLedger } from "./queue-ledger.ts";
import type { GroupPlan } from "./queue-plan.ts";
import type { CoreConsumer, CoreDelivery, CoreSubscription } from "./queue-watch.ts";
import { orStoreFailed } from "./store-failure.ts";

/** What becomes of a delivery, and how often. */
const TROUBLE = { ack: 70, nack: 14, "nack later": 4, reject: 6, ignore: 6 } as const;
const PEACE = { ack: 1 } as const;

/** A consumer inside the broker's process, as a protocol's session is one; it comes, works, leaves and comes back. */
export class CoreWorker {
  readonly name: string;
  readonly #stage: Stage;
  readonly #queue: string;
  readonly #plan: GroupPlan;
  readonly #ledger: GroupLedger;
  #outcomes: Readonly<Record<string, number>> = TROUBLE;
  #subscription: CoreSubscription | null = null;
  #broker: MemoryBroker | null = null;
  #credit = 0;

  constructor(
    name: string,
    stage: Stage,
    work: { readonly queue: string; readonly plan: GroupPlan; readonly ledger: GroupLedger },
  ) {
    this.name = name;
    this.#stage = stage;
    this.#queue = work.queue;
    this.#plan = work.plan;
    this.#ledger = work.ledger;
  }

  /** Joins its group at the broker of now. */
  join(broker: MemoryBroker): void {
    const { chance } = this.#stage.world;
    if (this.#broker === broker) orStoreFailed(() => this.#subscription?.close()); // what is left of a crashed broker is nobody's any more
    this.#broker = broker;
    this.#credit = chance.pick([1, 3, 20]);
    const { group, filter } = this.#plan;
    const subscription = broker.hub.queues.subscribe(this.#queue, { consumer: this.#consumer(broker), group, filter });
    this.#subscription = subscription;
    this.#note("joins");
    subscription.wake();
  }

  /** Joins again unless it has meanwhile. */
  rejoin(broker: MemoryBroker): void {
    if (this.#subscription === null) this.join(broker);
  }

  /** Leaves its group; what it has not settled goes to others. */
  leave(): void {
    this.#note("leaves");
    if (this.#broker === this.#stage.host.broker) orStoreFailed(() => this.#subscription?.close());
    this.#subscription = null;
  }

  /** Acknowledges everything from now on; what it ignored is given back. */
  heal(): void {
    this.#outcomes = PEACE;
    const { broker } = this.#stage.host;
    if (broker === null || this.#broker !== broker) return;
    this.leave();
    this.join(broker);
  }

  #consumer(broker: MemoryBroker): CoreConsumer {
    const worker = this;
    return {
      id: this.name,
      get credit() {
        return worker.#credit;
      },
      deliver: (delivery) => {
        this.#credit--;
        void this.#work(delivery, broker);
      },
      onCancelled: (reason) => this.#stage.world.violations.push(`${this.name} was cancelled: ${reason}`),
    };
  }

  #work(delivery: CoreDelivery, broker: MemoryBroker): void {
    const { world, host } = this.#stage;
    const { chance } = world;
    const subscription = this.#subscription;
    const settle = (): void => {
      if (host.broker !== broker || this.#subscription === null) return;
      this.#credit++;
      this.#settle(delivery, this.#subscription, broker);
      this.#subscription.wake();
    };
    if (subscription !== null && chance.happens(0.3)) settle();
    else world.clock.setTimer(chance.integer(0, 800), settle);
  }

  #settle({ offset }: CoreDelivery, subscription: CoreSubscription, broker: MemoryBroker): void {
    const { world } = this.#stage;
    const what = world.chance.weighted(this.#outcomes);
    this.#note(`${what} ${offset}`);
    if (what === "ignore") return;
    if (what === "nack" || what === "nack later") {
      const outcome = what === "nack" ? ({ is: "nack" } as const) : ({ is: "nack", delayMs: 200 } as const);
      orStoreFailed(() => subscription.settle(offset, outcome));
      return;
    }
    const said = what === "reject" ? "reject" : "ack";
    const outcome = said === "ack" ? ({ is: "ack" } as const) : ({ is: "reject", detail: "no" } as const);
    const result = orStoreFailed(() => subscription.settle(offset, outcome));
    if (result !== "settled") return;
    this.#ledger.said(offset, said);
    const onDurable = (): void => this.#ledger.durable(offset, said);
    broker.hub.committer.whenDurable({ onDurable, onCommitFailed: () => undefined }, 0);
  }

  #note(what: string): void {
    this.#stage.world.trace.note(this.name, `${what} (${this.#ledger.name})`);
  }
}
