import { raceAbort } from "../../base/abort.ts";
import { noop } from "../../base/noop.ts";
import type { Outcome } from "./outcomes.ts";

/** A message that has left and whose outcome may be asked for, now or later. */
export class SendReceipt {
  readonly deliveryTag: Uint8Array;
  readonly #outcome: Promise<Outcome>;

  /** For the sender. */
  constructor(deliveryTag: Uint8Array, outcome: Promise<Outcome>) {
    this.deliveryTag = deliveryTag;
    this.#outcome = outcome;
    // Nobody has to ask.
    outcome.catch(noop);
  }

  /**
   * Waits for the outcome; may be called again, with the same result.
   * @throws {MessagingError} as `AmqpSender.send`; ERR_ABORTED when the signal fires first
   */
  wait(options: { readonly signal?: AbortSignal } = {}): Promise<Outcome> {
    return raceAbort(this.#outcome, options.signal);
  }
}
