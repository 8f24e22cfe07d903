// Hot path: one per message that is sent, used again and again.
import { noop } from "../../base/noop.ts";
import type { SendOptions } from "../engine/sender-link.ts";
import type { Outcome } from "./outcomes.ts";
import type { SendTrace } from "./traces.ts";

/** A message whose promise is open. */
export class PendingSend {
  resolve: (outcome: Outcome | null) => void = noop;
  reject: (error: Error) => void = noop;
  /** Makes a promise this one's: `new Promise(pending.open)`. One closure for all messages that it is used for. */
  readonly open = (resolve: (outcome: Outcome | null) => void, reject: (error: Error) => void): void => {
    this.resolve = resolve;
    this.reject = reject;
  };
  /** Stops waiting for the caller's signal. */
  release: () => void = noop;
  /** Told once when the message has left, where somebody wants to know. */
  onSent: (() => void) | null = null;
  /** What diagnostics are told when it has left, if it waits and somebody listens. */
  trace: SendTrace | null = null;
  settled = false;
  /** How the engine is to send it. */
  how: SendOptions = PLAIN;
  /** Whether outcomes other than accepted are errors. */
  throws = true;
  /** True for one that had left before its connection was lost, under the tag in `how`. */
  sent = false;
  /** Whether it belongs to a transaction, which does not outlive its connection. */
  transactional = false;
  /** False for one that the caller still holds after it is settled. */
  reusable = true;
  /** True when the promise is settled already, while the peer has not said what became of the message. */
  abandoned = false;
  /** Longest wait for its outcome once it has left, or 0; and when that ends, in the clock's ms. */
  timeoutMs = 0;
  dueMs: number = Number.POSITIVE_INFINITY;
  /** Its place among the open ones, for `OpenSends`. */
  isOpen = false;
  before: PendingSend | null = null;
  after: PendingSend | null = null;
}

/** How most messages are sent. */
export const PLAIN: SendOptions = Object.freeze({});
