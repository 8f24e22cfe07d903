import type { Writable } from "node:stream";
import { writeAck } from "./frames.ts";

/** Room for what a chunk of 64 KiB can call for: an answer to each of its smallest packets, twice over. */
const BATCH_BYTES = 128 * 1024;

/** Acknowledgements that fall due while a chunk is read, written to the socket in one go. */
export class AckBatch {
  readonly #bytes: Buffer = Buffer.alloc(BATCH_BYTES);
  #used = 0;

  /** Adds a PUBACK, PUBREC, PUBREL or PUBCOMP. */
  add(firstByte: number, packetId: number): void {
    writeAck(this.#bytes, this.#used, firstByte, packetId);
    this.#used += 4;
  }

  /** Sends what has been added. */
  flush(socket: Writable): void {
    if (this.#used === 0) return;
    socket.write(Buffer.from(this.#bytes.subarray(0, this.#used)));
    this.#used = 0;
  }
}
