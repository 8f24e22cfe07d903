import { describe, expect, test } from "vitest";
import { runCommand, withAttempts } from "./run-command.mjs";

describe("runCommand", () => {
  test("gives the exit code, standard output, and both streams together", async () => {
    const script = 'process.stdout.write("out"); process.stderr.write("err"); process.exitCode = 3;';
    const result = await runCommand(process.execPath, ["-e", script]);
    expect(result.code).toBe(3);
    expect(result.stdout).toBe("out");
    expect([...result.output].sort().join("")).toBe([..."outerr"].sort().join(""));
  });

  test("reports a program that does not exist as code 127", async () => {
    expect((await runCommand("polymq-no-such-program", [])).code).toBe(127);
  });

  test("reports a signal as a failure", async () => {
    expect((await runCommand(process.execPath, ["-e", 'process.kill(process.pid, "SIGKILL")'])).code).toBe(128);
  });
});

describe("withAttempts", () => {
  function failing(times: number): () => Promise<{ code: number; stdout: string; output: string }> {
    let runs = 0;
    return () => {
      runs++;
      return Promise.resolve({ code: runs <= times ? 1 : 0, stdout: String(runs), output: "" });
    };
  }

  test("stops at the first success", async () => {
    expect(await withAttempts(3, failing(1))).toMatchObject({ code: 0, stdout: "2" });
  });

  test("gives the last failure after the last attempt", async () => {
    expect(await withAttempts(3, failing(9))).toMatchObject({ code: 1, stdout: "3" });
  });
});
