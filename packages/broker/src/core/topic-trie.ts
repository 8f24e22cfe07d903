// Hot path: matching runs per message whose route is not cached. No closure, promise, spread or regex here.
import { MessagingError } from "polymq/internal";

/** Levels that a filter may have; it bounds the depth of every walk. */
export const FILTER_LEVELS_MAX = 128;

/**
 * Checks a filter: `+` is a whole level, `#` the whole last level.
 * @throws {MessagingError} ERR_INVALID_TOPIC
 */
export function checkFilter(filter: string): void {
  if (filter === "") throw new MessagingError("ERR_INVALID_TOPIC", "an empty filter");
  let levels = 1;
  for (let i = 0; i < filter.length; i++) {
    const c = filter.charCodeAt(i);
    if (c === SLASH) levels++;
    else if (c === PLUS || c === HASH) {
      const startsLevel = i === 0 || filter.charCodeAt(i - 1) === SLASH;
      const isLast = i === filter.length - 1;
      const endsLevel = isLast || filter.charCodeAt(i + 1) === SLASH;
      if (!startsLevel || !endsLevel || (c === HASH && !isLast)) {
        throw new MessagingError("ERR_INVALID_TOPIC", "a wildcard must be a whole level, and # the last one");
      }
    } else if (c === 0) throw new MessagingError("ERR_INVALID_TOPIC", "U+0000 in a filter");
  }
  if (levels > FILTER_LEVELS_MAX) {
    throw new MessagingError("ERR_INVALID_TOPIC", `a filter of ${levels} levels, the limit is ${FILTER_LEVELS_MAX}`);
  }
}

/** True when `filter` has a wildcard. */
export function hasWildcard(filter: string): boolean {
  return filter.includes("+") || filter.includes("#");
}

/** Values under one filter, each with a key of its own. */
type Slot<T> = Map<string, T>;

class Node<T> {
  children: Map<string, Node<T>> | null = null;
  /** The child for `+`. */
  any: Node<T> | null = null;
  /** Values of the filter that ends with `#` below this node. */
  rest: Slot<T> | null = null;
  /** Values of the filter that ends here. */
  here: Slot<T> | null = null;

  get isEmpty(): boolean {
    return this.children === null && this.any === null && this.rest === null && this.here === null;
  }
}

/**
 * Values under topic filters, found by topic. A filter without a wildcard is found by one look-up; the others by a walk
 * that visits, per level of the topic, only branches that exist. Wildcards in the first level do not match topics that begin with `$`.
 */
export class TopicTrie<T> {
  readonly #exact = new Map<string, Slot<T>>();
  readonly #root = new Node<T>();
  #size = 0;
  #wildcards = 0;

  /** Values held. */
  get size(): number {
    return this.#size;
  }

  /** False when a branch outlived its last value. */
  get isPruned(): boolean {
    return this.#size > 0 || (this.#exact.size === 0 && this.#root.isEmpty);
  }

  /** Puts `value` under `filter` and `key`; returns the value that it replaces. @throws {MessagingError} ERR_INVALID_TOPIC */
  set(filter: string, key: string, value: T): T | undefined {
    checkFilter(filter);
    const slot = hasWildcard(filter) ? this.#makeSlot(filter) : this.#makeExact(filter);
    const before = slot.get(key);
    slot.set(key, value);
    if (before === undefined) {
      this.#size++;
      if (hasWildcard(filter)) this.#wildcards++;
    }
    return before;
  }

  /** The value under exactly this filter and key. */
  get(filter: string, key: string): T | undefined {
    if (!hasWildcard(filter)) return this.#exact.get(filter)?.get(key);
    const path = this.#path(filter);
    const last = path[path.length - 1];
    return (filter.endsWith("#") ? last?.rest : last?.here)?.get(key);
  }

  /** Removes and returns the value under exactly this filter and key; branches that held nothing else go with it. */
  remove(filter: string, key: string): T | undefined {
    const isWild = hasWildcard(filter);
    const value = this.get(filter, key);
    if (value === undefined) return undefined;
    this.#size--;
    if (isWild) {
      this.#wildcards--;
      this.#prune(filter, key);
    } else {
      const slot = this.#exact.get(filter);
      slot?.delete(key);
      if (slot?.size === 0) this.#exact.delete(filter);
    }
    return value;
  }

