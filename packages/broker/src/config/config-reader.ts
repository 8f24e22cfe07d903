import { MessagingError } from "polymq/internal";
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument } from "yaml";
import type { KnownKeys } from "./config-sections.ts";
import { parseAddress, parseBytes, parseDuration } from "./go-values.ts";
import { nearestWord } from "./nearest-word.ts";

/** A parsed file, for the places in error messages. */
interface Source {
  readonly file: string;
  readonly lines: LineCounter;
}

type Value = Node | null;

/** The longest file that is read: a configuration of ten thousand queues is shorter. */
const CONFIG_LENGTH_MAX = 16_777_216;

/**
 * The reader of a YAML file's outermost mapping.
 * @param file the name for error messages
 * @throws {MessagingError} ERR_INVALID_OPTIONS with file, line and column in front, for what is no YAML, or no mapping
 */
export function readConfigText(text: string, file: string): ConfigReader {
  const lines = new LineCounter();
  if (text.length > CONFIG_LENGTH_MAX) throw invalid(`${file}: longer than ${CONFIG_LENGTH_MAX} characters`);
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const source = { file, lines };
  const [error] = document.errors;
  if (error !== undefined) throw failure(source, error.pos[0], error.message);
  return new ConfigReader(source, document.contents, "", 0);
}

/** Reads the keys of one YAML mapping, each by its rule; what is wrong is named by file, line, column and path. */
export class ConfigReader {
  readonly #source: Source;
  readonly #path: string;
  readonly #start: number;
  readonly #pairs = new Map<string, { readonly at: number; readonly value: Value }>();
  readonly #read = new Set<string>();

  /** A missing value, or one that is null, is an empty mapping. */
  constructor(source: Source, node: Value, path: string, start: number) {
    this.#source = source;
    this.#path = path;
    this.#start = node?.range?.[0] ?? start;
    if (isEmpty(node)) return;
    if (!isMap(node)) throw failure(source, this.#start, `${path === "" ? "the file" : path}: must be a mapping`);
    for (const pair of node.items as Pair<Node, Value>[]) {
      const at = pair.key.range?.[0] ?? this.#start;
      if (!isScalar(pair.key)) throw failure(source, at, "a key must be a word");
      this.#pairs.set(String(pair.key.value), { at, value: pair.value });
    }
  }

  /** True when the key is there with a value. */
  has(name: string): boolean {
    return !isEmpty(this.#pairs.get(name)?.value ?? null);
  }

  map(name: string): ConfigReader {
    return new ConfigReader(this.#source, this.#value(name), this.#pathOf(name), this.#at(name));
  }

  /** The mappings in a list; none when it is missing. */
  maps(name: string): readonly ConfigReader[] {
    return this.#items(name).map(
      (item, i) => new ConfigReader(this.#source, item, `${this.#pathOf(name)}[${i}]`, this.#at(name)),
    );
  }

  texts(name: string): readonly string[] | undefined {
    if (!this.has(name)) return this.ignore(name);
    return this.#items(name).map((item) => {
      if (isScalar(item) && typeof item.value === "string") return item.value;
      throw this.#failure(item?.range?.[0] ?? this.#at(name), this.#pathOf(name), "must be a list of texts");
    });
  }

  /** A text that is not empty; "" counts as missing. */
  text(name: string): string | undefined {
    const value = this.#scalar(name);
    if (value === undefined || value === "") return undefined;
    if (typeof value !== "string") throw this.invalid(name, "must be a text");
    return value;
  }

  number(name: string): number | undefined {
    const value = this.#scalar(name);
    if (value !== undefined && typeof value !== "number") throw this.invalid(name, "must be a number");
    return value;
  }

  /** A whole number in a range, as the broker's options have it. */
  whole(name: string, least: number, most: number): number | undefined {
    const value = this.number(name);
    if (value === undefined || (Number.isInteger(value) && value >= least && value <= most)) return value;
    throw this.invalid(name, `must be a whole number from ${least} to ${most}`);
  }

  flag(name: string): boolean | undefined {
    const value = this.#scalar(name);
    if (value !== undefined && typeof value !== "boolean") throw this.invalid(name, "must be true or false");
    return value;
  }

  oneOf<T extends string>(name: string, choices: readonly T[]): T | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const choice = choices.find((candidate) => candidate === value);
    if (choice === undefined) throw this.invalid(name, `must be one of ${choices.join(", ")}`);
    return choice;
  }

