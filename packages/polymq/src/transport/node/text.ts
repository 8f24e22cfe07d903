import { Buffer, isUtf8 } from "node:buffer";
import type { TextCodec } from "../../bytes/text.ts";
import { utf8Length, webText } from "../../bytes/text.ts";

/** Up to this length counting in script beats the call into the runtime. */
const COUNT_LOOP_MAX = 48;

type Slice = (this: Uint8Array, start: number, end: number) => string;
type Write = (this: Uint8Array, text: string, at: number, length: number) => number;

/** Node's conversions, which work on any `Uint8Array` though they are typed for `Buffer` and not documented. */
interface NativeText {
  readonly latin1Slice?: Slice;
  readonly utf8Slice?: Slice;
  readonly utf8Write?: Write;
}

/** {@link TextCodec} over Node's own string conversions; where a runtime lacks them, the same as `webText()`. */
export function nodeText(): TextCodec {
  const { latin1Slice, utf8Slice, utf8Write } = Buffer.prototype as unknown as NativeText;
  if (latin1Slice === undefined || utf8Slice === undefined || utf8Write === undefined) return webText();
  return {
    byteLength: (text) => (text.length <= COUNT_LOOP_MAX ? utf8Length(text) : Buffer.byteLength(text)),
    write: (into, at, text) => utf8Write.call(into, text, at, into.length - at),
    ascii: (from, start, end) => latin1Slice.call(from, start, end),
    utf8: (from, start, end) => {
      const text = utf8Slice.call(from, start, end);
      // The native reader puts U+FFFD in place of ill-formed bytes: only then they must be looked at.
      if (text.includes("\ufffd") && !isUtf8(from.subarray(start, end))) throw new TypeError("ill-formed UTF-8");
      return text;
    },
  };
}
