/** Code of a client that is loaded when the test says so. */
import { type Deferred, deferred } from "../../base/deferred.ts";
import type { Source } from "../../base/lazy.ts";

export class LateCode {
  /** How often something was asked for. */
  loads = 0;
  #ready: Deferred<void> = deferred();

  /** The same code, late. */
  of<Code>(source: Source<Code>): Source<Code> {
    return {
      load: async () => {
        this.loads++;
        await this.#ready.promise;
        return "loaded" in source ? source.loaded : await source.load();
      },
    };
  }

  /** What is being loaded is there, and all that is asked for from now on. */
  arrive(): void {
    this.#ready.resolve();
  }

  /** What is being loaded cannot be loaded. */
  fail(error: Error): void {
    const ready = this.#ready;
    this.#ready = deferred();
    ready.reject(error);
  }
}
