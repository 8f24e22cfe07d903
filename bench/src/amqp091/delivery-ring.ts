// Hot path: runs for every message that the stub server sends.
import { makePayloads } from "../mqtt/wire/payloads.ts";
import { contentFrames } from "./frames.ts";

const BATCH_BYTES = 65_536;

/** Pre-encoded deliveries to one consumer; each message gets its delivery tag, and nothing else is done per message. */
export class DeliveryRing {
  readonly #cycle: Buffer;
  readonly #frameBytes: number;
  readonly #tagAt: number;
  #next = 0;

  constructor(channel: number, consumerTag: string, size: number) {
    const frames = makePayloads(size).map((payload) =>
      contentFrames(
        channel,
        {
          method: "basic.deliver",
          consumerTag,
          deliveryTag: 0,
          redelivered: false,
          exchange: "",
          routingKey: "bench",
        },
        payload,
      ),
    );
    this.#frameBytes = frames[0]?.length ?? 0;
    this.#tagAt = 7 + 4 + 1 + Buffer.byteLength(consumerTag);
    this.#cycle = Buffer.concat(frames);
  }

  /** How many messages a batch has at most. */
  get batch(): number {
    return Math.max(1, Math.floor(BATCH_BYTES / this.#frameBytes));
  }

  /** The next `count` messages. */
  take(count: number): Buffer {
    const bytes = Buffer.allocUnsafeSlow(count * this.#frameBytes);
    for (let i = 0; i < count; i++) {
      const start = (this.#next % 8) * this.#frameBytes;
      const at = i * this.#frameBytes;
      this.#cycle.copy(bytes, at, start, start + this.#frameBytes);
      bytes.writeUInt32BE(++this.#next, at + this.#tagAt + 4);
    }
    return bytes;
  }
}
