/** Messages cycle through this many different payloads, so that a lost, doubled or swapped message shows as a wrong byte. */
export const PAYLOAD_CYCLE = 8;

/** The payloads of a benchmark: the first byte is the place in the cycle, the rest is noise, the same in every process. */
export function makePayloads(size: number): Uint8Array[] {
  return Array.from({ length: PAYLOAD_CYCLE }, (_, place) => {
    const payload = new Uint8Array(size);
    let noise = 0x9e3779b9 ^ place;
    for (let index = 1; index < size; index += 1) {
      noise ^= noise << 13;
      noise ^= noise >>> 17;
      noise ^= noise << 5;
      payload[index] = noise & 0xff;
    }
    payload[0] = place;
    return payload;
  });
}
