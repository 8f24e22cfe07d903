// Hot path: runs per message of a queue. No closure, promise, spread, iterator or regex here.
import type { ByteReader } from "polymq/internal";
import type { MessageView } from "../../core/message.ts";
import type { EnqueueOptions, SettleOutcome } from "../../core/queues/queue-port.ts";
import { MQTT_ENCODING, propertyBytes } from "./property-block.ts";

/*
 * What user properties say about queues (MQTT 5.0 §3.3.2.3.7): to a queue `priority` and `deliver-after-ms`, in a settlement `message-id`, `group-id`,
 * `reason`, `delay-ms` and `delivery-count`. Blocks were checked when they came.
 */

/** The identifier of a user property. */
export const USER_PROPERTY = 0x26;

/** What a settlement says. */
export interface Settlement {
  readonly offset: number;
  readonly group: string;
  /** Which of the message's deliveries is meant, or null. */
  readonly deliveryCount: number | null;
  readonly outcome: SettleOutcome;
}

const ACK: SettleOutcome = Object.freeze({ is: "ack" });
const NACK: SettleOutcome = Object.freeze({ is: "nack" });

/** Reads what user properties say about queues. */
export class QueuePropertyReader {
  readonly #reader: ByteReader;

  /** @param reader for its own use */
  constructor(reader: ByteReader) {
    this.#reader = reader;
  }

  /** What a settlement says, or null when it does not name a delivery. */
  settlement(verb: "ack" | "nack" | "reject", message: MessageView): Settlement | null {
    const block = blockOf(message);
    if (block === null) return null;
    const id = this.#value(block, "message-id");
    const group = this.#value(block, "group-id");
    if (id === null || group === null) return null;
    const offset = whole(id.slice(id.lastIndexOf(":") + 1));
    if (offset === null) return null;
    const deliveryCount = whole(this.#value(block, "delivery-count"));
    return { offset, group, deliveryCount, outcome: this.#outcome(verb, block) };
  }

  /** How a message is to be enqueued; null for nothing special. A value that is no number counts as not given. */
  enqueueOptions(message: MessageView): EnqueueOptions | null {
    const block = blockOf(message);
    if (block === null) return null;
    const priority = whole(this.#value(block, "priority"));
    const deliverAfterMs = whole(this.#value(block, "deliver-after-ms"));
    if (priority === null && deliverAfterMs === null) return null;
    return { priority: priority ?? 0, deliverAfterMs: deliverAfterMs ?? 0 };
  }

  #outcome(verb: "ack" | "nack" | "reject", block: Uint8Array): SettleOutcome {
    if (verb === "ack") return ACK;
    if (verb === "reject") return { is: "reject", detail: this.#value(block, "reason") ?? "" };
    const delayMs = whole(this.#value(block, "delay-ms"));
    return delayMs === null ? NACK : { is: "nack", delayMs };
  }

  /** The value of the last user property of that name (ASCII), or null. */
  #value(block: Uint8Array, name: string): string | null {
    let found = -1;
    for (let at = 0; at < block.length; at += propertyBytes(block, at)) {
      if (block[at] === USER_PROPERTY && isNamed(block, at, name)) found = at;
    }
    if (found < 0) return null;
    const reader = this.#reader;
    reader.reset(block, found + 3 + name.length, block.length);
    return reader.string16();
  }
}

function blockOf(message: MessageView): Uint8Array | null {
  return message.encoding === MQTT_ENCODING ? message.properties : null;
}

/** Whether the user property at `at` has this name (ASCII). */
export function isNamed(block: Uint8Array, at: number, name: string): boolean {
  const length = ((block[at + 1] as number) << 8) | (block[at + 2] as number);
  if (length !== name.length) return false;
  for (let i = 0; i < length; i++) if (block[at + 3 + i] !== name.charCodeAt(i)) return false;
  return true;
}

/** A whole number of 0 or more in decimal digits; null for anything else. */
function whole(digits: string | null): number | null {
  if (digits === null || digits.length === 0 || digits.length > 16) return null;
  let number = 0;
  for (let i = 0; i < digits.length; i++) {
    const digit = digits.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return null;
    number = number * 10 + digit;
  }
  return Number.isSafeInteger(number) ? number : null;
}