  /** Adds to `out` the values of all filters that match `topic`. */
  match(topic: string, out: T[]): void {
    const exact = this.#exact.get(topic);
    if (exact !== undefined) collect(exact, out);
    if (this.#wildcards === 0) return;
    if (topic.charCodeAt(0) === DOLLAR) this.#matchReserved(topic, out);
    else walk(this.#root, topic, 0, out);
  }

  /** First level by name only. */
  #matchReserved(topic: string, out: T[]): void {
    const end = topic.indexOf("/");
    const child = this.#root.children?.get(end < 0 ? topic : topic.slice(0, end));
    if (child !== undefined) walk(child, topic, end < 0 ? topic.length + 1 : end + 1, out);
  }

  #makeExact(filter: string): Slot<T> {
    let slot = this.#exact.get(filter);
    if (slot === undefined) {
      slot = new Map();
      this.#exact.set(filter, slot);
    }
    return slot;
  }

  #makeSlot(filter: string): Slot<T> {
    let node = this.#root;
    for (const level of filter.split("/")) {
      if (level === "#") {
        node.rest ??= new Map();
        return node.rest;
      }
      node = childFor(node, level);
    }
    node.here ??= new Map();
    return node.here;
  }

  /** The nodes along a filter from the root on, as far as they exist; `#` has none of its own. */
  #path(filter: string): (Node<T> | undefined)[] {
    const path: (Node<T> | undefined)[] = [this.#root];
    let node: Node<T> | undefined = this.#root;
    for (const level of filter.split("/")) {
      if (level === "#") break;
      node = level === "+" ? (node?.any ?? undefined) : node?.children?.get(level);
      path.push(node);
    }
    return path;
  }

  #prune(filter: string, key: string): void {
    const levels = filter.split("/");
    const path = this.#path(filter);
    const last = path[path.length - 1];
    if (last === undefined) return;
    const slot = filter.endsWith("#") ? last.rest : last.here;
    slot?.delete(key);
    if (slot?.size === 0) {
      if (filter.endsWith("#")) last.rest = null;
      else last.here = null;
    }
    for (let i = path.length - 1; i > 0 && path[i]?.isEmpty === true; i--) {
      const parent = path[i - 1];
      if (parent !== undefined) removeChild(parent, levels[i - 1] ?? "");
    }
  }
}

/** Goes on at `at`, the start of a level, or behind the end of the topic when no level is left. */
function walk<T>(node: Node<T>, topic: string, at: number, out: T[]): void {
  // `#` also stands for no level at all: `a/#` matches `a`.
  if (node.rest !== null) collect(node.rest, out);
  if (at > topic.length) {
    if (node.here !== null) collect(node.here, out);
    return;
  }
  const slash = topic.indexOf("/", at);
  const end = slash < 0 ? topic.length : slash;
  if (node.children !== null) {
    const child = node.children.get(topic.slice(at, end));
    if (child !== undefined) walk(child, topic, end + 1, out);
  }
  if (node.any !== null) walk(node.any, topic, end + 1, out);
}

function collect<T>(slot: Slot<T>, out: T[]): void {
  for (const value of slot.values()) out.push(value);
}

function childFor<T>(node: Node<T>, level: string): Node<T> {
  if (level === "+") {
    node.any ??= new Node();
    return node.any;
  }
  node.children ??= new Map();
  let child = node.children.get(level);
  if (child === undefined) {
    child = new Node();
    node.children.set(level, child);
  }
  return child;
}

function removeChild<T>(parent: Node<T>, level: string): void {
  if (level === "+") parent.any = null;
  else {
    parent.children?.delete(level);
    if (parent.children?.size === 0) parent.children = null;
  }
}

const SLASH = 0x2f;
const PLUS = 0x2b;
const HASH = 0x23;
const DOLLAR = 0x24;
