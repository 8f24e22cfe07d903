/** Stores for QoS 1 and 2 messages in flight: the interface, one in memory, and a durable one over `abstract-level`. */
export {
  type LevelDatabase,
  type LevelEncodings,
  type LevelOperation,
  LevelStore,
  type LevelStoreOptions,
} from "./level-store.ts";
export { MemoryStore } from "./memory-store.ts";
export type { MessageStore, StoredPublish, StoredSession, StoreOperation } from "./message-store.ts";
