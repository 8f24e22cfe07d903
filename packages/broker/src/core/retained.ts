import { HeldMessages } from "./held-messages.ts";
import { type Message, messageBytes } from "./message.ts";
import { checkFilter, FILTER_LEVELS_MAX, hasWildcard } from "./topic-trie.ts";

/** How much may be retained. */
export interface RetainedLimits {
  /** Messages, one per topic. */
  readonly countMax: number;
  /** Bytes of all of them, about. */
  readonly bytesMax: number;
}

/**
 * What became of a message to retain. `refused`: a limit is reached, that of a topic's levels included; what was retained before stays. `cleared`: the payload is empty and
 * something was retained; `none`: it is empty and nothing was.
 */
export type RetainResult = "stored" | "replaced" | "cleared" | "none" | "refused";

/** Told of each change, so that it can be stored. */
export interface RetainedListener {
  /** `next` is retained on its topic now, `before` no longer; either may be null, not both. */
  onRetainedChange(before: Message | null, next: Message | null): void;
}

class Node {
  message: Message | null = null;
  children: Map<string, Node> | null = null;
}

/**
 * The retained message of each topic. Looked up by filter in a tree of topic levels, so that a lookup visits only what
 * can match. An expired message is never given out; it leaves when it is met or swept.
 */
export class RetainedMessages {
  readonly #limits: RetainedLimits;
  readonly #listener: RetainedListener;
  readonly #held: HeldMessages;
  readonly #root = new Node();
  readonly #byTopic = new Map<string, Message>();
  #bytes = 0;
  #refused = 0;

  /** @param held counts what is held in all, and may refuse more */
  constructor(limits: RetainedLimits, listener: RetainedListener, held: HeldMessages = new HeldMessages()) {
    this.#limits = limits;
    this.#held = held;
    this.#listener = listener;
  }

  get count(): number {
    return this.#byTopic.size;
  }

  /** Bytes of all retained messages, about. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Messages refused because of a limit. */
  get refusedCount(): number {
    return this.#refused;
  }

