// Hot path: runs per received message. No closure, promise, spread, iterator or regex here.

/** True when `bytes` are what stands in `buffer` at `start` up to `end`. */
export function sameBytes(bytes: Uint8Array, buffer: Uint8Array, start: number, end: number): boolean {
  const length = end - start;
  if (bytes.length !== length) return false;
  // From the end: names of one system differ there sooner than at the start.
  for (let i = length - 1; i >= 0; i--) {
    if (bytes[i] !== buffer[start + i]) return false;
  }
  return true;
}

/** A hash of the last 64 bytes at most: a long name's hash must not cost more than reading it. */
export function hashBytes(buffer: Uint8Array, start: number, end: number): number {
  let value = end - start;
  for (let i = Math.max(start, end - 64); i < end; i++) value = (Math.imul(value, 31) + (buffer[i] as number)) | 0;
  return value ^ (value >>> 15);
}
