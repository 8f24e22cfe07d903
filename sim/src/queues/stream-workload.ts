import type { MemoryBroker } from "@polymq/broker/testing";
import type { Stage, Workload } from "../run/workload.ts";
import { scaled } from "../world/profile.ts";
import { passed } from "../world/world.ts";
import { CorePublisher } from "./core-publisher.ts";
import { QueueLedger } from "./queue-ledger.ts";
import type { StreamPlan } from "./queue-plan.ts";
import { idOf, watchDeliveries } from "./queue-watch.ts";
import { StreamLedger } from "./stream-ledger.ts";
import { StreamWorker } from "./stream-worker.ts";

/** A stream, read by groups that commit by themselves or by hand and go on from there after every crash. */
export class StreamWorkload implements Workload {
  readonly name = "stream";
  readonly #stage: Stage;
  readonly #plan: StreamPlan;
  readonly #messages = new QueueLedger();
  readonly #publisher: CorePublisher;
  readonly #groups: readonly StreamLedger[];
  readonly #workers: readonly StreamWorker[];
  #state: "working" | "done" = "working";

  constructor(stage: Stage, plan: StreamPlan) {
    this.#stage = stage;
    this.#plan = plan;
    this.#publisher = new CorePublisher(stage, this.#messages);
    this.#groups = plan.groups.map(({ group, commit }) => new StreamLedger(plan.name, group, commit));
    this.#workers = this.#groups.flatMap((ledger, i) =>
      Array.from(
        { length: plan.groups[i]?.workers ?? 0 },
        (_, number) => new StreamWorker(`reader ${ledger.group} ${number}`, stage, ledger),
      ),
    );
    stage.host.onStarted((broker) => this.#onStarted(broker));
  }

  start(): void {
    void this.#run();
  }

  heal(): void {}

  outstanding(): string[] {
    const queue = this.#stage.host.broker?.hub.queues.get(this.#plan.name) ?? null;
    if (this.#state === "working") return ["the stream's publisher is at work"];
    if (queue === null) return [`there is no stream ${this.#plan.name}`];
    const delayed = queue.delayed > 0 ? [`${queue.delayed} delayed messages in ${queue.name}`] : [];
    const places = this.#groups.map(({ group, commit }) => {
      const found = queue.groups.find(({ id }) => id === group);
      return { group, at: (commit === "settled" ? found?.committed : found?.cursor) ?? 0 };
    });
    const behind = places.filter(({ at }) => at < queue.next);
    return [...delayed, ...behind.map(({ group, at }) => `${queue.name}/${group} is at ${at} of ${queue.next}`)];
  }

  check(): Promise<string[]> {
    const messages = this.#messages.messagesOf(this.#plan.name);
    return Promise.resolve(this.#groups.flatMap((group) => group.check(messages)));
  }

  clients(): readonly [] {
    return [];
  }

  #onStarted(broker: MemoryBroker): void {
    const { world } = this.#stage;
    for (const group of this.#groups) group.mayGoBack();
    watchDeliveries(broker, ({ queue, group, offset, message }) => {
      if (queue !== this.#plan.name) return;
      world.trace.note("core", `delivers ${offset} of ${queue}/${group}`);
      this.#groups.find((ledger) => ledger.group === group)?.delivered(offset, idOf(message.payload));
    });
    for (const worker of this.#workers) {
      world.clock.setTimer(world.chance.integer(0, 300), () => {
        if (this.#stage.host.broker === broker) worker.join(broker);
      });
    }
  }

  async #run(): Promise<void> {
    const { world, profile, host } = this.#stage;
    const { chance } = world;
    const bursts = scaled(profile, chance.integer(3, 20));
    for (let burst = 0; burst < bursts; burst++) {
      await passed(world, chance.integer(0, Math.ceil((2 * profile.runMs) / bursts)));
      for (let i = scaled(profile, chance.integer(1, 10)); i > 0; i--) this.#publisher.publish(this.#plan.name, "");
      const worker = chance.pick(this.#workers);
      const { broker } = host;
      if (broker === null || !chance.happens(0.2)) continue;
      worker.leave();
      world.clock.setTimer(chance.integer(0, 1_000), () => {
        if (host.broker === broker) worker.join(broker);
      });
    }
    this.#state = "done";
  }
}
