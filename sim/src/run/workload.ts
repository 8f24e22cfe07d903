import type { BrokerHost } from "../world/broker-host.ts";
import type { Network } from "../world/network.ts";
import type { Profile } from "../world/profile.ts";
import type { World } from "../world/world.ts";

/** What a workload runs in. */
export interface Stage {
  readonly world: World;
  readonly profile: Profile;
  readonly network: Network;
  readonly host: BrokerHost;
}

/** Who takes part, as far as a run has to do with it. */
export interface Actor {
  readonly name: string;
  close(): Promise<void>;
}

/** Clients with something to do, and a ledger of what they were promised and what they saw. */
export interface Workload {
  readonly name: string;
  /** Begins; the work ends by itself some time before `profile.runMs`. */
  start(): void;
  /** No more mistakes of the clients' own, such as handlers that fail: what is left is to be finished now. */
  heal(): void;
  /** What is still to come, in words; nothing when all is done. */
  outstanding(): string[];
  /** Checks what the ledger says once nothing is outstanding; with a broker running and no more faults. */
  check(): Promise<string[]>;
  /** Its clients, to be closed. */
  clients(): readonly Actor[];
}
