import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { PROTOCOLS, Site } from "../clients.test-support.ts";

let site: Site;

beforeEach(async () => {
  site = await Site.start({ queues: [{ name: "audit", kind: "stream" }] });
});

afterEach(() => site.close());

async function filled(url: string): Promise<void> {
  const client = await site.client(url);
  for (let i = 0; i < 5; i++) await client.stream("audit").publish(`m${i}`);
}

describe.each(PROTOCOLS)("polymq stream over %s", (protocol, url) => {
  const read = (...args: string[]): ReturnType<Site["run"]> => site.run("stream", "read", "audit", "-L", url, ...args);

  test("publishes messages, which can be read again and again", async () => {
    for (const payload of ["a", "b"]) {
      expect(await site.run("stream", "publish", "audit", "-L", url, "-m", payload)).toEqual({
        code: 0,
        stdout: "",
        stderr: "",
      });
    }
    for (let i = 0; i < 2; i++) expect((await read("--from", "first", "-C", "2")).stdout).toBe("a\nb\n");
  });

  test("reads from an offset", async () => {
    await filled(url);
    expect(await read("--from", "3", "-C", "2", "-F", "%o %p")).toEqual({
      code: 0,
      stdout: "3 m3\n4 m4\n",
      stderr: "",
    });
  });

  test("reads from a time", async () => {
    await filled(url);
    expect((await read("--from", "2020-02-03T04:05:06Z", "-C", "1")).stdout).toBe("m0\n");
  });

  test("reads what is new", async () => {
    await filled(url);
    const { env, code } = site.start("stream", "read", "audit", "-L", url, "--from", "next", "-C", "1");
    await env.subscribed();
    await (await site.client(url)).stream("audit").publish("new");
    expect(await code).toBe(0);
    expect(env.stdout).toBe("new\n");
  });

  test("a group goes on where it stood", async () => {
    await filled(url);
    expect((await read("-g", "g", "--from", "first", "-C", "2")).stdout).toBe("m0\nm1\n");
    expect((await read("-g", "g", "-C", "2")).stdout).toBe("m2\nm3\n");
  });

  test("a group is told where to go on, where the protocol can", async () => {
    await filled(url);
    await read("-g", "g", "--from", "first", "-C", "4");
    const commit = (offset: string): ReturnType<Site["run"]> =>
      site.run("stream", "commit", "audit", offset, "-g", "g", "-L", url);
    if (protocol === "mqtt") {
      const { code, stderr } = await commit("2");
      expect(code).toBe(1);
      expect(stderr).toMatch(/^polymq: ERR_UNSUPPORTED: /);
      return;
    }
    expect(await commit("2")).toEqual({ code: 0, stdout: "", stderr: "" });
    expect((await read("-g", "g", "-C", "1")).stdout).toBe("m2\n");
    expect((await commit("1000")).stderr).toMatch(/^polymq: ERR_PUBLISH_REJECTED: /);
  });

  test("a group stays where it stands with --no-commit, where the protocol can", async () => {
    await filled(url);
    const ran = await read("-g", "g", "--from", "first", "-C", "2", "--no-commit");
    if (protocol === "mqtt") {
      expect(ran.stderr).toMatch(/^polymq: ERR_UNSUPPORTED: /);
      return;
    }
    expect(ran.stdout).toBe("m0\nm1\n");
    expect(site.broker.hub.queues.get("audit")?.groups.find(({ id }) => id === "g")?.committed).toBe(0);
  });
});

test.each([
  [["stream", "read"]],
  [["stream", "read", "audit", "--from", "yesterday"]],
  [["stream", "read", "audit", "--from", "2001-99-99"]],
  [["stream", "commit", "audit", "x", "-g", "g"]],
  [["stream", "commit", "audit", "1"]],
])("%j is wrong usage", async (args) => {
  const { code, stdout, stderr } = await site.run(...args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toMatch(/^polymq: ERR_INVALID_ARGUMENT: .*\n$/);
});

test.each(["amqp://memory", "amqp10://memory"])(
  "a commit for a group that is not there says what it may be, over %s",
  async (url) => {
    const { code, stderr } = await site.run("stream", "commit", "audit", "1", "-g", "nobody", "-L", url);
    expect(stderr).toMatch(
      /^polymq: ERR_PUBLISH_REJECTED: nothing was committed: .*; audit may have no group nobody, .*\n$/,
    );
    expect(code).toBe(1);
  },
);
