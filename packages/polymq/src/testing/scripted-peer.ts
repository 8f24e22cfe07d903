import { type Deferred, deferred } from "../base/deferred.ts";
import { Deque } from "../base/deque.ts";
import { type FrameMeasure, Splitter } from "../bytes/splitter.ts";
import type { Transport, TransportHandler } from "../transport/transport.ts";

/** One step of a script. */
export type ScriptStep =
  | {
      /** Waits for the next frame; bytes must be equal, a function must return true. */
      readonly expect: Uint8Array | ((frame: Uint8Array) => boolean);
      /** What the frame is called when it is another one. Default `frame`. */
      readonly what?: string;
    }
  | { readonly send: Uint8Array }
  /** Ends the connection: in order, or at once. */
  | { readonly end: "close" | "destroy" }
  /** Waits until the other side has ended it. */
  | { readonly await: "closed" };

/**
 * The other side of a connection, played byte by byte: it knows no protocol, only where frames end. It is a {@link TransportHandler}; give it
 * to whatever makes the transport and call {@link ScriptedPeer.use} with the result.
 */
export class ScriptedPeer implements TransportHandler {
  /** Settles at the connection's end, with its error or null. */
  readonly closed: Promise<Error | null>;
  readonly #ended: Deferred<Error | null> = deferred();
  readonly #frames = new Deque<Uint8Array>();
  readonly #waiting = new Deque<Deferred<Uint8Array>>();
  readonly #splitter: Splitter;
  #transport: Transport | null = null;
  #over = false;
  #failure: Error | null = null;

  /** @param measure tells where a frame ends; see `Splitter` */
  constructor(measure: FrameMeasure) {
    this.closed = this.#ended.promise;
    this.#splitter = new Splitter(measure, (buffer, start, end) => {
      this.#onFrame(buffer.slice(start, end));
      return true;
    });
  }

  /** Sets the connection that the script plays on; returns the peer itself. */
  use(transport: Transport): this {
    this.#transport = transport;
    return this;
  }

  /** Frames received and not asked for yet. */
  get pendingFrames(): number {
    return this.#frames.length;
  }

  /** Writes bytes as they are. */
  send(bytes: Uint8Array): void {
    this.#connection().write(bytes);
  }

  /** The next whole frame; rejects when the connection ends without one. */
  nextFrame(): Promise<Uint8Array> {
    const frame = this.#frames.shift();
    if (frame !== undefined) return Promise.resolve(frame);
    if (this.#over) return Promise.reject(this.#endedError());
    const waiting = deferred<Uint8Array>();
    this.#waiting.push(waiting);
    return waiting.promise;
  }

  /** Takes the next frame and checks it; throws with both in hex when it is another one. */
  async expect(wanted: Uint8Array | ((frame: Uint8Array) => boolean), what = "frame"): Promise<Uint8Array> {
    const frame = await this.nextFrame();
    if (typeof wanted === "function") {
      if (!wanted(frame)) throw new Error(`unexpected ${what}: ${hex(frame)}`);
    } else if (hex(frame) !== hex(wanted)) {
      throw new Error(`unexpected ${what}:\n  wanted ${hex(wanted)}\n  got    ${hex(frame)}`);
    }
    return frame;
  }

  /** Plays the steps one after the other; resolves after the last. */
  async run(steps: readonly ScriptStep[]): Promise<void> {
    for (const step of steps) {
      if ("expect" in step) await this.expect(step.expect, step.what);
      else if ("send" in step) this.send(step.send);
      else if ("end" in step) this[step.end]();
      else await this.closed;
    }
  }

  /** Ends its side of the connection in order. */
  close(): void {
    this.#connection().close();
  }

  /** Cuts the connection. */
  destroy(): void {
    this.#connection().destroy();
  }

  onBytes(chunk: Uint8Array): void {
    try {
      this.#splitter.push(chunk);
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error));
      this.#transport?.destroy(this.#failure);
    }
  }

  onDrain(): void {}

  onClosed(error: Error | null): void {
    this.#over = true;
    this.#failure ??= error;
    for (let waiting = this.#waiting.shift(); waiting !== undefined; waiting = this.#waiting.shift()) {
      waiting.reject(this.#endedError());
    }
    this.#ended.resolve(error);
  }

  #onFrame(frame: Uint8Array): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#frames.push(frame);
    else waiting.resolve(frame);
  }

  #connection(): Transport {
    if (this.#transport === null) throw new Error("the scripted peer has no connection yet");
    return this.#transport;
  }

  #endedError(): Error {
    return new Error("the connection ended before the next frame", { cause: this.#failure ?? undefined });
  }
}

function hex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}
