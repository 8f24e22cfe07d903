/**
 * A copy of `bytes` that shares nothing with it. `bytes.slice()` is not enough where a caller may hand in a Node `Buffer`:
 * its `slice` gives a view.
 */
export function copyOf(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(bytes.length);
  copy.set(bytes);
  return copy;
}
