/** Bytes of one message read from standard input: what the largest packet of MQTT holds. */
export const INPUT_BYTES_MAX = 268_435_455;

const NEWLINE = 0x0a;

/** The lines of a stream of bytes without their line ends; a last one without a line end counts. @throws {RangeError} for one above the limit */
export async function* linesOf(
  chunks: AsyncIterable<Uint8Array>,
  bytesMax: number = INPUT_BYTES_MAX,
): AsyncGenerator<Uint8Array, void, void> {
  let begun: Uint8Array[] = [];
  let bytes = 0;
  const keep = (piece: Uint8Array): void => {
    bytes += piece.length;
    if (bytes > bytesMax) throw new RangeError(`a line of standard input has more than ${bytesMax} bytes`);
    begun.push(piece);
  };
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      keep(chunk.subarray(start, end));
      yield joined(begun);
      begun = [];
      bytes = 0;
      start = end + 1;
    }
    if (start < chunk.length) keep(chunk.subarray(start));
  }
  if (bytes > 0) yield joined(begun);
}

/** All bytes of a stream. @throws {RangeError} above the limit */
export async function allOf(
  chunks: AsyncIterable<Uint8Array>,
  bytesMax: number = INPUT_BYTES_MAX,
): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw new RangeError(`standard input has more than ${bytesMax} bytes`);
    pieces.push(chunk);
  }
  return joined(pieces);
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const [only] = pieces;
  return pieces.length === 1 && only !== undefined ? only : Buffer.concat(pieces);
}
