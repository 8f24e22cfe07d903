import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Bytes of a mebibyte. */
export const MIB = 1_048_576;

/** Measures how the memory of this process grows. Garbage is collected first, so that only what is held counts. */
export class MemoryGauge {
  readonly #collect: () => void;
  readonly #before: number;

  constructor() {
    setFlagsFromString("--expose-gc");
    this.#collect = runInNewContext("gc") as () => void;
    this.#before = this.#held();
  }

  /** Bytes held on the heap and beside it, more than at the start. */
  grownBytes(): number {
    return this.#held() - this.#before;
  }

  #held(): number {
    this.#collect();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  }
}

/** Bytes as MiB for a line of output. */
export function mib(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}
