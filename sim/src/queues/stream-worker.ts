import type { MemoryBroker } from "@polymq/broker/testing";
import type { Stage } from "../run/workload.ts";
import type { CoreDelivery, CoreSubscription } from "./queue-watch.ts";
import type { StreamLedger } from "./stream-ledger.ts";

/**
 * A reader of a stream inside the broker's process. In a manual group it commits what it has worked on; where the group commits what is settled it
 * acknowledges each message, or returns it, or dies with it.
 */
export class StreamWorker {
  readonly name: string;
  readonly #stage: Stage;
  readonly #ledger: StreamLedger;
  #broker: MemoryBroker | null = null;
  #subscription: CoreSubscription | null = null;
  #credit = 0;

  constructor(name: string, stage: Stage, ledger: StreamLedger) {
    this.name = name;
    this.#stage = stage;
    this.#ledger = ledger;
  }

  join(broker: MemoryBroker): void {
    const { chance, trace } = this.#stage.world;
    if (this.#broker === broker) this.#subscription?.close();
    this.#broker = broker;
    this.#credit = chance.pick([1, 3, 20]);
    const { queue, group } = this.#ledger;
    const members = broker.hub.queues.get(queue)?.groups.find(({ id }) => id === group)?.members ?? [];
    if (members.length === 0) this.#ledger.mayGoBack();
    trace.note(this.name, "joins");
    const worker = this;
    this.#subscription = broker.hub.queues.subscribe(queue, {
      group,
      commit: this.#ledger.commit,
      consumer: {
        id: this.name,
        get credit() {
          return worker.#credit;
        },
        deliver: (delivery) => this.#work(delivery, broker),
        onCancelled: (reason) => this.#stage.world.violations.push(`${this.name} was cancelled: ${reason}`),
      },
    });
    this.#subscription.wake();
  }

  leave(): void {
    if (this.#broker !== this.#stage.host.broker) return;
    this.#stage.world.trace.note(this.name, "leaves");
    this.#subscription?.close();
    this.#subscription = null;
  }

  #work({ offset }: CoreDelivery, broker: MemoryBroker): void {
    const { world, host } = this.#stage;
    this.#credit--;
    world.clock.setTimer(world.chance.integer(0, 300), () => {
      if (host.broker !== broker || this.#subscription === null) return;
      this.#credit++;
      if (this.#ledger.commit === "settled") this.#settle(offset, broker);
      else if (this.#ledger.commit === "manual" && world.chance.happens(0.3)) {
        this.commit(this.#ledger.commitFor(offset), broker);
      }
      this.#subscription?.wake();
    });
  }

  #settle(offset: number, broker: MemoryBroker): void {
    const { world } = this.#stage;
    if (world.chance.happens(0.05)) {
      this.leave();
      world.clock.setTimer(world.chance.integer(0, 500), () => {
        if (this.#stage.host.broker === broker && this.#subscription === null) this.join(broker);
      });
      return;
    }
    const { queues, committer } = broker.hub;
    const { queue, group } = this.#ledger;
    if (world.chance.happens(0.1)) {
      const delayMs = world.chance.pick([0, 0, 200]);
      world.trace.note(this.name, `returns ${offset}: ${queues.settle(queue, group, offset, { is: "nack", delayMs })}`);
      return;
    }
    const result = queues.settle(queue, group, offset, { is: "ack" });
    world.trace.note(this.name, `acknowledges ${offset}: ${result}`);
    if (result !== "settled") return;
    this.#ledger.acked(offset);
    const committed = queues.get(queue)?.groups.find(({ id }) => id === group)?.committed ?? 0;
    committer.whenDurable({ onDurable: () => this.#ledger.durable(committed), onCommitFailed: () => undefined }, 0);
  }

  /** Commits, and notes it once it is durable. */
  commit(offset: number, broker: MemoryBroker): void {
    const { world } = this.#stage;
    const { queues, committer } = broker.hub;
    const { queue, group } = this.#ledger;
    const result = queues.commit(queue, group, offset);
    world.trace.note(this.name, `commits ${offset}: ${result}`);
    if (result !== "committed") return;
    committer.whenDurable({ onDurable: () => this.#ledger.durable(offset), onCommitFailed: () => undefined }, 0);
  }
}
