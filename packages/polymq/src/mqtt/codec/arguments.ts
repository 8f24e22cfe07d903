/** Checks of what a caller asks an encoder to write: everything is refused before the first byte is written. */
import { MessagingError } from "../../base/errors.ts";
import type { ByteWriter } from "../../bytes/writer.ts";
import type { QoS } from "./packets.ts";

/** Largest string or binary field (MQTT 5.0 §1.5.4 and §1.5.6). */
const FIELD_BYTES_MAX = 65_535;

/** An `ERR_INVALID_ARGUMENT` to throw. */
export function invalid(what: string): MessagingError {
  return new MessagingError("ERR_INVALID_ARGUMENT", what);
}

/**
 * Writes a string with its length in front, making room for it. Refuses with `ERR_INVALID_ARGUMENT` what is no string, a lone
 * surrogate [MQTT-1.5.4-1], U+0000 [MQTT-1.5.4-2] and more than 65,535 bytes.
 */
export function putString(w: ByteWriter, value: unknown, what: string): void {
  if (typeof value !== "string") throw invalid(`${what} must be a string`);
  if (!value.isWellFormed()) throw invalid(`${what} must not contain a lone surrogate`);
  if (value.includes("\0")) throw invalid(`${what} must not contain U+0000`);
  const bytes = w.text.byteLength(value);
  if (bytes > FIELD_BYTES_MAX) throw tooLong(what, bytes);
  w.reserve(2 + bytes);
  w.string16(value);
}

/** Writes binary data with its length in front, making room for them; refuses others than `Uint8Array` and more than 65,535 bytes. */
export function putBinary(w: ByteWriter, value: unknown, what: string): void {
  if (!(value instanceof Uint8Array)) throw invalid(`${what} must be a Uint8Array`);
  if (value.length > FIELD_BYTES_MAX) throw tooLong(what, value.length);
  w.reserve(2 + value.length);
  w.bytes16(value);
}

function tooLong(what: string, bytes: number): MessagingError {
  return invalid(`${what} of ${bytes} bytes, the limit is ${FIELD_BYTES_MAX}`);
}

/** Refuses an integer outside `least` to `most`. */
export function checkInteger(value: unknown, what: string, least: number, most: number): asserts value is number {
  if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most) return;
  throw invalid(`${what} must be an integer within ${least} to ${most}`);
}

/** Refuses a QoS other than 0, 1 and 2 with `ERR_INVALID_QOS`. */
export function checkQoS(value: unknown): asserts value is QoS {
  if (value === 0 || value === 1 || value === 2) return;
  throw new MessagingError("ERR_INVALID_QOS", `QoS must be 0, 1 or 2, not ${String(value)}`);
}

/** Refuses properties at level 4, where no packet has any. */
export function checkNoProperties(properties: object | null, what: string): void {
  if (properties !== null) throw invalid(`${what} has no properties in MQTT 3.1.1`);
}

/** Throws what is wrong with a topic name or filter, if anything is, as `ERR_INVALID_TOPIC`. */
export function checkTopic(wrong: string | null, what?: string): void {
  if (wrong !== null) throw new MessagingError("ERR_INVALID_TOPIC", what === undefined ? wrong : `${what}: ${wrong}`);
}
