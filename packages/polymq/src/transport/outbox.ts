// Hot path: runs per message. No closure, promise, spread, iterator or regex here.
import { NO_BYTES } from "../bytes/no-bytes.ts";
import type { TextCodec } from "../bytes/text.ts";
import { ByteWriter } from "../bytes/writer.ts";
import type { Transport } from "./transport.ts";

/** Size of a chunk that messages are encoded into; a larger message gets a chunk of its own. */
export const CHUNK_BYTES = 65_536;

/** A few free chunks shared by many connections, so that an idle connection holds none. */
export class ChunkPool {
  readonly #free: Uint8Array[] = [];
  readonly #keepMax: number;
  #lentBytes = 0;

  /** @param keepMax free chunks kept for reuse, 64 KiB each */
  constructor(keepMax = 16) {
    this.#keepMax = keepMax;
  }

  /** Bytes of the chunks that are out. */
  get lentBytes(): number {
    return this.#lentBytes;
  }

  /** A chunk for one message of more than `CHUNK_BYTES`. */
  takeLarge(bytes: number): Uint8Array {
    this.#lentBytes += bytes;
    return new Uint8Array(bytes);
  }

  /** A chunk of `CHUNK_BYTES`. */
  take(): Uint8Array {
    this.#lentBytes += CHUNK_BYTES;
    return this.#free.pop() ?? new Uint8Array(CHUNK_BYTES);
  }

  /** Takes back a chunk that nobody refers to any more. */
  give(chunk: Uint8Array): void {
    this.drop(chunk);
    if (chunk.length === CHUNK_BYTES && this.#free.length < this.#keepMax) this.#free.push(chunk);
  }

  /** A chunk is not coming back: somebody may still read it. */
  drop(chunk: Uint8Array): void {
    this.#lentBytes -= chunk.length;
  }
}

/** A chunk that an outbox writes into, and who still refers to its bytes. */
export class Chunk {
  readonly bytes: Uint8Array;
  /** Messages kept for sending again whose bytes lie in it. */
  pins = 0;
  /** True while the transport may still read it. */
  held = false;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

/** When and how much an {@link Outbox} writes. */
export interface OutboxOptions {
  readonly pool: ChunkPool;
  readonly text: TextCodec;
  /** Arms one flush for the end of the current turn; called once per turn that wrote. */
  readonly armFlush: () => void;
  /** Bytes not yet taken by the peer above which `full` is true. */
  readonly highWaterBytes: number;
}

/**
 * The one place that writes to a transport. Messages are encoded straight into its chunk; one flush per turn sends them in
 * one write. A region of a chunk is never written twice while the transport or a pinned message still refers to it:
 * the chunk is reused only when its bytes have left and nothing pins it.
 */
export class Outbox extends ByteWriter {
  readonly #pool: ChunkPool;
  readonly #armFlush: () => void;
  readonly #highWaterBytes: number;
  #transport: Transport | null = null;
  /** First byte of the chunk not yet given to the transport. */
  #start = 0;
  /** The chunk that `buffer` is the bytes of. */
  #chunk: Chunk;
  /** Stands in while there is none. */
  readonly #none: Chunk = new Chunk(NO_BYTES);
  #armed = false;
  /** Chunks filled while the transport was blocked, oldest first, and their bytes. */
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  /** Chunks left while the transport may still read them; they go back to the pool when it has drained and nothing pins them. */
  #lent: Chunk[] = [];
  #blocked = false;
  /** Bytes handed over since the last end of turn: a caller that never yields must be made to (see `full`). */
  #turnBytes = 0;

  constructor(options: OutboxOptions) {
    super(options.text, 0);
    this.#chunk = this.#none;
    this.#pool = options.pool;
    this.#armFlush = options.armFlush;
    this.#highWaterBytes = options.highWaterBytes;
  }

  /** Starts sending through `transport`. */
  open(transport: Transport): void {
    this.#transport = transport;
    this.#blocked = false;
  }

