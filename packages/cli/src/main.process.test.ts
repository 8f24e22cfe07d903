import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const BIN = fileURLToPath(new URL("../bin/polymq.js", import.meta.url));
const BUILT = fileURLToPath(new URL("../dist/main.js", import.meta.url));

/** A process of the built command. */
class Process {
  readonly child: ChildProcess;
  stdout = "";
  stderr = "";
  readonly exited: Promise<number | null>;
  #look: () => void = () => {};

  constructor(args: readonly string[]) {
    this.child = spawn(process.execPath, [BIN, ...args], { stdio: "pipe" });
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
      this.#look();
    });
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    this.exited = once(this.child, "close").then(([code]) => code as number | null);
  }

  /** Resolves when standard output satisfies `condition`, or the process is over. */
  async until(condition: (stdout: string) => boolean): Promise<void> {
    const there = new Promise<void>((resolve) => {
      this.#look = () => {
        if (condition(this.stdout)) resolve();
      };
      this.#look();
    });
    await Promise.race([there, this.exited]);
  }
}

describe.skipIf(!existsSync(BUILT))("the built command", () => {
  const started: Process[] = [];
  let port = "";

  function start(...args: string[]): Process {
    const made = new Process(args);
    started.push(made);
    return made;
  }

  async function run(...args: string[]): Promise<Process> {
    const made = start(...args);
    await made.exited;
    return made;
  }

  beforeEach(async () => {
    const broker = start("broker", "--port", "0", "--json");
    await broker.until((stdout) => stdout.includes("\n"));
    const ready = JSON.parse(broker.stdout) as { addresses: { port: number }[] };
    port = String(ready.addresses[0]?.port);
  });

  afterEach(async () => {
    for (const { child } of started) child.kill("SIGKILL");
    await Promise.all(started.splice(0).map(({ exited }) => exited));
  });

  const at = (): string[] => ["-h", "127.0.0.1", "-p", port];

  test("publishes a kept message, and prints it until it is interrupted", async () => {
    expect(await (await run("pub", ...at(), "-t", "t", "-m", "kept", "-r", "-q", "1")).exited).toBe(0);
    const sub = start("sub", ...at(), "-t", "t");
    await sub.until((stdout) => stdout === "kept\n");
    sub.child.kill("SIGINT");
    expect(await sub.exited).toBe(0);
    expect(sub.stderr).toBe("");
  });

  test("publishes lines of standard input into a queue, and takes them over another protocol", async () => {
    const pub = start("queue", "publish", "q", ...at(), "-l");
    pub.child.stdin?.end("one\ntwo\n");
    expect(await pub.exited).toBe(0);
    const consume = await run("queue", "consume", "q", ...at(), "--protocol", "amqp10", "-C", "2", "-W", "60");
    expect([consume.stdout, consume.stderr]).toEqual(["one\ntwo\n", ""]);
    expect(await consume.exited).toBe(0);
  });

  test("ends when it is interrupted while it waits for input", async () => {
    const sub = start("sub", ...at(), "-t", "t", "-E");
    expect(await sub.exited).toBe(0);
    const pub = start("pub", ...at(), "-t", "t", "-l", "-r", "-q", "1");
    pub.child.stdin?.write("first\n");
    const seen = start("sub", ...at(), "-t", "t", "-C", "1");
    await seen.exited;
    pub.child.kill("SIGINT");
    expect(await pub.exited).toBe(130);
  });

  test("ends when nobody reads its output any more", async () => {
    const sub = start("sub", ...at(), "-t", "t");
    await run("pub", ...at(), "-t", "t", "-m", "kept", "-r", "-q", "1");
    await sub.until((stdout) => stdout.includes("kept"));
    sub.child.stdout?.destroy();
    const pub = start("pub", ...at(), "-t", "t", "-m", "x", "--repeat", "100000", "--delay", "0.01");
    expect(await sub.exited).toBe(0);
    pub.child.kill("SIGKILL");
  });

  test("tells a server that is not there in one line, with exit code 3", async () => {
    started[0]?.child.kill("SIGTERM");
    await started[0]?.exited;
    const sub = await run("sub", ...at(), "-t", "t");
    expect(await sub.exited).toBe(3);
    expect(sub.stderr).toMatch(/^polymq: ERR_CONNECT_FAILED: .*ECONNREFUSED.*\n$/);
  });
});
