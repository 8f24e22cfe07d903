import { recordKey, startKey } from "./layout.ts";
import type { MemoryMedium } from "./memory-store.ts";
import type { Store } from "./store.ts";
import type { StoreSubject } from "./store-contract.test-support.ts";

/** The contents of a store that lie in a {@link MemoryMedium}, which a test can damage. */
export class MemorySubject<M extends MemoryMedium> implements StoreSubject {
  readonly #medium: M;
  readonly #open: (medium: M) => Store;

  /** @param open makes a store over what is there */
  constructor(medium: M, open: (medium: M) => Store) {
    this.#medium = medium;
    this.#open = open;
  }

  async open(): Promise<Store> {
    return this.#open(this.#medium);
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
