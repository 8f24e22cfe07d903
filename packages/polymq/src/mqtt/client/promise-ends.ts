import type { PublishResult } from "./pending.ts";

/** Takes the two ends of a promise that is being made: one executor for all, instead of a closure for each. */
export class PromiseEnds {
  resolve: (result: PublishResult) => void = ignore;
  reject: (error: Error) => void = ignore;
  readonly take = (resolve: (result: PublishResult) => void, reject: (error: Error) => void): void => {
    this.resolve = resolve;
    this.reject = reject;
  };
}

function ignore(): void {
  // Replaced by the first promise.
}
