// Hot path: runs per settlement. No closure, promise, spread, iterator or regex here.
import { serialAdd } from "../../base/serial.ts";
import type { ByteWriter } from "../../bytes/writer.ts";
import type { Outbox } from "../../transport/outbox.ts";
import { writeDisposition } from "../codec/disposition.ts";
import { type FlowFields, writeFlow } from "../codec/flow.ts";
import type { DeliveryStateInput } from "../codec/tables.ts";
import type { MapInput } from "../codec/values.ts";

/** A range of deliveries of which the same is to be said. */
class Range {
  open = false;
  channel = 0;
  receiver = false;
  first = 0;
  last = 0;
  settled = false;
  state: DeliveryStateInput | null = null;
}

/**
 * Dispositions on their way out: neighbours of which the same is said become one range, that leaves at the end of the turn, or as soon as
 * something else is said. One range is held for each direction.
 */
export class Settlements {
  readonly #outbox: Outbox;
  readonly #scratch: () => ByteWriter;
  readonly #received = new Range();
  readonly #sent = new Range();
  readonly #channel: number;

  constructor(outbox: Outbox, channel: number, scratch: () => ByteWriter) {
    this.#outbox = outbox;
    this.#scratch = scratch;
    this.#channel = channel;
    this.#received.channel = channel;
    this.#received.receiver = true;
    this.#sent.channel = channel;
  }

  /**
   * Says something of a delivery; true when a range was begun, that somebody must flush.
   * @throws {MessagingError} ERR_INVALID_ARGUMENT for a state that cannot be encoded; nothing is said then
   */
  add(receiver: boolean, id: number, settled: boolean, state: DeliveryStateInput | null): boolean {
    const range = receiver ? this.#received : this.#sent;
    if (range.open && range.settled === settled && sameState(range.state, state)) {
      if (id === serialAdd(range.last, 1)) {
        range.last = id;
        return false;
      }
      if (id === serialAdd(range.first, -1)) {
        range.first = id;
        return false;
      }
    }
    if (!isShort(state)) this.#tryOut(receiver, id, state);
    this.#write(range);
    range.open = true;
    range.first = id;
    range.last = id;
    range.settled = settled;
    range.state = state;
    return true;
  }

  /** Writes what is held. */
  flush(): void {
    this.#write(this.#received);
    this.#write(this.#sent);
  }

  /** Writes a flow; one with properties goes through a writer that grows. */
  sendFlow(flow: FlowFields, properties: MapInput | null): void {
    if (properties === null) {
      writeFlow(this.#outbox, this.#channel, flow, null);
      this.#outbox.commit();
      return;
    }
    const w = this.#scratch();
    writeFlow(w, this.#channel, flow, properties);
    this.#copy(w);
  }

  #write(range: Range): void {
    if (!range.open) return;
    range.open = false;
    if (isShort(range.state)) {
      writeDisposition(this.#outbox, range);
      this.#outbox.commit();
      return;
    }
    const w = this.#scratch();
    writeDisposition(w, range);
    this.#copy(w);
  }

  /** Encodes a state that only the table can, so that a wrong one is refused while its caller still listens. */
  #tryOut(receiver: boolean, id: number, state: DeliveryStateInput | null): void {
    writeDisposition(this.#scratch(), { channel: 0, receiver, first: id, last: id, settled: true, state });
  }

  #copy(w: ByteWriter): void {
    this.#outbox.reserve(w.at);
    this.#outbox.bytes(w.buffer.subarray(0, w.at));
    this.#outbox.commit();
  }
}

/** True for what goes straight into an outbox. */
function isShort(state: DeliveryStateInput | null): boolean {
  return state === null || state.type === "accepted" || state.type === "released";
}

/** The same object, or one that says the same without any fields. */
function sameState(a: DeliveryStateInput | null, b: DeliveryStateInput | null): boolean {
  if (a === b) return true;
  return a !== null && b !== null && a.type === b.type && (a.type === "accepted" || a.type === "released");
}
