/** The items of a source until the signal fires; what the source still owes then is nobody's. */
export async function* untilAborted<T>(source: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T, void, void> {
  const iterator = source[Symbol.asyncIterator]();
  const aborted = new Promise<{ readonly done: true }>((resolve) => {
    const tell = (): void => resolve({ done: true });
    if (signal.aborted) tell();
    else signal.addEventListener("abort", tell, { once: true });
  });
  for (;;) {
    const next = await Promise.race([iterator.next(), aborted]);
    if (next.done === true || signal.aborted) return;
    yield next.value;
  }
}
