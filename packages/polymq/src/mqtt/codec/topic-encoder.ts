// Hot path: runs per published message. No closure, promise, spread, iterator or regex here.
import { NO_BYTES } from "../../bytes/no-bytes.ts";
import type { TextCodec } from "../../bytes/text.ts";
import { checkTopic } from "./arguments.ts";
import { validateTopicName } from "./topic.ts";

/** Topics that a {@link TopicEncoder} keeps unless told otherwise. */
export const ENCODED_TOPICS_DEFAULT = 1_024;

/** Longest topic kept, in UTF-16 units: with the count it bounds the memory. A longer one is encoded every time. */
const KEPT_UNITS_MAX = 512;

/**
 * Turns topic names into the UTF-8 that `writePublish` takes, and checks them. What it has seen it keeps: a topic again costs
 * a look-up, the same topic again one comparison. It holds two generations of at most half of `topicsMax` each; when the
 * young one is full it becomes the old one, so topics in use stay and forgotten ones go.
 */
export class TopicEncoder {
  readonly #text: TextCodec;
  readonly #generationMax: number;
  #young: Map<string, Uint8Array> = new Map();
  #old: Map<string, Uint8Array> = new Map();
  #lastTopic = "";
  #lastBytes: Uint8Array = NO_BYTES;

  /** @param topicsMax topics kept at most; an even number of at least 2 */
  constructor(text: TextCodec, topicsMax: number = ENCODED_TOPICS_DEFAULT) {
    this.#text = text;
    this.#generationMax = Math.max(1, topicsMax >>> 1);
  }

  /** Topics kept now. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /** The topic's UTF-8; `ERR_INVALID_TOPIC` when it is no topic name (MQTT 5.0 §4.7). The bytes are shared: they must not be changed. */
  encode(topic: string): Uint8Array {
    if (topic === this.#lastTopic && topic !== "") return this.#lastBytes;
    const bytes = this.#young.get(topic) ?? this.#miss(topic);
    this.#lastTopic = topic;
    this.#lastBytes = bytes;
    return bytes;
  }

  #miss(topic: string): Uint8Array {
    const bytes = this.#old.get(topic) ?? this.#make(topic);
    if (topic.length > KEPT_UNITS_MAX) return bytes;
    if (this.#young.size >= this.#generationMax) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(topic, bytes);
    return bytes;
  }

  #make(topic: string): Uint8Array {
    checkTopic(validateTopicName(topic));
    const bytes = new Uint8Array(this.#text.byteLength(topic));
    this.#text.write(bytes, 0, topic);
    return bytes;
  }
}
