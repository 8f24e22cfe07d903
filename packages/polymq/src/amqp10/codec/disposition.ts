// Hot path: runs per disposition. No closure, promise, spread, iterator or regex here.
import type { ByteWriter } from "../../bytes/writer.ts";
import { decodeComposite, writeNamed } from "./composite.ts";
import { Code } from "./format-codes.ts";
import { beginFrame, endFrame, FRAME_HEADER_BYTES, FrameType } from "./frame.ts";
import type { DeliveryState, DeliveryStateInput } from "./tables.ts";
import type { ValueReader } from "./value-reader.ts";
import type { Described } from "./values.ts";
import { writeUint } from "./write-scalar.ts";

/*
 * disposition (§2.7.6), by hand what the tables say: role (true: receiver), first, last, settled, state, batchable.
 */

/** The outcome that nearly every delivery has; decoding gives this very object for it. */
export const ACCEPTED: DeliveryState & { readonly type: "accepted" } = { type: "accepted" };

/** The outcome of a delivery that was given back; see {@link ACCEPTED}. */
export const RELEASED: DeliveryState & { readonly type: "released" } = { type: "released" };

/** A disposition as it came. Made once, overwritten by each. */
export class DispositionHead {
  /** True from a receiver: it speaks of deliveries that we sent. */
  receiver = false;
  first = 0;
  /** Equal to `first` when it was absent. */
  last = 0;
  settled = false;
  state: DeliveryState | Described | null = null;
}

/** Reads a disposition that fills the reader's window. */
export function readDisposition(r: ValueReader, head: DispositionHead): void {
  const at = readShort(r.buffer, r.at, r.end, head);
  if (at !== 0) r.at = at;
  else readLong(r, head);
}

/** Reads the form with an accepted or without a state; returns the end, or 0 when it is in another form or wrong. */
function readShort(buffer: Uint8Array, start: number, end: number, head: DispositionHead): number {
  if (buffer[start] !== 0 || buffer[start + 1] !== Code.smallulong || buffer[start + 2] !== 0x15) return 0;
  if (buffer[start + 3] !== Code.list8) return 0;
  const listEnd = start + 5 + (buffer[start + 4] as number);
  const count = buffer[start + 5] as number;
  if (listEnd > end || count < 2 || count > 5) return 0;
  const role = buffer[start + 6];
  if (role !== Code.true && role !== Code.false) return 0;
  head.receiver = role === Code.true;
  head.settled = false;
  head.state = null;
  let at = start + 7;
  for (let i = 1; i < count; i++) {
    const code = buffer[at++] as number;
    if (i <= 2) {
      let value = 0;
      if (code === Code.smalluint) value = buffer[at++] as number;
      else if (code === Code.uint) {
        value =
          (((buffer[at] as number) << 24) |
            ((buffer[at + 1] as number) << 16) |
            ((buffer[at + 2] as number) << 8) |
            (buffer[at + 3] as number)) >>>
          0;
        at += 4;
      } else if (code === Code.null && i === 2) value = head.first;
      else if (code !== Code.uint0) return 0;
      if (i === 1) head.first = value;
      head.last = value;
    } else if (i === 3) {
      if (code !== Code.true && code !== Code.false && code !== Code.null) return 0;
      head.settled = code === Code.true;
    } else {
      if (code !== 0 || buffer[at] !== Code.smallulong || buffer[at + 1] !== 0x24 || buffer[at + 2] !== Code.list0) {
        return 0;
      }
      head.state = ACCEPTED;
      at += 3;
    }
  }
  return at === listEnd ? at : 0;
}

/** Reads any form by the table. */
function readLong(r: ValueReader, head: DispositionHead): void {
  const disposition = decodeComposite(r, DISPOSITION);
  head.receiver = disposition.role;
  head.first = disposition.first;
  head.last = disposition.last ?? disposition.first;
  head.settled = disposition.settled;
  const state = disposition.state;
  const name = state !== null && "type" in state ? state.type : null;
  head.state = name === "accepted" ? ACCEPTED : name === "released" ? RELEASED : state;
}

const DISPOSITION = ["disposition"] as const;

/** A disposition to be sent. */
export interface DispositionFields {
  readonly channel: number;
  readonly receiver: boolean;
  readonly first: number;
  readonly last: number;
  readonly settled: boolean;
  readonly state: DeliveryStateInput | null;
}

/** Most bytes of a frame with a disposition whose state is {@link ACCEPTED}, {@link RELEASED} or absent. */
export const DISPOSITION_BYTES_MAX = 40;

/** Writes a whole frame; a state other than accepted and released goes through the table into a writer that grows. */
export function writeDisposition(w: ByteWriter, fields: DispositionFields): void {
  const state = fields.state;
  if (state !== null && state.type !== "accepted" && state.type !== "released") return writeByTable(w, fields);
  w.reserve(DISPOSITION_BYTES_MAX);
  const frame = beginFrame(w, FrameType.amqp, fields.channel);
  const start = w.at;
  w.at = start + 6;
  w.u8(fields.receiver ? Code.true : Code.false);
  writeUint(w, fields.first);
  let count = 2;
  const tail = state !== null || fields.settled;
  if (fields.last !== fields.first) {
    writeUint(w, fields.last);
    count = 3;
  } else if (tail) w.u8(Code.null);
  if (tail) {
    w.u8(fields.settled ? Code.true : Code.null);
    count = 4;
  }
  if (state !== null) {
    w.u8(Code.described);
    w.u8(Code.smallulong);
    w.u8(state.type === "accepted" ? 0x24 : 0x26);
    w.u8(Code.list0);
    count = 5;
  }
  const buffer = w.buffer;
  buffer[start] = Code.described;
  buffer[start + 1] = Code.smallulong;
  buffer[start + 2] = 0x15;
  buffer[start + 3] = Code.list8;
  buffer[start + 4] = w.at - start - 5;
  buffer[start + 5] = count;
  endFrame(w, frame);
}

function writeByTable(w: ByteWriter, fields: DispositionFields): void {
  w.reserve(FRAME_HEADER_BYTES);
  const frame = beginFrame(w, FrameType.amqp, fields.channel);
  writeNamed(w, "disposition", {
    role: fields.receiver,
    first: fields.first,
    last: fields.last === fields.first ? null : fields.last,
    settled: fields.settled,
    state: fields.state,
  });
  endFrame(w, frame);
}
