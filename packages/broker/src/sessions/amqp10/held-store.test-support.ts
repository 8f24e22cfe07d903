import type { StoreBatch } from "../../storage/batch.ts";
import { MemoryStore } from "../../storage/memory-store.ts";

/** A store whose commits end when the test says so. */
export class HeldStore extends MemoryStore {
  isHeld = false;
  readonly #held: (() => void)[] = [];

  get held(): number {
    return this.#held.length;
  }

  override commit(batch: StoreBatch): Promise<void> | null {
    if (!this.isHeld) return super.commit(batch);
    return new Promise((resolve) => {
      this.#held.push(() => {
        void super.commit(batch);
        resolve();
      });
    });
  }

  release(): void {
    this.isHeld = false;
    for (const go of this.#held.splice(0)) go();
  }
}

/** Lets everything happen that is under way. */
export async function turns(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}
