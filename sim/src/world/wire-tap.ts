import { ByteReader, decodeMethod, FrameType, type Method, measureFrame } from "polymq/amqp091/codec";
import { type FrameMeasure, type FrameSink, Splitter, webText } from "polymq/internal";
import { measurePacket } from "polymq/mqtt/codec";
import { describeFrame10, measureFrame10 } from "./amqp10-frames.ts";
import { describePacket, PacketTap } from "./packet-tap.ts";

/** What is spoken on a link. */
export type Wire = "mqtt" | "amqp091" | "amqp10";

/** Reads along on one link, in both directions. */
export interface WireTap {
  /** Bytes that arrive there. */
  push(towards: "broker" | "client", chunk: Uint8Array): void;
}

/** No packet or frame of a simulation is larger. */
const PACKET_BYTES_MAX = 1_048_576;

/** How a link's bytes are cut into packets or frames. */
export function measureOf(wire: Wire): FrameMeasure {
  switch (wire) {
    case "mqtt":
      return measurePacket(PACKET_BYTES_MAX);
    case "amqp091":
      return measureFrame({ frameBytesMax: PACKET_BYTES_MAX });
    case "amqp10":
      return measureFrame10(PACKET_BYTES_MAX);
  }
}

/** Tells of each packet or frame in a few words. */
export function wireTap(wire: Wire, say: (what: string, towards: "broker" | "client") => void): WireTap {
  if (wire === "mqtt") return new PacketTap((packet, towards) => say(describePacket(packet), towards));
  const describe = wire === "amqp091" ? describeFrame : describeFrame10;
  const sink =
    (towards: "broker" | "client"): FrameSink =>
    (buffer, start, end) => {
      say(describe(buffer.slice(start, end)), towards);
      return true;
    };
  const splitters = {
    broker: new Splitter(measureOf(wire), sink("broker")),
    client: new Splitter(measureOf(wire), sink("client")),
  };
  return { push: (towards, chunk) => splitters[towards].push(chunk.slice()) };
}

function describeFrame(frame: Uint8Array): string {
  const channel = ((frame[1] ?? 0) << 8) | (frame[2] ?? 0);
  const payload = frame.subarray(7, -1);
  switch (frame[0]) {
    case FrameType.Method:
      return `channel ${channel} ${describeMethod(decodeMethod(new ByteReader(webText(), payload)))}`;
    case FrameType.Header:
      return `channel ${channel} header`;
    case FrameType.Body:
      return `channel ${channel} body ${new TextDecoder().decode(payload.subarray(0, 24))}`;
    case FrameType.Heartbeat:
      return "heartbeat";
    default:
      return "protocol header";
  }
}

/** The method with the arguments that tell one from another. */
function describeMethod(method: Method): string {
  const facts = Object.entries(method).filter(
    ([name, value]) => name !== "method" && (typeof value === "number" || (typeof value === "string" && value !== "")),
  );
  return [method.method, ...facts.map(([name, value]) => `${name} ${value}`)].join(" ");
}
