// Hot path: runs per message. No closure, promise, spread, iterator or regex here.
import { MessagingError } from "../../base/errors.ts";
import { PropertyId } from "../codec/publish-properties.ts";

/** Aliases we use at most, however many the peer offers: each keeps a topic in memory on both sides. */
const ALIASES_MAX = 1_024;

/** The topic aliases of one connection. */
export interface TopicAliases<Entry> {
  readonly inbound: InboundAliases<Entry>;
  /** Null where none may be used. */
  readonly outbound: OutboundAliases | null;
}

/** @param inboundMaximum ours @param outboundMaximum the peer's, or our lower bound */
export function topicAliases<Entry>(inboundMaximum: number, outboundMaximum: number): TopicAliases<Entry> {
  const outbound = outboundMaximum === 0 ? null : new OutboundAliases(outboundMaximum);
  return { inbound: new InboundAliases(inboundMaximum), outbound };
}

/**
 * Topic aliases for what we send: each topic gets one; when all are taken, the least recently used is given to the new
 * topic (MQTT 5.0 §3.3.2.3.4). Lives as long as a connection.
 */
export class OutboundAliases {
  readonly #max: number;
  readonly #byTopic = new Map<string, number>();
  readonly #topics: string[] = [""];
  /** Doubly linked list over aliases, most recently used first; 0 is the anchor. */
  readonly #next: Uint16Array;
  readonly #previous: Uint16Array;
  /** Property block of a message whose only property is its alias; rewritten for each. */
  readonly #block: Uint8Array = Uint8Array.of(PropertyId.TopicAlias, 0, 0);

  /** @param topicAliasMaximum the peer's, at least 1 */
  constructor(topicAliasMaximum: number) {
    this.#max = Math.min(topicAliasMaximum, ALIASES_MAX);
    this.#next = new Uint16Array(this.#max + 1);
    this.#previous = new Uint16Array(this.#max + 1);
  }

  /** The alias that already stands for `topic` (positive: send an empty topic), or a new one negated (send the topic along). */
  use(topic: string): number {
    const known = this.#byTopic.get(topic);
    if (known !== undefined) {
      if (this.#next[0] !== known) this.#moveToFront(known);
      return known;
    }
    return -this.#assign(topic);
  }

  /** The property block with an alias in front; the bytes hold until the next call. */
  withAlias(block: Uint8Array, alias: number): Uint8Array {
    const bare = this.#block;
    bare[1] = alias >>> 8;
    bare[2] = alias;
    if (block.length === 0) return bare;
    const both = new Uint8Array(block.length + 3);
    both.set(bare);
    both.set(block, 3);
    return both;
  }

  #assign(topic: string): number {
    let alias = this.#topics.length;
    if (alias <= this.#max) this.#topics.push(topic);
    else {
      alias = this.#previous[0] as number;
      this.#byTopic.delete(this.#topics[alias] as string);
      this.#topics[alias] = topic;
      this.#unlink(alias);
    }
    this.#byTopic.set(topic, alias);
    this.#linkFront(alias);
    return alias;
  }

  #moveToFront(alias: number): void {
    this.#unlink(alias);
    this.#linkFront(alias);
  }

  #unlink(alias: number): void {
    const next = this.#next[alias] as number;
    const previous = this.#previous[alias] as number;
    this.#next[previous] = next;
    this.#previous[next] = previous;
  }

  #linkFront(alias: number): void {
    const first = this.#next[0] as number;
    this.#next[alias] = first;
    this.#previous[alias] = 0;
    this.#previous[first] = alias;
    this.#next[0] = alias;
  }
}

/** Topic aliases of what we receive; the limit is the one we announced [MQTT-3.3.2-9]. Lives as long as a connection. */
export class InboundAliases<Entry> {
  readonly #max: number;
  readonly #entries: (Entry | undefined)[] = [];

  constructor(topicAliasMaximum: number) {
    this.#max = topicAliasMaximum;
  }

  /** Remembers the topic for `alias`. @throws {MessagingError} ERR_TOPIC_ALIAS_INVALID above our maximum */
  set(alias: number, entry: Entry): void {
    if (alias > this.#max) throw this.#invalid(alias);
    while (this.#entries.length <= alias) this.#entries.push(undefined);
    this.#entries[alias] = entry;
  }

  /** The topic that `alias` stands for. @throws {MessagingError} ERR_TOPIC_ALIAS_INVALID when there is none */
  get(alias: number): Entry {
    const entry = this.#entries[alias];
    if (entry === undefined) throw this.#invalid(alias);
    return entry;
  }

  #invalid(alias: number): MessagingError {
    return new MessagingError("ERR_TOPIC_ALIAS_INVALID", `topic alias ${alias} is not in use (maximum ${this.#max})`);
  }
}
