import type { Transport } from "polymq/transport";
import { matchPrefix, type ProtocolConnection, type ProtocolFactory } from "./protocol-factory.ts";

/** A protocol that is recognized by `prefix` but not served: its clients see an orderly end instead of a reset. */
export function reservedProtocol(name: string, prefix: string): ProtocolFactory {
  return {
    name,
    schemes: null,
    subprotocol: null,
    matches: (firstBytes) => matchPrefix(firstBytes, prefix),
    accept: () => new Farewell(),
  };
}

class Farewell implements ProtocolConnection {
  onOpen(transport: Transport): void {
    transport.close();
  }

  onBytes(): void {}

  onDrain(): void {}

  onClosed(): void {}
}