  /** Drops everything unsent and stops; the next `open` starts clean. */
  close(): void {
    this.#release();
    this.#transport = null;
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (let i = 0; i < this.#lent.length; i++) this.#pool.drop((this.#lent[i] as Chunk).bytes);
    this.#lent = [];
    this.#blocked = false;
    this.#turnBytes = 0;
  }

  /** True while the transport still holds bytes of an earlier write. */
  get blocked(): boolean {
    return this.#blocked;
  }

  /**
   * True when callers should wait for the next drain or turn: too much is unsent, or so much was written in this turn
   * that a caller in an `await` loop would keep the event loop from reading.
   */
  get full(): boolean {
    if (this.#turnBytes + this.at - this.#start >= this.#highWaterBytes) return true;
    return this.#blocked && this.unsentBytes >= this.#highWaterBytes;
  }

  /** True when something was encoded since the last flush. */
  get hasUnflushed(): boolean {
    return this.at > this.#start;
  }

  /** Bytes encoded or handed over that have not left the process. */
  get unsentBytes(): number {
    return this.at - this.#start + this.#waitingBytes + (this.#transport?.bufferedBytes ?? 0);
  }

  /** Room for one message: flushes and takes a fresh chunk when the current one is too full. */
  override reserve(bytes: number): void {
    if (this.at + bytes <= this.buffer.length) return;
    this.#cut();
    this.#rewind();
    if (this.at + bytes <= this.buffer.length) return;
    this.#release();
    this.buffer = bytes <= CHUNK_BYTES ? this.#pool.take() : this.#pool.takeLarge(bytes);
    this.#chunk = new Chunk(this.buffer);
  }

  /** Sends bytes that nobody changes any more from where they lie; copies others into as many chunks as they take. */
  override large(source: Uint8Array, lent: boolean): void {
    if (lent) {
      this.#cut();
      this.#turnBytes += source.length;
      this.#send(source);
    } else
      for (let from = 0; from < source.length; ) {
        this.reserve(1);
        const end = from + this.buffer.length - this.at;
        this.bytes(source.subarray(from, end));
        from = end;
      }
  }

  /** Keeps the current chunk's bytes unchanged until the returned chunk is unpinned as often as it was pinned. */
  pin(): Chunk {
    this.#chunk.pins++;
    return this.#chunk;
  }

  /** One message less refers to `chunk`; without any it may be written anew, here or, through the pool, elsewhere. */
  unpin(chunk: Chunk): void {
    if (--chunk.pins > 0) return;
    if (chunk === this.#chunk) this.#rewind();
    else if (!chunk.held) this.#pool.give(chunk.bytes);
  }

  /** To be called after each message: makes sure that it leaves at the end of this turn. */
  commit(): void {
    if (this.#armed) return;
    this.#armed = true;
    this.#armFlush();
  }

  /**
   * Sends what was encoded; the armed flush calls it once at the end of the turn. While the transport is blocked the bytes stay in the
   * chunk, so that the drain sends all turns' bytes in one write.
   */
  flush(): void {
    this.#armed = false;
    if (!this.#blocked) {
      this.#cut();
      this.#rewind();
      if (this.at === 0) this.#release();
    }
    this.#turnBytes = 0;
  }

  /** The transport has sent everything it held: goes on with what waited. */
  drained(): void {
    this.#blocked = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (let i = 0; i < waiting.length; i++) this.#send(waiting[i] as Uint8Array);
    if (this.#blocked) return;
    this.#chunk.held = false;
    const lent = this.#lent;
    this.#lent = [];
    for (let i = 0; i < lent.length; i++) this.#giveBack(lent[i] as Chunk);
    this.#cut();
    this.#rewind();
    if (this.at === 0) this.#release();
  }

  /** Gives the encoded part of the chunk to the transport; starts the chunk anew when nothing refers to it. */
  #cut(): void {
    const length = this.at - this.#start;
    if (length === 0) return;
    this.#turnBytes += length;
    if (!this.#send(this.buffer.subarray(this.#start, this.at))) this.#chunk.held = true;
    this.#start = this.at;
  }

  /** Starts the chunk anew when all of it has left and nothing refers to it. */
  #rewind(): void {
    if (this.#chunk.pins > 0 || this.#chunk.held || this.at !== this.#start) return;
    this.at = 0;
    this.#start = 0;
  }

  #send(bytes: Uint8Array): boolean {
    const transport = this.#transport;
    if (transport === null) return true;
    if (this.#blocked) {
      this.#waiting.push(bytes);
      this.#waitingBytes += bytes.length;
      return false;
    }
    const consumed = transport.write(bytes);
    if (!consumed) this.#blocked = true;
    return consumed;
  }

  #giveBack(chunk: Chunk): void {
    chunk.held = false;
    if (chunk.pins === 0) this.#pool.give(chunk.bytes);
  }

  #release(): void {
    const chunk = this.#chunk;
    if (chunk.held) this.#lent.push(chunk);
    else if (chunk.pins === 0) this.#pool.give(chunk.bytes);
    this.#chunk = this.#none;
    this.buffer = NO_BYTES;
    this.at = 0;
    this.#start = 0;
  }
}
