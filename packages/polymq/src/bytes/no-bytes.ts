/** No bytes at all. Shared: making one costs more than much that holds it. */
export const NO_BYTES: Uint8Array = new Uint8Array(0);
