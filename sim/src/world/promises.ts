/** Keeps an eye on what was promised: which of it is still pending. */
export class Promises {
  readonly #pending = new Map<number, string>();
  #count = 0;

  /** Notes the promise and returns it; its rejection counts as handled. */
  track<T>(name: string, promise: Promise<T>): Promise<T> {
    const number = this.#count++;
    this.#pending.set(number, name);
    const done = (): void => void this.#pending.delete(number);
    promise.then(done, done);
    return promise;
  }

  /** Names of those that have not settled. */
  get pending(): string[] {
    return [...this.#pending.values()];
  }

  get count(): number {
    return this.#count;
  }
}
