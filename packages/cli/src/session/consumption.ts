import type { Message, MessagingError } from "polymq";
import type { Timer } from "polymq/internal";
import { ExitCode } from "../exit-code.ts";
import { codeOf } from "../failure.ts";
import type { Session } from "./client-session.ts";

/** What ends a consumption, and what it does with messages. */
export interface ConsumptionRules {
  /** Messages to take. Default: any number. */
  readonly count?: number | undefined;
  /** Longest time that it takes. Default: any. */
  readonly timeoutMs?: number | undefined;
  /** What is to be printed of a message: null for nothing, `end` for nothing and no more. */
  readonly print: (message: Message) => string | Uint8Array | null | "end";
  /** Says what became of a message that was printed. */
  readonly settle: (message: Message) => Promise<void>;
}

/** Messages of subscriptions, printed until their count, a time, a request to stop or a failure ends it. */
export class Consumption {
  readonly #session: Session;
  readonly #rules: ConsumptionRules;
  readonly #ended: Promise<ExitCode>;
  readonly #timer: Timer | null;
  #resolve: (code: ExitCode) => void = () => {};
  #reject: (error: unknown) => void = () => {};
  #isOver = false;
  #taken = 0;
  #settled = 0;

  /** The time of `timeoutMs` begins now. */
  constructor(session: Session, rules: ConsumptionRules) {
    this.#session = session;
    this.#rules = rules;
    this.#ended = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    const { timeoutMs, count } = rules;
    const end = (code: ExitCode): void => this.end(code);
    this.#timer = timeoutMs === undefined ? null : session.env.clock.setTimer(timeoutMs, () => end(ExitCode.timedOut));
    // What has no count has done all that it was asked when it is stopped.
    void session.stop.first.then(() => end(count === undefined ? ExitCode.ok : ExitCode.interrupted));
    void session.lost.then((error: MessagingError) => this.#fail(error));
  }

  /** For `handler` of a subscription with `ack: "manual"`; messages beyond the count are left to the server. */
  readonly handler = async (message: Message): Promise<void> => {
    const { count, print, settle } = this.#rules;
    if (this.#isOver || this.#taken === count) return;
    const text = print(message);
    if (text === "end") {
      this.end(ExitCode.ok);
      return;
    }
    if (text !== null) {
      this.#taken++;
      this.#session.env.out(text);
    }
    await settle(message).catch((error) => this.#onUnsettled(error));
    if (text !== null && ++this.#settled === count) this.end(ExitCode.ok);
    await this.#session.env.outReady();
  };

  /** Ends it with this code unless it is over. Messages that come later are left to the server. */
  end(code: ExitCode): void {
    this.#isOver = true;
    this.#timer?.cancel();
    this.#resolve(code);
  }

  /**
   * Subscribes, and resolves with the exit code when it is over. Rejects when subscribing fails or the connection is lost for good.
   * @param subscribe may be overtaken by a request to stop, or the time
   */
  async run(subscribe: () => Promise<unknown>): Promise<ExitCode> {
    try {
      await Promise.race([subscribe(), this.#ended]);
      return await this.#ended;
    } finally {
      this.end(ExitCode.failed);
    }
  }

  /** A message whose connection is gone comes again; it was printed, and is counted. */
  #onUnsettled(error: unknown): void {
    if (codeOf(error) !== "ERR_STALE_DELIVERY" && !this.#isOver) this.#fail(error);
  }

  #fail(error: unknown): void {
    this.#isOver = true;
    this.#timer?.cancel();
    this.#reject(error);
  }
}
