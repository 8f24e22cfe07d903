import type { Store } from "@polymq/broker/storage";
import type { Attach, MemoryBroker } from "@polymq/broker/testing";
import type { FaultMedium } from "./fault-store.ts";
import type { World } from "./world.ts";

/** A mistake that is put into a run on purpose, at the seams between the parts, to see that the run finds it. */
export interface PlantedFault {
  /** What is wrong, as a phrase. */
  readonly name: string;
  /** Changes what is on the disk; called before every start. */
  readonly disk?: (medium: FaultMedium) => void;
  /** Stands between the broker and its store; called at every start. */
  readonly store?: (store: Store, world: World) => Store;
  /** Changes a broker that was just started. */
  readonly broker?: (broker: MemoryBroker, world: World) => void;
  /** Stands between the broker and a connection. */
  readonly connection?: (attach: Attach, world: World) => Attach;
}
