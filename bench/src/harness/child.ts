import { type ChildProcess, type ForkOptions, fork } from "node:child_process";
import { once } from "node:events";
import { isMessage, Mailbox, type Message } from "./mailbox.ts";

const ANSWER_TIMEOUT_MS = 60_000;

/** A process of a benchmark, seen from its parent: one entry file, one configuration, messages both ways. */
export class Child {
  readonly #process: ChildProcess;
  readonly #mailbox: Mailbox = new Mailbox();
  readonly #failed: Promise<never>;
  #relayTo: Child | null = null;

  private constructor(process: ChildProcess, name: string) {
    this.#process = process;
    this.#failed = new Promise((_, reject) => {
      const fail = (error: Error): void => {
        this.#mailbox.fail(error);
        reject(error);
      };
      process.on("message", (value) => this.#onMessage(value, fail));
      process.once("error", fail);
      process.once("exit", (code, signal) => fail(new Error(`${name} ended (${signal ?? `exit code ${code}`})`)));
    });
    this.#failed.catch(() => undefined); // those who wait on it see it; an end after the result concerns nobody
  }

  /**
   * Starts `entry` with `config` as its configuration. Its stderr is this process's. A `program` runs instead of Node: it gets the same arguments, and the messages as lines of
   * JSON on the descriptor that NODE_CHANNEL_FD names.
   */
  static start(entry: URL, config: object, program: string = process.execPath): Child {
    const options: ForkOptions = { stdio: ["ignore", "ignore", "inherit", "ipc"], execPath: program };
    const child = fork(
      entry,
      [JSON.stringify(config)],
      program === process.execPath ? options : { ...options, execArgv: [] },
    );
    return new Child(child, entry.pathname.slice(entry.pathname.lastIndexOf("/") + 1));
  }

  /** The operating system's id of the process, 0 if it never started. */
  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** Passes messages marked `relay` on to `other`. */
  relayTo(other: Child): void {
    this.#relayTo = other;
  }

  /** Sends a message to the process. */
  send(message: Message): void {
    if (this.#process.connected) this.#process.send(message);
  }

  /** The data of the next message of a type (both ends are ours: taken as `Data` unseen). Rejects if this process or one of `others` fails first, or after a minute. */
  async next<Data>(type: string, others: readonly Child[] = []): Promise<Data> {
    const timeout = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
    const late = once(timeout, "abort").then(() => {
      throw new Error(`no "${type}" within ${ANSWER_TIMEOUT_MS} ms`);
    });
    const answer = await Promise.race([this.#mailbox.next(type), late, ...others.map((other) => other.#failed)]);
    return answer as Data;
  }

  /** Ends the process and resolves when it is gone. */
  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null || this.pid === 0) return;
    const gone = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await gone;
  }

  #onMessage(value: unknown, fail: (error: Error) => void): void {
    if (!isMessage(value)) return;
    if (value.type === "fault") fail(new Error(String(value.data)));
    else if (value.relay === true) this.#relayTo?.send(value);
    else this.#mailbox.put(value);
  }
}
