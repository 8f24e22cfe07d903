import { abortedError, onAbort } from "../base/abort.ts";
import { unreachable } from "../base/assert.ts";
import type { Clock, Timer } from "../base/clock.ts";
import { type Deferred, deferred } from "../base/deferred.ts";
import { asMessagingError, isMessagingError, MessagingError } from "../base/errors.ts";
import { noop } from "../base/noop.ts";
import type { Backoff } from "./backoff.ts";

/** A connection that lived this long starts the delays anew when it is lost; a shorter one goes on with them. */
const STABLE_AFTER_MS = 5_000;

/** What a supervisor tells its owner; none of it may throw. */
export interface SupervisorHandler {
  /** A server is about to be dialled; `attempt` counts rounds over all servers from 1 since the last connection. */
  onAttempt(attempt: number, serverIndex: number): void;
  /** A round failed; the next one starts after `delayMs`. */
  onWaiting(attempt: number, delayMs: number, error: Error): void;
  /** No further attempt will be made; told once, not after `stop`. */
  onGaveUp(error: Error): void;
}

/** Settings of a {@link Supervisor}. */
export interface SupervisorOptions {
  readonly clock: Clock;
  /** Servers to rotate over, at least 1; read at the start of each round. */
  readonly serverCount: () => number;
  /** Connects to one server, handshake included; the signal fires when the supervisor is stopped. A rejection counts as a failed dial. */
  readonly connect: (serverIndex: number, signal: AbortSignal) => Promise<void>;
  readonly backoff: Backoff;
  readonly handler: SupervisorHandler;
  /** Rounds tried in a row without success before it gives up. Default: no limit. */
  readonly attemptsMax?: number | undefined;
  /**
   * Asked after a loss (`attempt` 0) and after each failed round (`attempt` counts them); false gives up.
   * Default: gives up on errors whose `retry` is `never`.
   */
  readonly shouldReconnect?: ((error: Error, attempt: number) => boolean) | undefined;
  /** `once`: the first connect gets one round. `retry`: it follows the same rules as later ones. Default `once`. */
  readonly firstConnect?: "once" | "retry" | undefined;
}

/** Where a supervisor stands. */
export type SupervisorState =
  | { readonly is: "idle" }
  | { readonly is: "dialing"; readonly attempt: number; readonly serverIndex: number }
  | { readonly is: "waiting"; readonly attempt: number; readonly delayMs: number }
  | { readonly is: "connected"; readonly serverIndex: number }
  | { readonly is: "stopped"; readonly error: Error | null };

/**
 * Keeps one connection alive and knows nothing of what runs over it. A round tries every server once, beginning with the last that
 * worked; the first round after a loss starts at once, later ones after a growing delay.
 */
