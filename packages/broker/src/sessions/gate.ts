// Hot path: `isOpen` is asked per message. The rest runs only where somebody has to be asked.
import { Deque } from "polymq/internal";
import type { Decision } from "../auth/decision-cache.ts";

/** What is to be done once a decision is known. */
type Action = (allowed: boolean) => void;

interface Held {
  readonly action: Action;
  /** Null until it is known. */
  allowed: boolean | null;
}

/**
 * Keeps a connection's order while the application is asked whether its client may do something: what comes after waits behind it. As nothing more is
 * read meanwhile, no more waits than a few chunks of input hold.
 */
export class Gate {
  readonly #held = new Deque<Held>();
  readonly #onChange: () => void;
  readonly #onError: (error: unknown) => void;
  #closed = false;

  /** @param onChange told when waiting begins or ends  @param onError told what an action threw that had to wait */
  constructor(onChange: () => void, onError: (error: unknown) => void) {
    this.#onChange = onChange;
    this.#onError = onError;
  }

  /** True while nothing waits: what comes may be done at once. */
  get isOpen(): boolean {
    return this.#held.length === 0;
  }

  /** Does something once it is allowed or not, and all before it is done: at once where that can be. */
  pass(decision: Decision, action: Action): void {
    if (typeof decision === "boolean" && this.isOpen) return action(decision);
    const held: Held = { action, allowed: typeof decision === "boolean" ? decision : null };
    this.#held.push(held);
    this.#onChange();
    if (typeof decision === "boolean") return;
    decision.then(
      (allowed) => this.#decided(held, allowed),
      () => this.#decided(held, false),
    );
  }

  /** Does something when all before it is done. */
  after(action: () => void): void {
    this.pass(true, action);
  }

  /** Forgets what waits. */
  close(): void {
    this.#closed = true;
    this.#held.clear();
  }

  #decided(held: Held, allowed: boolean): void {
    held.allowed = allowed;
    if (this.#closed) return;
    for (let next = this.#held.peek(); next !== undefined && next.allowed !== null; next = this.#held.peek()) {
      this.#held.shift();
      try {
        next.action(next.allowed);
      } catch (error) {
        this.#onError(error);
      }
      if (this.#closed) return;
    }
    this.#onChange();
  }
}
