/**
 * Bytes for tests, written so that a reader can check them against the specification: hexadecimal digits, `'text'` for its
 * UTF-8, `( … )` for content behind its two-byte length, `[ … ]` for content behind its variable byte length. White space
 * means nothing.
 */
export function packetBytes(notation: string): Uint8Array {
  const outer: number[] = [];
  const open: { readonly kind: string; readonly content: number[] }[] = [];
  let into = outer;
  for (const token of notation.match(/'[^']*'|[0-9a-f]{2}|[()[\]]|\S/g) ?? []) {
    if (token.startsWith("'") && token.length > 1) into.push(...new TextEncoder().encode(token.slice(1, -1)));
    else if (/^[0-9a-f]{2}$/.test(token)) into.push(Number.parseInt(token, 16));
    else if (token === "(" || token === "[") {
      into = [];
      open.push({ kind: token, content: into });
    } else if (token === ")" || token === "]") {
      const closed = open.pop();
      if (closed === undefined || closed.kind !== (token === ")" ? "(" : "[")) throw new TypeError(`stray ${token}`);
      into = open.at(-1)?.content ?? outer;
      into.push(...lengthOf(closed.kind, closed.content.length), ...closed.content);
    } else throw new TypeError(`cannot read ${token} in ${notation}`);
  }
  if (open.length > 0) throw new TypeError(`not closed: ${notation}`);
  return Uint8Array.from(outer);
}

function lengthOf(kind: string, length: number): number[] {
  if (kind === "(") return [length >> 8, length & 0xff];
  const bytes: number[] = [];
  for (let rest = length; ; rest >>= 7) {
    if (rest < 0x80) return [...bytes, rest];
    bytes.push((rest & 0x7f) | 0x80);
  }
}
