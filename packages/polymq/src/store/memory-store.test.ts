import { MemoryStore } from "./memory-store.ts";
import { describeStore } from "./store-contract.test-support.ts";

describeStore("MemoryStore", async () => {
  const store = new MemoryStore();
  return { store: () => store, end: () => Promise.resolve() };
});