  /** True when a message of this size may be retained on `topic`: within the own limits, and, unless it is no larger than the one before, within that of all that is held. */
  hasRoomFor(topic: string, bytes: number): boolean {
    const before = this.#byTopic.get(topic);
    const count = this.#byTopic.size + (before === undefined ? 1 : 0);
    const more = bytes - (before?.bytes ?? 0);
    if (this.#held.isTight && more > 0) return false;
    const total = this.#bytes + more;
    return count <= this.#limits.countMax && total <= this.#limits.bytesMax;
  }

  /** Counts a message that was not even kept for want of room. */
  refuse(): void {
    this.#refused++;
    if (this.#held.isTight) this.#held.refusedCount++;
  }

  /** Retains a message; one with an empty payload clears its topic. */
  set(message: Message): RetainResult {
    if (message.payload.length === 0) return this.clear(message.topic) ? "cleared" : "none";
    const before = this.#byTopic.get(message.topic) ?? null;
    // Each level costs a node: without a limit a topic of slashes would take a hundred times its size.
    const isTooDeep = message.topic.split("/", FILTER_LEVELS_MAX + 1).length > FILTER_LEVELS_MAX;
    if (isTooDeep || !this.hasRoomFor(message.topic, messageBytes(message))) {
      this.refuse();
      return "refused";
    }
    this.#place(message, before);
    this.#listener.onRetainedChange(before, message);
    return before === null ? "stored" : "replaced";
  }

  /** Takes up a message that is already stored: nobody is told, limits do not hold. */
  restore(message: Message): void {
    this.#place(message, this.#byTopic.get(message.topic) ?? null);
  }

  /** Removes what is retained on `topic`; false when there was nothing. */
  clear(topic: string): boolean {
    const message = this.#byTopic.get(topic);
    if (message === undefined) return false;
    this.#byTopic.delete(topic);
    this.#bytes -= messageBytes(message);
    this.#held.release(message);
    this.#detach(topic);
    this.#listener.onRetainedChange(message, null);
    return true;
  }

  /** What is retained on exactly this topic, or null. */
  get(topic: string): Message | null {
    return this.#byTopic.get(topic) ?? null;
  }

  /** The messages on topics that match, not expired at `nowMs` (since 1970). @throws {MessagingError} ERR_INVALID_TOPIC */
  match(filter: string, nowMs: number): Message[] {
    checkFilter(filter);
    const found: Message[] = [];
    if (!hasWildcard(filter)) {
      const message = this.#byTopic.get(filter);
      if (message !== undefined && message.expiresAtMs > nowMs) found.push(message);
      return found;
    }
    const search: Search = { levels: filter.split("/"), nowMs, found };
    matchBelow(this.#root, 0, search);
    return found;
  }

  /** Removes what has expired at `nowMs`; returns how many. */
  sweep(nowMs: number): number {
    const expired = Array.from(this.#byTopic.values()).filter((message) => message.expiresAtMs <= nowMs);
    for (const message of expired) this.clear(message.topic);
    return expired.length;
  }

  #place(message: Message, before: Message | null): void {
    this.#bytes += messageBytes(message) - (before === null ? 0 : messageBytes(before));
    this.#held.hold(message);
    if (before !== null) this.#held.release(before);
    this.#byTopic.set(message.topic, message);
    let node = this.#root;
    for (const level of message.topic.split("/")) {
      node.children ??= new Map();
      let child = node.children.get(level);
      if (child === undefined) {
        child = new Node();
        node.children.set(level, child);
      }
      node = child;
    }
    node.message = message;
  }

  /** Empties a topic's node and removes the branch up to the first node that is still needed. */
  #detach(topic: string): void {
    const levels = topic.split("/");
    const path: Node[] = [this.#root];
    for (const level of levels) {
      const child = path[path.length - 1]?.children?.get(level);
      if (child === undefined) return;
      path.push(child);
    }
    const last = path[path.length - 1];
    if (last !== undefined) last.message = null;
    for (let i = path.length - 1; i > 0; i--) {
      const node = path[i];
      if (node === undefined || node.message !== null || node.children !== null) return;
      const parent = path[i - 1];
      parent?.children?.delete(levels[i - 1] ?? "");
      if (parent?.children?.size === 0) parent.children = null;
    }
  }
}

/**
 * Hands out retained messages one by one to a subscriber that has just subscribed, at the pace it can take them. A message that was
 * replaced or cleared meanwhile is left out: the subscriber has been offered the newer one already.
 */
export class RetainedReplay {
  readonly #retained: RetainedMessages;
  readonly #messages: Message[];
  #at = 0;

  constructor(retained: RetainedMessages, filter: string, nowMs: number) {
    this.#retained = retained;
    this.#messages = retained.match(filter, nowMs);
  }

  /** The next message, or null when there is none left. */
  next(nowMs: number): Message | null {
    while (this.#at < this.#messages.length) {
      const message = this.#messages[this.#at++];
      if (message === undefined || message.expiresAtMs <= nowMs) continue;
      if (this.#retained.get(message.topic) === message) return message;
    }
    return null;
  }
}

interface Search {
  readonly levels: readonly string[];
  readonly nowMs: number;
  readonly found: Message[];
}

/** Depth is bounded by the filter's levels but for `#`, which {@link collectAll} handles without recursion. */
function matchBelow(node: Node, at: number, search: Search): void {
  const level = search.levels[at];
  if (level === undefined) {
    collect(node, search);
    return;
  }
  if (level === "#") {
    collectAll(node, at === 0 ? "skip reserved" : "all", search);
    return;
  }
  if (node.children === null) return;
  if (level !== "+") {
    const child = node.children.get(level);
    if (child !== undefined) matchBelow(child, at + 1, search);
    return;
  }
  for (const [name, child] of node.children) {
    if (at > 0 || !name.startsWith("$")) matchBelow(child, at + 1, search);
  }
}

/** All messages at `node` and below; with "skip reserved" not those below children that begin with `$`. */
function collectAll(node: Node, which: "all" | "skip reserved", search: Search): void {
  const rest: Node[] = [];
  collect(node, search);
  for (const [name, child] of node.children ?? []) {
    if (which === "all" || !name.startsWith("$")) rest.push(child);
  }
  for (let i = 0; i < rest.length; i++) {
    const next = rest[i] as Node;
    collect(next, search);
    for (const child of next.children?.values() ?? []) rest.push(child);
  }
}

function collect(node: Node, search: Search): void {
  if (node.message !== null && node.message.expiresAtMs > search.nowMs) search.found.push(node.message);
}
