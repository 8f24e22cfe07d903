import { createHash } from "node:crypto";
import { QUEUE_NAME_MAX } from "../../core/queues/queue-address.ts";
import { Selector } from "../../core/selector/selector.ts";
import type { Translated } from "../translate/property-translator.ts";
import type { SelectorLookup } from "../translate/selector-lookup.ts";

/** Decides whether a message comes to a receiver. */
export type Selects = (message: Translated) => boolean;

/** A source's selector as a function; null for none, which takes all. @throws {MessagingError} ERR_INVALID_ARGUMENT for one that cannot be read */
export function selection(text: string | null, lookup: SelectorLookup): Selects | null {
  if (text === null) return null;
  const selector = new Selector(text);
  return (message) => lookup.selects(selector, message);
}

/** The name of the group that receivers with one selector share: selected messages are a line of their own, as those of a filter by key are. */
export function selectiveGroup(group: string, selector: string): string {
  const name = `${group}?${selector}`;
  if (name.length <= QUEUE_NAME_MAX && !name.includes("\0")) return name;
  const digest = createHash("sha256").update(selector).digest("hex");
  return `${group}?sha256:${digest}`;
}
