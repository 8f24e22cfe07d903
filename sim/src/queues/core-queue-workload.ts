import type { MemoryBroker } from "@polymq/broker/testing";
import type { Actor, Stage, Workload } from "../run/workload.ts";
import { scaled } from "../world/profile.ts";
import { passed } from "../world/world.ts";
import { CorePublisher } from "./core-publisher.ts";
import { CoreWorker } from "./core-worker.ts";
import { deadLettersIn } from "./dead-letters.ts";
import { GroupLedger, QueueLedger } from "./queue-ledger.ts";
import { groupId, type QueuePlan } from "./queue-plan.ts";
import { QueueProducer } from "./queue-producer.ts";
import { idOf, watchDeliveries, watchHolders } from "./queue-watch.ts";
import { unsettledIn } from "./unsettled.ts";

/**
 * Consumers inside the broker's process, as sessions of any protocol are; publishers there, and clients. So the queue core is met without a wire
 * between it and what it says.
 */
export class CoreQueueWorkload implements Workload {
  readonly name = "queues";
  readonly #stage: Stage;
  readonly #plans: readonly QueuePlan[];
  readonly #ledger = new QueueLedger();
  readonly #publisher: CorePublisher;
  readonly #workers: CoreWorker[] = [];
  readonly #producers: readonly QueueProducer[];
  #state: "working" | "done" = "working";

  constructor(stage: Stage, plans: readonly QueuePlan[]) {
    this.#stage = stage;
    this.#plans = plans;
    this.#publisher = new CorePublisher(stage, this.#ledger);
    const producers = scaled(stage.profile, stage.world.chance.integer(0, 2));
    this.#producers = Array.from(
      { length: producers },
      (_, i) => new QueueProducer(`producer${i}`, stage, this.#ledger),
    );
    for (const plan of plans) this.#plan(plan);
    stage.host.onStarted((broker) => this.#onStarted(broker));
  }

  start(): void {
    const ready = this.#ready();
    const running = [this.#run(ready), ...this.#producers.map((producer) => producer.run(this.#plans, ready))];
    void Promise.all(running).then(() => {
      this.#state = "done";
    });
  }

  heal(): void {
    for (const worker of this.#workers) worker.heal();
  }

  outstanding(): string[] {
    const left = this.#state === "done" ? [] : ["publishers to queues are at work"];
    return [...left, ...unsettledIn(this.#stage.host.broker, this.#plans)];
  }

  check(): Promise<string[]> {
    const { broker } = this.#stage.host;
    if (broker !== null) this.#ledger.setDeadLetters(this.#plans.flatMap(({ name }) => deadLettersIn(broker, name)));
    return Promise.resolve(this.#ledger.check());
  }

  clients(): readonly Actor[] {
    return this.#producers.map(({ client }) => client);
  }

  #plan(plan: QueuePlan): void {
    for (const group of plan.groups) {
      const facts = {
        queue: plan.name,
        group: groupId(group),
        filter: group.filter,
        deliveryLimit: plan.deliveryLimit,
        reasons: plan.reasons,
        visibilityTimeoutMs: plan.visibilityTimeoutMs,
      };
      const ledger = this.#ledger.watch(new GroupLedger(facts));
      for (let i = 0; i < group.workers; i++) {
        const name = `worker ${plan.name} ${ledger.group} ${i}`;
        this.#workers.push(new CoreWorker(name, this.#stage, { queue: plan.name, plan: group, ledger }));
      }
    }
  }

  #onStarted(broker: MemoryBroker): void {
    const { world } = this.#stage;
    watchDeliveries(broker, ({ queue, group, offset, message, deliveryCount }, to) => {
      if (!this.#plans.some(({ name }) => name === queue)) return;
      const id = idOf(message.payload);
      world.trace.note(
        "core",
        `delivers ${id} at ${offset} of ${queue}/${group} to ${to}, ${deliveryCount} before, priority ${message.priority}`,
      );
      for (const ledger of this.#ledger.groups) {
        if (ledger.queue === queue && ledger.group === group)
          ledger.delivered(offset, id, { deliveryCount, priority: message.priority });
      }
    });
    watchHolders(broker, this.#ledger, world.clock);
    for (const worker of this.#workers) {
      world.clock.setTimer(world.chance.integer(0, 300), () => {
        if (this.#stage.host.broker === broker) worker.join(broker);
      });
    }
  }

  /** Groups are there for good before anything is published, for a group sees what comes after it. */
  async #ready(): Promise<void> {
    const { host, world } = this.#stage;
    const stored: { by: MemoryBroker | null } = { by: null };
    for (let asked: MemoryBroker | null = null; stored.by === null; await passed(world, 20)) {
      const { broker } = host;
      if (broker === null || broker === asked || !this.#groupsAreThere(broker)) continue;
      asked = broker;
      const onDurable = (): void => {
        stored.by = broker;
      };
      broker.hub.committer.whenDurable({ onDurable, onCommitFailed: () => undefined }, 0);
    }
  }

  async #run(ready: Promise<void>): Promise<void> {
    const { world, profile } = this.#stage;
    const { chance } = world;
    await ready;
    const bursts = scaled(profile, chance.integer(3, 20));
    for (let burst = 0; burst < bursts; burst++) {
      await passed(world, chance.integer(0, Math.ceil((2 * profile.runMs) / bursts)));
      for (let i = scaled(profile, chance.integer(1, 10)); i > 0; i--) this.#publishTo(chance.pick(this.#plans));
      if (chance.happens(0.2)) this.#comeAndGo();
    }
  }

  #groupsAreThere(broker: MemoryBroker): boolean {
    return this.#plans.every(({ name, groups }) => broker.hub.queues.get(name)?.groups.length === groups.length);
  }

  #publishTo({ name, keys, priorityMax }: QueuePlan): void {
    this.#publisher.publish(name, this.#stage.world.chance.pick(keys), priorityMax);
  }

  #comeAndGo(): void {
    const { world, host } = this.#stage;
    const worker = world.chance.pick(this.#workers);
    const { broker } = host;
    if (broker === null) return;
    worker.leave();
    world.clock.setTimer(world.chance.integer(0, 1_000), () => {
      if (host.broker === broker) worker.rejoin(broker);
    });
  }
}
