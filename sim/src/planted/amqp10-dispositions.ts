import { type DeliveryStateInput, frameChannel, type PerformativeInput, writeFrame } from "polymq/amqp10/codec";
import { ByteWriter, webText } from "polymq/internal";
import { performativeOf } from "../world/amqp10-frames.ts";
import type { PlantedFault } from "../world/planted-fault.ts";
import { changedFrames } from "./changed-frames.ts";

const ACCEPTED: DeliveryStateInput = { type: "accepted" };

/** Over AMQP 1.0 what a worker gives back counts as done. */
export const givenBackAsAccepted: PlantedFault = {
  name: "released and modified taken for accepted",
  connection: changedFrames("amqp10", (frame) => {
    const performative = performativeOf(frame);
    if (performative?.type !== "disposition" || !isGivenBack(performative.state)) return frame;
    return rewritten(frame, { ...performative, state: ACCEPTED });
  }),
};

/** Over AMQP 1.0 only the first delivery of a range is settled. */
export const rangeCutShort: PlantedFault = {
  name: "a range of dispositions cut short",
  connection: changedFrames("amqp10", (frame) => {
    const performative = performativeOf(frame);
    if (performative?.type !== "disposition" || performative.last === null) return frame;
    return rewritten(frame, { ...performative, last: null });
  }),
};

function isGivenBack(state: unknown): boolean {
  const type = typeof state === "object" && state !== null && "type" in state ? state.type : "";
  return type === "released" || type === "modified";
}

function rewritten(frame: Uint8Array, performative: PerformativeInput): Uint8Array {
  const writer = new ByteWriter(webText());
  writeFrame(writer, frameChannel(frame, 0), performative);
  return writer.copyFrom(0);
}
