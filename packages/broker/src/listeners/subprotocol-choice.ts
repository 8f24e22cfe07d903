import type { Clock, Timer, Transport } from "polymq/transport";
import { protocolOf } from "./first-bytes.ts";
import type { Arrival, ProtocolConnection, ProtocolFactory } from "./protocol-factory.ts";

/** What a {@link SubprotocolChoice} works with. */
export interface SubprotocolChoiceOptions {
  /** Those that the WebSocket's subprotocol stands for, in the order in which they are asked. */
  readonly protocols: readonly ProtocolFactory[];
  readonly arrival: Arrival;
  readonly clock: Clock;
  /** Time for the bytes that tell. */
  readonly timeoutMs: number;
  readonly onTimeout: () => void;
  readonly onUnknown: () => void;
}

/** A WebSocket whose subprotocol stands for several protocols: its first bytes tell which, and that one's end of the connection takes over. */
export class SubprotocolChoice implements ProtocolConnection {
  readonly #options: SubprotocolChoiceOptions;
  #transport: Transport | null = null;
  #timer: Timer | null = null;
  #seen: Uint8Array = new Uint8Array(0);
  #chosen: ProtocolConnection | null = null;

  constructor(options: SubprotocolChoiceOptions) {
    this.#options = options;
  }

  onOpen(transport: Transport): void {
    const { clock, timeoutMs, onTimeout } = this.#options;
    this.#transport = transport;
    this.#timer = clock.setTimer(timeoutMs, () => {
      onTimeout();
      transport.destroy();
    });
  }

  onBytes(chunk: Uint8Array): void {
    if (this.#chosen !== null) return this.#chosen.onBytes(chunk);
    const transport = this.#transport;
    if (transport === null) return;
    this.#seen = this.#seen.length === 0 ? chunk : joined(this.#seen, chunk);
    const factory = protocolOf(this.#seen, this.#options.protocols);
    if (factory === "more") return;
    this.#timer?.cancel();
    if (factory === null) {
      this.#options.onUnknown();
      return transport.destroy();
    }
    const connection = factory.accept(this.#options.arrival);
    this.#chosen = connection;
    connection.onOpen(transport);
    connection.onBytes(this.#seen);
  }

  onDrain(): void {
    this.#chosen?.onDrain();
  }

  onClosed(error: Error | null): void {
    this.#timer?.cancel();
    this.#transport = null;
    this.#chosen?.onClosed(error);
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const all = new Uint8Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}
