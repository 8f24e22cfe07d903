/** What the tests of the codec share: whole packets to bytes and back, and errors as values. */
import { isMessagingError, type MessagingError } from "../../base/errors.ts";
import { ByteReader } from "../../bytes/reader.ts";
import { Splitter } from "../../bytes/splitter.ts";
import { type TextCodec, webText } from "../../bytes/text.ts";
import { ByteWriter } from "../../bytes/writer.ts";
import { decodePacket } from "./decode.ts";
import { encodePacket } from "./encode.ts";
import { measurePacket } from "./header.ts";
import { packetBytes } from "./packet-bytes.test-support.ts";
import type { Packet, ProtocolLevel } from "./packets.ts";

/** The converter that runs everywhere. */
export const text: TextCodec = webText();

/** Largest packet that {@link decodeInChunks} takes. */
export const MAXIMUM_PACKET_SIZE = 1_000_000;

/** A reader over bytes in the notation of `packetBytes`. */
export function readerOf(notation: string): ByteReader {
  return new ByteReader(text, packetBytes(notation));
}

/** Decodes one whole packet. */
export function decodeBytes(bytes: Uint8Array, level: ProtocolLevel): Packet {
  return decodePacket(new ByteReader(text, bytes), level);
}

/** Encodes one packet. */
export function encodeBytes(packet: Packet, level: ProtocolLevel): Uint8Array {
  const w = new ByteWriter(text, 0);
  encodePacket(w, packet, level);
  return w.copyFrom(0);
}

/** Feeds `bytes` through a `Splitter` in chunks of `size` and returns the packets that came out whole. */
export function decodeInChunks(bytes: Uint8Array, size: number, level: ProtocolLevel): Packet[] {
  const packets: Packet[] = [];
  const splitter = new Splitter(measurePacket(MAXIMUM_PACKET_SIZE), (buffer, start, end) => {
    const r = new ByteReader(text, buffer);
    r.reset(buffer, start, end);
    packets.push(decodePacket(r, level));
    return true;
  });
  for (let at = 0; at < bytes.length; at += size) splitter.push(bytes.slice(at, at + size));
  return packets;
}

/** What `run` returns, or the `MessagingError` that it throws; any other error goes through. */
export function outcomeOf<T>(run: () => T): T | MessagingError {
  try {
    return run();
  } catch (error) {
    if (isMessagingError(error)) return error;
    throw error;
  }
}

/** The code of the `MessagingError` that `run` throws, or null when it throws none. */
export function codeFrom(run: () => unknown): string | null {
  const outcome = outcomeOf(run);
  return isMessagingError(outcome) ? outcome.code : null;
}
