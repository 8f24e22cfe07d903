import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { withDeadline } from "./deadline.ts";
import { binaryPath } from "./find-binary.ts";

/** How a process ended: one of the two is null. */
export interface ToolExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Options of {@link spawnTool}. */
export interface SpawnToolOptions {
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** `"own"` gives the process a group of its own, so that `stop()` also ends what it started. Default `"shared"`. */
  readonly group?: "own" | "shared";
}

/** A running program whose output is kept, line by line. */
export interface SpawnedTool {
  readonly pid: number;
  /** Settles when the process has ended and its output is read to the end. Never rejects. */
  readonly exited: Promise<ToolExit>;
  /** Every line of standard output so far, at most the last {@link LINES_MAX}. */
  readonly lines: readonly string[];
  /** The last lines (default 40) of standard output and standard error together, for error messages. */
  tail(lineCount?: number): string;
  /**
   * Resolves with the first line on either output that matches, from the start of the process on.
   * Rejects with the output's tail after `timeoutMs` (default 10,000) or when the process ends first.
   */
  waitForLine(pattern: RegExp, timeoutMs?: number): Promise<string>;
  /** Writes to standard input. */
  write(text: string): void;
  /** Ends the process: `signal` first (default SIGTERM), SIGKILL when `graceMs` (default 5,000) were not enough. */
  stop(options?: { readonly signal?: NodeJS.Signals; readonly graceMs?: number }): Promise<ToolExit>;
}

/** Lines kept of each running tool; older ones are dropped. */
export const LINES_MAX = 20_000;
const TAIL_LINES = 40;
const WAIT_TIMEOUT_MS = 10_000;
const STOP_GRACE_MS = 5_000;

/**
 * Starts a program that runs until it is stopped (or ends by itself), found as `binaryPath` finds it unless `command` is
 * a path. Rejects when it cannot be started. It is killed should this process exit without having stopped it.
 */
export async function spawnTool(
  command: string,
  args: readonly string[],
  options: SpawnToolOptions = {},
): Promise<SpawnedTool> {
  const path = command.includes("/") ? command : binaryPath(command);
  const child = spawn(path, args, {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    detached: options.group === "own",
  });
  await once(child, "spawn");
  return new RunningTool(child, command, options.group ?? "shared");
}

interface LineWaiter {
  readonly pattern: RegExp;
  readonly resolve: (line: string) => void;
  readonly reject: (error: Error) => void;
}

class RunningTool implements SpawnedTool {
  readonly pid: number;
  readonly exited: Promise<ToolExit>;
  readonly lines: string[] = [];
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #command: string;
  readonly #group: "own" | "shared";
  readonly #all: string[] = [];
  readonly #waiters = new Set<LineWaiter>();

  constructor(child: ChildProcessWithoutNullStreams, command: string, group: "own" | "shared") {
    if (child.pid === undefined) throw new Error(`${command} has no process id`);
    this.pid = child.pid;
    this.#child = child;
    this.#command = command;
    this.#group = group;
    createInterface({ input: child.stdout }).on("line", (line) => {
      keepLast(this.lines, line);
      this.#onLine(line);
    });
    createInterface({ input: child.stderr }).on("line", (line) => this.#onLine(line));
    // A tool that ended early makes writing fail; `exited` and the tail tell the story better than EPIPE does.
    child.stdin.on("error", () => {});
    const killWithUs = (): void => this.#signal("SIGKILL");
    process.once("exit", killWithUs);
    // Once it runs, the only error left is a signal that could not be sent; `close` still comes.
    child.on("error", () => {});
    this.exited = new Promise((resolve) => {
      child.once("close", (code, signal) => {
        process.off("exit", killWithUs);
        this.#onExit();
        resolve({ code, signal });
      });
    });
  }

  tail(lineCount: number = TAIL_LINES): string {
    return this.#all.slice(-lineCount).join("\n");
  }

  async waitForLine(pattern: RegExp, timeoutMs: number = WAIT_TIMEOUT_MS): Promise<string> {
    const seen = this.#all.find((line) => pattern.test(line));
    if (seen !== undefined) return seen;
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) throw this.#noLine(pattern, "ended");
    let waiter: LineWaiter | undefined;
    const found = new Promise<string>((resolve, reject) => {
      waiter = { pattern, resolve, reject };
      this.#waiters.add(waiter);
    });
    try {
      return await withDeadline(found, timeoutMs, () => this.#noLine(pattern, "is still running").message);
    } finally {
      if (waiter !== undefined) this.#waiters.delete(waiter);
    }
  }

  write(text: string): void {
    this.#child.stdin.write(text);
  }

  async stop(options: { readonly signal?: NodeJS.Signals; readonly graceMs?: number } = {}): Promise<ToolExit> {
    this.#signal(options.signal ?? "SIGTERM");
    const graceMs = options.graceMs ?? STOP_GRACE_MS;
    try {
      return await withDeadline(this.exited, graceMs, () => `${this.#command} did not stop`);
    } catch {
      this.#signal("SIGKILL");
      return await this.exited;
    }
  }

  #onLine(line: string): void {
    keepLast(this.#all, line);
    for (const waiter of this.#waiters) {
      if (waiter.pattern.test(line)) waiter.resolve(line);
    }
  }

  #onExit(): void {
    for (const waiter of this.#waiters) waiter.reject(this.#noLine(waiter.pattern, "ended"));
    this.#waiters.clear();
  }

  #noLine(pattern: RegExp, how: string): Error {
    return new Error(`${this.#command} ${how} without a line like ${pattern}; its output:\n${this.tail()}`);
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    try {
      process.kill(this.#group === "own" ? -this.pid : this.pid, signal);
    } catch {
      // ESRCH: it ended between the check and the signal, and `exited` is about to settle.
    }
  }
}

function keepLast(lines: string[], line: string): void {
  lines.push(line);
  // A tenth at once, so that a full log does not shift on every line.
  if (lines.length > LINES_MAX) lines.splice(0, LINES_MAX / 10);
}
