import type { BrokerOptions } from "@polymq/broker";
import type { Store } from "@polymq/broker/storage";
import { type MemoryBroker, memoryBroker } from "@polymq/broker/testing";
import { webText } from "polymq/transport";
import { type CrashFate, FaultMedium, FaultStore, type SyncFate } from "./fault-store.ts";
import type { Network } from "./network.ts";
import type { PlantedFault } from "./planted-fault.ts";
import { ProcessClock } from "./process-clock.ts";
import { passed, type World } from "./world.ts";

/** How a broker's process ends: killed, and the system closes its connections; or without power. */
export type CrashKind = "killed" | "power lost";

/** What a {@link BrokerHost} works with. */
export interface BrokerHostOptions {
  readonly world: World;
  readonly network: Network;
  readonly options: BrokerOptions;
  readonly fate: () => SyncFate;
  /** Time between the end of a broker and the next one. */
  readonly restartMs: () => number;
  readonly plant: PlantedFault | null;
}

interface Running {
  readonly broker: MemoryBroker;
  readonly store: FaultStore;
  readonly clock: ProcessClock;
}

/** The machine that the broker runs on: it starts it, loses it, and starts it again over what the disk has. */
export class BrokerHost {
  readonly medium: FaultMedium = new FaultMedium();
  readonly #host: BrokerHostOptions;
  readonly #startListeners: ((broker: MemoryBroker) => void)[] = [];
  #running: Running | null = null;
  #crashes = 0;

  constructor(options: BrokerHostOptions) {
    this.#host = options;
  }

  /** The broker of now, or null between two. */
  get broker(): MemoryBroker | null {
    return this.#running?.broker ?? null;
  }

  get crashes(): number {
    return this.#crashes;
  }

  /** True while a batch waits for its sync. */
  get isSyncing(): boolean {
    return this.#running?.store.isSyncing === true;
  }

  /** Timers of the broker of now. */
  get pendingTimers(): number {
    return this.#running?.clock.pendingTimers ?? 0;
  }

  /** Calls `listener` with each broker that is started from now on, before it takes connections. */
  onStarted(listener: (broker: MemoryBroker) => void): void {
    this.#startListeners.push(listener);
  }

  async start(): Promise<void> {
    const { world, network, plant } = this.#host;
    const clock = new ProcessClock(world.clock);
    plant?.disk?.(this.medium);
    const store = new FaultStore(this.medium, { clock, fate: this.#host.fate });
    const shown: Store = plant?.store?.(store, world) ?? store;
    const platform = {
      clock,
      text: webText(),
      kinds: [],
      randomBytes: (count: number) => new Uint8Array(count).map(() => world.chance.integer(0, 255)),
      random: () => world.chance.next(),
      dial: () => Promise.reject(new Error("a broker does not dial")),
    };
    const broker = await memoryBroker(this.#host.options, { platform, store: shown });
    this.#running = { broker, store, clock };
    plant?.broker?.(broker, world);
    for (const listener of this.#startListeners) listener(broker);
    network.setDoor((attach) => broker.accept(plant?.connection?.(attach, world) ?? attach));
    world.trace.note("broker", "started");
    void this.#watch(broker);
  }

  /** Ends the process now, and starts it again after a while. */
  crash(kind: CrashKind, fate: CrashFate): void {
    const running = this.#running;
    if (running === null) return;
    const { world, network } = this.#host;
    this.#crashes++;
    this.#running = null;
    world.trace.note("broker", `${kind}, ${running.store.isSyncing ? `batch ${fate}` : "nothing under way"}`);
    network.setDoor(null);
    running.clock.kill();
    running.store.crash(fate);
    for (const link of network.links) {
      if (kind === "killed") link.severServer(world.chance.happens(0.7) ? "flushed" : "reset", 0);
      else link.severServer("silent", world.chance.integer(100, 60_000));
    }
    void this.#restart();
  }

  /** Ends the process in order and for good; resolves when it is closed. */
  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = null;
    this.#host.network.setDoor(null);
    await running?.broker.close();
  }

  /** A broker that loses its store ends by itself; then its operator starts it again. */
  async #watch(broker: MemoryBroker): Promise<void> {
    const error = await broker.closed;
    if (error === null || this.#running?.broker !== broker) return;
    this.#host.world.trace.note("broker", `ended by ${error.code}`);
    this.#running = null;
    this.#host.network.setDoor(null);
    await this.#restart();
  }

  async #restart(): Promise<void> {
    const { world } = this.#host;
    await passed(world, this.#host.restartMs());
    try {
      await this.start();
    } catch (error) {
      world.violations.push(`the broker does not start again: ${String(error)}`);
    }
  }
}
