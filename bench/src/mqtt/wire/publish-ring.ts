import { encodePublish, type ProtocolLevel, type Qos } from "./frames.ts";
import { makePayloads, PAYLOAD_CYCLE } from "./payloads.ts";

/** Messages in flight in every acknowledged row and in the broker's closed loop. */
export const WINDOW = 1000;

const BLOCK_BYTES = 128 * 1024;
const RING_BYTES_MAX = 8 * 1024 * 1024;

/** What the messages of a benchmark look like. */
export interface MessageShape {
  readonly topic: string;
  readonly size: number;
  readonly qos: Qos;
  readonly level: ProtocolLevel;
}

/** Encoded PUBLISH packets one behind the other, all of one length, to be sent or compared with round and round. */
export interface PublishRing {
  readonly bytes: Buffer;
  readonly frames: number;
  readonly frameBytes: number;
  readonly firstByte: number;
  readonly qos: Qos;
  /** Where the packet id lies in a frame (QoS 1 and 2). */
  readonly idOffset: number;
}

/** A ring to compare with: long enough that one comparison covers a whole chunk from the socket. */
export function comparisonRing(shape: MessageShape): PublishRing {
  const frameBytes = frameBytesOf(shape);
  return makeRing(shape, roundUpToCycle(Math.ceil(BLOCK_BYTES / frameBytes)));
}

/**
 * A ring to send from. For QoS 1 and 2 its frames bear the packet ids 1, 2, ... and as many may be in flight as it has
 * frames: 1000, but at most 8 MiB of them.
 */
export function sendingRing(shape: MessageShape): PublishRing {
  if (shape.qos === 0) return comparisonRing(shape);
  const fit = Math.floor(RING_BYTES_MAX / frameBytesOf(shape) / PAYLOAD_CYCLE) * PAYLOAD_CYCLE;
  return makeRing(shape, Math.max(PAYLOAD_CYCLE, Math.min(WINDOW, fit)));
}

function makeRing(shape: MessageShape, frames: number): PublishRing {
  const payloads = makePayloads(shape.size);
  const encoded = Array.from({ length: frames }, (_, index) =>
    encodePublish({ ...shape, payload: payloads[index % PAYLOAD_CYCLE] ?? new Uint8Array(0), packetId: index + 1 }),
  );
  const frameBytes = encoded[0]?.length ?? 0;
  const tail = shape.size + (shape.level === 5 ? 1 : 0) + 2;
  return {
    bytes: Buffer.concat(encoded),
    frames,
    frameBytes,
    firstByte: 0x30 | (shape.qos << 1),
    qos: shape.qos,
    idOffset: frameBytes - tail,
  };
}

function frameBytesOf(shape: MessageShape): number {
  return encodePublish({ ...shape, payload: new Uint8Array(shape.size), packetId: 1 }).length;
}

function roundUpToCycle(frames: number): number {
  return Math.ceil(frames / PAYLOAD_CYCLE) * PAYLOAD_CYCLE;
}
