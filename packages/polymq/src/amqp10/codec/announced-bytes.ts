// Hot path: runs once per large message. No closure, promise, spread, iterator or regex here.
import { Code, fixedWidth } from "./format-codes.ts";

/** Bytes behind a constructor that say how long its value is. */
const LENGTH_BYTES_MAX = 4;

/**
 * How long a message is at least, as its beginning says: where the section ends in which `bytes` do (§3.2). Of nearly every large message that is the one data
 * section, and its end is the message's or close to it. 0 where nothing can be told.
 */
export function announcedBytes(bytes: Uint8Array): number {
  let at = 0;
  while (at < bytes.length) {
    if (bytes[at] !== Code.described) return 0;
    const descriptor = bytes[at + 1];
    if (descriptor === Code.smallulong) at += 3;
    else if (descriptor === Code.ulong) at += 10;
    else return 0;
    if (at + 1 + LENGTH_BYTES_MAX > bytes.length) return 0;
    const end = endOfValue(bytes, at);
    if (end === 0 || end > bytes.length) return end;
    at = end;
  }
  return 0;
}

/** Where the value at `at` ends, by its outermost length; 0 for none that a section has. */
function endOfValue(bytes: Uint8Array, at: number): number {
  const code = bytes[at] as number;
  if (code < Code.null) return 0;
  const width = fixedWidth(code);
  if (width !== -1) return at + 1 + width;
  if ((code & 0x10) === 0) return at + 2 + (bytes[at + 1] as number);
  const high = ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
  return at + 5 + high * 0x1_0000 + (((bytes[at + 3] as number) << 8) | (bytes[at + 4] as number));
}
