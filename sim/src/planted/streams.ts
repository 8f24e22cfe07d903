import type { PlantedFault } from "../world/planted-fault.ts";
import { changedFrames } from "./changed-frames.ts";

const OFFSET = new TextEncoder().encode("x-offset");
/** A text of fewer than 256 bytes, and "0" to "8" in one. */
const STRING = 0xa1;
const ZERO = 0x30;
const EIGHT = 0x38;

/** Over AMQP 1.0 a stream's group commits the offset behind the one that was said. */
export const commitTooFar: PlantedFault = {
  name: "a commit one too far",
  connection: changedFrames("amqp10", (frame) => {
    const at = placeOf(OFFSET, frame) + OFFSET.length;
    if (at < OFFSET.length || frame[at] !== STRING) return frame;
    const last = at + 1 + (frame[at + 1] ?? 0);
    const digit = frame[last] ?? 0;
    if (digit >= ZERO && digit <= EIGHT) frame[last] = digit + 1;
    return frame;
  }),
};

/** Now and then a reader of a stream over AMQP 1.0 gets a message behind the next one. */
export const overtakenInStream: PlantedFault = {
  name: "a message of a stream overtaken",
  broker: (broker, world) => {
    const { directory } = broker.hub.queues;
    const join = directory.join.bind(directory);
    directory.join = (queue, request) => {
      const { consumer } = request;
      if (queue.settings.kind !== "stream" || !request.group.startsWith("s")) return join(queue, request);
      type Delivery = Parameters<typeof consumer.deliver>[0];
      let late: Delivery | null = null;
      const deliver = (delivery: Delivery): void => {
        if (late === null && world.chance.happens(0.05)) {
          late = delivery;
          return;
        }
        consumer.deliver(delivery);
        if (late !== null) consumer.deliver(late);
        late = null;
      };
      const swapping = {
        id: consumer.id,
        get credit() {
          return consumer.credit;
        },
        deliver,
        onCancelled: consumer.onCancelled.bind(consumer),
      };
      return join(queue, { ...request, consumer: swapping });
    };
  },
};

function placeOf(wanted: Uint8Array, bytes: Uint8Array): number {
  for (let at = 0; at + wanted.length <= bytes.length; at++) {
    if (wanted.every((byte, i) => bytes[at + i] === byte)) return at;
  }
  return -1;
}
