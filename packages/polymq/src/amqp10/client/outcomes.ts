import { MessagingError, type PeerReason } from "../../base/errors.ts";
import { ACCEPTED } from "../codec/disposition.ts";
import type { AmqpError, AmqpErrorInput, DeliveryState } from "../codec/tables.ts";
import type { Described } from "../codec/values.ts";

/** What became of a message (§3.4), transactional states and outcomes of other specifications included. */
export type Outcome = DeliveryState | Described;

/** An error for the server: one of `Condition` or another symbol, a text, and more as a map (§2.8.14). */
export type ErrorDetails = Omit<AmqpErrorInput, "type">;

/** The error as a composite, or null for none. */
export function errorInput(details: ErrorDetails | null | undefined): AmqpErrorInput | null {
  return details === null || details === undefined ? null : { ...details, type: "error" };
}

/** True for a state after which a delivery is over (§3.4): everything but `received`. */
export function isTerminal(state: Outcome | null): boolean {
  return state === ACCEPTED || (state !== null && !("type" in state && state.type === "received"));
}

/** The outcome that holds once the transaction is committed (§4.4.1); null while there is none. */
export function withoutTransaction(state: Outcome | null): Outcome | null {
  return state !== null && "type" in state && state.type === "transactionalState" ? state.outcome : state;
}

/**
 * What a receiver that settles second is told when the sender settles with another outcome than it said (§2.6.12); null when its own holds. A peer that
 * says nothing more takes it.
 */
export function refusedOutcome(said: Outcome | null, held: Outcome | null): MessagingError | null {
  const [ours, theirs] = [withoutTransaction(said), withoutTransaction(held)];
  if (ours === null || theirs === null || !("type" in ours) || !("type" in theirs)) return null;
  if (!isTerminal(theirs) || !isOtherOutcome(ours, theirs)) return null;
  const peer = theirs.type === "rejected" ? peerReason(theirs.error) : undefined;
  const why = peer === undefined ? theirs.type : `${peer.code} ${peer.text}`.trim();
  return new MessagingError("ERR_STALE_DELIVERY", `the server did not take the outcome: ${why}`, peer ? { peer } : {});
}

/** Between released and modified there is no difference that matters; a rejection of ours comes back with our reason or none. */
function isOtherOutcome(ours: DeliveryState, theirs: DeliveryState): boolean {
  if (theirs.type !== "rejected")
    return theirs.type !== ours.type && (ours.type === "accepted" || ours.type === "rejected");
  if (ours.type !== "rejected") return true;
  return theirs.error !== null && theirs.error.condition !== ours.error?.condition;
}

/** What the peer said with an error, as data. */
export function peerReason(error: AmqpError | null): PeerReason | undefined {
  if (error === null) return undefined;
  return { protocol: "amqp10", code: error.condition, text: error.description ?? "", info: error.info };
}

/** The typed error of an outcome that is not what a sender hopes for, or null for every other. */
export function outcomeError(outcome: Outcome): MessagingError | null {
  if (outcome === ACCEPTED || !("type" in outcome)) return null;
  switch (outcome.type) {
    case "rejected": {
      const error = outcome.error as AmqpError | null;
      const peer = peerReason(error);
      const why = error === null ? "" : `: ${error.condition}${error.description ? `: ${error.description}` : ""}`;
      return new MessagingError("ERR_PUBLISH_REJECTED", `the message was rejected${why}`, peer ? { peer } : {});
    }
    case "released":
      return new MessagingError("ERR_MESSAGE_RELEASED", "the message was released: nobody took it");
    case "modified":
      return new MessagingError(
        "ERR_MESSAGE_MODIFIED",
        outcome.undeliverableHere
          ? "the message cannot be delivered here"
          : "the message was given back, perhaps changed",
      );
    default:
      return null;
  }
}
