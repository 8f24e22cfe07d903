import type { Store } from "@polymq/broker/storage";

/** A store that does one thing or another in its own way, and the rest as the one beneath. */
export function wrapStore(store: Store, own: Partial<Store>): Store {
  return {
    durability: store.durability,
    get: (key) => store.get(key),
    scan: (prefix, visit) => store.scan(prefix, visit),
    logRange: (log) => store.logRange(log),
    logs: () => store.logs(),
    readLog: (log, from, visit) => store.readLog(log, from, visit),
    commit: (batch) => store.commit(batch),
    close: () => store.close(),
    ...own,
  };
}
