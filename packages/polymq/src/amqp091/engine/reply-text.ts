import { utf8Length } from "../../bytes/text.ts";

/** Longest reply text, in bytes: a short string. */
const BYTES_MAX = 255;

/** A reply text as a short string can hold it: cut, and without U+0000 and lone surrogates (AMQP 0-9-1 §4.2.5.3). */
export function shortReplyText(text: string): string {
  const safe = text.toWellFormed().replaceAll("\0", "");
  if (utf8Length(safe) <= BYTES_MAX) return safe;
  let units = Math.min(safe.length, BYTES_MAX);
  while (utf8Length(safe.slice(0, units)) > BYTES_MAX) units--;
  return safe.slice(0, units).toWellFormed();
}
