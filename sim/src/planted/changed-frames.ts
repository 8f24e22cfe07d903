import { Splitter } from "polymq/internal";
import type { PlantedFault } from "../world/planted-fault.ts";
import { measureOf, type Wire } from "../world/wire-tap.ts";

/** Bytes of AMQP's protocol header, and its first byte, with which nothing else begins. */
const HEADER_BYTES = 8;
const HEADER_FIRST = 0x41;
/** The byte of the header in which the versions differ: 0 before 0-9-1, 1 before 1.0. */
const MAJOR_AT = 5;

/** Changes the frames that clients of one version of AMQP send; all else passes as it is. */
export function changedFrames(
  wire: Exclude<Wire, "mqtt">,
  change: (frame: Uint8Array) => Uint8Array,
): NonNullable<PlantedFault["connection"]> {
  return (attach) => (handler) => {
    const frames = new Splitter(measureOf(wire), (buffer, start, end) => {
      handler.onBytes(change(buffer.slice(start, end)));
      return true;
    });
    let state: "unknown" | "changed" | "passed" = "unknown";
    let first = new Uint8Array(0);
    return attach({
      onBytes: (chunk) => {
        let bytes = chunk;
        if (state === "unknown") {
          first = joined(first, chunk);
          if (first[0] === HEADER_FIRST && first.length < HEADER_BYTES) return;
          const major = first[0] === HEADER_FIRST ? first[MAJOR_AT] : -1;
          state = major === (wire === "amqp10" ? 1 : 0) ? "changed" : "passed";
          bytes = first;
        }
        if (state === "changed") frames.push(bytes);
        else handler.onBytes(bytes);
      },
      onDrain: () => handler.onDrain(),
      onClosed: (error) => handler.onClosed(error),
    });
  };
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
