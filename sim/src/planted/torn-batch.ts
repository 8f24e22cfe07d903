import { MemoryStore, StoreBatch } from "@polymq/broker/storage";
import type { PlantedFault } from "../world/planted-fault.ts";
import { addTo } from "./batches.ts";

/** What a crash left of half a batch is served as if it had been synced. */
export const tornBatch: PlantedFault = {
  name: "half a batch served",
  disk: (medium) => {
    const { torn } = medium;
    if (torn === null) return;
    const half = new StoreBatch();
    for (const [i, op] of torn.ops.entries()) if (i % 2 === 1 && op.is === "put") addTo(half, op);
    new MemoryStore(medium).commit(half);
  },
};
