import type { Tuning } from "polymq/amqp091/engine";

/** AMQP 0-9-1, checked and complete. */
export interface Amqp091Settings {
  /** What the broker proposes; clients may lower limits and choose any heartbeat. */
  readonly tuning: Tuning;
  /** Largest body taken, in bytes. */
  readonly maximumBodyBytes: number;
  /** From the first byte to `connection.open-ok`. */
  readonly handshakeTimeoutMs: number;
  /** Consumers of one connection. */
  readonly consumersMax: number;
  /** Deliveries of one channel that may be unsettled, whatever its prefetch. */
  readonly unsettledMax: number;
  /** Publishes and settlements of one transaction, and bytes of its publishes. */
  readonly transactionMax: number;
  readonly transactionBytesMax: number;
}
