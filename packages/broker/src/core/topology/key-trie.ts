// Hot path: matching runs per message whose route is not cached. No closure, promise, spread or regex here.

/** Words of a key that is looked up among patterns with wildcards; it bounds every walk. Keys of at most 255 bytes never have more. */
export const KEY_WORDS_MAX = 512;

class Node<T> {
  readonly word: string;
  readonly parent: Node<T> | null;
  children: Map<string, Node<T>> | null = null;
  here: Set<T> | null = null;
  /** Of a `#`, in the walk under way: all positions in the key from here on were looked at. */
  walk = 0;
  seenFrom = 0;

  constructor(word: string, parent: Node<T> | null) {
    this.word = word;
    this.parent = parent;
  }

  get isEmpty(): boolean {
    return this.children === null && this.here === null;
  }
}

/**
 * Values under patterns of words between dots: `*` is one word, `#` any number, also none, and may stand anywhere. A node is looked at once for
 * each position in the key, so that patterns with many `#` cost no more than nodes times words; a walk is as deep as the patterns.
 */
export class KeyTrie<T> {
  readonly #exact = new Map<string, Set<T>>();
  readonly #root = new Node<T>("", null);
  #wildcards = 0;
  #walk = 0;

  /** False when a branch outlived its last value. */
  get isPruned(): boolean {
    return this.#wildcards > 0 || this.#root.isEmpty;
  }

  add(pattern: string, value: T): void {
    if (!hasWildcard(pattern)) {
      const values = this.#exact.get(pattern);
      if (values === undefined) this.#exact.set(pattern, new Set([value]));
      else values.add(value);
      return;
    }
    let node = this.#root;
    for (const word of pattern.split(".")) node = childFor(node, word);
    node.here ??= new Set();
    if (!node.here.has(value)) this.#wildcards++;
    node.here.add(value);
  }

  remove(pattern: string, value: T): void {
    if (!hasWildcard(pattern)) {
      const values = this.#exact.get(pattern);
      values?.delete(value);
      if (values?.size === 0) this.#exact.delete(pattern);
      return;
    }
    let node: Node<T> | undefined = this.#root;
    for (const word of pattern.split(".")) node = node?.children?.get(word);
    if (node?.here?.delete(value) !== true) return;
    this.#wildcards--;
    if (node.here.size === 0) node.here = null;
    prune(node);
  }

  /** Adds to `out` the values of all patterns that match `key`. */
  match(key: string, out: Set<T>): void {
    const exact = this.#exact.get(key);
    if (exact !== undefined) collect(exact, out);
    if (this.#wildcards === 0) return;
    // An empty key has no words, not one that is empty.
    const words = key === "" ? [] : key.split(".");
    if (words.length > KEY_WORDS_MAX) return;
    this.#walk++;
    this.#visit(this.#root, words, 0, out);
  }

  /** Looks at what stands behind `node`, when the key's words before `at` are used up. */
  #visit(node: Node<T>, words: readonly string[], at: number, out: Set<T>): void {
    if (at === words.length && node.here !== null) collect(node.here, out);
    const { children } = node;
    if (children === null) return;
    const rest = children.get("#");
    if (rest !== undefined) this.#visitRest(rest, words, at, out);
    if (at === words.length) return;
    const any = children.get("*");
    if (any !== undefined) this.#visit(any, words, at + 1, out);
    const word = words[at] as string;
    const exact = word === "*" || word === "#" ? undefined : children.get(word);
    if (exact !== undefined) this.#visit(exact, words, at + 1, out);
  }

  /** `#` takes any number of words: it is left at each position that was not looked at before. */
  #visitRest(node: Node<T>, words: readonly string[], from: number, out: Set<T>): void {
    const end = node.walk === this.#walk ? node.seenFrom : words.length + 1;
    if (from >= end) return;
    node.walk = this.#walk;
    node.seenFrom = from;
    for (let at = from; at < end; at++) this.#visit(node, words, at, out);
  }
}

/** True when a word of the pattern is a wildcard. */
export function hasWildcard(pattern: string): boolean {
  if (!pattern.includes("*") && !pattern.includes("#")) return false;
  return pattern.split(".").some((word) => word === "*" || word === "#");
}

function collect<T>(values: Set<T>, out: Set<T>): void {
  for (const value of values) out.add(value);
}

function childFor<T>(node: Node<T>, word: string): Node<T> {
  node.children ??= new Map();
  let child = node.children.get(word);
  if (child === undefined) {
    child = new Node(word, node);
    node.children.set(word, child);
  }
  return child;
}

function prune<T>(from: Node<T>): void {
  let node = from;
  while (node.parent !== null && node.isEmpty) {
    const { parent } = node;
    parent.children?.delete(node.word);
    if (parent.children?.size === 0) parent.children = null;
    node = parent;
  }
}
