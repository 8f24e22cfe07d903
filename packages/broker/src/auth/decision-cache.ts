// Hot path: asked per message of a connection with permissions. No closure, promise, spread, iterator or regex here.

/** A decision, or one that is being made. */
export type Decision = boolean | Promise<boolean>;

/** Topics longer than this are decided anew each time, so that a cache stays small in bytes. */
const KEY_LENGTH_MAX = 1_024;

/** Decisions by topic, few and not for long: when it is full or its time is over, it starts anew. */
export class DecisionCache {
  readonly #countMax: number;
  readonly #lifetimeMs: number;
  readonly #decisions = new Map<string, Decision>();
  #untilMs = 0;

  /** @param lifetimeMs how long a decision is reused at most; 0 keeps none */
  constructor(countMax: number, lifetimeMs: number) {
    this.#countMax = countMax;
    this.#lifetimeMs = lifetimeMs;
  }

  get(topic: string, nowMs: number): Decision | undefined {
    if (nowMs >= this.#untilMs) {
      this.#decisions.clear();
      return undefined;
    }
    return this.#decisions.get(topic);
  }

  set(topic: string, decision: Decision, nowMs: number): void {
    if (this.#lifetimeMs === 0 || this.#countMax === 0 || topic.length > KEY_LENGTH_MAX) return;
    if (this.#decisions.size >= this.#countMax) this.#decisions.clear();
    if (this.#decisions.size === 0) this.#untilMs = nowMs + this.#lifetimeMs;
    this.#decisions.set(topic, decision);
  }

  /** A decision that was being made is known now, unless another one took its place. */
  settle(topic: string, pending: Promise<boolean>, decision: boolean): void {
    if (this.#decisions.get(topic) === pending) this.#decisions.set(topic, decision);
  }
}
