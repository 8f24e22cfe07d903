// Hot path: runs for every message of every contender; no closure, promise, spread, iterator, regex or BigInt per message.
import type { PublishRing } from "./publish-ring.ts";

const SMALL_FRAME_BYTES_MAX = 4096;
const ACK_FIRST_BYTES: readonly number[] = [0x40, 0x50, 0x62, 0x70];

/** What a stream is made of, in the order of the stream. */
export interface StreamHandler {
  /** `count` PUBLISH packets, every byte as expected; for QoS 1 and 2 `ids` starts with their packet ids. */
  onPublishes(count: number, ids: Uint16Array): void;
  /** A PUBACK, PUBREC, PUBREL or PUBCOMP that reports success. */
  onAck(firstByte: number, packetId: number): void;
  /** Any other packet, whole; the view is valid during the call. */
  onFrame(frame: Uint8Array): void;
}

/**
 * Checks every byte of a stream of MQTT packets at next to no cost. The PUBLISH packets of a benchmark are known but for
 * their packet ids: the ids are copied out of the chunk into the expected bytes, and then one native comparison covers
 * all PUBLISH packets of the chunk. Throws on the first wrong byte.
 */
export class StreamChecker {
  readonly #handler: StreamHandler;
  readonly #ring: PublishRing;
  readonly #expected: Buffer;
  readonly #ids: Uint16Array = new Uint16Array(65_536);
  readonly #small: Buffer = Buffer.alloc(SMALL_FRAME_BYTES_MAX);
  #smallBytes = 0;
  /** Where in the ring the PUBLISH packet that comes or is under way starts, and how much of it has come. */
  #frameStart = 0;
  #frameSeen = 0;
  #messages = 0;

  /** Owns `ring` from here on: its packet ids are overwritten. */
  constructor(ring: PublishRing, handler: StreamHandler) {
    this.#ring = ring;
    this.#expected = ring.bytes;
    this.#handler = handler;
  }

  /** PUBLISH packets so far. */
  get messages(): number {
    return this.#messages;
  }

  /** True when the stream ended on the border of a packet. */
  get isWhole(): boolean {
    return this.#frameSeen === 0 && this.#smallBytes === 0;
  }

  /** Takes the next bytes of the stream. */
  feed(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#smallBytes > 0) at = this.#continueSmall(chunk, at);
      else if (this.#frameSeen > 0 || chunk[at] === this.#ring.firstByte) at = this.#publishes(chunk, at);
      else at = this.#startSmall(chunk, at);
    }
  }

  /** Takes a run of PUBLISH packets, the first and the last of which may be cut; returns where it ends in the chunk. */
  #publishes(chunk: Buffer, at: number): number {
    const { frameBytes, firstByte, qos } = this.#ring;
    const from = this.#frameStart + this.#frameSeen;
    const end = at + Math.min(chunk.length - at, this.#expected.length - from);
    let stop = end;
    let start = at - this.#frameSeen; // of the current packet in the chunk, below `at` if it began in an earlier chunk
    const frame = this.#frameStart;
    let count = 0;
    while (true) {
      if (qos > 0) this.#adoptId(chunk, start, at);
      if (start + frameBytes > end) break;
      this.#frameStart += frameBytes;
      count += 1;
      start += frameBytes;
      if (start >= end) break;
      if (chunk[start] !== firstByte) {
        stop = start;
        break;
      }
    }
    if (chunk.compare(this.#expected, from, from + stop - at, at, stop) !== 0) this.#refuse(chunk, at, from);
    this.#frameSeen = stop - start;
    if (this.#frameStart === this.#expected.length) this.#frameStart = 0;
    this.#messages += count;
    if (count > 0) {
      if (qos > 0) this.#collectIds(frame, count);
      this.#handler.onPublishes(count, this.#ids);
    }
    return stop;
  }

  /** Copies the packet id of the packet that begins at `start` into the expected bytes, as far as it is in this chunk. */
  #adoptId(chunk: Buffer, start: number, at: number): void {
    const from = start + this.#ring.idOffset;
    const to = this.#frameStart + this.#ring.idOffset;
    if (from >= at && from < chunk.length) this.#expected[to] = chunk[from] ?? 0;
    if (from + 1 >= at && from + 1 < chunk.length) this.#expected[to + 1] = chunk[from + 1] ?? 0;
  }

  #collectIds(frame: number, count: number): void {
    let at = frame + this.#ring.idOffset;
    for (let index = 0; index < count; index += 1) {
      const id = ((this.#expected[at] ?? 0) << 8) | (this.#expected[at + 1] ?? 0);
      if (id === 0) throw new Error(`message ${this.#messages - count + index} has packet id 0`);
      this.#ids[index] = id;
      at += this.#ring.frameBytes;
    }
  }

  #refuse(chunk: Buffer, at: number, from: number): never {
    let offset = 0;
    while (chunk[at + offset] === this.#expected[from + offset]) offset += 1;
    const message = this.#messages + Math.floor((this.#frameSeen + offset) / this.#ring.frameBytes);
    const byte = (from + offset) % this.#ring.frameBytes;
    const [got, expected] = [chunk[at + offset], this.#expected[from + offset]];
    throw new Error(`message ${message} is wrong at byte ${byte}: ${got} where ${expected} was expected`);
  }

  #startSmall(chunk: Buffer, at: number): number {
    const firstByte = chunk[at] ?? 0;
    if (at + 4 > chunk.length || chunk[at + 1] !== 2 || !ACK_FIRST_BYTES.includes(firstByte)) {
      return this.#continueSmall(chunk, at);
    }
    this.#handler.onAck(firstByte, ((chunk[at + 2] ?? 0) << 8) | (chunk[at + 3] ?? 0));
    return at + 4;
  }

  /** Gathers a packet that is cut or is not a four-byte acknowledgement. */
  #continueSmall(chunk: Buffer, at: number): number {
    while (at < chunk.length) {
      if (this.#smallBytes === SMALL_FRAME_BYTES_MAX) throw new Error(`a packet of type ${this.#small[0]} is too long`);
      this.#small[this.#smallBytes] = chunk[at] ?? 0;
      this.#smallBytes += 1;
      at += 1;
      if (this.#smallBytes === smallFrameBytes(this.#small, this.#smallBytes)) {
        const frame = this.#small.subarray(0, this.#smallBytes);
        this.#smallBytes = 0;
        this.#deliverSmall(frame);
        return at;
      }
    }
    return at;
  }

  #deliverSmall(frame: Uint8Array): void {
    const firstByte = frame[0] ?? 0;
    if (!ACK_FIRST_BYTES.includes(firstByte)) {
      this.#handler.onFrame(frame);
      return;
    }
    // 5.0 lets an acknowledgement of success spell out reason code 0 and empty properties (§3.4.2.1, §3.4.2.2.1).
    if (frame.length < 4 || frame.length > 6 || frame[4] || frame[5])
      throw new Error(`acknowledgement [${frame}] is wrong`);
    this.#handler.onAck(firstByte, ((frame[2] ?? 0) << 8) | (frame[3] ?? 0));
  }
}

/** The length of the packet at the start of `bytes`, or 0 while its remaining length is incomplete (MQTT 5.0 §2.1.4). */
function smallFrameBytes(bytes: Uint8Array, seen: number): number {
  let remaining = 0;
  for (let index = 1; index < seen; index += 1) {
    const byte = bytes[index] ?? 0;
    remaining += (byte & 0x7f) << (7 * (index - 1));
    if (byte < 0x80) return 1 + index + remaining;
    if (index === 4) throw new Error("a remaining length is longer than four bytes");
  }
  return 0;
}
