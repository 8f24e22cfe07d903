import { isMessagingError } from "polymq/mqtt";

/** In place of a number of losses, and equal to none. */
const UNTOLD = -1;

/**
 * Over protocols that do not confirm settlements: shows that a connection was still up after a moment, by the broker's answer to a question that
 * was asked later.
 */
export class Witness {
  readonly #ask: () => Promise<unknown>;
  #losses = 0;
  #asked: Promise<boolean> | null = null;

  /** @param ask asks the broker something; rejects with a typed error when the link breaks before the answer */
  constructor(ask: () => Promise<unknown>) {
    this.#ask = ask;
  }

  /** A connection is lost. Questions that wait are answered on the next one before that is told: what tells connections apart has to change with the loss. */
  lost(): void {
    this.#losses++;
  }

  /** The connection that a message just came over. Before one is told of, its loss is not told either: nothing can be shown of what comes meanwhile. */
  mark(isConnected: boolean): number {
    return isConnected ? this.#losses : UNTOLD;
  }

  /** Resolves with true when the connection is shown to have been up after this call. */
  async confirms(mark: number): Promise<boolean> {
    // Asked once for all that are settled in this turn.
    this.#asked ??= this.#answered();
    return (await this.#asked) && this.#losses === mark;
  }

  async #answered(): Promise<boolean> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#asked = null;
    try {
      await this.#ask();
      return true;
    } catch (error) {
      if (!isMessagingError(error)) throw error;
      return false;
    }
  }
}
