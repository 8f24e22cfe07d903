import type { PlantedFault } from "../world/planted-fault.ts";
import { changedFrames } from "./changed-frames.ts";

/** Class and method of `basic.nack` in a frame. */
const NACK = [0, 60, 0, 120] as const;
const METHOD_AT = 7;
/** Last byte of the method of `basic.ack`; it takes what `basic.nack` says after it as well. */
const ACK = 80;

/** Over AMQP 0-9-1 what a worker gives back counts as done. */
export const nackAsAck: PlantedFault = {
  name: "basic.nack taken for basic.ack",
  connection: changedFrames("amqp091", (frame) => {
    if (frame[0] === 1 && NACK.every((byte, i) => frame[METHOD_AT + i] === byte)) frame[METHOD_AT + 3] = ACK;
    return frame;
  }),
};
