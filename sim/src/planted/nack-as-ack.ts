import { Splitter } from "polymq/internal";
import type { PlantedFault } from "../world/planted-fault.ts";
import { measureOf } from "../world/wire-tap.ts";

/** First byte of a connection that speaks AMQP. */
const PROTOCOL_HEADER = 0x41;
/** Class and method of `basic.nack` in a frame. */
const NACK = [0, 60, 0, 120] as const;
const METHOD_AT = 7;
/** Last byte of the method of `basic.ack`; it takes what `basic.nack` says after it as well. */
const ACK = 80;

/** Over AMQP 0-9-1 what a worker gives back counts as done. */
export const nackAsAck: PlantedFault = {
  name: "basic.nack taken for basic.ack",
  connection: (attach) => (handler) => {
    const frames = new Splitter(measureOf("amqp091"), (buffer, start, end) => {
      const frame = buffer.slice(start, end);
      if (frame[0] === 1 && NACK.every((byte, i) => frame[METHOD_AT + i] === byte)) frame[METHOD_AT + 3] = ACK;
      handler.onBytes(frame);
      return true;
    });
    let isAmqp: boolean | null = null;
    return attach({
      onBytes: (chunk) => {
        isAmqp ??= chunk[0] === PROTOCOL_HEADER;
        if (isAmqp) frames.push(chunk);
        else handler.onBytes(chunk);
      },
      onDrain: () => handler.onDrain(),
      onClosed: (error) => handler.onClosed(error),
    });
  },
};
