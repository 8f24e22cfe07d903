import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runCli } from "../cli.ts";
import { PROTOCOLS, Site } from "../clients.test-support.ts";
import { input } from "../environment.test-support.ts";

let site: Site;

beforeEach(async () => {
  site = await Site.start();
});

afterEach(() => site.close());

describe.each(PROTOCOLS)("polymq req over %s", (_, url) => {
  test("prints the answer to each line", async () => {
    const client = await site.client(url);
    await client.respond("prices", (request) => `price of ${request.text()}`);
    const env = site.environment();
    env.stdin = input("a\nb\n");
    expect(await runCli(["req", "-L", url, "-t", "prices", "-l"], env)).toBe(0);
    expect(env.stdout).toBe("price of a\nprice of b\n");
    expect(env.stderr).toBe("");
  });
});

test("no answer in time is exit code 124", async () => {
  const client = await site.client("mqtt://memory");
  await client.respond("slow", () => new Promise<string>(() => {}));
  const { code, stdout } = await site.run("req", "-L", "mqtt://memory", "-t", "slow", "-m", "x", "-W", "0.05");
  expect({ code, stdout }).toEqual({ code: 124, stdout: "" });
  client.destroy();
});

test("nobody to answer is told with its code", async () => {
  const { code, stderr } = await site.run("req", "-L", "amqp://memory", "-t", "nobody", "-m", "x");
  expect(code).toBe(1);
  expect(stderr).toMatch(/^polymq: ERR_UNROUTABLE: .*\n$/);
});
