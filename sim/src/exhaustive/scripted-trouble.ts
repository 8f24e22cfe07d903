import type { BrokerHost, CrashKind } from "../world/broker-host.ts";
import type { CrashFate, SyncFate } from "../world/fault-store.ts";
import type { CutKind, Link } from "../world/link.ts";
import type { Network } from "../world/network.ts";
import type { Trouble } from "../world/trouble.ts";
import type { World } from "../world/world.ts";

/** The one thing that breaks in a run, and where; commits and packets are counted from 1. */
export type Script =
  | { readonly at: "nowhere" }
  /** The broker crashes while this commit syncs, or right after whoever waited for it was told. */
  | { readonly at: "commit"; readonly number: number; readonly kind: CrashKind; readonly leaves: CrashFate | "synced" }
  /** The link over which this packet comes breaks just before it arrives. */
  | { readonly at: "packet"; readonly number: number; readonly cut: CutKind };

/** Time that a sync takes. */
const SYNC_MS = 2;
/** How late a late end hears of a cut. */
const NOTICE_MS = 3_000;

/** Breaks one thing at one place, or nothing, and counts the places. */
export class ScriptedTrouble implements Trouble {
  readonly #world: World;
  readonly #script: Script;
  #commits = 0;
  #packets = 0;
  #host: BrokerHost | null = null;

  constructor(world: World, script: Script) {
    this.#world = world;
    this.#script = script;
  }

  get counts(): Readonly<Record<string, number>> {
    return { commits: this.#commits, packets: this.#packets };
  }

  start(_network: Network, host: BrokerHost): void {
    this.#host = host;
  }

  stop(): void {}

  nextSync(): SyncFate {
    this.#commits++;
    const script = this.#script;
    if (script.at === "commit" && script.number === this.#commits) {
      const { clock } = this.#world;
      // The store sets its own timer after this call: one that is set in the next turn comes behind it.
      if (script.leaves === "synced") {
        clock.nextTurn(() => clock.setTimer(SYNC_MS, () => this.#host?.crash(script.kind, "kept")));
      } else clock.setTimer(1, () => this.#host?.crash(script.kind, script.leaves as CrashFate));
    }
    return { delayMs: SYNC_MS, result: "synced" };
  }

  readonly onPacket = (link: Link): void => {
    this.#packets++;
    const script = this.#script;
    if (script.at === "packet" && script.number === this.#packets) link.cut(script.cut, NOTICE_MS);
  };
}
