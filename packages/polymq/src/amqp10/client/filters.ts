import { type AmqpInput, type AmqpValue, Described, symbol, typed } from "../codec/values.ts";

/** A filter of a source (§3.5.8): which messages of the node come. */
export interface LinkFilter {
  /** Its key in the filter set. */
  readonly name: string;
  /** Its type: a symbol, or the number that stands for it. */
  readonly descriptor: AmqpValue;
  readonly value: AmqpInput;
}

/** Any filter. @param code the descriptor's number; without one the name is the descriptor */
export function linkFilter(name: string, value: AmqpInput, code?: number | bigint): LinkFilter {
  return { name, descriptor: code === undefined ? symbol(name) : typed("ulong", code), value };
}

/** Messages whose properties fit a condition in the syntax of JMS selectors: `color = 'red' AND weight > 5`. */
export function selectorFilter(condition: string): LinkFilter {
  return linkFilter("apache.org:selector-filter:string", condition, 0x0000_468c_0000_0004);
}

/** No messages that came in over this connection. */
export function noLocalFilter(): LinkFilter {
  return linkFilter("apache.org:no-local-filter:list", [], 0x0000_468c_0000_0003);
}

/** The filter set of a source. */
export function filterMap(filters: readonly LinkFilter[]): Map<AmqpInput, AmqpInput> {
  return new Map(
    filters.map((filter) => [symbol(filter.name), new Described(filter.descriptor, filter.value as AmqpValue)]),
  );
}
