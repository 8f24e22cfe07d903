import type { Counts } from "../mqtt/client/rows.ts";

/** Messages without a confirm, outcome or acknowledgement that may be on their way. */
export const WINDOW = 1_000;

/** The queue, or node, that all messages go through. */
export const QUEUE = "bench";

/** What a row does: who sends, and whether each message is answered. */
export interface Work {
  readonly is: "publish" | "receive" | "round-trip";
  /** Confirms or outcomes come back, or acknowledgements have to. */
  readonly isAnswered: boolean;
}

/** What the stub server has to know. */
export interface StubPlan {
  readonly work: Work;
  readonly size: number;
}

/** What a client's process has to know. */
export interface ClientPlan extends StubPlan {
  readonly contender: string;
  readonly counts: Counts;
  readonly port: number;
}
