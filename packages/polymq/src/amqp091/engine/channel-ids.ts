/** Channel numbers of a client, 1 up to channel-max; one is free again when both sides have closed it. */
export class ChannelIds {
  #max = 0;
  #next = 1;
  readonly #free: number[] = [];

  /** The negotiated channel-max. */
  open(max: number): void {
    this.#max = max;
  }

  /** A free number, or 0 when there is none. */
  take(): number {
    const freed = this.#free.pop();
    if (freed !== undefined) return freed;
    return this.#next > this.#max ? 0 : this.#next++;
  }

  give(id: number): void {
    this.#free.push(id);
  }
}
