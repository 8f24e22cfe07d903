// Hot path: runs for every message that the stub server or the raw socket sends.
import { DELIVERY_ID_AT, TAG_AT, transferFrames } from "./frames.ts";

const BATCH_BYTES = 65_536;

/** Pre-encoded transfers; each gets its delivery id and tag, and nothing else is done per message. */
export class TransferRing {
  readonly #cycle: Buffer;
  readonly #messages: number;
  readonly #messageBytes: number;
  #next = 0;

  constructor(channel: number, payloads: readonly Uint8Array[], settled: boolean) {
    const frames = payloads.map((payload) => transferFrames(channel, payload, settled));
    this.#messages = frames.length;
    this.#messageBytes = frames[0]?.length ?? 0;
    this.#cycle = Buffer.concat(frames);
  }

  /** How many messages a batch has at most. */
  get batch(): number {
    return Math.max(1, Math.floor(BATCH_BYTES / this.#messageBytes));
  }

  /** The next `count` messages. */
  take(count: number): Buffer {
    const bytes = Buffer.allocUnsafeSlow(count * this.#messageBytes);
    for (let i = 0; i < count; i++) {
      const start = (this.#next % this.#messages) * this.#messageBytes;
      const at = i * this.#messageBytes;
      this.#cycle.copy(bytes, at, start, start + this.#messageBytes);
      bytes.writeUInt32BE(this.#next, at + DELIVERY_ID_AT);
      bytes.writeUInt32BE(this.#next, at + TAG_AT);
      this.#next++;
    }
    return bytes;
  }
}
