import {
  beginTransfer,
  endFrame,
  frameBody,
  frameChannel,
  MessageView,
  readTransfer,
  TransferFields,
  TransferHead,
  ValueReader,
} from "polymq/amqp10/codec";
import { ByteWriter, webText } from "polymq/internal";
import { performativeOf } from "../world/amqp10-frames.ts";
import type { PlantedFault } from "../world/planted-fault.ts";
import { changedFrames } from "./changed-frames.ts";

const TRUE = 0x41;
const FALSE = 0x42;

/** Over AMQP 1.0 a transaction that is rolled back is committed. */
export const rollbackAsCommit: PlantedFault = {
  name: "a rollback taken for a commit",
  connection: changedFrames("amqp10", (frame) => {
    const transfer = transferOf(frame);
    if (transfer === null) return frame;
    const composite = new MessageView(webText(), transfer.payload).bodyComposite;
    // The last byte of a discharge says whether it fails.
    if (composite?.type === "discharge" && frame.at(-1) === TRUE) frame[frame.length - 1] = FALSE;
    return frame;
  }),
};

/** Over AMQP 1.0 every other message that is sent in a transaction counts at once, whatever becomes of that. */
export const countedAtOnce: PlantedFault = {
  name: "a message outside of its transaction",
  connection: (attach, world) =>
    changedFrames("amqp10", (frame) => {
      const transfer = transferOf(frame);
      if (transfer === null || transfer.head.state === null || world.chance.happens(0.5)) return frame;
      return withoutState(frame, transfer);
    })(attach, world),
};

interface Transfer {
  readonly head: TransferHead;
  readonly payload: Uint8Array;
}

/** What one frame holds of a delivery, or null for other frames. */
function transferOf(frame: Uint8Array): Transfer | null {
  if (performativeOf(frame)?.type !== "transfer") return null;
  const reader = new ValueReader(webText());
  const head = new TransferHead();
  reader.reset(frame, frameBody(frame, 0, frame.length), frame.length);
  readTransfer(reader, head);
  return { head, payload: frame.subarray(reader.at) };
}

function withoutState(frame: Uint8Array, { head, payload }: Transfer): Uint8Array {
  const writer = new ByteWriter(webText(), frame.length + 512);
  const { handle, deliveryId, messageFormat, settled, more } = head;
  const channel = frameChannel(frame, 0);
  const tag = frame.slice(head.tagStart, head.tagEnd);
  const start = beginTransfer(
    writer,
    Object.assign(new TransferFields(), { channel, handle, deliveryId, messageFormat, settled, more, tag }),
  );
  writer.bytes(payload);
  endFrame(writer, start);
  return writer.copyFrom(0);
}
