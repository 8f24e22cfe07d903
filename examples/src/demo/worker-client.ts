import type { Outcome } from "./messages.ts";

/** Messages in hand of each worker. */
export const PREFETCH = 100;

/** A message of the queue, whatever brought it. */
export interface WorkMessage {
  readonly offset: number;
  readonly deliveryCount: number;
  json(): unknown;
  /**
   * Settles it. Resolves with true when the broker has shown that the message was this worker's until the call: by its answer over the connection that the
   * message came over. False: that connection broke in between, and the queue has the message again.
   */
  settle(outcome: Outcome): Promise<boolean>;
}

/** A member of the consumer group, in one protocol. A further protocol is one more class like these. */
export interface WorkerClient {
  connect(): Promise<void>;
  /** Hands each message to `handler`, many at a time. */
  work(handler: (message: WorkMessage) => Promise<void>): Promise<void>;
  close(): Promise<void>;
  /** How often it came back. */
  readonly reconnects: number;
}
