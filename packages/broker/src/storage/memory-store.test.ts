import { recordKey, startKey } from "./layout.ts";
import { MemoryMedium, MemoryStore } from "./memory-store.ts";
import { describeStore, type StoreSubject } from "./store-contract.test-support.ts";

describeStore("the memory store", async () => new MemorySubject());

class MemorySubject implements StoreSubject {
  readonly #medium = new MemoryMedium();

  async open(): Promise<MemoryStore> {
    return new MemoryStore(this.#medium);
  }

  damageRecord(key: Uint8Array): Promise<void> {
    return this.#damage(recordKey(key));
  }

  damageEntry(log: number, offset: number): Promise<void> {
    return this.#damage(startKey(log, offset));
  }

  async loseEntry(log: number, offset: number): Promise<void> {
    if (!this.#medium.records.delete(text(startKey(log, offset)))) throw new Error("no such entry");
  }

  async changeVersion(): Promise<void> {
    this.#medium.version++;
  }

  async dispose(): Promise<void> {}

  async #damage(key: Uint8Array): Promise<void> {
    const sealed = this.#medium.records.get(text(key));
    if (sealed === undefined) throw new Error("no such record");
    sealed[sealed.length - 1] = (sealed[sealed.length - 1] ?? 0) ^ 0x10;
  }
}

function text(key: Uint8Array): string {
  return Buffer.from(key).toString("latin1");
}
