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

describe.skipIf(!has("zsh"))("completion in zsh", () => {
  /** What zsh has to offer at the end of a line. With `autoload` the script is a file in `$fpath`, and this is the first call of it. */
  async function offered(how: "sourced" | "autoload", ...words: string[]): Promise<string[]> {
    const folder = await mkdtemp(join(tmpdir(), "polymq-completion-"));
    await writeFile(join(folder, "_polymq"), await script("zsh"));
    // What the completion system would do with them; `compdef` says what is to be called.
    const run = `compdef() { :; }; compadd() { shift; print -l -- "$@"; }; _files() { print files; }
_describe() { print -l -- "\${(@P)2%%:*}"; }
${how === "autoload" ? 'fpath=("$1" $fpath); autoload -U _polymq' : 'source "$1/_polymq"'}
shift; words=("$@"); CURRENT=$#; _polymq`;
    const ran = spawnSync("zsh", ["-f", "-c", run, "zsh", folder, ...words], { encoding: "utf8" });
    await rm(folder, { recursive: true });
    expect(ran.stderr).toBe("");
    return ran.stdout.split("\n").filter((line) => line !== "");
  }

  test.each(["sourced", "autoload"] as const)("offers commands, %s", async (how) => {
    expect(await offered(how, "polymq", "queue", "")).toEqual(
      expect.arrayContaining(["publish", "consume", "dlq", "--help"]),
    );
    expect(await offered(how, "polymq", "completion", "")).toEqual(["bash", "zsh", "fish", "--help"]);
  });

  test("offers options of the command that the line is about, the words that one may be, and files", async () => {
    const options = await offered("sourced", "polymq", "queue", "consume", "orders", "");
    expect(options).toContain("--settle");
    expect(options).not.toContain("--retain");
    expect(await offered("sourced", "polymq", "queue", "consume", "--settle", "")).toEqual([
      "ack",
      "nack",
      "reject",
      "none",
    ]);
    expect(await offered("sourced", "polymq", "pub", "-f", "")).toEqual(["files"]);
    expect(await offered("sourced", "polymq", "pub", "--topic", "")).toEqual([]);
  });
});

describe.skipIf(!has("fish"))("completion in fish", () => {
  /** What fish offers at the end of a line, without what it says of each. */
  async function offered(line: string): Promise<string[]> {
    const folder = await mkdtemp(join(tmpdir(), "polymq-completion-"));
    await writeFile(join(folder, "polymq.fish"), await script("fish"));
    await writeFile(join(folder, "payload.bin"), "x");
    const run = 'cd $argv[1]; source polymq.fish; complete -C "$argv[2]"';
    const ran = spawnSync("fish", ["--no-config", "-c", run, folder, line], {
      encoding: "utf8",
      env: { HOME: folder },
    });
    await rm(folder, { recursive: true });
    expect(ran.stderr).toBe("");
    return ran.stdout.split("\n").flatMap((each) => (each === "" ? [] : [each.split("\t", 1)[0] ?? ""]));
  }

  test("offers commands, and options of the command that the line is about", async () => {
    expect((await offered("polymq p")).sort()).toEqual(["ping", "probe", "proxy", "pub"]);
    expect((await offered("polymq queue pu")).sort()).toEqual(["publish", "purge"]);
    expect(await offered("polymq queue dlq r")).toEqual(["replay"]);
    expect(await offered("polymq queue consume orders --set")).toEqual(["--settle"]);
    expect(await offered("polymq pub --repeat-")).toEqual([]);
  });

  test("offers the words that an option may be, files, and nothing where nobody can guess", async () => {
    expect((await offered("polymq pub --protocol a")).sort()).toEqual(["amqp091", "amqp10"]);
    expect(await offered("polymq pub --file pay")).toEqual(["payload.bin"]);
    expect(await offered("polymq pub --topic ")).toEqual([]);
  });
});

describe.each(["zsh", "fish"])("the script for %s", (shell) => {
  test("names every command and its options", async () => {
    const text = await script(shell);
    for (const word of ["broker", "publish", "replay", "bench", "protocol", "amqp091", "cafile"])
      expect(text).toContain(word);
  });
});

test.each([[[]], [["tcsh"]]])("%j is wrong usage", async (args) => {
  expect(await runCli(["completion", ...args], new FakeEnvironment())).toBe(2);
});
