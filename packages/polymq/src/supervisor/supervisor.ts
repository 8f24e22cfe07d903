import { abortedError, onAbort } from "../base/abort.ts";
import type { Clock, Timer } from "../base/clock.ts";
import { type Deferred, deferred } from "../base/deferred.ts";
import { asMessagingError, MessagingError } from "../base/errors.ts";
import { noop } from "../base/noop.ts";
import type { Redial } from "./redial.ts";

/** What a supervisor tells its owner; none of it may throw. */
export interface SupervisorHandler {
  /** A server is about to be dialled; `attempt` counts rounds over all servers from 1 since the last connection. */
  onAttempt(attempt: number, serverIndex: number): void;
  /** No further attempt will be made; told once, not after `stop`. */
  onGaveUp(error: MessagingError): void;
}

/** Settings of a {@link Supervisor}. */
export interface SupervisorOptions {
  readonly clock: Clock;
  /** Servers to rotate over, at least 1; read at the start of each round. */
  readonly serverCount: () => number;
  /** Connects to one server, handshake included; the signal fires when the supervisor is stopped. A rejection counts as a failed dial. */
  readonly connect: (serverIndex: number, signal: AbortSignal) => Promise<void>;
  /** Asked at each start: what decides about further rounds, or null for one round and none after a loss. */
  readonly redial: () => Redial | null;
  readonly handler: SupervisorHandler;
}

/**
 * Keeps one connection alive and knows nothing of what runs over it. A round tries every server once, beginning with the last that
 * worked.
 */
export class Supervisor {
  readonly #options: SupervisorOptions;
  #run: Run | null = null;
  /** The server that worked last. */
  #serverIndex = 0;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /**
   * Starts. Resolves at the first connection; rejects when it gives up before that, or is stopped or aborted. A supervisor that has stopped
   * may be started again.
   * @param signal stops the supervisor, at any time
   * @throws {MessagingError} what the last dial failed with, or what `redial` gives up with; ERR_ABORTED, ERR_ALREADY_CONNECTED when it runs already
   */
  start(signal?: AbortSignal): Promise<void> {
    if (this.#run !== null) {
      return Promise.reject(new MessagingError("ERR_ALREADY_CONNECTED", "the connection is kept alive already"));
    }
    const run: Run = {
      started: deferred<void>(),
      abort: new AbortController(),
      redial: this.#options.redial(),
      stopWaiting: noop,
      is: "dialing",
      timer: null,
      failedRounds: 0,
      lostWhileDialing: null,
    };
    this.#run = run;
    if (signal !== undefined) run.stopWaiting = onAbort(signal, () => this.#finish(abortedError(signal)));
    if (this.#run === run) void this.#round(run);
    return run.started.promise;
  }

  /** The owner's connection broke: another round may follow. Ignored unless connected (or just about to be told so). */
  lost(error: MessagingError): void {
    const run = this.#run;
    if (run?.is === "connected") this.#again(run, error);
    // The dial may have succeeded already without its promise's reaction having run.
    else if (run?.is === "dialing") run.lostWhileDialing = error;
  }

  /** Stops: a dial under way is aborted, no timer stays, `start`'s promise rejects if it is still open. Harmless when repeated. */
  stop(): void {
    this.#finish(null);
  }

  async #round(run: Run): Promise<void> {
    const servers = Math.max(1, this.#options.serverCount());
    const first = this.#serverIndex % servers;
    let failure = new MessagingError("ERR_NO_SERVERS", "there is no server to connect to");
    run.is = "dialing";
    for (let step = 0; step < servers; step++) {
      const serverIndex = (first + step) % servers;
      run.lostWhileDialing = null;
      this.#options.handler.onAttempt(run.failedRounds + 1, serverIndex);
      if (this.#run !== run) return;
      const error = await this.#dial(run, serverIndex);
      if (this.#run !== run) return;
      if (error === null) {
        this.#enterConnected(run, serverIndex);
        return;
      }
      failure = error;
    }
    run.failedRounds++;
    this.#again(run, failure);
  }

  async #dial(run: Run, serverIndex: number): Promise<MessagingError | null> {
    try {
      await this.#options.connect(serverIndex, run.abort.signal);
      return null;
    } catch (error) {
      return asMessagingError(error, "ERR_CONNECT_FAILED");
    }
  }

  #enterConnected(run: Run, serverIndex: number): void {
    this.#serverIndex = serverIndex;
    run.is = "connected";
    run.failedRounds = 0;
    run.redial?.connected();
    run.started.resolve();
    if (run.lostWhileDialing !== null) this.#again(run, run.lostWhileDialing);
  }

  /** After a loss or a failed round: waits for the next one, or gives up. */
  #again(run: Run, error: MessagingError): void {
    run.is = "waiting";
    try {
      if (run.redial === null) throw error;
      const delayMs = run.redial.delayMs(error, run.failedRounds);
      // A function of the rules may have stopped us.
      if (this.#run !== run) return;
      run.timer = this.#options.clock.setTimer(delayMs, () => {
        run.timer = null;
        void this.#round(run);
      });
    } catch (cause) {
      if (this.#run !== run) return;
      const reason = asMessagingError(cause, "ERR_CONNECT_FAILED");
      this.#finish(reason);
      this.#options.handler.onGaveUp(reason);
    }
  }

  #finish(error: MessagingError | null): void {
    const run = this.#run;
    if (run === null) return;
    this.#run = null;
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
  readonly redial: Redial | null;
  stopWaiting: () => void;
  is: "dialing" | "connected" | "waiting";
  timer: Timer | null;
  /** Rounds failed in a row since the last connection. */
  failedRounds: number;
  lostWhileDialing: MessagingError | null;
}
