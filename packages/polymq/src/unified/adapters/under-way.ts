// Hot path: `counted` runs per publish.
import { deferred } from "../../base/deferred.ts";
import { noop } from "../../base/noop.ts";
import { systemClock } from "../../base/system-clock.ts";
import type { Ending } from "../adapter.ts";

/** How long a server may take to answer a goodbye. */
const GOODBYE_MS = 1_000;

/** Ends a protocol's client by `close`, for which so many ms are left; without an answer its connection is cut. */
export async function closeWithin(
  timeoutMs: number,
  native: { destroy(): void },
  close: () => Promise<void>,
): Promise<void> {
  const timer = systemClock().setTimer(timeoutMs + GOODBYE_MS, () => native.destroy());
  try {
    await close();
  } finally {
    timer.cancel();
  }
}

/** What a client consumes and answers, and its publishes without an outcome: what `close` ends and waits for. */
export class UnderWay {
  readonly #endings = new Map<Ending, string>();
  #pending = 0;
  #idle: () => void = noop;
  readonly #done = (): void => {
    if (--this.#pending === 0) this.#idle();
  };

  /** Keeps what has to be ended until it is over, by the filter of topics that it is from; "" for everything else. */
  keep<E extends Ending>(ending: E, over: Promise<unknown>, filter = ""): E {
    this.#endings.set(ending, filter);
    void over
      // Its handlers may be at work still.
      .then(() => ending.unsubscribe())
      .catch(noop)
      .then(() => this.#endings.delete(ending));
    return ending;
  }

  /** Ends what is from a filter. */
  async end(filter: string): Promise<void> {
    const chosen = [...this.#endings].filter(([, each]) => each === filter);
    await Promise.all(chosen.map(([ending]) => ending.unsubscribe()));
  }

  /** Counts a publish until it has its outcome. */
  counted<T>(publishing: Promise<T>): Promise<T> {
    this.#pending++;
    publishing.then(this.#done, this.#done);
    return publishing;
  }

  /**
   * Ends everything; resolves when handlers are done and publishes, those that `others` waits for too, have their outcomes, or after so many ms, with what is left of them.
   * Never rejects.
   */
  async finish(timeoutMs: number, others: () => Promise<void> = () => Promise.resolve()): Promise<number> {
    const clock = systemClock();
    const untilMs = clock.nowMs() + timeoutMs;
    const over = deferred<void>();
    const timer = clock.setTimer(timeoutMs, () => over.resolve());
    this.#drained(others).then(over.resolve, over.resolve);
    await over.promise;
    timer.cancel();
    return Math.max(0, Math.ceil(untilMs - clock.nowMs()));
  }

  async #drained(others: () => Promise<void>): Promise<void> {
    await Promise.all([...this.#endings.keys()].map((ending) => ending.unsubscribe()));
    await others();
    if (this.#pending > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    }
  }
}
