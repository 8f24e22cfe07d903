// Hot path: one object per confirmed publish.
import { noop } from "../../base/noop.ts";
import { NO_BYTES } from "../../bytes/no-bytes.ts";
import type { Chunk, Outbox } from "../../transport/outbox.ts";
import type { AmqpReturned } from "./message.ts";

/** Bytes of a frame in front of its payload. */
const HEAD = 7;

/** Bytes between a publish's payload and its route: class, method, reserved. */
const ROUTE_AT = 6;

/** Bytes between a content header's payload and its property block. */
const BLOCK_AT = 12;

/** One publish that waits for room or for its confirm. Once it is written its bytes stand in the outbox's chunk, which is pinned for as long. */
export class PendingPublish {
  readonly promise: Promise<void>;
  resolve: () => void = noop;
  reject: (error: unknown) => void = noop;
  /** What is to be written; null while it is written and not taken back. */
  route: Uint8Array | null = null;
  block: Uint8Array | null = null;
  body: Uint8Array | null = null;
  flags = 0;
  /** The promise is settled; the server may still answer. */
  settled = false;
  /** Of a mandatory message: its id, by which a return is found. */
  returnKey = "";
  returned: AmqpReturned | null = null;
  #outbox: Outbox | null = null;
  #chunk: Chunk | null = null;
  #start = 0;
  #end = 0;

  constructor() {
    this.promise = new Promise<void>((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  /** It was just written: its bytes are the outbox's last. */
  written(outbox: Outbox, bytes: number): void {
    this.release();
    this.#outbox = outbox;
    this.#chunk = outbox.pin();
    this.#end = outbox.at;
    this.#start = outbox.at - bytes;
    this.route = null;
    this.block = null;
    this.body = null;
  }

  /** Lets go of the bytes. */
  release(): void {
    if (this.#chunk === null || this.#outbox === null) return;
    this.#outbox.unpin(this.#chunk);
    this.#chunk = null;
    this.#outbox = null;
  }

  /** What it counts for while it waits. */
  get waitingBytes(): number {
    return (this.route?.length ?? 0) + (this.block?.length ?? 0) + (this.body?.length ?? 0);
  }

  /** Reads the message back out of its frames, as views of the chunk, which stays pinned until it is written again. */
  takeBack(): void {
    if (this.#chunk === null) return;
    const { bytes } = this.#chunk;
    let at = this.#start;
    let end = at + HEAD + payloadBytes(bytes, at);
    this.route = bytes.subarray(at + HEAD + ROUTE_AT, end - 1);
    at = end + 1;
    end = at + HEAD + payloadBytes(bytes, at);
    this.block = bytes.subarray(at + HEAD + BLOCK_AT, end);
    at = end + 1;
    this.body = at === this.#end ? NO_BYTES : this.#bodyFrom(bytes, at);
  }

  #bodyFrom(bytes: Uint8Array, first: number): Uint8Array {
    const firstEnd = first + HEAD + payloadBytes(bytes, first);
    if (firstEnd + 1 === this.#end) return bytes.subarray(first + HEAD, firstEnd);
    const joined = new Uint8Array(this.#end - first);
    let length = 0;
    for (let at = first; at < this.#end; ) {
      const size = payloadBytes(bytes, at);
      joined.set(bytes.subarray(at + HEAD, at + HEAD + size), length);
      length += size;
      at += HEAD + size + 1;
    }
    return joined.subarray(0, length);
  }
}

function payloadBytes(bytes: Uint8Array, frame: number): number {
  return (
    (bytes[frame + 3] as number) * 0x1000000 +
    (((bytes[frame + 4] as number) << 16) | ((bytes[frame + 5] as number) << 8) | (bytes[frame + 6] as number))
  );
}
