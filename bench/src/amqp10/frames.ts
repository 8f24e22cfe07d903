import {
  ByteWriter,
  beginContinuation,
  beginTransfer,
  endFrame,
  type PerformativeInput,
  TransferFields,
  webText,
  writeFrame,
} from "polymq/amqp10/codec";

/** Largest frame that the stub and the raw socket write: what our client takes. */
export const FRAME_MAX = 65_536;

/** Where the delivery id and the tag, of four bytes each, stand in the first frame of {@link transferFrames}. */
export const DELIVERY_ID_AT = 16;
export const TAG_AT = 22;

/** A performative as a frame. */
export function performativeFrame(channel: number, performative: PerformativeInput): Buffer {
  const writer = new ByteWriter(webText(), 512);
  writeFrame(writer, channel, performative);
  return Buffer.from(writer.buffer.slice(0, writer.at));
}

/** A message of one data section as transfers on handle 0, with a delivery id and a tag to be written over. */
export function transferFrames(channel: number, body: Uint8Array, settled: boolean): Buffer {
  const message = Buffer.concat([dataHead(body.length), body]);
  const room = FRAME_MAX - 40;
  const writer = new ByteWriter(webText(), message.length + 1_024);
  const fields = new TransferFields();
  fields.channel = channel;
  fields.deliveryId = 0xffff_ffff; // written in four bytes
  fields.settled = settled;
  for (let at = 0; at < message.length; at += room) {
    fields.more = at + room < message.length;
    const start = at === 0 ? beginTransfer(writer, fields) : beginContinuation(writer, channel, 0, fields.more);
    writer.bytes(message.subarray(at, at + room));
    endFrame(writer, start);
  }
  return Buffer.from(writer.buffer.slice(0, writer.at));
}

/** Descriptor and length of a data section (§3.2.6). */
function dataHead(length: number): Buffer {
  if (length < 256) return Buffer.of(0, 0x53, 0x75, 0xa0, length);
  const head = Buffer.of(0, 0x53, 0x75, 0xb0, 0, 0, 0, 0);
  head.writeUInt32BE(length, 4);
  return head;
}
