import type { Receiving } from "./reception.ts";

/** Keeps the PUBLISH packets of a connection on which nobody can receive yet; its owner stops reading after the first. */
export class HeldMessages implements Receiving {
  readonly #onFirst: () => void;
  #frames: Uint8Array[] = [];

  /** @param onFirst told of the first one */
  constructor(onFirst: () => void) {
    this.#onFirst = onFirst;
  }

  onPublish(buffer: Uint8Array, start: number, end: number): void {
    this.#frames.push(buffer.subarray(start, end));
    if (this.#frames.length === 1) this.#onFirst();
  }

  /** All that were kept, in order; nothing is kept afterwards. */
  take(): readonly Uint8Array[] {
    return this.#frames.splice(0);
  }

  chunkEnded(): void {
    // Nothing was read.
  }

  settle(): boolean {
    return false;
  }

  released(): boolean {
    return false;
  }

  suspend(): void {
    this.#frames = [];
  }
}
