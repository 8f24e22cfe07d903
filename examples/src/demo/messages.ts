import type { Flight } from "./data-set.ts";

/** Where a publisher or worker connects, and how. */
export interface ClientPlan {
  readonly name: string;
  readonly server: string;
  readonly protocolVersion: 4 | 5;
}

/** What a publisher process is told to do. */
export interface PublisherPlan extends ClientPlan {
  readonly publisher: number;
  readonly records: number;
  /** Time over which the records are spread; 0 is as fast as it goes. */
  readonly seconds: number;
}

/** What a worker process is told to do. */
export interface WorkerPlan {
  readonly name: string;
  readonly server: string;
  readonly protocol: "mqtt" | "amqp091" | "amqp10";
  /** Acknowledge one message without counting it, so that the demo's own test can see the ledger find out. */
  readonly sabotage: boolean;
}

/** What the broker process is told. */
export interface BrokerPlan {
  /** 0 the first time, then the port that it had. */
  readonly port: number;
  readonly dataDir: string;
}

/** What the child processes say. */
export type ChildMessage =
  | { readonly type: "listening"; readonly port: number }
  /** Messages in all queues that nobody has settled. */
  | { readonly type: "depth"; readonly count: number }
  | { readonly type: "ready" }
  /** Records whose publish promise resolved. */
  | { readonly type: "acknowledged"; readonly ids: readonly number[] }
  /** A record whose publish promise rejected. */
  | { readonly type: "refused"; readonly id: number; readonly code: string }
  | { readonly type: "delivered"; readonly deliveries: readonly DeliveryReport[] }
  | { readonly type: "held"; readonly holds: readonly HoldReport[] }
  | { readonly type: "buried"; readonly letters: readonly LetterReport[] }
  /** The last word of a process. */
  | { readonly type: "finished"; readonly reconnects: number };

/** What the parent says. */
export type ParentMessage = { readonly type: "begin" } | { readonly type: "stop" };

/** What a worker made of a message. */
export type Outcome = "done" | "nacked" | "rejected";

/** One delivery as a worker saw it; the checksum is one of its content, the time is that since it was published. */
export type DeliveryReport = readonly [
  id: number,
  outcome: Outcome,
  offset: number,
  deliveryCount: number,
  checksum: number,
  latencyMs: number,
];

/** That a message was a worker's: from when it came until it was settled. Both times as {@link nowMs} tells them. */
export type HoldReport = readonly [offset: number, fromMs: number, untilMs: number];

/** One dead letter as it was read from the dead-letter queue. */
export type LetterReport = readonly [id: number, reason: string, checksum: number];

/** The content of each message. */
export interface Envelope {
  readonly id: number;
  /** As {@link nowMs} tells it. */
  readonly publishedAtMs: number;
  readonly flight: Flight;
}

/** The queue that the records go through. */
export const QUEUE = "flights";

/** The group whose members share them. */
export const GROUP = "workers";

/** Time after which a message that was not done is tried again, where a worker can say so. */
export const RETRY_MS = 50;

/**
 * The time as all processes of one machine see it, in milliseconds with fractions since it was started. The time of day is none: when it is set while
 * they run, those that begin later are ahead of the others, or behind.
 */
export function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
