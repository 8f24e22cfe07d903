/** Where a message is published to: a queue under a routing key, or the ordinary topic that the queue captures. */
export type Destination =
  | { readonly is: "queue"; readonly queue: string; readonly key: string }
  | { readonly is: "topic"; readonly topic: string };

/** `exactly`: once in the queue at most; `at least`: what was not confirmed is published again under the same id. */
export type Guarantee = "exactly" | "at least";

/** What a worker says of a message. */
export type Said = "ack" | "nack" | "nack later" | "reject";

/** A message of a queue, whatever brought it. */
export interface ActorMessage {
  readonly offset: number;
  readonly groupId: string;
  /**
   * Settles it. `durable`: the broker has said that this holds for ever; `sent`: nobody tells.
   * @throws {MessagingError} when it could not be settled: it comes again
   */
  settle(said: Said): Promise<"durable" | "sent">;
}

/** How a queue is consumed. */
export interface ConsumeTerms {
  readonly queue: string;
  readonly group: string;
  readonly filter: string;
  readonly prefetch: number;
  readonly concurrency: number;
  readonly handler: (message: ActorMessage) => Promise<void>;
}

/** A message and where it goes. */
export interface Addressed {
  readonly to: Destination;
  readonly payload: string;
}

/** How messages end that are published together: they count, they are taken back, or nobody says anything and what they hang on goes away. */
export type TogetherEnd = "commit" | "rollback" | "leave";

/** A client that works with queues, whatever it speaks. */
export interface QueueActor {
  readonly name: string;
  /** What its publishes can promise. */
  readonly guarantees: readonly Guarantee[];
  /** Names the row of messages in which this one keeps its place. */
  row(to: Destination, guarantee: Guarantee): string;
  connect(): Promise<void>;
  /** Resolves when the broker has confirmed it. */
  publish(to: Destination, payload: string, guarantee: Guarantee): Promise<void>;
  /**
   * Publishes messages of which all count or none; a client without transactions has no such call. Resolves when the broker has said how they ended.
   * @throws {MessagingError} ERR_TRANSACTION_UNKNOWN when that was not said; after any other error none of them counts
   */
  publishTogether?(messages: readonly Addressed[], end: TogetherEnd): Promise<void>;
  /** Resolves when the broker has confirmed it; the subscription is there again after each reconnect. */
  consume(terms: ConsumeTerms): Promise<void>;
  /** Ends at once, as a process does that is killed. */
  destroy(): Promise<void>;
  close(): Promise<void>;
}
