import type { MemoryBroker } from "@polymq/broker/testing";
import type { Actor, Stage, Workload } from "../run/workload.ts";
import { scaled } from "../world/profile.ts";
import { passed } from "../world/world.ts";
import { Amqp10StreamReader } from "./amqp10-stream-reader.ts";
import { CorePublisher } from "./core-publisher.ts";
import { QueueLedger } from "./queue-ledger.ts";
import type { StreamPlan } from "./queue-plan.ts";
import { QueueProducer } from "./queue-producer.ts";
import { idOf, watchDeliveries, watchReaders } from "./queue-watch.ts";
import { StreamLedger } from "./stream-ledger.ts";
import { StreamWorker } from "./stream-worker.ts";

/** A stream, read in the broker's process and over AMQP 1.0 by groups that commit by themselves, by hand or what is settled, and go on from there after every crash. */
export class StreamWorkload implements Workload {
  readonly name = "stream";
  readonly #stage: Stage;
  readonly #plan: StreamPlan;
  readonly #messages = new QueueLedger();
  readonly #publisher: CorePublisher;
  readonly #groups: readonly StreamLedger[];
  readonly #workers: readonly StreamWorker[];
  readonly #readers: readonly Amqp10StreamReader[];
  readonly #producers: readonly QueueProducer[];
  #state: "working" | "done" = "working";

  constructor(stage: Stage, plan: StreamPlan) {
    this.#stage = stage;
    this.#plan = plan;
    this.#publisher = new CorePublisher(stage, this.#messages);
    this.#groups = plan.groups.map(({ group, commit }) => new StreamLedger(plan.name, group, commit));
    this.#workers = this.#membersOf("core", (name, ledger) => new StreamWorker(name, stage, ledger));
    this.#readers = this.#membersOf("amqp10", (name, ledger) => new Amqp10StreamReader(name, stage, ledger));
    const producers = scaled(stage.profile, stage.world.chance.integer(0, 2));
    const names = Array.from({ length: producers }, (_, i) => `spring${i}`);
    this.#producers = names.map((name) => new QueueProducer(name, stage, this.#messages));
    stage.host.onStarted((broker) => this.#onStarted(broker));
  }

  start(): void {
    for (const reader of this.#readers) void reader.start();
    const to = [{ name: this.#plan.name, keys: [""] }];
    const running = [this.#run(), ...this.#producers.map((producer) => producer.run(to, Promise.resolve()))];
    void Promise.all(running).then(() => {
      this.#state = "done";
    });
  }

  heal(): void {
    for (const reader of this.#readers) reader.heal();
  }

  outstanding(): string[] {
    const queue = this.#stage.host.broker?.hub.queues.get(this.#plan.name) ?? null;
    if (this.#state === "working") return ["publishers to the stream are at work"];
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

  clients(): readonly Actor[] {
    return [...this.#readers, ...this.#producers.map(({ client }) => client)];
  }

  #membersOf<M>(over: "core" | "amqp10", make: (name: string, ledger: StreamLedger) => M): M[] {
    return this.#groups.flatMap((ledger, i) => {
      const plan = this.#plan.groups[i];
      if (plan?.over !== over) return [];
      return Array.from({ length: plan.workers }, (_, number) => make(`reader-${ledger.group}-${number}`, ledger));
    });
  }

  #onStarted(broker: MemoryBroker): void {
    const { world } = this.#stage;
    for (const group of this.#groups) group.mayGoBack();
    watchDeliveries(broker, ({ queue, group, offset, message }) => {
      if (queue !== this.#plan.name) return;
      world.trace.note("core", `delivers ${offset} of ${queue}/${group}`);
      this.#groups.find((ledger) => ledger.group === group)?.delivered(offset, idOf(message.payload));
    });
    watchReaders(
      broker,
      this.#groups.filter((_, i) => this.#plan.groups[i]?.over === "amqp10"),
    );
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
      const { broker } = host;
      if (broker === null || this.#workers.length === 0 || !chance.happens(0.2)) continue;
      const worker = chance.pick(this.#workers);
      worker.leave();
      world.clock.setTimer(chance.integer(0, 1_000), () => {
        if (host.broker === broker) worker.join(broker);
      });
    }
  }
}
