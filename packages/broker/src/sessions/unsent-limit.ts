// Hot path: asked per message. No closure, promise, spread, iterator or regex here.
import { CHUNK_BYTES, type ChunkPool } from "polymq/internal";

/** How much each may be, in bytes. */
export interface UnsentBytes {
  /** Of one connection. */
  readonly unsentBytesMax: number;
  /** Of all connections together. */
  readonly unsentBytesInAllMax: number;
}

/** How much may be unsent to a client that does not keep up: less while all of them together have too much. */
export class UnsentLimit {
  readonly #pool: ChunkPool;
  readonly #limits: UnsentBytes;

  /** @param pool where all outboxes that the limit is for have their chunks from */
  constructor(pool: ChunkPool, limits: UnsentBytes) {
    this.#pool = pool;
    this.#limits = limits;
  }

  /** Bytes of all outboxes, what is not written of their last chunks included. */
  get bytesInAll(): number {
    return this.#pool.lentBytes;
  }

  /** Bytes that one connection may have unsent for now. */
  get bytesMax(): number {
    const { unsentBytesMax, unsentBytesInAllMax } = this.#limits;
    return this.#pool.lentBytes < unsentBytesInAllMax ? unsentBytesMax : CHUNK_BYTES;
  }
}
