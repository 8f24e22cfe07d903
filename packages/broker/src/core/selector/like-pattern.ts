// Hot path: `matches` runs per message. No closure, promise, spread, iterator or regex here.

/** Characters of a pattern, so that no text takes long. */
export const PATTERN_LENGTH_MAX = 256;

/** A literal character by its code, or one of these. */
const ONE = -1;
const MANY = -2;

/** A pattern of LIKE: `_` is one character, `%` any number of them, and what follows the escape character is itself. */
export class LikePattern {
  readonly #codes: readonly number[];

  /** @param escaping a single character, or "" for none; null when the pattern ends with it */
  static of(pattern: string, escaping: string): LikePattern | null {
    const codes: number[] = [];
    const characters = Array.from(pattern);
    for (let i = 0; i < characters.length; i++) {
      let character = characters[i] as string;
      if (character === escaping) {
        if (++i === characters.length) return null;
        character = characters[i] as string;
        codes.push(character.codePointAt(0) as number);
      } else if (character === "_") codes.push(ONE);
      else if (character !== "%") codes.push(character.codePointAt(0) as number);
      else if (codes[codes.length - 1] !== MANY) codes.push(MANY);
    }
    return new LikePattern(codes);
  }

  private constructor(codes: readonly number[]) {
    this.#codes = codes;
  }

  matches(text: string): boolean {
    const codes = this.#codes;
    let at = 0;
    let i = 0;
    // Where the last `%` stands, and up to where of the text it reaches.
    let many = -1;
    let reach = 0;
    while (at < text.length) {
      const code = codes[i];
      const point = text.codePointAt(at) as number;
      if (code === MANY) {
        many = i++;
        reach = at;
      } else if (code === ONE || code === point) {
        i++;
        at += point > 0xffff ? 2 : 1;
      } else if (many < 0) return false;
      else {
        reach += (text.codePointAt(reach) as number) > 0xffff ? 2 : 1;
        at = reach;
        i = many + 1;
      }
    }
    while (codes[i] === MANY) i++;
    return i === codes.length;
  }
}
