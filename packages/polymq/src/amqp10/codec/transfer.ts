// Hot path: runs per transfer. No closure, promise, spread, iterator or regex here.
import { type ByteWriter, put32, putBytes } from "../../bytes/writer.ts";
import { decodeComposite, writeNamed } from "./composite.ts";
import { Code } from "./format-codes.ts";
import { beginFrame, FRAME_HEADER_BYTES, FrameType } from "./frame.ts";
import { type DataMessage, putDataHead } from "./message.ts";
import type { DeliveryState, DeliveryStateInput } from "./tables.ts";
import type { ValueReader } from "./value-reader.ts";
import type { Described } from "./values.ts";
import { invalid } from "./write-scalar.ts";

/*
 * transfer (§2.7.5), by hand what the tables say: handle, delivery-id, delivery-tag, message-format, settled, more and,
 * rarely, rcv-settle-mode, state, resume, aborted, batchable. Payload lies behind it.
 */

/** Longest delivery tag (§2.8.7). */
export const DELIVERY_TAG_BYTES_MAX = 32;

/** Most bytes of a frame with a transfer but without state and payload. */
export const TRANSFER_BYTES_MAX = 72;

/** Says that an optional number is absent. */
export const ABSENT = -1;

/** A received transfer: the fields as they came, the tag by its place in the buffer. Made once, overwritten by each transfer. */
export class TransferHead {
  handle = 0;
  /** {@link ABSENT} in a continuation. */
  deliveryId: number = ABSENT;
  /** Where the tag lies in the reader's buffer; {@link ABSENT} in a continuation. */
  tagStart: number = ABSENT;
  tagEnd: number = ABSENT;
  messageFormat: number = ABSENT;
  settled = false;
  more = false;
  rcvSettleMode: number = ABSENT;
  state: DeliveryState | Described | null = null;
  resume = false;
  aborted = false;
  batchable = false;
}

/** Reads a transfer at the start of the reader's window and leaves the reader at its payload. */
export function readTransfer(r: ValueReader, head: TransferHead): void {
  const at = readShort(r.buffer, r.at, r.end, head);
  if (at !== 0) r.at = at;
  else readLong(r, head);
}

/** Reads the form that nearly every transfer has; returns the end, or 0 when it is in another form or wrong. */
function readShort(buffer: Uint8Array, start: number, end: number, head: TransferHead): number {
  if (buffer[start] !== 0 || buffer[start + 1] !== Code.smallulong || buffer[start + 2] !== 0x14) return 0;
  if (buffer[start + 3] !== Code.list8) return 0;
  const listEnd = start + 5 + (buffer[start + 4] as number);
  const count = buffer[start + 5] as number;
  if (listEnd > end || count < 1 || count > 6) return 0;
  head.deliveryId = ABSENT;
  head.tagStart = ABSENT;
  head.tagEnd = ABSENT;
  head.messageFormat = ABSENT;
  head.settled = false;
  head.more = false;
  head.rcvSettleMode = ABSENT;
  head.state = null;
  head.resume = false;
  head.aborted = false;
  head.batchable = false;
  let at = start + 6;
  for (let i = 0; i < count; i++) {
    const code = buffer[at++] as number;
    if (code === Code.null) {
      if (i === 0) return 0;
      continue;
    }
    if (i === 2) {
      if (code !== Code.vbin8) return 0;
      head.tagStart = at + 1;
      at += 1 + (buffer[at] as number);
      head.tagEnd = at;
    } else if (i >= 4) {
      if (code !== Code.true && code !== Code.false) return 0;
      if (i === 4) head.settled = code === Code.true;
      else head.more = code === Code.true;
    } else {
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
      if (i === 0) head.handle = value;
      else if (i === 1) head.deliveryId = value;
      else head.messageFormat = value;
    }
  }
  return at === listEnd ? at : 0;
}

/** Reads any form by the table. */
function readLong(r: ValueReader, head: TransferHead): void {
  const transfer = decodeComposite(r, TRANSFER);
  head.handle = transfer.handle;
  head.deliveryId = transfer.deliveryId ?? ABSENT;
  const tag = transfer.deliveryTag;
  head.tagStart = tag === null ? ABSENT : tag.byteOffset - r.buffer.byteOffset;
  head.tagEnd = tag === null ? ABSENT : head.tagStart + tag.length;
  head.messageFormat = transfer.messageFormat ?? ABSENT;
  head.settled = transfer.settled === true;
  head.more = transfer.more;
  head.rcvSettleMode = transfer.rcvSettleMode ?? ABSENT;
  head.state = transfer.state;
  head.resume = transfer.resume;
  head.aborted = transfer.aborted;
  head.batchable = transfer.batchable;
}

const TRANSFER = ["transfer"] as const;

/** What a transfer to be sent says. Made once per link, changed for each transfer. */
export class TransferFields {
  channel = 0;
  handle = 0;
  deliveryId = 0;
  /** Bytes, or a number that is sent as four bytes. */
  tag: number | Uint8Array = 0;
  messageFormat = 0;
  settled = false;
  more = false;
}

/**
 * Writes header and transfer of a delivery's first frame with its size open; the caller has reserved {@link TRANSFER_BYTES_MAX} and the
 * payload, writes that behind it and calls `endFrame`. Returns where the frame starts.
 */
