import { crc32 } from "node:zlib";

/** Bytes that {@link seal} puts in front of a value. */
export const SEAL_BYTES = 4;

/** A value with the CRC-32 of its key and itself in front, so that damage and a misplaced value are both noticed. */
export function seal(key: Uint8Array, value: Uint8Array): Uint8Array {
  const sealed = new Uint8Array(SEAL_BYTES + value.length);
  sealed.set(value, SEAL_BYTES);
  const sum = crc32(value, crc32(key));
  sealed[0] = sum >>> 24;
  sealed[1] = sum >>> 16;
  sealed[2] = sum >>> 8;
  sealed[3] = sum;
  return sealed;
}

/** The value inside a sealed one as a view, or null when it is damaged or belongs to another key. */
export function unseal(key: Uint8Array, sealed: Uint8Array): Uint8Array | null {
  if (sealed.length < SEAL_BYTES) return null;
  const value = sealed.subarray(SEAL_BYTES);
  const sum = crc32(value, crc32(key));
  const [a = 0, b = 0, c = 0, d = 0] = sealed;
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0 === sum ? value : null;
}
