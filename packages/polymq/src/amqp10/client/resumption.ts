import type { TextCodec } from "../../bytes/text.ts";
import { ByteWriter } from "../../bytes/writer.ts";
import { compositeName, decodeComposite } from "../codec/composite.ts";
import { ValueReader } from "../codec/value-reader.ts";
import type { AmqpMap, AmqpValue } from "../codec/values.ts";
import { Described } from "../codec/values.ts";
import { writeValue } from "../codec/write-value.ts";
import { isTerminal, type Outcome } from "./outcomes.ts";
import type { PendingSend } from "./pending-send.ts";

/** Entries of an unsettled map; more than that are left to be sent again, and the map says that it is not whole. */
const ENTRIES_MAX = 2_000;

/** The unsettled map of an attach: what was on its way when the link was lost, of whose state nothing is known (§2.6.13). */
export function unsettledMap(messages: Iterable<PendingSend>): {
  readonly unsettled: Map<Uint8Array, null>;
  readonly incompleteUnsettled: boolean;
} {
  const unsettled = new Map<Uint8Array, null>();
  for (const pending of messages) {
    if (!pending.sent || pending.how.tag === undefined) continue;
    if (unsettled.size === ENTRIES_MAX) return { unsettled, incompleteUnsettled: true };
    unsettled.set(pending.how.tag, null);
  }
  return { unsettled, incompleteUnsettled: false };
}

/**
 * How a delivery goes on that the peer's unsettled map may hold: `new` where it does not, so that it is sent as if for the first time; `again` where the peer
 * has it without an outcome, so that it is resumed; else the outcome that the peer has for it.
 */
export function resumptionOf(text: TextCodec, unsettled: AmqpMap | null, tag: Uint8Array): "new" | "again" | Outcome {
  const state = unsettled?.get(tag);
  if (state === undefined) return "new";
  const outcome = outcomeOf(text, state);
  return outcome !== null && isTerminal(outcome) ? outcome : "again";
}

/** A state as it stands in a map. */
function outcomeOf(text: TextCodec, state: AmqpValue): Outcome | null {
  if (!(state instanceof Described)) return null;
  const name = compositeName(state);
  if (name !== "accepted" && name !== "rejected" && name !== "released" && name !== "modified") {
    return name === null ? state : null;
  }
  const w = new ByteWriter(text);
  writeValue(w, state);
  const bytes = w.copyFrom(0);
  const r = new ValueReader(text);
  r.reset(bytes, 0, bytes.length);
  return decodeComposite(r, ["accepted", "rejected", "released", "modified"]);
}
