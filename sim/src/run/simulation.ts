import type { BrokerInspection } from "@polymq/broker";
import { VirtualClock } from "polymq/testing";
import { ClientQueueWorkload } from "../queues/client-queue-workload.ts";
import { CoreQueueWorkload } from "../queues/core-queue-workload.ts";
import { drawQueues, drawStream } from "../queues/queue-plan.ts";
import { StreamWorkload } from "../queues/stream-workload.ts";
import { RetainedWorkload } from "../retained/retained-workload.ts";
import { TopicWorkload } from "../topics/topic-workload.ts";
import { BrokerHost } from "../world/broker-host.ts";
import { Chance } from "../world/chance.ts";
import { Faults } from "../world/faults.ts";
import { Network } from "../world/network.ts";
import type { PlantedFault } from "../world/planted-fault.ts";
import { drawProfile, type Profile } from "../world/profile.ts";
import { Promises } from "../world/promises.ts";
import { Trace } from "../world/trace.ts";
import type { Trouble } from "../world/trouble.ts";
import type { World } from "../world/world.ts";
import type { Stage, Workload } from "./workload.ts";

/** How a run is made. */
export interface RunOptions {
  /** A mistake to put in. Default: none. */
  readonly plant?: PlantedFault | null;
  /** In place of one that is drawn. */
  readonly profile?: Profile;
  /** In place of faults at random. */
  readonly trouble?: (world: World) => Trouble;
  /** Gets each line of the trace as it comes. */
  readonly print?: ((line: string) => void) | null;
}

/** What a run found. */
export interface RunReport {
  readonly seed: number;
  /** What was wrong; nothing in a good run. */
  readonly violations: readonly string[];
  /** The same for every run of the seed. */
  readonly traceHash: string;
  readonly events: number;
  /** The newest lines of the trace. */
  readonly tail: readonly string[];
  /** How often each kind of trouble came, in the trouble's own words. */
  readonly trouble: Readonly<Record<string, number>>;
  readonly virtualMs: number;
}

/** The longest time that clients and broker get to finish once nothing breaks any more. */
const SETTLE_MS_MAX = 600_000;
/** Time in which what must not come may come. */
const WAIT_MS = 70_000;
/** Time that closing takes at most, and after which no timer may be left. */
const CLOSE_MS = 300_000;

/** Runs one seed: work and trouble, then peace, then the ledgers are read. */
export async function simulate(seed: number, options: RunOptions = {}): Promise<RunReport> {
  return await new Simulation(seed, options).run();
}

class Simulation {
  readonly #seed: number;
  readonly #world: World;
  readonly #profile: Profile;
  readonly #trouble: Trouble;
  readonly #network: Network;
  readonly #host: BrokerHost;
  readonly #workloads: readonly Workload[];
  readonly #startedMs: number;

