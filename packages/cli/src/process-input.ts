import type { Readable } from "node:stream";

/** A process's standard input, opened when it is first read. */
export interface ProcessInput {
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Reads no more: a process that was stopped while it waited for input would wait on. */
  readonly close: () => void;
}

/** Wraps standard input, or any stream. */
export function processInput(open: () => Readable): ProcessInput {
  const opened: Readable[] = [];
  return {
    chunks: {
      [Symbol.asyncIterator]: () => {
        const stream = open();
        opened.push(stream);
        return stream[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
      },
    },
    close: () => {
      for (const stream of opened) stream.destroy();
    },
  };
}
