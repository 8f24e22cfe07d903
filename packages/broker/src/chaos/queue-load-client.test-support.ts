/** What clients do in the load on a queue, whatever they speak. */

/** Publishes to a queue; what was not confirmed when the connection broke is published again. */
export interface LoadPublisher {
  /** How surely the message with this number is published: its name ends with it. */
  guarantee(number: number): string;
  connect(): Promise<void>;
  /** Resolves when the broker has confirmed it. */
  publish(queue: string, name: string, number: number): Promise<void>;
  destroy(): Promise<void>;
}

/** What a consumer tells of. */
export interface LoadSink {
  onMessage(offset: number, name: string): void;
  /** The broker has said that this acknowledgement holds. */
  onAcked(offset: number): void;
}

/** Consumes a queue as a member of a group, and has every acknowledgement confirmed. */
export interface LoadConsumer {
  readonly connected: boolean;
  connect(): Promise<void>;
  consume(queue: string, group: string, sink: LoadSink): Promise<void>;
  destroy(): Promise<void>;
}

/** Messages in hand of each consumer. */
export const PREFETCH = 50;

export const RECONNECT = { initialDelayMs: 10, maxDelayMs: 100 } as const;

/** The end of the name of what may be in the queue once only. */
export const ONCE = "qos2";
