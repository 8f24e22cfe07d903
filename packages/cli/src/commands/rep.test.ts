import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runCli } from "../cli.ts";
import { PROTOCOLS, Site } from "../clients.test-support.ts";

let site: Site;

beforeEach(async () => {
  site = await Site.start();
});

afterEach(() => site.close());

describe.each(PROTOCOLS)("polymq rep over %s", (_, url) => {
  test("answers requests, prints them, and exits after their count", async () => {
    const { env, code } = site.start("rep", "-L", url, "-t", "prices", "-m", "9.99", "-C", "2", "-F", "asked: %p");
    await env.subscribed();
    const client = await site.client(url);
    expect((await client.request("prices", "widget")).text()).toBe("9.99");
    expect((await client.request("prices", "gadget")).text()).toBe("9.99");
    expect(await code).toBe(0);
    expect(env.stdout).toBe("asked: widget\nasked: gadget\n");
  });

  test("answers with the request, until stopped", async () => {
    const { env, code } = site.start("rep", "-L", url, "-t", "echo", "--echo");
    await env.subscribed();
    expect((await (await site.client(url)).request("echo", "hello")).text()).toBe("hello");
    env.stop();
    expect(await code).toBe(0);
  });
});

test("answers with a file", async () => {
  const env = site.environment();
  env.files.set("answer.txt", "from a file");
  const code = runCli(["rep", "-L", "mqtt://memory", "-t", "t", "-f", "answer.txt", "-C", "1"], env);
  await env.subscribed();
  expect((await (await site.client("mqtt://memory")).request("t", "x")).text()).toBe("from a file");
  expect(await code).toBe(0);
});

test("over MQTT 3.1.1 there are no requests to answer", async () => {
  const { code, stderr } = await site.run("rep", "-L", "mqtt://memory", "-V", "3.1.1", "-t", "t", "--echo", "-W", "1");
  expect(stderr).toMatch(/^polymq: ERR_UNSUPPORTED: .*\n$/);
  expect(code).toBe(1);
});

test.each([[[]], [["-m", "x", "--echo"]]])("%j is wrong usage", async (args) => {
  expect((await site.run("rep", "-L", "mqtt://memory", "-t", "t", ...args)).code).toBe(2);
});
