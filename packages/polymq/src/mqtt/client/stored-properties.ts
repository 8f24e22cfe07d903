import { MessagingError } from "../../base/errors.ts";

/** An encoded property block as text for a store: hexadecimal, or null for none. */
export function storedProperties(block: Uint8Array | null): string | null {
  if (block === null) return null;
  let text = "";
  for (const byte of block) text += byte.toString(16).padStart(2, "0");
  return text;
}

/** The reverse of {@link storedProperties}. @throws {MessagingError} ERR_STORE_FAILED when it is none */
export function restoredProperties(text: string | null): Uint8Array | null {
  if (text === null) return null;
  if (text.length % 2 !== 0 || /[^0-9a-f]/.test(text)) {
    throw new MessagingError("ERR_STORE_FAILED", "a stored message has damaged properties");
  }
  const block = new Uint8Array(text.length / 2);
  for (let i = 0; i < block.length; i++) block[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return block;
}
