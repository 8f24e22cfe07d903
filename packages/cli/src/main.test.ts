import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const BIN = fileURLToPath(new URL("../bin/polymq.js", import.meta.url));

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(script: string, ...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [script, ...args], (_, stdout, stderr) => {
      resolve({ code: child.exitCode ?? -1, stdout, stderr });
    });
  });
}

describe("bin/polymq.js", () => {
  let folder = "";

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "polymq-bin-"));
    await writeFile(join(folder, "package.json"), '{"type":"module"}');
    await cp(BIN, join(folder, "bin", "polymq.js"));
  });

  afterEach(() => rm(folder, { recursive: true }));

  test("says that the build is missing, in one line and with exit code 1", async () => {
    const ended = await run(join(folder, "bin", "polymq.js"), "broker");
    expect(ended).toEqual({
      code: 1,
      stdout: "",
      stderr: expect.stringMatching(/^polymq: not built yet.*npm run build.*\n$/),
    });
  });

  test("runs the built command with its arguments", async () => {
    await mkdir(join(folder, "dist"));
    await writeFile(
      join(folder, "dist", "main.js"),
      "console.log(process.argv.slice(2).join()); process.exitCode = 7;",
    );
    expect(await run(join(folder, "bin", "polymq.js"), "broker", "--json")).toEqual({
      code: 7,
      stdout: "broker,--json\n",
      stderr: "",
    });
  });
});
