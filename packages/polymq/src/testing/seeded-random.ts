/**
 * A reproducible stand-in for `Math.random`: the same seed gives the same numbers on every runtime (xorshift with 32 bits of state).
 * Not for secrets.
 */
export function seededRandom(seed: number): () => number {
  // Neighbouring seeds must not give neighbouring numbers, and a state of 0 would stay 0.
  let state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 4_294_967_296;
  };
}

/** A whole number in [least, most], drawn with `random`. */
export function randomInteger(random: () => number, least: number, most: number): number {
  return least + Math.floor(random() * (most - least + 1));
}
