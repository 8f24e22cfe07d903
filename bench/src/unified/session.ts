/** One connected client under measurement. */
export interface Session {
  /** Publishes one message as the row says; settles when the broker has answered. */
  send(payload: Uint8Array): Promise<unknown>;
  /** Consumes from the queue; each message is acknowledged when the handler returns. */
  consume(handler: (payload: Uint8Array) => void): Promise<unknown>;
  close(): Promise<void>;
}

/** The group of the consumers. */
export const GROUP = "bench";