  /** Whole milliseconds of a duration such as `5s`. */
  duration(name: string, most: number = Number.MAX_SAFE_INTEGER): number | undefined {
    const value = this.#parsed(name, parseDuration, "must be a duration such as 500ms, 5s or 1h30m");
    if (value === undefined || value <= most) return value;
    throw this.invalid(name, `must be ${most} ms at most`);
  }

  /** Bytes, as a number or such as `10MiB`. */
  bytes(name: string, least = 0, most: number = Number.MAX_SAFE_INTEGER): number | undefined {
    const value = this.#parsed(name, parseBytes, "must be bytes such as 1048576, 10MB or 10MiB");
    if (value === undefined || (value >= least && value <= most)) return value;
    throw this.invalid(name, `must be ${least} to ${most} bytes`);
  }

  address(name: string): { readonly host: string; readonly port: number } | undefined {
    return this.#parsed(name, parseAddress, "must be an address such as :1883 or 127.0.0.1:1883");
  }

  /** Keys that are known and mean nothing to this broker, with all below them. */
  ignore(...names: readonly string[]): undefined {
    for (const name of names) this.#read.add(name);
  }

  /** The same for a section whose known keys are listed: others in it are still errors. @throws {MessagingError} ERR_INVALID_OPTIONS */
  passOver(known: KnownKeys): undefined {
    for (const [name, below] of Object.entries(known)) {
      if (below === "any") this.ignore(name);
      else if (isList(below)) for (const each of this.maps(name)) each.onlyHas(below[0]);
      else this.map(name).onlyHas(below);
    }
  }

  /** {@link passOver}, and there is nothing else. */
  onlyHas(known: KnownKeys): void {
    this.passOver(known);
    this.done();
  }

  /** To be called once everything was read. @throws {MessagingError} ERR_INVALID_OPTIONS for a key that nobody asked for */
  done(): void {
    for (const [name, { at }] of this.#pairs) {
      if (this.#read.has(name)) continue;
      const near = nearestWord(name, this.#read);
      const hint = near === null ? `known are ${[...this.#read].sort().join(", ")}` : `did you mean ${near}?`;
      throw failure(this.#source, at, `${this.#pathOf(name)}: is no known key; ${hint}`);
    }
  }

  /** The error that names a key, at the place of its value; "" names the mapping itself. */
  invalid(name: string, what: string): MessagingError {
    const value = this.#pairs.get(name)?.value ?? null;
    const at = name === "" ? this.#start : isEmpty(value) ? this.#at(name) : (value?.range?.[0] ?? this.#at(name));
    return this.#failure(at, name === "" ? this.#path : this.#pathOf(name), what);
  }

  #failure(at: number, path: string, what: string): MessagingError {
    return failure(this.#source, at, `${path}: ${what}`);
  }

  #pathOf(name: string): string {
    return this.#path === "" ? name : `${this.#path}.${name}`;
  }

  #at(name: string): number {
    return this.#pairs.get(name)?.at ?? this.#start;
  }

  #value(name: string): Value {
    this.#read.add(name);
    const value = this.#pairs.get(name)?.value ?? null;
    if (isAlias(value)) throw this.invalid(name, "aliases are not supported");
    return value;
  }

  #scalar(name: string): unknown {
    const value = this.#value(name);
    if (isEmpty(value)) return undefined;
    if (!isScalar(value)) throw this.invalid(name, "must be a single value");
    return value.value;
  }

  #items(name: string): readonly Value[] {
    const value = this.#value(name);
    if (isEmpty(value)) return [];
    if (!isSeq(value)) throw this.invalid(name, "must be a list");
    return value.items as Value[];
  }

  #parsed<T>(name: string, parse: (text: string) => T | null, what: string): T | undefined {
    const value = this.#scalar(name);
    if (value === undefined || value === "") return undefined;
    const parsed = typeof value === "string" || typeof value === "number" ? parse(String(value)) : null;
    if (parsed === null) throw this.invalid(name, what);
    return parsed;
  }
}

function isList(known: KnownKeys | readonly [KnownKeys]): known is readonly [KnownKeys] {
  return Array.isArray(known);
}

function isEmpty(node: Value): boolean {
  return node === null || (isScalar(node) && node.value === null);
}

function failure(source: Source, at: number, what: string): MessagingError {
  const { line, col } = source.lines.linePos(at);
  return invalid(`${source.file}:${line}:${col}: ${what}`);
}

function invalid(what: string): MessagingError {
  return new MessagingError("ERR_INVALID_OPTIONS", what);
}
