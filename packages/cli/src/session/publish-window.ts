/** Publishes under way, so many at a time; the first that fails ends it. */
export class PublishWindow {
  readonly #limit: number;
  readonly #pending = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | null = null;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Takes one more; resolves when there is room for the next. @throws what the first failed one rejected with */
  async add(publish: Promise<unknown>): Promise<void> {
    const entry: Promise<void> = publish.then(
      () => void this.#pending.delete(entry),
      (error: unknown) => {
        this.#pending.delete(entry);
        this.#failure ??= { error };
      },
    );
    this.#pending.add(entry);
    while (this.#pending.size >= this.#limit) await Promise.race(this.#pending);
    this.#check();
  }

  /** Resolves when all are done. @throws as `add` */
  async done(): Promise<void> {
    await Promise.all(this.#pending);
    this.#check();
  }

  #check(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }
}
