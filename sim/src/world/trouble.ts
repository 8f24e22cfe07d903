import type { BrokerHost } from "./broker-host.ts";
import type { SyncFate } from "./fault-store.ts";
import type { Link } from "./link.ts";
import type { Network } from "./network.ts";

/** What breaks things in a run. */
export interface Trouble {
  /** How often each kind happened. */
  readonly counts: Readonly<Record<string, number>>;
  /** Begins to break things. */
  start(network: Network, host: BrokerHost): void;
  /** Nothing breaks any more. */
  stop(): void;
  /** How the next sync goes; asked once per commit. */
  nextSync(): SyncFate;
  /** Asked before each packet that arrives, on either side; it may cut the link. Without it packets are not told apart. */
  readonly onPacket?: ((link: Link) => void) | undefined;
}
