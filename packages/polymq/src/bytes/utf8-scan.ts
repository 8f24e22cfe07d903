// Hot path: runs per property of a message. No closure, promise, spread, iterator or regex here.

/** What {@link scanUtf8} found wrong, or that nothing is. */
export type Utf8Fault = "none" | "null-character" | "ill-formed";

/**
 * Checks bytes as an MQTT string without making one: well-formed UTF-8 [MQTT-1.5.4-1], which rules out surrogates and
 * overlong forms, and no U+0000 [MQTT-1.5.4-2]. The caller keeps `start` and `end` inside the buffer.
 */
export function scanUtf8(buffer: Uint8Array, start: number, end: number): Utf8Fault {
  let at = start;
  while (at < end) {
    const byte = buffer[at] as number;
    if (byte === 0) return "null-character";
    if (byte < 0x80) {
      at++;
      continue;
    }
    const length = sequenceLength(buffer, at, end);
    if (length === 0) return "ill-formed";
    at += length;
  }
  return "none";
}

/** Bytes of the well-formed multi-byte sequence at `at` (Unicode, table 3-7), or 0 when it is ill-formed. */
function sequenceLength(buffer: Uint8Array, at: number, end: number): number {
  const lead = buffer[at] as number;
  const length = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
  if (length === 0 || at + length > end) return 0;
  const second = buffer[at + 1] as number;
  const least = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const most = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  if (second < least || second > most) return 0;
  for (let i = 2; i < length; i++) {
    if (((buffer[at + i] as number) & 0xc0) !== 0x80) return 0;
  }
  return length;
}
