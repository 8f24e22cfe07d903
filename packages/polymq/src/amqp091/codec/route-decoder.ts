// Hot path: runs per received message. No closure, promise, spread, iterator or regex here.
import { hashBytes, sameBytes } from "../../bytes/byte-match.ts";
import { copyOf } from "../../bytes/copy.ts";
import { ByteReader } from "../../bytes/reader.ts";
import type { TextCodec } from "../../bytes/text.ts";
import { readShortString } from "./strings.ts";

/** Entries that a {@link RouteDecoder} has room for unless told otherwise. */
export const DECODED_ROUTES_DEFAULT = 1_024;

/** An exchange and a routing key that were received and checked. */
export interface RouteEntry<T> {
  readonly exchange: string;
  readonly routingKey: string;
  /** Both as short strings one after the other, as `writeDeliver` takes them; a copy of its own that must not be changed. */
  readonly bytes: Uint8Array;
  /** Whatever the holder wants to find again with the route; undefined at first and after eviction. */
  value: T | undefined;
}

/** A name, such as a consumer tag, that was received and checked. */
export interface NameEntry<T> {
  readonly name: string;
  /** The name as a short string, with its length octet. */
  readonly bytes: Uint8Array;
  value: T | undefined;
}

/** The cache behind both decoders: one place for each hash; of two that share a place the later one stays. */
class EntryCache<Entry extends { readonly bytes: Uint8Array }> {
  readonly mask: number;
  #entries: (Entry | undefined)[] = [];
  #last: Entry | undefined = undefined;

  constructor(entriesMax: number) {
    let places = 1;
    while (places < entriesMax) places *= 2;
    this.mask = places - 1;
  }

  find(buffer: Uint8Array, start: number, end: number): Entry | undefined {
    const last = this.#last;
    if (last !== undefined && sameBytes(last.bytes, buffer, start, end)) return last;
    const entry = this.#entries[hashBytes(buffer, start, end) & this.mask];
    if (entry === undefined || !sameBytes(entry.bytes, buffer, start, end)) return undefined;
    this.#last = entry;
    return entry;
  }

  keep(entry: Entry): void {
    // Filled on first use, so that a decoder nobody uses costs nothing.
    if (this.#entries.length === 0) this.#entries = new Array<Entry | undefined>(this.mask + 1).fill(undefined);
    this.#entries[hashBytes(entry.bytes, 0, entry.bytes.length) & this.mask] = entry;
    this.#last = entry;
  }

  clear(): void {
    this.#entries = [];
    this.#last = undefined;
  }
}

/** Turns received exchanges and routing keys into entries. Seen ones cost a hash and a comparison, no string. One may serve many connections. */
export class RouteDecoder<T> {
  readonly #text: TextCodec;
  readonly #cache: EntryCache<RouteEntry<T>>;

  /** @param entriesMax entries kept at most, rounded up to a power of two; each holds at most 512 bytes */
  constructor(text: TextCodec, entriesMax: number = DECODED_ROUTES_DEFAULT) {
    this.#text = text;
    this.#cache = new EntryCache(entriesMax);
  }

  /** The entry of the two short strings that fill `start` up to `end`. `ERR_MALFORMED_PACKET` (502) when they are ill-formed. */
  decode(buffer: Uint8Array, start: number, end: number): RouteEntry<T> {
    const found = this.#cache.find(buffer, start, end);
    if (found !== undefined) return found;
    const bytes = copyOf(buffer.subarray(start, end));
    const r = new ByteReader(this.#text, bytes);
    const entry: RouteEntry<T> = {
      exchange: readShortString(r),
      routingKey: readShortString(r),
      bytes,
      value: undefined,
    };
    this.#cache.keep(entry);
    return entry;
  }

  /** Forgets all entries and their values. */
  clear(): void {
    this.#cache.clear();
  }
}

/** The same for single names. */
export class NameDecoder<T> {
  readonly #text: TextCodec;
  readonly #cache: EntryCache<NameEntry<T>>;

  /** @param entriesMax entries kept at most, rounded up to a power of two; each holds at most 256 bytes */
  constructor(text: TextCodec, entriesMax: number) {
    this.#text = text;
    this.#cache = new EntryCache(entriesMax);
  }

  /** The entry of the short string that fills `start` up to `end`. `ERR_MALFORMED_PACKET` (502) when it is ill-formed. */
  decode(buffer: Uint8Array, start: number, end: number): NameEntry<T> {
    const found = this.#cache.find(buffer, start, end);
    if (found !== undefined) return found;
    const bytes = copyOf(buffer.subarray(start, end));
    const entry: NameEntry<T> = { name: readShortString(new ByteReader(this.#text, bytes)), bytes, value: undefined };
    this.#cache.keep(entry);
    return entry;
  }

  /** Forgets all entries and their values. */
  clear(): void {
    this.#cache.clear();
  }
}
