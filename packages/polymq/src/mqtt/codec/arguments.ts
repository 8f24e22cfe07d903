/** Checks of what a caller asks an encoder to write: everything is refused before the first byte is written. */
import { MessagingError } from "../../base/errors.ts";
import type { TextCodec } from "../../bytes/text.ts";

/** Largest string or binary field (MQTT 5.0 §1.5.4 and §1.5.6). */
const FIELD_BYTES_MAX = 65_535;

/** An `ERR_INVALID_ARGUMENT` to throw. */
export function invalid(what: string): MessagingError {
  return new MessagingError("ERR_INVALID_ARGUMENT", what);
}

/**
 * Bytes that a string takes with its length in front. Refuses with `ERR_INVALID_ARGUMENT` what is no string, a lone surrogate
 * [MQTT-1.5.4-1], U+0000 [MQTT-1.5.4-2] and more than 65,535 bytes.
 */
export function stringBytes(text: TextCodec, value: unknown, what: string): number {
  if (typeof value !== "string") throw invalid(`${what} must be a string`);
  if (!value.isWellFormed()) throw invalid(`${what} must not contain a lone surrogate`);
  if (value.includes("\0")) throw invalid(`${what} must not contain U+0000`);
  const bytes = text.byteLength(value);
  if (bytes > FIELD_BYTES_MAX) throw invalid(`${what} of ${bytes} bytes, the limit is ${FIELD_BYTES_MAX}`);
  return 2 + bytes;
}

/** Bytes that binary data takes with its length in front; refuses others than `Uint8Array` and more than 65,535 bytes. */
export function binaryBytes(value: unknown, what: string): number {
  if (!(value instanceof Uint8Array)) throw invalid(`${what} must be a Uint8Array`);
  if (value.length > FIELD_BYTES_MAX)
    throw invalid(`${what} of ${value.length} bytes, the limit is ${FIELD_BYTES_MAX}`);
  return 2 + value.length;
}

/** Refuses an integer outside `least` to `most`. */
export function checkInteger(value: unknown, what: string, least: number, most: number): void {
  if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most) return;
  throw invalid(`${what} must be an integer within ${least} to ${most}`);
}

/** Refuses a QoS other than 0, 1 and 2 with `ERR_INVALID_QOS`. */
export function checkQoS(value: unknown): void {
  if (value === 0 || value === 1 || value === 2) return;
  throw new MessagingError("ERR_INVALID_QOS", `QoS must be 0, 1 or 2, not ${String(value)}`);
}

/** Refuses properties at level 4, where no packet has any. */
export function checkNoProperties(properties: object | null, what: string): void {
  if (properties !== null) throw invalid(`${what} has no properties in MQTT 3.1.1`);
}
