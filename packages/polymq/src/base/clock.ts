/** Time as it is handed to the layers above transports: tests and the simulator pass a virtual one. */
export interface Clock {
  /** Milliseconds on a monotonic scale whose zero has no meaning. */
  nowMs(): number;
  /** Wall-clock milliseconds since 1970-01-01T00:00Z, for message expiry across restarts. */
  epochMs(): number;
  /** Calls `fn` once after `delayMs`; never before the current turn ends. */
  setTimer(delayMs: number, fn: () => void): Timer;
  /** Calls `fn` once after pending input was handled (Node: `setImmediate`; browsers: a message-channel task). */
  nextTurn(fn: () => void): void;
}

/** A running timer. */
export interface Timer {
  /** Stops it; harmless when it already fired. */
  cancel(): void;
}
