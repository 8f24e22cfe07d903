import type { Environment } from "./environment.ts";
import { ExitCode } from "./exit-code.ts";

/** Requests to stop: the first one is told, a second one ends the process at once with code 1. */
export class StopRequests {
  /** Aborted by the first request. */
  readonly signal: AbortSignal;
  /** Resolves at the first request. */
  readonly first: Promise<"stop">;
  /** Listens no more. */
  readonly forget: () => void;

  /** @param also `output`: when nobody reads standard output any more, that is a request, too */
  constructor(env: Environment, also?: "output") {
    const controller = new AbortController();
    this.signal = controller.signal;
    let tell: () => void = () => {};
    this.first = new Promise((resolve) => {
      tell = () => resolve("stop");
    });
    this.forget = env.onStop(() => {
      if (controller.signal.aborted) {
        env.exit(ExitCode.failed);
        return;
      }
      controller.abort();
      tell();
    }, also);
  }
}
