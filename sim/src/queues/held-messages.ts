interface Holding {
  readonly member: object;
  readonly sinceMs: number;
}

/** Who has which message of a group in hand, as the group gives them and takes them back: no message is with two members at once. */
export class HeldMessages {
  readonly #timeoutMs: number;
  readonly #held = new Map<number, Holding>();

  /** @param timeoutMs after which the group takes a message back; 0: never */
  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** A member is given a message; false when another one has it. */
  given(offset: number, holding: Holding): boolean {
    const before = this.#held.get(offset);
    this.#held.set(offset, holding);
    if (before === undefined || before.member === holding.member) return true;
    return this.#timeoutMs > 0 && holding.sinceMs - before.sinceMs >= this.#timeoutMs;
  }

  /** A member gives a message back. Returns what takes that back, for when the group does not let it. */
  givenBack(offset: number, member: object): () => void {
    const holding = this.#held.get(offset);
    if (holding?.member !== member) return () => undefined;
    this.#held.delete(offset);
    return () => {
      if (!this.#held.has(offset)) this.#held.set(offset, holding);
    };
  }

  /** A member leaves, or gives back all that it has. */
  left(member: object): void {
    for (const [offset, holding] of this.#held) if (holding.member === member) this.#held.delete(offset);
  }

  /** The broker is another one: nobody has anything in hand. */
  clear(): void {
    this.#held.clear();
  }
}
