import type { TextCodec } from "polymq/internal";

/** The bytes as text where they are text that every protocol holds, and that comes back as the same bytes. */
export function textOrBytes(bytes: Uint8Array, text: TextCodec): string | Uint8Array {
  try {
    const found = text.utf8(bytes, 0, bytes.length);
    const isLossy = text.lenient === true && found.includes("\ufffd");
    return isLossy || found.includes("\0") ? bytes : found;
  } catch {
    return bytes;
  }
}
