import { execFileSync, spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { runCli } from "../cli.ts";
import { FakeEnvironment } from "../environment.test-support.ts";

async function script(shell: string): Promise<string> {
  const env = new FakeEnvironment();
  expect(await runCli(["completion", shell], env)).toBe(0);
  expect(env.stderr).toBe("");
  return env.stdout;
}

const has = (shell: string): boolean => spawnSync(shell, ["-c", "true"]).status === 0;

describe.skipIf(!has("bash"))("completion in bash", () => {
  /** What bash offers at the end of a line. */
  async function offered(...words: string[]): Promise<string[]> {
    const run = `${await script("bash")}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _polymq; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return execFileSync("bash", ["-c", run, "bash", ...words], { encoding: "utf8" })
      .trim()
      .split("\n")
      .sort();
  }

  test("offers commands", async () => {
    expect(await offered("polymq", "p")).toEqual(["ping", "probe", "proxy", "pub"]);
    expect(await offered("polymq", "queue", "pu")).toEqual(["publish", "purge"]);
    expect(await offered("polymq", "queue", "dlq", "r")).toEqual(["replay"]);
    expect(await offered("polymq", "completion", "")).toEqual(["--help", "bash", "fish", "zsh"].sort());
  });

  test("offers options of the command that the line is about", async () => {
    expect(await offered("polymq", "sub", "-t", "x", "--retained")).toEqual(["--retained-only"]);
    expect(await offered("polymq", "queue", "consume", "orders", "--set")).toEqual(["--settle"]);
    expect(await offered("polymq", "pub", "--repeat-")).toEqual([""]);
  });

  test("offers the words that an option may be, and nothing where nobody can guess", async () => {
    expect(await offered("polymq", "pub", "--protocol", "a")).toEqual(["amqp091", "amqp10"]);
    expect(await offered("polymq", "pub", "--topic", "")).toEqual([""]);
  });
});

describe.each(["zsh", "fish"])("completion in %s", (shell) => {
  test("names every command and its options", async () => {
    const text = await script(shell);
    for (const word of ["broker", "publish", "replay", "bench", "protocol", "amqp091", "cafile"])
      expect(text).toContain(word);
  });

  test.skipIf(!has(shell))("is a script that the shell can read", async () => {
    const folder = await mkdtemp(join(tmpdir(), "polymq-completion-"));
    const file = join(folder, "script");
    await writeFile(file, await script(shell));
    const ran = spawnSync(shell, ["-n", file], { encoding: "utf8" });
    await rm(folder, { recursive: true });
    expect(ran.stderr).toBe("");
    expect(ran.status).toBe(0);
  });
});

test.each([[[]], [["tcsh"]]])("%j is wrong usage", async (args) => {
  expect(await runCli(["completion", ...args], new FakeEnvironment())).toBe(2);
});
