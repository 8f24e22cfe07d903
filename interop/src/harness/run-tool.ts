import { spawn } from "node:child_process";
import { once } from "node:events";
import { withDeadline } from "./deadline.ts";
import { binaryPath } from "./find-binary.ts";

/** Options of {@link runTool}. */
export interface RunToolOptions {
  /** Written to standard input, which is then closed. Default: closed at once. */
  readonly stdin?: string | Uint8Array;
  /** Default 20,000. */
  readonly timeoutMs?: number;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** `"success"` (default) rejects for any exit code but 0; `"any"` leaves the code to the caller. */
  readonly exit?: "success" | "any";
}

/** What a finished program left behind. */
export interface ToolResult {
  /** Null when a signal ended it. */
  readonly code: number | null;
  /** Standard output as bytes; at most {@link OUTPUT_BYTES_MAX}. */
  readonly stdoutBytes: Uint8Array;
  /** Standard output as UTF-8 text. */
  readonly stdout: string;
  /** Standard error as UTF-8 text. */
  readonly stderr: string;
}

/** A program that prints more is ended, and its run rejects. */
export const OUTPUT_BYTES_MAX: number = 64 * 1024 * 1024;
const TIMEOUT_MS = 20_000;
const SHOWN_CHARACTERS = 4_000;

/**
 * Runs a program to its end. Rejects with an Error that holds the end of its output when it cannot be started, exits with
 * a code that was not asked for, prints too much, or is still running at the deadline (it is killed then).
 */
export async function runTool(
  command: string,
  args: readonly string[],
  options: RunToolOptions = {},
): Promise<ToolResult> {
  const path = command.includes("/") ? command : binaryPath(command);
  const child = spawn(path, args, { stdio: ["pipe", "pipe", "pipe"], env: { ...process.env, ...options.env } });
  const stdout: Uint8Array[] = [];
  const stderr: Uint8Array[] = [];
  let bytes = 0;
  const keep = (into: Uint8Array[]) => (chunk: Uint8Array) => {
    bytes += chunk.length;
    if (bytes > OUTPUT_BYTES_MAX) child.kill("SIGKILL");
    else into.push(chunk);
  };
  child.stdout.on("data", keep(stdout));
  child.stderr.on("data", keep(stderr));
  // A program may end without reading its input; its exit code says what that means.
  child.stdin.on("error", () => {});
  child.stdin.end(options.stdin ?? "");

  const told = (what: string): string =>
    `${command} ${args.join(" ")}: ${what}\n${text(stdout).slice(-SHOWN_CHARACTERS)}${text(stderr).slice(-SHOWN_CHARACTERS)}`;
  const closed = once(child, "close");
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  const [code] = await withDeadline(closed, timeoutMs, () => told("still running")).catch(async (error: unknown) => {
    child.kill("SIGKILL");
    throw error;
  });
  if (bytes > OUTPUT_BYTES_MAX) throw new Error(told(`printed more than ${OUTPUT_BYTES_MAX} bytes`));
  if (code !== 0 && options.exit !== "any") throw new Error(told(`exit code ${code}`));
  return { code, stdoutBytes: Buffer.concat(stdout), stdout: text(stdout), stderr: text(stderr) };
}

function text(chunks: readonly Uint8Array[]): string {
  return Buffer.concat(chunks).toString("utf8");
}
