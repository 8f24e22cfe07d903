// Hot path: `settleOutcome` runs per settlement. No closure, promise, spread, iterator or regex on its usual way.
import {
  type AmqpError,
  AmqpMap,
  type AmqpValue,
  type DeliveryState,
  plain,
  ValueReader,
  valueBytesMax,
  writeMap,
} from "polymq/amqp10/codec";
import { ByteWriter, type TextCodec } from "polymq/internal";
import type { SettleOutcome } from "../../core/queues/queue-port.ts";
import type { PeerState } from "./amqp10-types.ts";
import { DELIVERY_DELAY } from "./incoming-message.ts";

/** Annotation bytes that a client may add to a message by giving it back. */
const NOTE_BYTES_MAX = 16_384;

export const ACK: SettleOutcome = Object.freeze({ is: "ack" });
/** Given back without counting as a delivery that failed. */
export const RELEASE: SettleOutcome = Object.freeze({ is: "nack", counts: "no" });
/** Given back as one that failed. */
export const FAILED: SettleOutcome = Object.freeze({ is: "nack" });
const UNDELIVERABLE: SettleOutcome = Object.freeze({ is: "reject", detail: "undeliverable here" });

/** A terminal outcome that a client said (§3.4), or null for `received` and whatever says nothing. */
export function terminalState(state: PeerState): DeliveryState | null {
  if (state === null || !("type" in state)) return null;
  switch (state.type) {
    case "accepted":
    case "rejected":
    case "released":
    case "modified":
      return state;
    default:
      return null;
  }
}

/**
 * What a queue makes of an outcome. `modified` with undeliverable-here buries the message, as nobody but this receiver's group would get it; with
 * delivery-failed it counts as a delivery, and its annotations come with the next one.
 * @param before the annotations that came with this delivery by an earlier `modified`
 */
export function settleOutcome(state: DeliveryState | null, text: TextCodec, before: Uint8Array | null): SettleOutcome {
  if (state === null) return RELEASE;
  switch (state.type) {
    case "accepted":
      return ACK;
    case "rejected":
      return { is: "reject", detail: detailOf(state.error) };
    case "modified":
      if (state.undeliverableHere === true) return UNDELIVERABLE;
      if (state.messageAnnotations === null) return state.deliveryFailed === true ? FAILED : RELEASE;
      return annotated(state.messageAnnotations, state.deliveryFailed === true, { text, before });
    default:
      return RELEASE;
  }
}

function detailOf(error: AmqpError | null): string {
  if (error === null) return "rejected by client";
  return error.description === null ? error.condition : error.description;
}

/** Annotations go with the message, but for the delay, which is for the broker. */
function annotated(
  annotations: AmqpMap,
  failed: boolean,
  how: { readonly text: TextCodec; readonly before: Uint8Array | null },
): SettleOutcome {
  const delay = Number(plain(annotations.get(DELIVERY_DELAY) ?? null) ?? 0);
  const all = new AmqpMap(notedBefore(how.text, how.before));
  for (const [key, value] of annotations) if (plain(key) !== DELIVERY_DELAY) all.set(key, value);
  const note = all.size === 0 ? null : encoded(how.text, all);
  return {
    is: "nack",
    counts: failed ? "yes" : "no",
    ...(Number.isSafeInteger(delay) && delay > 0 ? { delayMs: delay } : {}),
    ...(note === null ? {} : { note }),
  };
}

function notedBefore(text: TextCodec, before: Uint8Array | null): Iterable<readonly [AmqpValue, AmqpValue]> {
  if (before === null) return [];
  const reader = new ValueReader(text);
  reader.reset(before, 0, before.length);
  const value = reader.value();
  return value instanceof AmqpMap ? value : [];
}

/** Null for more than a message may gather. */
function encoded(text: TextCodec, map: AmqpMap): Uint8Array | null {
  const w = new ByteWriter(text, valueBytesMax(map));
  writeMap(w, map, "symbols");
  return w.at > NOTE_BYTES_MAX ? null : w.copyFrom(0);
}
