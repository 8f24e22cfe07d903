import { withDeadline } from "../harness/deadline.ts";

const TIMEOUT_MS = 10_000;

/** Counts the control packets in a stream of MQTT bytes by their type, without decoding them. */
export class PacketTypes {
  readonly #counts = new Map<number, number>();
  readonly #waiting = new Set<() => void>();
  #pending: Uint8Array = new Uint8Array(0);

  /** Takes the next bytes of the stream, cut anywhere. */
  onBytes(chunk: Uint8Array): void {
    this.#pending = Buffer.concat([this.#pending, chunk]);
    for (let size = packetSize(this.#pending); size > 0; size = packetSize(this.#pending)) {
      const type = (this.#pending[0] ?? 0) >> 4;
      this.#counts.set(type, this.count(type) + 1);
      this.#pending = this.#pending.subarray(size);
    }
    for (const look of this.#waiting) look();
  }

  /** How many whole packets of this type have come. */
  count(type: number): number {
    return this.#counts.get(type) ?? 0;
  }

  /** Resolves when `count` packets of this type have come. */
  async waitFor(type: number, count: number): Promise<void> {
    const reached = new Promise<void>((resolve) => {
      const look = (): void => {
        if (this.count(type) < count) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
    await withDeadline(reached, TIMEOUT_MS, () => `packet type ${type} came ${this.count(type)} times, not ${count}`);
  }
}

/** Bytes of the first packet, or 0 while it is incomplete (MQTT 5.0 §1.5.5). */
function packetSize(bytes: Uint8Array): number {
  let length = 0;
  for (let index = 1; index <= 4; index++) {
    const byte = bytes[index];
    if (byte === undefined) return 0;
    length += (byte & 0x7f) * 128 ** (index - 1);
    if (byte < 0x80) return bytes.length < 1 + index + length ? 0 : 1 + index + length;
  }
  throw new Error("a remaining length of more than four bytes");
}
