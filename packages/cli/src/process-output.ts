import type { Writable } from "node:stream";

/** A process's standard output, with the news that nobody reads it any more. */
export interface ProcessOutput {
  readonly write: (data: string | Uint8Array) => void;
  /** Resolves when there is room for more, or nobody to read it. */
  readonly ready: () => Promise<void>;
  /** Calls `fn` once when nobody reads any more, until the returned function is called. */
  readonly onClosed: (fn: () => void) => () => void;
}

/** Wraps standard output, or any stream. What nobody reads any more (`EPIPE`) is dropped; a stream that fails otherwise throws. */
export function processOutput(stream: Writable): ProcessOutput {
  const listeners = new Set<() => void>();
  let isClosed = false;
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    isClosed = true;
    for (const listener of listeners) listener();
    listeners.clear();
  });
  return {
    write: (data) => {
      if (!isClosed) stream.write(data);
    },
    ready: () => {
      if (isClosed || !stream.writableNeedDrain) return Promise.resolve();
      return new Promise((resolve) => {
        const done = (): void => {
          stream.off("drain", done).off("error", done);
          resolve();
        };
        stream.on("drain", done).on("error", done);
      });
    },
    onClosed: (fn) => {
      listeners.add(fn);
      return () => void listeners.delete(fn);
    },
  };
}
