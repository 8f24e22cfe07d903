import type { StoreBatch, StoreOp } from "@polymq/broker/storage";

/** Adds a change to another batch. */
export function addTo(batch: StoreBatch, op: StoreOp): void {
  switch (op.is) {
    case "put":
      return batch.put(op.key, op.value);
    case "delete":
      return batch.delete(op.key);
    case "append":
      return batch.append(op.log, op.offset, op.value);
    case "truncate":
      return batch.truncate(op.log, op.first);
    case "drop":
      return batch.drop(op.log);
  }
}
