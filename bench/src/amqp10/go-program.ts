import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { printProgress } from "../harness/report.ts";

/** Downloading the module and compiling Go's own library take their time when it is the first time. */
const BUILD_TIMEOUT_MS = 300_000;

const SOURCE = fileURLToPath(new URL("../../src/amqp10/go/", import.meta.url));
const MODULE = /github\.com\/Azure\/go-amqp v(\S+)/;

/** The contender that is written in Go: built once, where Go and go-amqp can be had, into a directory that goes with this process. */
export class GoProgram {
  readonly #command: string;
  #path: string | null = null;
  #versions: Record<string, string> = {};

  /** @param command Go's own program */
  constructor(command: string = "go") {
    this.#command = command;
  }

  /** The program, or null before {@link build} and where it cannot be built. */
  get path(): string | null {
    return this.#path;
  }

  /** Versions of go-amqp and Go, when the program has been built. */
  get versions(): Readonly<Record<string, string>> {
    return this.#versions;
  }

  /** Builds the program. Returns why it cannot be had, or null. */
  build(): string | null {
    if (this.#path !== null) return null;
    if (process.platform !== "linux") return "it is measured on Linux alone";
    const go = run(this.#command, ["env", "GOVERSION"]);
    if (!go.ok) return go.text;
    printProgress("building go-amqp's contender");
    const folder = mkdtempSync(join(tmpdir(), "polymq-bench-go-"));
    process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
    const path = join(folder, "go-amqp");
    const built = run(this.#command, ["build", "-o", path, "."]);
    if (!built.ok) return `it could not be built with ${go.text}: ${built.text}`;
    const [, version = "unknown"] = MODULE.exec(readFileSync(join(SOURCE, "go.mod"), "utf8")) ?? [];
    this.#versions = { "go-amqp": version, Go: go.text.replace(/^go/, "") };
    this.#path = path;
    return null;
  }
}

/** Runs Go on the contender's source; what it said, as one line. Never another version of Go than the one that is there. */
function run(command: string, args: readonly string[]): { readonly ok: boolean; readonly text: string } {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: SOURCE,
    env: { ...process.env, GOTOOLCHAIN: "local" },
    encoding: "utf8",
    timeout: BUILD_TIMEOUT_MS,
  });
  const isMissing = error !== undefined && "code" in error && error.code === "ENOENT";
  const wrong = isMissing ? "Go is not installed" : (error?.message ?? stderr);
  return { ok: status === 0, text: (status === 0 ? stdout : wrong).trim().replaceAll(/\s*\n\s*/g, "; ") };
}
