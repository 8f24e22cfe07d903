import { MemoryMedium, MemoryStore } from "./memory-store.ts";
import { MemorySubject } from "./memory-subject.test-support.ts";
import { describeStore } from "./store-contract.test-support.ts";

describeStore(
  "the memory store",
  async () => new MemorySubject(new MemoryMedium(), (medium) => new MemoryStore(medium)),
);
