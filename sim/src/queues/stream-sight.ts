/** What one reader sees of a stream: fresh messages by rising offsets, from one connection to the next wherever its group stands. */
export class StreamSight {
  #last = -1;
  /** Connections that were lost since the place last changed otherwise than by going on. */
  #jumps = 0;

  connectionLost(): void {
    this.#jumps++;
  }

  /** A message comes for the first time. Returns what is wrong, or null. @param step `next`: every offset comes here; `later`: others have some */
  fresh(offset: number, step: "next" | "later"): string | null {
    const last = this.#last;
    this.#last = offset;
    const goesOn = step === "next" ? offset === last + 1 : offset > last;
    if (last < 0 || goesOn) return null;
    if (this.#jumps-- > 0) return null;
    this.#jumps = 0;
    return `offset ${offset} came after ${last} over one connection`;
  }
}
