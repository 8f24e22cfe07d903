/** `@polymq/broker/storage`: the store port, and the stores behind it. */
export { StoreBatch, type StoreOp } from "./batch.ts";
export { LmdbStore, type LmdbStoreOptions } from "./lmdb-store.ts";
export { MemoryMedium, MemoryStore } from "./memory-store.ts";
export {
  type Durability,
  type EntryVisitor,
  KEY_BYTES_MAX,
  LOG_MAX,
  type LogRange,
  type RecordVisitor,
  SCHEMA_VERSION,
  type Store,
} from "./store.ts";