export function beginTransfer(w: ByteWriter, fields: TransferFields): number {
  const frame = beginFrame(w, FrameType.amqp, fields.channel);
  const buffer = w.buffer;
  const start = w.at;
  buffer[start] = Code.described;
  buffer[start + 1] = Code.smallulong;
  buffer[start + 2] = 0x14;
  buffer[start + 3] = Code.list8;
  let at = putUint(buffer, start + 6, fields.handle);
  at = putUint(buffer, at, fields.deliveryId);
  at = putTag(buffer, at, fields.tag);
  at = putUint(buffer, at, fields.messageFormat);
  let count = 4;
  if (fields.settled || fields.more) {
    buffer[at++] = fields.settled ? Code.true : Code.false;
    count = 5;
    if (fields.more) {
      buffer[at++] = Code.true;
      count = 6;
    }
  }
  buffer[start + 4] = at - start - 5;
  buffer[start + 5] = count;
  w.at = at;
  return frame;
}

/**
 * Writes the whole frame of a delivery in message format 0, with a number as its tag, whose message is one data section behind what is encoded; the caller
 * has reserved {@link TRANSFER_BYTES_MAX} and the message. Returns where the payload starts. Written in one go, by hand what {@link beginTransfer} and the
 * encoder of messages do: it takes a seventh off what sending a message costs.
 */
export function writeDataTransfer(w: ByteWriter, fields: TransferFields, { head, body }: DataMessage): number {
  const { channel, handle, deliveryId, settled } = fields;
  const { at: frame, buffer } = w;
  buffer[frame + 4] = 2;
  buffer[frame + 5] = FrameType.amqp;
  buffer[frame + 6] = channel >>> 8;
  buffer[frame + 7] = channel;
  buffer[frame + 8] = Code.described;
  buffer[frame + 9] = Code.smallulong;
  buffer[frame + 10] = 0x14;
  buffer[frame + 11] = Code.list8;
  buffer[frame + 13] = settled ? 5 : 4;
  let at = putUint(buffer, frame + 14, handle);
  at = putUint(buffer, at, deliveryId);
  buffer[at] = Code.vbin8;
  buffer[at + 1] = 4;
  put32(buffer, at + 2, fields.tag as number);
  buffer[at + 6] = Code.uint0;
  at += 7;
  if (settled) buffer[at++] = Code.true;
  buffer[frame + 12] = at - frame - 13;
  const payload = at;
  const { data } = body;
  if (head.length > 0) putBytes(buffer, at, head);
  at = putDataHead(buffer, at + head.length, data.length);
  putBytes(buffer, at, data);
  at += data.length;
  put32(buffer, frame, at - frame);
  w.at = at;
  return payload;
}

/** Writes header and transfer of a further frame of a delivery, as {@link beginTransfer} does the first. */
export function beginContinuation(w: ByteWriter, channel: number, handle: number, more: boolean): number {
  const frame = beginFrame(w, FrameType.amqp, channel);
  const buffer = w.buffer;
  const start = w.at;
  buffer[start] = Code.described;
  buffer[start + 1] = Code.smallulong;
  buffer[start + 2] = 0x14;
  buffer[start + 3] = Code.list8;
  let at = putUint(buffer, start + 6, handle);
  if (more) {
    for (let i = 0; i < 4; i++) buffer[at++] = Code.null;
    buffer[at++] = Code.true;
  }
  buffer[start + 4] = at - start - 5;
  buffer[start + 5] = more ? 6 : 1;
  w.at = at;
  return frame;
}

/** What else a transfer can say; for transactions, resumed and aborted deliveries. */
export interface RareTransferFields {
  readonly state?: DeliveryStateInput | null;
  readonly resume?: boolean;
  readonly aborted?: boolean;
}

/** Writes header and transfer like {@link beginTransfer}, with fields that are rare, into a writer that grows. */
export function beginRareTransfer(w: ByteWriter, fields: TransferFields, rare: RareTransferFields): number {
  w.reserve(FRAME_HEADER_BYTES);
  const frame = beginFrame(w, FrameType.amqp, fields.channel);
  writeNamed(w, "transfer", {
    handle: fields.handle,
    deliveryId: fields.deliveryId,
    deliveryTag: tagBytes(fields.tag),
    messageFormat: fields.messageFormat,
    settled: fields.settled ? true : null,
    more: fields.more,
    state: rare.state ?? null,
    resume: rare.resume ?? false,
    aborted: rare.aborted ?? false,
  });
  return frame;
}

/** A delivery tag's bytes. */
export function tagBytes(tag: number | Uint8Array): Uint8Array {
  if (typeof tag !== "number") return tag;
  return Uint8Array.of(tag >>> 24, tag >>> 16, tag >>> 8, tag);
}

/** Refuses, for an encoder, a tag that is empty or too long (§2.8.7). */
export function checkTag(tag: Uint8Array): void {
  if (tag.length === 0 || tag.length > DELIVERY_TAG_BYTES_MAX) {
    throw invalid(`a delivery tag of ${tag.length} bytes, 1 to ${DELIVERY_TAG_BYTES_MAX} are allowed`);
  }
}

/*
 * These write where they are told and return what is next: a transfer with its data takes 51 ns, 67 with a writer that moves by each byte.
 */

function putUint(buffer: Uint8Array, at: number, value: number): number {
  if (value === 0) {
    buffer[at] = Code.uint0;
    return at + 1;
  }
  if (value <= 0xff) {
    buffer[at] = Code.smalluint;
    buffer[at + 1] = value;
    return at + 2;
  }
  buffer[at] = Code.uint;
  put32(buffer, at + 1, value);
  return at + 5;
}

function putTag(buffer: Uint8Array, at: number, tag: number | Uint8Array): number {
  buffer[at] = Code.vbin8;
  if (typeof tag === "number") {
    buffer[at + 1] = 4;
    put32(buffer, at + 2, tag);
    return at + 6;
  }
  buffer[at + 1] = tag.length;
  buffer.set(tag, at + 2);
  return at + 2 + tag.length;
}
