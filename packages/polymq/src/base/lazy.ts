import { MessagingError } from "./errors.ts";

/** Code that is there already, or what loads it: `() => import(...)`, which bundlers make a chunk of its own of. */
export type Source<Code> = { readonly loaded: Code } | { readonly load: () => Promise<Code> };

/** Makes a {@link Lazy} of what `make` makes of the code; at once where the code is there. */
export function lazy<Code, T>(source: Source<Code>, make: (code: Code) => T): Lazy<T> {
  return "loaded" in source
    ? new Lazy(make(source.loaded), null)
    : new Lazy<T>(null, async () => make(await source.load()));
}

/** The same code, loaded together with a part that it needs. */
export function after<Code>(source: Source<Code>, needed: Lazy<unknown>): Source<Code> {
  if ("loaded" in source) return source;
  return {
    load: async () => {
      const [code] = await Promise.all([source.load(), needed.load()]);
      return code;
    },
  };
}

/** A part of something whose code may have to be loaded first. */
export class Lazy<T> {
  #part: T | null;
  readonly #make: (() => Promise<T>) | null;
  #loading: Promise<T> | null = null;
  /** Calls that wait until it is loaded. */
  #waiting = 0;

  constructor(part: T | null, make: (() => Promise<T>) | null) {
    this.#part = part;
    this.#make = make;
  }

  /** The part, or null while it is not loaded. */
  get part(): T | null {
    return this.#part;
  }

  /** The part, for who knows that it is loaded. */
  get loaded(): T {
    if (this.#part === null) throw new TypeError("not loaded yet");
    return this.#part;
  }

  /**
   * Calls `call` with the part: at once where it is there, else when it is loaded. Calls run in the order in which they were made.
   * @throws {MessagingError} ERR_LOAD_FAILED with the cause; the next call tries again
   */
  use<R>(call: (part: T) => Promise<R>): Promise<R> {
    if (this.#part !== null) return call(this.#part);
    this.#waiting++;
    return this.#load().then(
      (part) => {
        // Not before those that wait have had their turn: a later call must not run first.
        if (--this.#waiting === 0) this.#part = part;
        return call(part);
      },
      (error: unknown) => {
        this.#waiting--;
        throw error;
      },
    );
  }

  /** Loads it, if it is not there. @throws {MessagingError} as `use` */
  async load(): Promise<void> {
    await this.use(() => Promise.resolve());
  }

  #load(): Promise<T> {
    this.#loading ??= this.#begin();
    return this.#loading;
  }

  async #begin(): Promise<T> {
    try {
      if (this.#make === null) throw new TypeError("nothing to load");
      return await this.#make();
    } catch (cause) {
      this.#loading = null;
      throw new MessagingError("ERR_LOAD_FAILED", "a part of the client could not be loaded", { cause });
    }
  }
}
