import { MessagingError } from "polymq/internal";

/** Bounds of a whole number, both included, and what stands for a missing one. */
export interface IntegerRule {
  readonly least: number;
  readonly most: number;
  readonly otherwise: number;
}

/** Reads the fields of one options object, each by its rule; what is wrong is named by its full path. `undefined` counts as missing. */
export class OptionReader {
  readonly #path: string;
  readonly #fields: ReadonlyMap<string, unknown>;
  readonly #read = new Set<string>();

  /**
   * @param path of the object itself, or "" for the outermost
   * @throws {MessagingError} ERR_INVALID_OPTIONS when `value` is no object
   */
  constructor(value: unknown, path: string) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw invalid(path === "" ? "options" : path, "must be an object");
    }
    this.#path = path;
    this.#fields = new Map(Object.entries(value));
  }

  /** The field's full path, for messages. */
  pathOf(name: string): string {
    return this.#path === "" ? name : `${this.#path}.${name}`;
  }

  has(name: string): boolean {
    return this.#fields.get(name) !== undefined;
  }

  /** The field as it is; the caller checks it. */
  value(name: string): unknown {
    this.#read.add(name);
    return this.#fields.get(name);
  }

  integer(name: string, rule: IntegerRule): number {
    const value = this.value(name) ?? rule.otherwise;
    if (typeof value !== "number" || !Number.isInteger(value) || value < rule.least || value > rule.most) {
      throw this.invalid(name, `must be a whole number from ${rule.least} to ${rule.most}`);
    }
    return value;
  }

  /** `value` is not repeated in the message: it may be a secret. */
  text(name: string): string | null {
    const value = this.value(name) ?? null;
    if (value !== null && typeof value !== "string") throw this.invalid(name, "must be a text");
    return value;
  }

  flag(name: string, otherwise: "yes" | "no"): boolean {
    const value = this.value(name) ?? otherwise === "yes";
    if (typeof value !== "boolean") throw this.invalid(name, "must be true or false");
    return value;
  }

  oneOf<T extends string>(name: string, choices: readonly T[], otherwise: T): T {
    const value = this.value(name) ?? otherwise;
    const choice = choices.find((candidate) => candidate === value);
    if (choice === undefined) throw this.invalid(name, `must be one of ${choices.join(", ")}`);
    return choice;
  }

  /** A list of texts that are not empty, frozen; null when it is missing. */
  texts(name: string): readonly string[] | null {
    const value = this.value(name);
    if (value === undefined) return null;
    if (!Array.isArray(value) || !value.every((item) => typeof item === "string" && item !== "")) {
      throw this.invalid(name, "must be a list of texts");
    }
    return Object.freeze([...value]);
  }

  /** A list of anything; null when it is missing. */
  list(name: string): readonly unknown[] | null {
    const value = this.value(name);
    if (value === undefined) return null;
    if (!Array.isArray(value)) throw this.invalid(name, "must be a list");
    return value;
  }

  /** A function, whose form the caller trusts; null when it is missing. */
  function<T>(name: string): T | null {
    const value = this.value(name);
    if (value === undefined) return null;
    if (typeof value !== "function") throw this.invalid(name, "must be a function");
    return value as T;
  }

  /** The reader of a nested object; an empty one when it is missing. */
  nested(name: string): OptionReader {
    return new OptionReader(this.value(name) ?? {}, this.pathOf(name));
  }

  /** To be called once everything was read. @throws {MessagingError} ERR_INVALID_OPTIONS for a field that nobody asked for */
  done(): void {
    for (const [name, value] of this.#fields) {
      if (value !== undefined && !this.#read.has(name)) throw invalid(this.pathOf(name), "is no known option");
    }
  }

  /** The error that names a field. */
  invalid(name: string, what: string): MessagingError {
    return invalid(this.pathOf(name), what);
  }
}

function invalid(path: string, what: string): MessagingError {
  return new MessagingError("ERR_INVALID_OPTIONS", `${path}: ${what}`);
}
