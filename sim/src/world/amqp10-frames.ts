import {
  FRAME_HEADER_BYTES,
  FrameType,
  frameBody,
  frameChannel,
  frameType,
  measureFrame,
  type Performative,
  PROTOCOL_HEADER_BYTES,
  readPerformative,
  ValueReader,
} from "polymq/amqp10/codec";
import { type FrameMeasure, webText } from "polymq/internal";

/** First byte of a protocol header, which no frame of a simulation begins with. */
const HEADER = 0x41;

/** How the bytes of an AMQP 1.0 link are cut: into its protocol header and frames. */
export function measureFrame10(bytesMax: number): FrameMeasure {
  return (buffer, at, end) => (buffer[at] === HEADER ? PROTOCOL_HEADER_BYTES : measureFrame(buffer, at, end, bytesMax));
}

/** The performative of a frame, or null for what has none: a protocol header, a heartbeat, SASL. */
export function performativeOf(frame: Uint8Array): Performative | null {
  if (frame[0] === HEADER || frameType(frame, 0) !== FrameType.amqp || frame.length === FRAME_HEADER_BYTES) return null;
  const reader = new ValueReader(webText());
  reader.reset(frame, frameBody(frame, 0, frame.length), frame.length);
  return readPerformative(reader);
}

/** A frame in a few words. */
export function describeFrame10(frame: Uint8Array): string {
  const performative = performativeOf(frame);
  if (performative === null) return frame[0] === HEADER ? "protocol header" : "heartbeat";
  const channel = `channel ${frameChannel(frame, 0)}`;
  const facts = Object.entries(performative).filter(
    ([name, value]) => name !== "type" && (typeof value === "number" || (typeof value === "string" && value !== "")),
  );
  const state = "state" in performative ? stateName(performative.state) : "";
  return [channel, performative.type, ...facts.map(([name, value]) => `${name} ${value}`), state].join(" ").trimEnd();
}

function stateName(state: unknown): string {
  return typeof state === "object" && state !== null && "type" in state ? String(state.type) : "";
}
