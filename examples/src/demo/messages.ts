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
export interface WorkerPlan extends ClientPlan {
  /** Acknowledge one message without counting it, so that the demo's own test can see the ledger find out. */
  readonly sabotage: boolean;
}

/** What the child processes say. */
export type ChildMessage =
  | { readonly type: "listening"; readonly port: number }
  | { readonly type: "dropped"; readonly count: number }
  | { readonly type: "ready" }
  /** Records whose publish promise resolved. */
  | { readonly type: "acknowledged"; readonly ids: readonly number[] }
  /** A record whose publish promise rejected. */
  | { readonly type: "refused"; readonly id: number; readonly code: string }
  | { readonly type: "delivered"; readonly deliveries: readonly DeliveryReport[] }
  /** The last word of a publisher or worker. */
  | { readonly type: "finished"; readonly reconnects: number };

/** What the parent says. */
export type ParentMessage = { readonly type: "begin" } | { readonly type: "stop" };

/** One message as a worker saw it: the record's id, the QoS, a checksum of the content, and the time it took. */
export type DeliveryReport = readonly [id: number, qos: number, checksum: number, latencyMs: number];

/** The content of each message. */
export interface Envelope {
  readonly id: number;
  /** Milliseconds since 1970, with fractions. */
  readonly publishedAtMs: number;
  readonly flight: Flight;
}

/** Workers share this subscription: each message goes to one of them. */
export const SHARED_FILTER = "$share/workers/flights/#";

/** Tells one worker that nothing comes after it. */
export function endTopic(worker: string): string {
  return `demo/end/${worker}`;
}

/** The time as all processes of one machine see it, in milliseconds with fractions. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}
