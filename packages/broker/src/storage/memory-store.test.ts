import { entryKey, recordKey } from "./layout.ts";
import { MemoryMedium, MemoryStore } from "./memory-store.ts";
import { describeStore, type StoreSubject } from "./store-contract.test-support.ts";

describeStore("the memory store", async () => new MemorySubject());

class MemorySubject implements StoreSubject {
  readonly #medium = new MemoryMedium();

  async open(): Promise<MemoryStore> {
    return new MemoryStore(this.#medium);
  }

  async damageRecord(key: Uint8Array): Promise<void> {
    const sealed = this.#medium.records.get(text(recordKey(key)));
    if (sealed === undefined) throw new Error("no such record");
    sealed[sealed.length - 1] = (sealed[sealed.length - 1] ?? 0) ^ 0x10;
  }

  async loseEntry(log: number, offset: number): Promise<void> {
    if (!this.#medium.records.delete(text(entryKey(log, offset)))) throw new Error("no such entry");
  }

  async changeVersion(): Promise<void> {
    this.#medium.version++;
  }

  async dispose(): Promise<void> {}
}

function text(key: Uint8Array): string {
  return Buffer.from(key).toString("latin1");
}
