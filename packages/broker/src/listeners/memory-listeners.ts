import { unreachable } from "polymq/internal";
import type { Timer, Transport, TransportHandler } from "polymq/transport";
import { Admission } from "./admission.ts";
import { type Offer, routeOf } from "./first-bytes.ts";
import type { ListenerAddress } from "./listener-address.ts";
import type { Listeners, ListenersOptions } from "./listeners.ts";
import type { ProtocolConnection, ProtocolFactory } from "./protocol-factory.ts";

/** Ties the broker's handler to its end of a connection and returns that end. */
export type Attach = (handler: TransportHandler) => Transport;

/** Listeners without ports: whoever holds them hands connections in. Admission and first bytes are as on a port. */
export class MemoryListeners implements Listeners {
  readonly addresses: readonly ListenerAddress[] = [];
  readonly #options: ListenersOptions;
  readonly #admission: Admission;
  readonly #open = new Set<MemoryArrival>();
  #state: "open" | "stopped" = "open";
  #onEmpty: (() => void) | null = null;

  constructor(options: ListenersOptions) {
    this.#options = options;
    this.#admission = new Admission(options.limits, options.metrics);
  }

  /** Takes a connection, or ends it at once when there are too many or the broker is stopping. */
  accept(attach: Attach): void {
    const arrival = new MemoryArrival(this.#options, (gone) => this.#closed(gone));
    const transport = attach(arrival);
    if (this.#state === "stopped" || !this.#admission.admit(transport.info.remoteAddress)) {
      transport.destroy();
      return;
    }
    this.#open.add(arrival);
    arrival.start(transport);
  }

  stop(): Promise<void> {
    this.#state = "stopped";
    for (const arrival of this.#open) arrival.endUndecided();
    return Promise.resolve();
  }

  async close(): Promise<void> {
    await this.stop();
    if (this.#open.size === 0) return;
    const empty = new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
    for (const arrival of this.#open) arrival.destroy();
    await empty;
  }

  #closed(arrival: MemoryArrival): void {
    if (!this.#open.delete(arrival)) return;
    this.#admission.release(arrival.remoteAddress);
    if (this.#open.size === 0) this.#onEmpty?.();
  }
}

/** A connection: read until its first bytes tell the protocol, then passed on to that protocol's end of it. */
class MemoryArrival implements TransportHandler {
  readonly #options: ListenersOptions;
  readonly #onGone: (arrival: MemoryArrival) => void;
  readonly #offer: Offer;
  #transport: Transport | null = null;
  #timer: Timer | null = null;
  #seen: Uint8Array = new Uint8Array(0);
  #connection: ProtocolConnection | null = null;

  constructor(options: ListenersOptions, onGone: (arrival: MemoryArrival) => void) {
    this.#options = options;
    this.#onGone = onGone;
    this.#offer = { protocols: options.protocols, tls: "no", http: "no" };
  }

  get remoteAddress(): string {
    return this.#transport?.info.remoteAddress ?? "";
  }

  start(transport: Transport): void {
    const { clock, limits, metrics } = this.#options;
    this.#transport = transport;
    this.#timer = clock.setTimer(limits.sniffTimeoutMs, () => {
      metrics.connectionsTimedOut++;
      transport.destroy();
    });
  }

  endUndecided(): void {
    if (this.#connection === null) this.destroy();
  }

  destroy(): void {
    this.#transport?.destroy();
  }

  onBytes(chunk: Uint8Array): void {
    if (this.#connection !== null) this.#connection.onBytes(chunk);
    else this.#sniff(chunk);
  }

  onDrain(): void {
    this.#connection?.onDrain();
  }

  onClosed(error: Error | null): void {
    this.#timer?.cancel();
    this.#connection?.onClosed(error);
    this.#onGone(this);
  }

  #sniff(chunk: Uint8Array): void {
    this.#seen = joined(this.#seen, chunk);
    const route = routeOf(this.#seen, this.#offer);
    switch (route.is) {
      case "more":
        return;
      case "protocol":
        this.#timer?.cancel();
        return this.#serve(route.factory);
      case "unknown":
      case "tls":
      case "http":
        this.#options.metrics.connectionsUnrecognized++;
        return this.destroy();
      default:
        unreachable(route);
    }
  }

  #serve(factory: ProtocolFactory): void {
    const transport = this.#transport;
    if (transport === null) return;
    const connection = factory.accept({ host: "memory", port: 0, webSocket: null });
    this.#connection = connection;
    connection.onOpen(transport);
    connection.onBytes(this.#seen);
    this.#seen = NOTHING;
  }
}

const NOTHING: Uint8Array = new Uint8Array(0);

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  if (first.length === 0) return second;
  const all = new Uint8Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}
