import type { LikePattern } from "./like-pattern.ts";

/** What a property can be in a selector; null is unknown. */
export type SelectorValue = null | boolean | number | bigint | string;

export type Comparison = "=" | "<>" | "<" | ">" | "<=" | ">=";
export type Arithmetic = "+" | "-" | "*" | "/";

/** A selector, or a part of one. */
export type Expression =
  | { readonly is: "value"; readonly value: SelectorValue; readonly isExact: boolean }
  | { readonly is: "property"; readonly name: string }
  | { readonly is: "not"; readonly of: Expression }
  | { readonly is: "negative"; readonly of: Expression }
  | { readonly is: "and" | "or"; readonly parts: readonly Expression[] }
  | { readonly is: "compare"; readonly how: Comparison; readonly left: Expression; readonly right: Expression }
  | { readonly is: "calculate"; readonly how: Arithmetic; readonly left: Expression; readonly right: Expression }
  | { readonly is: "between"; readonly of: Expression; readonly low: Expression; readonly high: Expression }
  | { readonly is: "in"; readonly of: Expression; readonly list: ReadonlySet<string> }
  | { readonly is: "like"; readonly of: Expression; readonly pattern: LikePattern }
  | { readonly is: "null"; readonly of: Expression };
