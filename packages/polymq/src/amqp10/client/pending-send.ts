// Hot path: one per message that is sent, used again and again.
import { noop } from "../../base/noop.ts";
import { rejectBy } from "../../base/reject-by.ts";
import type { SentDelivery } from "../engine/deliveries.ts";
import type { SendOptions } from "../engine/sender-link.ts";
import type { Outcome } from "./outcomes.ts";
import type { ClientOwners } from "./owners.ts";
import type { SendTrace } from "./traces.ts";

/** A message whose promise is open. */
export class PendingSend {
  /** Takes a rejected promise where it failed: one function per message to keep instead of two. */
  resolve: (outcome: Outcome | null | Promise<never>) => void = noop;
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
  /** What the engine made of it, once that is settled: to be used again with it. */
  delivery: SentDelivery<ClientOwners> | null = null;
  /** True when more than `how` and `throws` may be unlike what they are in a new one; see `reset`. */
  unusual = false;
  /** Its place among the open ones, for `OpenSends`. */
  isOpen = false;
  before: PendingSend | null = null;
  after: PendingSend | null = null;

  /** Rejects the promise; nothing happens to one that is settled. */
  fail(error: Error): void {
    rejectBy(this.resolve, error);
  }

  /** As it was made, but for its promise, which is settled. */
  reset(): void {
    this.onSent = null;
    this.trace = null;
    this.settled = false;
    this.sent = false;
    this.transactional = false;
    this.abandoned = false;
    this.timeoutMs = 0;
    this.dueMs = Number.POSITIVE_INFINITY;
    this.unusual = false;
  }
}

/** How most messages are sent. */
export const PLAIN: SendOptions = Object.freeze({});