  constructor(seed: number, options: RunOptions) {
    const clock = new VirtualClock();
    const chance = new Chance(seed);
    this.#seed = seed;
    this.#startedMs = clock.nowMs();
    const trace = new Trace(clock, options.print ?? null);
    this.#world = { clock, chance, trace, promises: new Promises(clock), violations: [] };
    this.#profile = options.profile ?? drawProfile(chance);
    const queues = this.#profile.workloads.queues ? drawQueues(chance, "work") : [];
    const tasks = this.#profile.workloads.tasks ? drawQueues(chance, "tasks") : [];
    const streams = this.#profile.workloads.stream ? [drawStream(chance)] : [];
    this.#trouble = options.trouble?.(this.#world) ?? new Faults(this.#world, this.#profile);
    this.#network = new Network(this.#world, this.#profile.network, this.#trouble.onPacket ?? null);
    this.#host = new BrokerHost({
      world: this.#world,
      network: this.#network,
      options: {
        ...this.#profile.broker,
        autoCreateQueues: "durable",
        queues: [...queues, ...tasks, ...streams].flatMap(({ options: given }) => given),
      },
      fate: () => this.#trouble.nextSync(),
      restartMs: () => chance.integer(0, 2_000),
      plant: options.plant ?? null,
    });
    const stage: Stage = { world: this.#world, profile: this.#profile, network: this.#network, host: this.#host };
    const { topics, retained } = this.#profile.workloads;
    this.#workloads = [
      ...(topics ? [new TopicWorkload(stage)] : []),
      ...(retained ? [new RetainedWorkload(stage)] : []),
      ...(queues.length > 0 ? [new CoreQueueWorkload(stage, queues)] : []),
      ...(tasks.length > 0 ? [new ClientQueueWorkload(stage, tasks)] : []),
      ...streams.map((plan) => new StreamWorkload(stage, plan)),
    ];
  }

  async run(): Promise<RunReport> {
    const { clock, trace, violations } = this.#world;
    await this.#host.start();
    for (const workload of this.#workloads) workload.start();
    await clock.advance(this.#profile.calmMs);
    this.#trouble.start(this.#network, this.#host);
    await clock.advance(this.#profile.runMs);
    await this.#settle();
    for (const workload of this.#workloads) violations.push(...(await this.#within(workload.check(), workload.name)));
    await this.#close();
    const { hash, events, tail } = trace;
    const virtualMs = clock.nowMs() - this.#startedMs;
    return {
      seed: this.#seed,
      violations: [...violations],
      traceHash: hash,
      events,
      tail,
      trouble: this.#trouble.counts,
      virtualMs,
    };
  }

  /** Nothing breaks any more; every link is cut once, so that what was withheld comes again. */
  async #settle(): Promise<void> {
    const { clock, trace } = this.#world;
    trace.note("peace", "nothing breaks any more");
    this.#trouble.stop();
    this.#network.heal();
    for (const workload of this.#workloads) workload.heal();
    for (const link of this.#network.links) link.cut("both", 0);
    const untilMs = clock.nowMs() + SETTLE_MS_MAX;
    while (this.#outstanding(0).length > 0 && clock.nowMs() < untilMs) await clock.advance(1_000);
    await clock.advance(WAIT_MS);
    // Repetitions may still be at work; what was promised before is not.
    this.#world.violations.push(...this.#outstanding(WAIT_MS).map((what) => `never settled: ${what}`));
  }

  /** What is not done yet; promises only when they have been pending for so long. */
  #outstanding(pendingMs: number): string[] {
    const sessions = this.#host.broker?.inspect().sessions ?? [];
    const underWay = sessions.filter(({ storedDeliveries }) => storedDeliveries > 0);
    return [
      ...this.#world.promises.olderThan(pendingMs),
      ...this.#workloads.flatMap((workload) => workload.outstanding()),
      ...underWay.map(({ id, storedDeliveries }) => `${storedDeliveries} deliveries to ${id}`),
    ];
  }

  async #within<T>(promise: Promise<readonly T[]>, what: string): Promise<readonly T[]> {
    const { clock, violations } = this.#world;
    const ends: { value: readonly T[] | null } = { value: null };
    promise.then(
      (value) => {
        ends.value = value;
      },
      (error: unknown) => violations.push(`${what}: ${String(error)}`),
    );
    for (let ms = 0; ms < WAIT_MS && ends.value === null; ms += 1_000) await clock.advance(1_000);
    if (ends.value === null) violations.push(`${what}: the check did not end`);
    return ends.value ?? [];
  }

  /** Everybody goes home: nothing may be left over. */
  async #close(): Promise<void> {
    const { clock, promises, violations } = this.#world;
    for (const workload of this.#workloads) {
      for (const client of workload.clients()) void promises.track(`close of ${client.name}`, client.close());
    }
    await clock.advance(CLOSE_MS);
    const before = this.#inspect();
    void promises.track("close of the broker", this.#host.stop());
    await clock.advance(CLOSE_MS);
    if (before !== null) await this.#reopen(before);
    violations.push(...promises.pending.map((what) => `still pending: ${what}`));
    if (clock.pendingTimers > 0) violations.push(`${clock.pendingTimers} timers are left`);
    if (clock.pendingTurns > 0) violations.push(`${clock.pendingTurns} turns are left`);
    for (const link of this.#network.links) violations.push(`the link ${link.name} is still there`);
  }

  #inspect(): BrokerInspection | null {
    const { violations } = this.#world;
    const inspection = this.#host.broker?.inspect() ?? null;
    if (inspection === null) {
      violations.push("there is no broker at the end");
      return null;
    }
    const { metrics, attachedCount } = inspection;
    if (attachedCount > 0) violations.push(`${attachedCount} sessions have a connection after all clients left`);
    if (metrics.internalErrors > 0) violations.push(`${metrics.internalErrors} internal errors of the broker`);
    return inspection;
  }

  /** The next broker has what the last one had, and the disk has nothing else. */
  async #reopen(before: BrokerInspection): Promise<void> {
    const { clock, promises, violations } = this.#world;
    await this.#host.start();
    const after = this.#host.broker?.inspect();
    if (summary(after) !== summary(before)) {
      violations.push(`started again it has ${summary(after)} instead of ${summary(before)}`);
    }
    void promises.track("close of the last broker", this.#host.stop());
    await clock.advance(CLOSE_MS);
    const subscriptions = before.subscriptionCount; // those of groups included
    const wanted = before.sessionCount + subscriptions + 2 * before.retainedCount;
    const records = this.#host.medium.records.size;
    // What queues store, the groups themselves look after.
    const { queues, tasks, stream } = this.#profile.workloads;
    if (!queues && !tasks && !stream && records !== wanted)
      violations.push(`${records} records are stored, but ${wanted} are accounted for`);
  }
}

/** What a broker has, in a form that can be compared. */
function summary(inspection: BrokerInspection | undefined): string {
  if (inspection === undefined) return "nothing";
  const { sessions, retainedCount, delayedCount } = inspection;
  const facts = sessions.map(({ id, subscriptions, storedDeliveries }) => ({ id, subscriptions, storedDeliveries }));
  return JSON.stringify({ sessions: facts.sort((a, b) => (a.id < b.id ? -1 : 1)), retainedCount, delayedCount });
}
