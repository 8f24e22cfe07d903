// Hot path: runs per flow. No closure, promise, spread, iterator or regex here.
import type { ByteWriter } from "../../bytes/writer.ts";
import { decodeComposite, writeNamed } from "./composite.ts";
import { Code } from "./format-codes.ts";
import { beginFrame, endFrame, FRAME_HEADER_BYTES, FrameType } from "./frame.ts";
import { ABSENT } from "./transfer.ts";
import type { ValueReader } from "./value-reader.ts";
import type { AmqpMap, MapInput } from "./values.ts";
import { writeUint } from "./write-scalar.ts";

/*
 * flow (§2.7.4), by hand what the tables say: next-incoming-id, incoming-window, next-outgoing-id, outgoing-window, handle,
 * delivery-count, link-credit, available, drain, echo, properties.
 */

/** A flow, received or to be sent; absent numbers are {@link ABSENT}. Made once, changed for each. */
export class FlowFields {
  nextIncomingId: number = ABSENT;
  incomingWindow = 0;
  nextOutgoingId = 0;
  outgoingWindow = 0;
  /** {@link ABSENT} in a flow of the session alone. */
  handle: number = ABSENT;
  deliveryCount: number = ABSENT;
  linkCredit: number = ABSENT;
  available: number = ABSENT;
  drain = false;
  echo = false;
}

/** Reads a flow that fills the reader's window into `flow`; returns its properties. */
export function readFlow(r: ValueReader, flow: FlowFields): AmqpMap | null {
  const at = readShort(r.buffer, r.at, r.end, flow);
  if (at === 0) return readLong(r, flow);
  r.at = at;
  return null;
}

/** Reads the form without properties; returns the end, or 0 when it is in another form or wrong. */
function readShort(buffer: Uint8Array, start: number, end: number, flow: FlowFields): number {
  if (buffer[start] !== 0 || buffer[start + 1] !== Code.smallulong || buffer[start + 2] !== 0x13) return 0;
  if (buffer[start + 3] !== Code.list8) return 0;
  const listEnd = start + 5 + (buffer[start + 4] as number);
  const count = buffer[start + 5] as number;
  if (listEnd > end || count < 4 || count > 10) return 0;
  clear(flow);
  let at = start + 6;
  for (let i = 0; i < count; i++) {
    const code = buffer[at++] as number;
    if (code === Code.null) {
      if (i >= 1 && i <= 3) return 0;
      continue;
    }
    if (i >= 8) {
      if (code !== Code.true && code !== Code.false) return 0;
      if (i === 8) flow.drain = code === Code.true;
      else flow.echo = code === Code.true;
      continue;
    }
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
    } else if (code !== Code.uint0) return 0;
    set(flow, i, value);
  }
  return at === listEnd ? at : 0;
}

function clear(flow: FlowFields): void {
  flow.nextIncomingId = ABSENT;
  flow.handle = ABSENT;
  flow.deliveryCount = ABSENT;
  flow.linkCredit = ABSENT;
  flow.available = ABSENT;
  flow.drain = false;
  flow.echo = false;
}

function set(flow: FlowFields, index: number, value: number): void {
  switch (index) {
    case 0:
      flow.nextIncomingId = value;
      break;
    case 1:
      flow.incomingWindow = value;
      break;
    case 2:
      flow.nextOutgoingId = value;
      break;
    case 3:
      flow.outgoingWindow = value;
      break;
    case 4:
      flow.handle = value;
      break;
    case 5:
      flow.deliveryCount = value;
      break;
    case 6:
      flow.linkCredit = value;
      break;
    default:
      flow.available = value;
  }
}

/** Reads any form by the table. */
function readLong(r: ValueReader, flow: FlowFields): AmqpMap | null {
  const decoded = decodeComposite(r, FLOW);
  flow.nextIncomingId = decoded.nextIncomingId ?? ABSENT;
  flow.incomingWindow = decoded.incomingWindow;
  flow.nextOutgoingId = decoded.nextOutgoingId;
  flow.outgoingWindow = decoded.outgoingWindow;
  flow.handle = decoded.handle ?? ABSENT;
  flow.deliveryCount = decoded.deliveryCount ?? ABSENT;
  flow.linkCredit = decoded.linkCredit ?? ABSENT;
  flow.available = decoded.available ?? ABSENT;
  flow.drain = decoded.drain;
  flow.echo = decoded.echo;
  return decoded.properties;
}

const FLOW = ["flow"] as const;

/** Most bytes of a frame with a flow without properties. */
const FLOW_BYTES_MAX = 64;

/** Writes a whole frame with a flow; one with properties goes through the table into a writer that grows. */
export function writeFlow(w: ByteWriter, channel: number, flow: FlowFields, properties: MapInput | null): void {
  if (properties !== null) return writeByTable(w, channel, flow, properties);
  w.reserve(FLOW_BYTES_MAX);
  const frame = beginFrame(w, FrameType.amqp, channel);
  const start = w.at;
  w.at = start + 6;
  optional(w, flow.nextIncomingId);
  writeUint(w, flow.incomingWindow);
  writeUint(w, flow.nextOutgoingId);
  writeUint(w, flow.outgoingWindow);
  const count = flow.echo ? 10 : flow.drain ? 9 : linkFields(flow);
  if (count > 4) optional(w, flow.handle);
  if (count > 5) optional(w, flow.deliveryCount);
  if (count > 6) optional(w, flow.linkCredit);
  if (count > 7) optional(w, flow.available);
  if (count > 8) w.u8(flow.drain ? Code.true : Code.null);
  if (count > 9) w.u8(Code.true);
  const buffer = w.buffer;
  buffer[start] = Code.described;
  buffer[start + 1] = Code.smallulong;
  buffer[start + 2] = 0x13;
  buffer[start + 3] = Code.list8;
  buffer[start + 4] = w.at - start - 5;
  buffer[start + 5] = count;
  endFrame(w, frame);
}

/** Fields up to the last one that is there, drain and echo aside. */
function linkFields(flow: FlowFields): number {
  if (flow.available !== ABSENT) return 8;
  if (flow.linkCredit !== ABSENT) return 7;
  if (flow.deliveryCount !== ABSENT) return 6;
  return flow.handle !== ABSENT ? 5 : 4;
}

function optional(w: ByteWriter, value: number): void {
  if (value === ABSENT) w.u8(Code.null);
  else writeUint(w, value);
}

function writeByTable(w: ByteWriter, channel: number, flow: FlowFields, properties: MapInput): void {
  w.reserve(FRAME_HEADER_BYTES);
  const frame = beginFrame(w, FrameType.amqp, channel);
  writeNamed(w, "flow", {
    nextIncomingId: orNull(flow.nextIncomingId),
    incomingWindow: flow.incomingWindow,
    nextOutgoingId: flow.nextOutgoingId,
    outgoingWindow: flow.outgoingWindow,
    handle: orNull(flow.handle),
    deliveryCount: orNull(flow.deliveryCount),
    linkCredit: orNull(flow.linkCredit),
    available: orNull(flow.available),
    drain: flow.drain,
    echo: flow.echo,
    properties,
  });
  endFrame(w, frame);
}

function orNull(value: number): number | null {
  return value === ABSENT ? null : value;
}
