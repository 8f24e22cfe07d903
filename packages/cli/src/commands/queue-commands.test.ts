import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { PROTOCOLS, Site } from "../clients.test-support.ts";

let site: Site;

beforeEach(async () => {
  site = await Site.start({ queues: [{ name: "orders" }] });
});

afterEach(() => site.close());

describe.each(PROTOCOLS)("polymq queue over %s", (_, url) => {
  const at = ["-L", url];

  test("publishes and consumes messages, which are gone then", async () => {
    for (const payload of ["one", "two"]) {
      const ran = await site.run("queue", "publish", "orders", ...at, "-m", payload);
      expect(ran).toEqual({ code: 0, stdout: "", stderr: "" });
    }
    expect(await site.run("queue", "consume", "orders", ...at, "-C", "1")).toEqual({
      code: 0,
      stdout: "one\n",
      stderr: "",
    });
    expect(await site.run("queue", "consume", "orders", ...at, "-C", "1")).toEqual({
      code: 0,
      stdout: "two\n",
      stderr: "",
    });
    expect(site.broker.hub.queues.get("orders")?.depth).toBe(0);
  });

  test("prints queue, routing key, group and offset", async () => {
    await site.run("queue", "publish", "orders", ...at, "-m", "x", "--routing-key", "eu/fr", "-D", "a=b");
    const flags = ["-C", "1", "-g", "shipping", "--json"];
    const { code, stdout } = await site.run("queue", "consume", "orders", ...at, ...flags);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      topic: "$queue/orders/eu/fr",
      payload: "x",
      queue: "orders",
      routingKey: "eu/fr",
      group: "shipping",
      offset: 0,
      properties: { a: "b" },
    });
  });

  test("a filter chooses what a group gets", async () => {
    await site.run("queue", "publish", "orders", ...at, "-m", "no", "--routing-key", "us");
    await site.run("queue", "publish", "orders", ...at, "-m", "yes", "--routing-key", "eu/fr");
    const { stdout } = await site.run("queue", "consume", "orders", ...at, "-C", "1", "--filter", "eu/#");
    expect(stdout).toBe("yes\n");
  });

  test("what is left unsettled comes again", async () => {
    await site.run("queue", "publish", "orders", ...at, "-m", "x");
    expect((await site.run("queue", "consume", "orders", ...at, "-C", "1", "--settle", "none")).code).toBe(0);
    const { stdout } = await site.run("queue", "consume", "orders", ...at, "-C", "1", "-F", "%p %n");
    expect(stdout).toMatch(/^x \d\n$/);
  });

  test("a rejected message becomes a dead letter", async () => {
    await site.run("queue", "publish", "orders", ...at, "-m", "bad");
    expect((await site.run("queue", "consume", "orders", ...at, "-C", "1", "--settle", "reject")).code).toBe(0);
    const { stdout } = await site.run("queue", "consume", "$dlq/orders", ...at, "-C", "1");
    expect(stdout).toBe("bad\n");
  });

  test("nothing to consume ends with 124 when the time is over", async () => {
    const { env, code } = site.start("queue", "consume", "orders", ...at, "-C", "1", "-W", "3");
    await env.subscribed();
    await env.clock.advance(3_000);
    expect(await code).toBe(124);
  });
});

test.each([
  [["queue"]],
  [["queue", "consume"]],
  [["queue", "consume", "orders", "--settle", "perhaps"]],
  [["queue", "consume", "orders", "--prefetch", "0"]],
  [["queue", "publish", "orders"]],
  [["queue", "publish", "orders", "-m", "x", "--priority", "256"]],
])("%j is wrong usage", async (args) => {
  const { code, stdout, stderr } = await site.run(...args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).not.toBe("");
});
