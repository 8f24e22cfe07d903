// Hot path: runs per acknowledgement. No closure, promise, spread, iterator or regex here.
import { safeU64At } from "./integers.ts";

/** Payload bytes of `basic.ack`, `basic.nack` and `basic.reject`: class and method, delivery tag, bits. */
const PAYLOAD_BYTES = 13;

/** What an acknowledgement does. */
export type Settlement = "ack" | "nack" | "reject";

/**
 * Reads `basic.ack`, `basic.nack` and `basic.reject` in place, as the method table would. One object serves a connection; it is
 * overwritten by the next.
 */
export class AckReader {
  settlement: Settlement = "ack";
  deliveryTag = 0;
  multiple = false;
  /** nack, reject */
  requeue = false;

  /** False when the payload is another method, or not exactly as long as it must be: the table's decoder says what is wrong. */
  read(buffer: Uint8Array, start: number, end: number): boolean {
    if (end - start !== PAYLOAD_BYTES || buffer[start] !== 0 || buffer[start + 1] !== 60 || buffer[start + 2] !== 0)
      return false;
    const bits = buffer[start + 12] as number;
    switch (buffer[start + 3]) {
      case 80:
        this.settlement = "ack";
        this.multiple = (bits & 1) !== 0;
        this.requeue = false;
        break;
      case 120:
        this.settlement = "nack";
        this.multiple = (bits & 1) !== 0;
        this.requeue = (bits & 2) !== 0;
        break;
      case 90:
        this.settlement = "reject";
        this.multiple = false;
        this.requeue = (bits & 1) !== 0;
        break;
      default:
        return false;
    }
    this.deliveryTag = safeU64At(buffer, start + 4);
    return true;
  }
}