export class Supervisor {
  readonly #options: SupervisorOptions;
  #run: Run | null = null;
  #state: SupervisorState = { is: "idle" };
  /** The server that worked last. */
  #serverIndex = 0;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  get state(): SupervisorState {
    return this.#state;
  }

  /**
   * Starts. Resolves at the first connection; rejects when it gives up before that, or is stopped or aborted. A supervisor that has stopped
   * may be started again.
   * @param signal stops the supervisor, at any time
   * @throws {MessagingError} what the last dial failed with, ERR_RECONNECT_EXHAUSTED after `attemptsMax` rounds, ERR_ABORTED,
   *   ERR_ALREADY_CONNECTED when it runs already
   */
  start(signal?: AbortSignal): Promise<void> {
    if (this.#run !== null) {
      return Promise.reject(new MessagingError("ERR_ALREADY_CONNECTED", "the connection is kept alive already"));
    }
    const run: Run = {
      started: deferred<void>(),
      abort: new AbortController(),
      stopWaiting: noop,
      timer: null,
      connectedOnce: false,
      failedRounds: 0,
      earlyLosses: 0,
      pace: 0,
      connectedAtMs: 0,
      lostWhileDialing: null,
    };
    this.#run = run;
    if (signal !== undefined) run.stopWaiting = onAbort(signal, () => this.#finish(abortedError(signal)));
    if (this.#run === run) void this.#round(run);
    return run.started.promise;
  }

  /** The owner's connection broke: starts reconnecting. Ignored unless connected (or just about to be told so). */
  lost(error: Error): void {
    const run = this.#run;
    if (run === null) return;
    const state = this.#state;
    switch (state.is) {
      case "connected":
        this.#afterLoss(run, error);
        return;
      case "dialing":
        // The dial may have succeeded already without its promise's reaction having run.
        run.lostWhileDialing = error;
        return;
      case "idle":
      case "waiting":
      case "stopped":
        return;
      default:
        unreachable(state);
    }
  }

  /** Stops: a dial under way is aborted, no timer stays, `start`'s promise rejects if it is still open. Harmless when repeated. */
  stop(): void {
    this.#finish(null);
  }

  async #round(run: Run): Promise<void> {
    const servers = Math.max(1, this.#options.serverCount());
    const attempt = run.failedRounds + 1;
    const first = this.#serverIndex % servers;
    let failure: Error = new MessagingError("ERR_NO_SERVERS", "there is no server to connect to");
    for (let step = 0; step < servers; step++) {
      const serverIndex = (first + step) % servers;
      this.#state = { is: "dialing", attempt, serverIndex };
      run.lostWhileDialing = null;
      this.#options.handler.onAttempt(attempt, serverIndex);
      if (this.#run !== run) return;
      const error = await this.#dial(run, serverIndex);
      if (this.#run !== run) return;
      if (error === null) {
        this.#enterConnected(run, serverIndex);
        return;
      }
      failure = error;
    }
    this.#afterFailedRound(run, failure);
  }

  async #dial(run: Run, serverIndex: number): Promise<Error | null> {
    try {
      await this.#options.connect(serverIndex, run.abort.signal);
      return null;
    } catch (error) {
      return error instanceof Error ? error : asMessagingError(error, "ERR_CONNECT_FAILED");
    }
  }

  #enterConnected(run: Run, serverIndex: number): void {
    this.#serverIndex = serverIndex;
    this.#state = { is: "connected", serverIndex };
    run.failedRounds = 0;
    run.connectedOnce = true;
    run.connectedAtMs = this.#options.clock.nowMs();
    run.started.resolve();
    if (run.lostWhileDialing !== null) this.#afterLoss(run, run.lostWhileDialing);
  }

  /** A first loss is followed by a round at once; connections that are lost soon again and again come back ever more slowly. */
  #afterLoss(run: Run, error: Error): void {
    const stable = this.#options.clock.nowMs() - run.connectedAtMs >= STABLE_AFTER_MS;
    run.earlyLosses = stable ? 0 : run.earlyLosses + 1;
    run.pace = Math.max(0, run.earlyLosses - 1);
    this.#decide(run, error);
  }

  #afterFailedRound(run: Run, error: Error): void {
    run.failedRounds++;
    // The round that just failed was the one without a delay.
    run.pace = Math.max(run.pace, 1);
    if (!run.connectedOnce && this.#options.firstConnect !== "retry") {
      this.#giveUp(error);
    } else if (run.failedRounds >= (this.#options.attemptsMax ?? Number.POSITIVE_INFINITY)) {
      const message = `no connection after ${run.failedRounds} attempts: ${error.message}`;
      this.#giveUp(new MessagingError("ERR_RECONNECT_EXHAUSTED", message, { cause: error }));
    } else {
      this.#decide(run, error);
    }
  }

  /** Goes on or gives up as the caller's functions say; one that throws gives up. */
  #decide(run: Run, error: Error): void {
    let delayMs: number;
    try {
      if (!this.#mayReconnect(error, run.failedRounds)) {
        this.#giveUp(error);
        return;
      }
      delayMs = run.pace === 0 ? 0 : this.#options.backoff(run.pace, error);
    } catch (cause) {
      this.#giveUp(new MessagingError("ERR_HANDLER_FAILED", "a reconnect option threw", { cause }));
      return;
    }
    run.pace++;
    const attempt = run.failedRounds + 1;
    this.#state = { is: "waiting", attempt, delayMs };
    run.timer = this.#options.clock.setTimer(delayMs, () => {
      run.timer = null;
      void this.#round(run);
    });
    this.#options.handler.onWaiting(attempt, delayMs, error);
  }

  #mayReconnect(error: Error, attempt: number): boolean {
    const { shouldReconnect } = this.#options;
    if (shouldReconnect === undefined) return !isMessagingError(error) || error.retry !== "never";
    return shouldReconnect(error, attempt);
  }

  #giveUp(error: Error): void {
    this.#finish(error);
    this.#options.handler.onGaveUp(error);
  }

  #finish(error: Error | null): void {
    const run = this.#run;
    if (run === null) return;
    this.#run = null;
    this.#state = { is: "stopped", error };
    run.timer?.cancel();
    run.stopWaiting();
    const reason = error ?? new MessagingError("ERR_ABORTED", "the connection was stopped");
    run.abort.abort(reason);
    run.started.promise.catch(noop);
    run.started.reject(reason);
  }
}

/** What one start keeps until its stop. */
interface Run {
  readonly started: Deferred<void>;
  readonly abort: AbortController;
  stopWaiting: () => void;
  timer: Timer | null;
  connectedOnce: boolean;
  /** Rounds failed in a row since the last connection. */
  failedRounds: number;
  /** Losses in a row of connections that did not last. */
  earlyLosses: number;
  /** Which delay comes next, from 1; 0 means none. */
  pace: number;
  connectedAtMs: number;
  lostWhileDialing: Error | null;
}
