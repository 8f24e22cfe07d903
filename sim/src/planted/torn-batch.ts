import { MemoryStore, StoreBatch, type StoreOp } from "@polymq/broker/storage";
import type { PlantedFault } from "../world/planted-fault.ts";

/** What a crash left of half a batch is served as if it had been synced. */
export const tornBatch: PlantedFault = {
  name: "half a batch served",
  disk: (medium) => {
    const { torn } = medium;
    if (torn === null) return;
    const half = new StoreBatch();
    for (const op of torn.ops.slice(0, Math.ceil(torn.ops.length / 2))) add(half, op);
    new MemoryStore(medium).commit(half);
  },
};

function add(batch: StoreBatch, op: StoreOp): void {
  if (op.is === "put") batch.put(op.key, op.value);
  else if (op.is === "delete") batch.delete(op.key);
  else if (op.is === "append") batch.append(op.log, op.offset, op.value);
  else if (op.is === "truncate") batch.truncate(op.log, op.first);
  else batch.drop(op.log);
}
