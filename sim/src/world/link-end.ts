import { type FrameMeasure, Splitter } from "polymq/internal";
import type { MemoryTransport, Timer, Transport, TransportHandler, TransportInfo } from "polymq/transport";
import type { World } from "./world.ts";

/** Bytes that a kernel takes for a link that is dead without its owner knowing. */
const DEAF_BYTES_MAX = 65_536;

/** What a {@link LinkEnd} works with. */
export interface LinkEndParts {
  readonly world: World;
  /** Gets a copy of what arrives, for reading along. */
  readonly tap: ((chunk: Uint8Array) => void) | null;
  /** Cuts what arrives into packets. */
  readonly measure: FrameMeasure;
  /** Asked before each packet that arrives; it may end the link. */
  readonly onPacket: (() => void) | null;
}

type EndState =
  | { readonly is: "open" }
  /** The wire is gone and the owner does not know: what it writes goes nowhere, until it ends the link or notices. */
  | { readonly is: "deaf"; readonly notice: Timer }
  /** The owner's process is gone: nobody is there to be told. */
  | { readonly is: "severed" }
  | { readonly is: "over" };

/** One end of a simulated link, between its owner and the memory transport that carries the bytes. */
export class LinkEnd implements Transport, TransportHandler {
  readonly name: string;
  readonly #world: World;
  readonly #inner: MemoryTransport;
  /** Told of what arrives, for reading along. */
  readonly #tap: ((chunk: Uint8Array) => void) | null;
  /** Cuts what arrives into packets, or null. */
  readonly #packets: Splitter | null;
  #owner: TransportHandler | null = null;
  #state: EndState = { is: "open" };
  #deafBytes = 0;
  #ownerPaused = false;
  #stalled = false;

  constructor(name: string, inner: MemoryTransport, parts: LinkEndParts) {
    const { world, tap, measure, onPacket } = parts;
    this.name = name;
    this.#inner = inner;
    this.#world = world;
    this.#tap = tap;
    this.#packets = onPacket === null ? null : this.#packetwise(measure, onPacket);
  }

  get info(): TransportInfo {
    return this.#inner.info;
  }

  get isOver(): boolean {
    return this.#state.is === "over" || this.#state.is === "severed";
  }

  /** Sets who is told; returns the end itself. */
  attach(owner: TransportHandler): LinkEnd {
    this.#owner = owner;
    this.#inner.attach(this);
    return this;
  }

  // For the owner

  get bufferedBytes(): number {
    if (this.#state.is === "deaf") return Math.max(0, this.#deafBytes - DEAF_BYTES_MAX);
    return this.#state.is === "open" ? this.#inner.bufferedBytes : 0;
  }

  write(bytes: Uint8Array): boolean {
    if (this.#state.is === "open") return this.#inner.write(bytes);
    if (this.#state.is !== "deaf") return true;
    this.#deafBytes += bytes.length;
    return this.#deafBytes <= DEAF_BYTES_MAX;
  }

  pause(): void {
    this.#ownerPaused = true;
    this.#setReading();
  }

  resume(): void {
    this.#ownerPaused = false;
    this.#setReading();
  }

  close(): void {
    if (this.#state.is === "deaf") this.#endLater(null);
    else this.#inner.close();
  }

  destroy(error?: Error): void {
    if (this.#state.is === "deaf") this.#endLater(error ?? null);
    else this.#inner.destroy(error);
  }

  // From the wire

  onBytes(chunk: Uint8Array): void {
    if (this.#state.is !== "open") return;
    this.#world.trace.bytes(this.name, chunk);
    this.#tap?.(chunk);
    if (this.#packets === null) this.#owner?.onBytes(chunk);
    else this.#packets.push(chunk);
  }

  onDrain(): void {
    if (this.#state.is === "open") this.#owner?.onDrain();
  }

  onClosed(error: Error | null): void {
    if (this.#state.is === "open") this.#tell(error);
  }

  // Faults

  /** Nothing is read for this long, so that the peer feels it. */
  stall(ms: number): void {
    if (this.#state.is !== "open" || this.#stalled) return;
    this.#stalled = true;
    this.#setReading();
    this.#world.clock.setTimer(ms, () => {
      this.#stalled = false;
      this.#setReading();
    });
  }

  /** The wire goes without the owner noticing for this long. */
  deafen(noticeMs: number, error: Error): void {
    if (this.#state.is !== "open") return;
    const notice = this.#world.clock.setTimer(noticeMs, () => this.#tell(error));
    this.#state = { is: "deaf", notice };
  }

  /** The owner's process is gone. */
  sever(): void {
    if (this.#state.is === "deaf") this.#state.notice.cancel();
    if (this.#state.is !== "over") this.#state = { is: "severed" };
  }

  /** What was written still arrives, then the link ends; the owner, if it is there, is told now. */
  flushAndEnd(error: Error): void {
    if (this.#state.is === "open") this.#endLater(error);
    this.#inner.close();
  }

  /** Hands on one packet at a time, as long as the link lasts. */
  #packetwise(measure: FrameMeasure, onPacket: () => void): Splitter {
    return new Splitter(measure, (buffer, start, end) => {
      if (this.#state.is === "open") onPacket();
      if (this.#state.is === "open") this.#owner?.onBytes(buffer.slice(start, end));
      return true;
    });
  }

  #endLater(error: Error | null): void {
    if (this.#state.is === "deaf") this.#state.notice.cancel();
    this.#state = { is: "over" };
    this.#world.clock.nextTurn(() => this.#tell(error));
  }

  #tell(error: Error | null): void {
    this.#state = { is: "over" };
    this.#world.trace.note(this.name, `over, ${error === null ? "in order" : error.message}`);
    const owner = this.#owner;
    this.#owner = null;
    owner?.onClosed(error);
  }

  #setReading(): void {
    if (this.#ownerPaused || this.#stalled) this.#inner.pause();
    else this.#inner.resume();
  }
}
