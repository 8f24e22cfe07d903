// Hot path: runs per received message. No closure, promise, spread, iterator or regex here.
import { hashBytes, sameBytes } from "../../bytes/byte-match.ts";
import { ByteReader, malformed } from "../../bytes/reader.ts";
import type { TextCodec } from "../../bytes/text.ts";
import { validateTopicName } from "./topic.ts";

/** Entries that a {@link TopicDecoder} has room for unless told otherwise. */
export const DECODED_TOPICS_DEFAULT = 1_024;

/** Longest topic kept, in bytes: with the number of entries it bounds the memory. A longer one is decoded every time. */
const KEPT_BYTES_MAX = 512;

/** A topic name that was received and checked. */
export interface TopicEntry<T> {
  readonly topic: string;
  /** The topic's UTF-8, a copy of its own; it must not be changed. */
  readonly bytes: Uint8Array;
  /** Whatever the holder wants to find again with the topic, such as its routes; undefined at first and after eviction. */
  value: T | undefined;
}

/**
 * Turns the UTF-8 of received topic names into entries, and checks them. Seen topics cost a hash and a comparison, no string.
 * The cache has one place for each hash: of two topics that share a place the later one stays. One decoder may serve many
 * connections.
 */
export class TopicDecoder<T> {
  readonly #text: TextCodec;
  readonly #mask: number;
  #entries: (TopicEntry<T> | undefined)[] = [];
  #last: TopicEntry<T> | null = null;

  /** @param entriesMax entries kept at most, rounded up to a power of two */
  constructor(text: TextCodec, entriesMax: number = DECODED_TOPICS_DEFAULT) {
    this.#text = text;
    let places = 1;
    while (places < entriesMax) places *= 2;
    this.#mask = places - 1;
  }

  /**
   * The entry of the topic at `start` up to `end`. `ERR_MALFORMED_PACKET` when it is empty [MQTT-4.7.3-1], holds a wildcard
   * [MQTT-3.3.2-2] or U+0000 [MQTT-4.7.3-2], or is not well-formed UTF-8 [MQTT-1.5.4-1].
   */
  decode(buffer: Uint8Array, start: number, end: number): TopicEntry<T> {
    const last = this.#last;
    if (last !== null && sameBytes(last.bytes, buffer, start, end)) return last;
    const place = hashBytes(buffer, start, end) & this.#mask;
    const entry = this.#entries[place];
    if (entry !== undefined && sameBytes(entry.bytes, buffer, start, end)) {
      this.#last = entry;
      return entry;
    }
    return this.#miss(place, buffer.slice(start, end));
  }

  /** Forgets all entries and their values. */
  clear(): void {
    this.#entries = [];
    this.#last = null;
  }

  #miss(place: number, bytes: Uint8Array): TopicEntry<T> {
    const topic = new ByteReader(this.#text, bytes).utf8(bytes.length);
    const wrong = validateTopicName(topic);
    if (wrong !== null) throw malformed(wrong);
    const entry: TopicEntry<T> = { topic, bytes, value: undefined };
    if (bytes.length > KEPT_BYTES_MAX) return entry;
    // Filled on first use, so that a decoder nobody uses costs nothing.
    if (this.#entries.length === 0)
      this.#entries = new Array<TopicEntry<T> | undefined>(this.#mask + 1).fill(undefined);
    this.#entries[place] = entry;
    this.#last = entry;
    return entry;
  }
}
