import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

/** The built program: `npm test` builds first. */
const MAIN = fileURLToPath(new URL("../../dist/demo/main.js", import.meta.url));

const LIMIT_MS = 120_000;

function demo(...args: string[]): Promise<{ readonly code: number | null; readonly output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [MAIN, ...args], { stdio: ["ignore", "pipe", "pipe"], timeout: LIMIT_MS });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (output += text));
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, output }));
  });
}

describe("the demo", { timeout: LIMIT_MS }, () => {
  test("loses nothing while links are cut, workers and the broker are killed", async () => {
    const { code, output } = await demo("--fast", "--seconds", "2", "--records", "2000");
    expect(output).toMatch(/^published +2000 of 2000 acknowledged$/m);
    expect(output).toMatch(/^done +1928 /m);
    expect(output).toMatch(/^retried +[1-9]\d* given back$/m);
    expect(output).toMatch(/^redelivered +[1-9]\d*,/m);
    expect(output).toMatch(/^dead letters +3 delivery-limit, 69 rejected; /m);
    expect(output).toMatch(
      /^killed +a worker over MQTT, a worker over AMQP 0-9-1, a worker over AMQP 1\.0, the broker$/m,
    );
    expect(output).toMatch(/^duplicates .* 0 at QoS 2$/m);
    expect(output).toMatch(/^lost +0$/m);
    expect(output).toMatch(/^at once +0 given to two workers at once, of [1-9]\d* that/m);
    expect(output).toMatch(/^cuts +6, which broke \d+ connections$/m);
    expect(output).toContain("OK: nothing was lost, nothing given to two at once");
    expect(code).toBe(0);
  });

  test("fails and names the message that a worker acknowledged without counting it", async () => {
    const { code, output } = await demo("--fast", "--seconds", "2", "--records", "2000", "--sabotage");
    expect(output).toMatch(/^published +2000 of 2000 acknowledged$/m);
    expect(output).toMatch(/^lost +1$/m);
    expect(output).toMatch(/^FAILED: 1 acknowledged and lost: publisher-[123]\/\d+\/qos[12]$/m);
    expect(code).toBe(1);
  });

  test("says how it is used when it is asked for what it does not know", async () => {
    const { code, output } = await demo("--records", "none");
    expect(output).toContain("--records must be a whole number from 1 to 200000");
    expect(output).toContain("--sabotage");
    expect(code).toBe(2);
  });
});
