import { systemClock } from "polymq/transport";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runCli } from "../cli.ts";
import { type ConnectedEnvironment, PROTOCOLS, Site } from "../clients.test-support.ts";

let site: Site;

beforeEach(async () => {
  site = await Site.start({ queues: [{ name: "jobs" }] });
});

afterEach(() => site.close());

/** An environment whose time goes on by itself. */
function environment(): ConnectedEnvironment {
  return Object.assign(site.environment(), { clock: systemClock() as never });
}

/** Lets time go on, with turns for what is under way, until something was written. */
async function goOn(env: ConnectedEnvironment, condition: (written: ConnectedEnvironment) => boolean): Promise<void> {
  await env.subscribed();
  while (!condition(env)) {
    await env.clock.advance(10);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function bench(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = environment();
  const code = await runCli(["bench", ...args], env);
  return { code, stdout: env.stdout, stderr: env.stderr };
}

describe.each(PROTOCOLS)("polymq bench over %s", (_, url) => {
  test("counts and times what goes through a topic to every subscriber", async () => {
    const { code, stdout } = await bench("-L", url, "-C", "500", "--subscribers", "2", "--publishers", "2", "--json");
    expect(code).toBe(0);
    const times = { p50: expect.any(Number), "p99.9": expect.any(Number) };
    expect(JSON.parse(stdout)).toMatchObject({
      published: 500,
      received: 1_000,
      lost: 0,
      size: 256,
      qos: 1,
      confirmedMs: times,
      arrivedMs: times,
    });
  });

  test("counts what goes through a queue to one of its consumers", async () => {
    const args = ["-L", url, "--queue", "jobs", "-C", "500", "--subscribers", "2", "--size", "16", "--json"];
    const { code, stdout } = await bench(...args);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ queue: "jobs", published: 500, received: 500, lost: 0 });
  });
});

describe("how long it measures", () => {
  test("at a rate for a time, after warming up, with progress every second", async () => {
    const env = site.environment();
    const args = "bench -L mqtt://memory --rate 10 --duration 2 --warmup 1 -q 0 --json".split(" ");
    const code = runCli(args, env);
    await goOn(env, ({ stdout }) => stdout !== "");
    expect(await code).toBe(0);
    const { published, received, publishedPerSecond, elapsedMs } = JSON.parse(env.stdout) as Record<string, number>;
    expect(published).toBeGreaterThanOrEqual(19);
    expect(published).toBeLessThanOrEqual(21);
    expect(received).toBe(published);
    expect(publishedPerSecond).toBe(Math.round(((published ?? 0) * 1_000) / (elapsedMs ?? 1)));
    expect(env.stderr).toMatch(/^warming up\n1 s: \d+ published, \d+ received, \d+\/s\n/);
  });

  test("a request to stop ends it with what it has, and 130", async () => {
    const env = site.environment();
    const code = runCli(["bench", "-L", "mqtt://memory", "--warmup", "0", "--duration", "3600"], env);
    await goOn(env, ({ stderr }) => stderr.includes("published"));
    env.stop();
    expect(await code).toBe(130);
    expect(env.stdout).toMatch(/^MQTT 5\.0: topic polymq\/bench\/.*\n {2}published/);
  });
});

test("--all measures every protocol", async () => {
  const { code, stdout } = await bench("--all", "-C", "10", "--json");
  expect(code).toBe(0);
  const protocols = stdout
    .trimEnd()
    .split("\n")
    .map((line) => (JSON.parse(line) as { protocol: string }).protocol);
  expect(protocols).toEqual(["MQTT 5.0", "AMQP 0-9-1", "AMQP 1.0"]);
});

test("prints figures for people", async () => {
  const { stdout } = await bench("-L", "mqtt://memory", "-C", "10", "-t", "t");
  expect(stdout).toMatch(
    /^MQTT 5\.0: topic t, QoS 1, 256 B, 1 publishing, 1 subscribing, [\d.]+ s\n {2}published {2}10 .*\n {2}received {3}10 .*\n {2}confirmed {2}mean .*ms\n {2}arrived {4}mean .*ms\n$/,
  );
});

test.each([
  [["--publishers", "0", "--subscribers", "0"]],
  [["--publishers", "0"]],
  [["--topic", "t", "--queue", "q"]],
  [["--size", "1"]],
  [["--all", "-L", "mqtt://memory"]],
])("%j is wrong usage", async (args) => {
  const { code, stdout } = await bench(...args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
});
