import type { MemoryBroker } from "@polymq/broker/testing";
import { isMessagingError } from "polymq/mqtt";
import { untilDone } from "../run/actor-client.ts";
import type { Stage, Workload } from "../run/workload.ts";
import { scaled } from "../world/profile.ts";
import { passed } from "../world/world.ts";
import { deadLettersIn } from "./dead-letters.ts";
import { makeActor } from "./make-actor.ts";
import type { ActorMessage, QueueActor, Said } from "./queue-actor.ts";
import { GroupLedger, QueueLedger } from "./queue-ledger.ts";
import { type GroupPlan, groupId, type QueuePlan } from "./queue-plan.ts";
import { QueueProducer } from "./queue-producer.ts";
import { idOf, watchDeliveries, watchHolders, watchSettled } from "./queue-watch.ts";
import { unsettledIn } from "./unsettled.ts";

/** What becomes of a message, and how often, while there is trouble. */
const TROUBLE: Readonly<Record<Said | "ignore", number>> = { ack: 70, nack: 12, "nack later": 4, reject: 6, ignore: 4 };
const PEACE: typeof TROUBLE = { ack: 1, nack: 0, "nack later": 0, reject: 0, ignore: 0 };

/** Publishers and groups of workers over any protocol, also several in one group: what the clients' promises say against what the queues have. */
export class ClientQueueWorkload implements Workload {
  readonly name = "queues of clients";
  readonly #stage: Stage;
  readonly #plans: readonly QueuePlan[];
  readonly #ledger = new QueueLedger();
  readonly #clients: QueueActor[] = [];
  #outcomes = TROUBLE;
  #producersLeft = 0;

  constructor(stage: Stage, plans: readonly QueuePlan[]) {
    this.#stage = stage;
    this.#plans = plans;
    stage.host.onStarted((broker) => this.#onStarted(broker));
  }

  start(): void {
    const { chance } = this.#stage.world;
    const groups = this.#plans.flatMap((plan) => plan.groups.map((group) => this.#group(plan, group)));
    this.#producersLeft = scaled(this.#stage.profile, chance.integer(1, 3));
    const ready = Promise.all(groups);
    for (let i = this.#producersLeft; i > 0; i--) {
      const producer = new QueueProducer(`source${i}`, this.#stage, this.#ledger);
      this.#clients.push(producer.client);
      void producer.run(this.#plans, ready).then(() => this.#producersLeft--);
    }
  }

  heal(): void {
    this.#outcomes = PEACE;
  }

  outstanding(): string[] {
    const left = this.#producersLeft > 0 ? [`${this.#producersLeft} producers are at work`] : [];
    return [...left, ...unsettledIn(this.#stage.host.broker, this.#plans)];
  }

  check(): Promise<string[]> {
    const { broker } = this.#stage.host;
    if (broker !== null) this.#ledger.setDeadLetters(this.#plans.flatMap(({ name }) => deadLettersIn(broker, name)));
    return Promise.resolve(this.#ledger.check());
  }

  clients(): readonly QueueActor[] {
    return this.#clients;
  }

  #onStarted(broker: MemoryBroker): void {
    const { world } = this.#stage;
    watchDeliveries(broker, ({ queue, group, offset, message, deliveryCount }, to) => {
      const ledger = this.#ledger.groups.find((one) => one.queue === queue && one.group === group);
      if (ledger === undefined) return;
      const id = idOf(message.payload);
      world.trace.note("core", `delivers ${id} at ${offset} of ${queue}/${group} to ${to}, ${deliveryCount} before`);
      ledger.delivered(offset, id, { deliveryCount, priority: message.priority });
    });
    watchHolders(broker, this.#ledger, world.clock);
    watchSettled(broker, ({ queue, group, offset }, said) => {
      this.#ledger.groups.find((one) => one.queue === queue && one.group === group)?.durable(offset, said);
    });
  }

  /** Resolves when all members have subscribed: then the group is there for good, and owed all that comes. */
  async #group(plan: QueuePlan, group: GroupPlan): Promise<void> {
    const { name: queue, deliveryLimit, reasons, visibilityTimeoutMs } = plan;
    const facts = { queue, group: groupId(group), filter: group.filter, deliveryLimit, reasons, visibilityTimeoutMs };
    const ledger = this.#ledger.watch(new GroupLedger(facts));
    const members = Array.from({ length: group.workers }, (_, i) => `consumer-${plan.name}-${ledger.group}-${i}`);
    await Promise.all(members.map((name) => this.#worker(name.replaceAll(/[#+/@]/g, "_"), group, ledger)));
  }

  async #worker(name: string, group: GroupPlan, ledger: GroupLedger): Promise<void> {
    const client = await this.#member(name, group, ledger);
    const { chance } = this.#stage.world;
    if (chance.happens(0.4)) void this.#restart(client, chance.integer(300, 2_500), group, ledger);
  }

  /** The process of a worker dies with all it has in hand, and another one comes for it, unless there is peace by then. */
  async #restart(client: QueueActor, afterMs: number, group: GroupPlan, ledger: GroupLedger): Promise<void> {
    const { world } = this.#stage;
    await passed(world, afterMs);
    if (this.#outcomes === PEACE) return;
    world.trace.note(client.name, "dies");
    this.#clients.splice(this.#clients.indexOf(client), 1);
    await client.destroy();
    await this.#member(client.name, group, ledger);
  }

  async #member(name: string, group: GroupPlan, ledger: GroupLedger): Promise<QueueActor> {
    const { world } = this.#stage;
    const client = makeActor(name, this.#stage, "consumer");
    this.#clients.push(client);
    await untilDone(this.#stage, `${name} connects`, () => client.connect());
    const terms = {
      queue: ledger.queue,
      group: group.group,
      filter: group.filter,
      prefetch: world.chance.pick([1, 4, 100]),
      concurrency: world.chance.pick([1, 3]),
      handler: (message: ActorMessage) => this.#work(message, ledger),
    };
    await untilDone(this.#stage, `${name} subscribes`, () => client.consume(terms));
    world.trace.note(name, `consumes ${ledger.name}`);
    return client;
  }

  async #work(message: ActorMessage, ledger: GroupLedger): Promise<void> {
    const { world } = this.#stage;
    const { chance } = world;
    const { offset, groupId: group } = message;
    if (group !== ledger.group) world.violations.push(`${ledger.name} got a message of ${group}`);
    if (chance.happens(0.5)) await passed(world, chance.integer(0, 800));
    const what = chance.weighted(this.#outcomes);
    world.trace.note("consumer", `${what} ${offset} of ${ledger.name}`);
    if (what === "ignore") return;
    const settling = this.#settle(message, what, ledger);
    await world.promises.track(`${what} of ${offset} in ${ledger.name}`, settling).catch((error: unknown) => {
      if (!isMessagingError(error)) world.violations.push(`${what} of ${offset}: an untyped error: ${String(error)}`);
      world.trace.note("consumer", `${what} ${offset} of ${ledger.name} failed: ${String(error)}`);
    });
  }

  async #settle(message: ActorMessage, what: Said, ledger: GroupLedger): Promise<void> {
    const { offset } = message;
    const said = what === "ack" || what === "reject" ? what : null;
    if (said !== null) ledger.said(offset, said);
    const told = await message.settle(what);
    if (said !== null && told === "durable") ledger.durable(offset, said);
  }
}
