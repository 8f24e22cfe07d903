import type { BrokerHost } from "./broker-host.ts";
import type { CrashFate, SyncFate } from "./fault-store.ts";
import type { CutKind } from "./link.ts";
import type { Network } from "./network.ts";
import type { FaultKind, Profile } from "./profile.ts";
import type { Trouble } from "./trouble.ts";
import type { World } from "./world.ts";

/** The run's trouble: decides, from the seed alone, what breaks when. */
export class Faults implements Trouble {
  readonly #world: World;
  readonly #profile: Profile;
  readonly #count: Record<FaultKind, number> = {
    cut: 0,
    "half open": 0,
    stall: 0,
    crash: 0,
    "power loss": 0,
    "sync failure": 0,
  };
  #failNextSync = false;
  #state: "idle" | "on" | "over" = "idle";

  constructor(world: World, profile: Profile) {
    this.#world = world;
    this.#profile = profile;
  }

  /** How often each kind happened. */
  get counts(): Readonly<Record<FaultKind, number>> {
    return this.#count;
  }

  /** Begins to break things. */
  start(network: Network, host: BrokerHost): void {
    this.#state = "on";
    this.#arm(network, host);
  }

  /** Nothing breaks any more. */
  stop(): void {
    this.#state = "over";
    this.#failNextSync = false;
  }

  /** How the next sync goes. */
  nextSync(): SyncFate {
    const { chance } = this.#world;
    const delayMs = chance.integer(0, this.#profile.syncDelayMsMax);
    if (!this.#failNextSync) return { delayMs, result: "synced" };
    this.#failNextSync = false;
    this.#count["sync failure"]++;
    this.#world.trace.note("disk", "the next sync fails");
    return { delayMs, result: chance.happens(0.5) ? "failed and lost" : "failed but written" };
  }

  #arm(network: Network, host: BrokerHost): void {
    const { clock, chance } = this.#world;
    clock.setTimer(chance.integer(1, this.#profile.faultEveryMs), () => {
      if (this.#state !== "on") return;
      this.#happen(chance.weighted(this.#profile.faults), network, host);
      this.#arm(network, host);
    });
  }

  #happen(kind: FaultKind, network: Network, host: BrokerHost): void {
    const { chance, trace } = this.#world;
    if (kind === "sync failure") {
      this.#failNextSync = true;
      return;
    }
    if (kind === "crash" || kind === "power loss") {
      if (host.broker === null) return;
      this.#count[kind]++;
      const fates: readonly CrashFate[] = kind === "crash" ? ["kept", "lost"] : ["kept", "lost", "torn"];
      host.crash(kind === "crash" ? "killed" : "power lost", chance.pick(fates));
      return;
    }
    const { links } = network;
    if (links.length === 0) return;
    this.#count[kind]++;
    const link = chance.pick(links);
    if (kind === "stall") {
      const end = chance.happens(0.5) ? link.client : link.server;
      trace.note(end.name, "stalls");
      end.stall(chance.integer(10, 5_000));
      return;
    }
    const cuts: readonly CutKind[] =
      kind === "cut" ? ["both", "client flushed", "server flushed"] : ["client late", "server late"];
    const how = chance.pick(cuts);
    trace.note(link.name, `cut, ${how}`);
    link.cut(how, chance.integer(100, 60_000));
  }
}
