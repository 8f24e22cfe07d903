// Hot path: `matches` runs per message of a filtered group. No closure, promise, spread, iterator or regex here.
import { checkFilter } from "../topic-trie.ts";

/** Which routing keys a group sees. `+` stands for one level, `#` for the rest; `a/#` matches `a`, and `""` matches everything. Messages without a key are for `""` and `#` alone. */
export class KeyFilter {
  readonly text: string;
  readonly #levels: readonly string[];
  readonly #matchesAll: boolean;
  /** The filter itself when it has no wildcard, else null. */
  readonly #exact: string | null;
  #lastKey: string | null = null;
  #lastMatched = false;

  /** @throws {MessagingError} ERR_INVALID_TOPIC */
  constructor(text: string) {
    if (text !== "") checkFilter(text);
    this.text = text;
    this.#matchesAll = text === "" || text === "#";
    this.#levels = text.split("/");
    this.#exact = text.includes("+") || text.includes("#") ? null : text;
  }

  /** True when every key matches, so that nobody has to look at keys. */
  get matchesAll(): boolean {
    return this.#matchesAll;
  }

  matches(key: string): boolean {
    if (this.#matchesAll) return true;
    if (key === "") return false;
    if (this.#exact !== null) return key === this.#exact;
    if (key === this.#lastKey) return this.#lastMatched;
    this.#lastKey = key;
    this.#lastMatched = this.#walk(key);
    return this.#lastMatched;
  }

  #walk(key: string): boolean {
    const levels = this.#levels;
    let at = 0;
    for (let i = 0; i < levels.length; i++) {
      const level = levels[i] as string;
      if (level === "#") return true;
      if (at > key.length) return false;
      const slash = key.indexOf("/", at);
      const end = slash < 0 ? key.length : slash;
      if (level !== "+" && (end - at !== level.length || !key.startsWith(level, at))) return false;
      at = end + 1;
    }
    return at > key.length;
  }
}
