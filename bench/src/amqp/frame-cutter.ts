// Hot path: runs per chunk.

/** Cuts chunks into whole frames: gives `take` all bytes there are, and keeps what it leaves for the next chunk. */
export class FrameCutter {
  readonly #take: (bytes: Buffer) => number;
  #rest: Buffer = Buffer.alloc(0);

  /** @param take returns how many bytes it has taken */
  constructor(take: (bytes: Buffer) => number) {
    this.#take = take;
  }

  get isWhole(): boolean {
    return this.#rest.length === 0;
  }

  push(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const taken = this.#take(bytes);
    this.#rest = taken === bytes.length ? EMPTY : bytes.subarray(taken);
  }
}

const EMPTY = Buffer.alloc(0);
