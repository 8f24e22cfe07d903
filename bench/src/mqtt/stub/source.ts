// Hot path: runs for every message that a client receives.
import type { Writable } from "node:stream";
import { Progress } from "../../harness/progress.ts";
import { FIRST_BYTE } from "../wire/frames.ts";
import { type MessageShape, type PublishRing, sendingRing } from "../wire/publish-ring.ts";
import { RingWriter } from "../wire/ring-writer.ts";
import type { StubRole } from "./role.ts";

/**
 * Sends messages to a client: QoS 0 as fast as the socket takes them, QoS 1 with a window, refilled chunk by chunk.
 * Acknowledgements must come once for each message and in order ([MQTT-4.6.0-2]).
 */
export class Source implements StubRole {
  readonly #ring: PublishRing;
  readonly #writer: RingWriter;
  readonly #progress: Progress = new Progress();
  #unsent = 0;
  #sent = 0;

  constructor(socket: Writable, shape: MessageShape) {
    this.#ring = sendingRing(shape);
    this.#writer = new RingWriter(socket, this.#ring);
  }

  get total(): number {
    return this.#progress.total;
  }

  async begin(count: number, mark: number): Promise<number> {
    const finished = this.#progress.begin(count, mark);
    if (this.#ring.qos === 0) {
      await this.#writer.sendAll(count);
      this.#progress.advance(count);
    } else {
      this.#unsent = count;
      this.afterChunk();
    }
    return await finished;
  }

  onPublishes(): void {
    throw new Error("a PUBLISH from a client that is to receive");
  }

  onAck(firstByte: number, packetId: number): void {
    const due = this.#progress.total;
    const expected = (due % this.#ring.frames) + 1;
    if (firstByte !== FIRST_BYTE.puback || due >= this.#sent || packetId !== expected) {
      throw new Error(
        `acknowledgement ${firstByte} of ${packetId} where PUBACK of ${expected} is due (sent ${this.#sent})`,
      );
    }
    this.#progress.advance(1);
  }

  afterChunk(): void {
    const room = this.#ring.frames - (this.#sent - this.#progress.total);
    const count = Math.min(room, this.#unsent);
    if (count === 0) return;
    this.#sent += count;
    this.#unsent -= count;
    this.#writer.send(count);
  }
}
