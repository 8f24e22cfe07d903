import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { PROTOCOLS, Site } from "../clients.test-support.ts";

let site: Site;

beforeEach(async () => {
  site = await Site.start();
});

afterEach(() => site.close());

describe.each(PROTOCOLS)("polymq ping over %s", (_, url) => {
  test("prints each round trip, and figures at the end", async () => {
    const { env, code } = site.start("ping", "-L", url, "-C", "2");
    await env.until(({ stdout }) => stdout !== "");
    await env.clock.advance(1_000);
    expect(await code).toBe(0);
    expect(env.stdout).toMatch(
      /^1: \d+\.\d{3} ms\n2: \d+\.\d{3} ms\n2 sent, 2 came back; min [\d.]+, .*p99 [\d.]+, max [\d.]+ ms\n$/,
    );
  });
});

const MQTT = ["-L", "mqtt://memory"];

test("prints lines of JSON", async () => {
  const { code, stdout } = await site.run("ping", ...MQTT, "-C", "1", "--json");
  expect(code).toBe(0);
  const [pong, summary] = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as object);
  expect(pong).toMatchObject({ event: "pong", seq: 1 });
  expect(summary).toMatchObject({ event: "summary", sent: 1, received: 1, ms: { p50: expect.any(Number) } });
});

test("runs until it is stopped, and prints its figures then", async () => {
  const { env, code } = site.start("ping", ...MQTT);
  await env.until(({ stdout }) => stdout !== "");
  env.stop();
  expect(await code).toBe(0);
  expect(env.stdout).toMatch(/\n1 sent, 1 came back; /);
});

test("a message that does not come back is lost, and ends it with 1", async () => {
  // A shared subscription gets what is published to the topic behind the share's name.
  const { env, code } = site.start("ping", ...MQTT, "-C", "1", "-W", "2", "-t", "$share/g/t");
  await env.subscribed();
  while (env.stdout === "") {
    await env.clock.advance(500);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await code).toBe(1);
  expect(env.stdout).toBe("1: lost\n1 sent, 0 came back\n");
});

test("ends with 3 when the connection is lost for good", async () => {
  const { env, code } = site.start("ping", ...MQTT, "--no-reconnect", "--quiet");
  await env.until(({ stdout }) => stdout !== "");
  await site.broker.close();
  await env.clock.advance(1_000);
  expect(await code).toBe(3);
  expect(env.stderr).toMatch(/^polymq: ERR_\w+: .*\n$/);
});
