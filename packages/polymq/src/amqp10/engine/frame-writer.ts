// Hot path: session frames go through here. No closure, promise, spread, iterator or regex here.
import { MessagingError } from "../../base/errors.ts";
import { ByteWriter } from "../../bytes/writer.ts";
import type { Outbox } from "../../transport/outbox.ts";
import {
  endFrame,
  FRAME_SIZE_LEAST,
  PROTOCOL_HEADER_BYTES,
  protocolHeader,
  writeFrame,
  writeSaslFrame,
} from "../codec/frame.ts";
import type { PerformativeInput, SaslFrameInput } from "../codec/tables.ts";
import { beginRareTransfer, type RareTransferFields, type TransferFields } from "../codec/transfer.ts";

/** Encodes frames that cannot go straight into the outbox: into a writer that grows, then over in one piece. */
export class FrameWriter {
  readonly #outbox: Outbox;
  readonly #scratch: ByteWriter;
  /** Largest frame that the peer takes, in bytes; the protocol's least until it has said so. */
  peerFrameBytesMax: number = FRAME_SIZE_LEAST;

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
    this.#scratch = new ByteWriter(outbox.text, 256);
  }

  /** The writer, empty. */
  scratch(): ByteWriter {
    this.#scratch.at = 0;
    return this.#scratch;
  }

  /** @throws {MessagingError} ERR_PACKET_TOO_LARGE above what the peer takes, and what the encoder refuses; nothing is sent then */
  frame(channel: number, performative: PerformativeInput): void {
    const w = this.scratch();
    writeFrame(w, channel, performative);
    // An open may be larger than what the peer is known to take: it has not said anything yet.
    if (w.at > this.peerFrameBytesMax && performative.type !== "open" && performative.type !== "close") {
      throw new MessagingError(
        "ERR_PACKET_TOO_LARGE",
        `a frame of ${w.at} bytes, the peer takes ${this.peerFrameBytesMax}`,
      );
    }
    this.#copy(w);
  }

  /** A frame with a first transfer that has rare fields, and as much of the payload as fits; returns how much. */
  rare(fields: TransferFields, rare: RareTransferFields, payload: Uint8Array): number {
    const w = this.scratch();
    fields.more = true;
    let frame = beginRareTransfer(w, fields, rare);
    const room = Math.max(0, this.peerFrameBytesMax - w.at);
    if (room >= payload.length) {
      w.at = 0;
      fields.more = false;
      frame = beginRareTransfer(w, fields, rare);
    }
    const carried = Math.min(room, payload.length);
    w.reserve(carried);
    w.bytes(payload.subarray(0, carried));
    endFrame(w, frame);
    this.#copy(w);
    return carried;
  }

  sasl(frame: SaslFrameInput): void {
    const w = this.scratch();
    writeSaslFrame(w, frame);
    this.#copy(w);
  }

  header(id: number): void {
    this.#outbox.reserve(PROTOCOL_HEADER_BYTES);
    this.#outbox.bytes(protocolHeader(id));
    this.#outbox.commit();
  }

  #copy(w: ByteWriter): void {
    this.#outbox.reserve(w.at);
    this.#outbox.bytes(w.buffer.subarray(0, w.at));
    this.#outbox.commit();
  }
}
