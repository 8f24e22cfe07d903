import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { runCli } from "../cli.ts";
import { PROTOCOLS, Site } from "../clients.test-support.ts";
import { FakeEnvironment } from "../environment.test-support.ts";

let site: Site;

beforeEach(async () => {
  site = await Site.start();
});

afterEach(() => site.close());

const MQTT = ["-L", "mqtt://memory"];

describe("polymq sub over MQTT 5.0", () => {
  test("takes kept messages as --retain-handling and --retain-as-published say", async () => {
    const client = await site.client("mqtt://memory");
    if (client.is("mqtt")) await client.publish("t", "kept", { qos: 1, retain: true });
    const { env, code } = site.start(
      "sub",
      ...MQTT,
      "-t",
      "t",
      "--retain-handling",
      "2",
      "--retain-as-published",
      "-C",
      "1",
      "-F",
      "%p %r\\n",
      "-N",
    );
    await env.subscribed();
    if (client.is("mqtt")) await client.publish("t", "new", { qos: 1, retain: true });
    expect(await code).toBe(0);
    expect(env.stdout).toBe("new 1\n");
  });

  test.each([
    ["--retain-handling", "3"],
    ["--retain-handling", "x"],
  ])("refuses %s %s", async (...flags) => {
    const { env, code } = site.start("sub", ...MQTT, "-t", "t", ...flags);
    expect(await code).toBe(2);
    expect(env.stderr).toContain("from 0 to 2");
  });

  test.each([["--no-local"], ["--retain-as-published"], ["--retain-handling", "1"]])(
    "%s is for MQTT",
    async (...flags) => {
      const { env, code } = site.start("sub", "-L", "amqp10://memory", "-t", "t", ...flags);
      expect(await code).toBe(1);
      expect(env.stderr).toContain("ERR_UNSUPPORTED");
    },
  );
});

describe.each(PROTOCOLS)("polymq sub over %s", (protocol, url) => {
  test("prints payloads of several topics and exits after their count", async () => {
    const { env, code } = site.start("sub", "-L", url, "-t", "a/+", "-t", "b", "-C", "2");
    await env.subscribed(2);
    const client = await site.client(url);
    await client.publish("a/1", "one", { qos: 1 });
    await env.until(({ stdout }) => stdout.includes("one"));
    await client.publish("b", "two", { qos: 1 });
    expect(await code).toBe(0);
    expect(env.stdout).toBe("one\ntwo\n");
    expect(env.stderr).toBe("");
  });

  test("prints topics with -v", async () => {
    const { env, code } = site.start("sub", "-L", url, "-t", "a/#", "-v", "-C", "1", "-q", "1");
    await env.subscribed();
    await (await site.client(url)).publish("a/b/c", "x", { qos: 1 });
    expect(await code).toBe(0);
    expect(env.stdout).toBe("a/b/c x\n");
  });

  test("prints one line of JSON for each message with --json", async () => {
    const { env, code } = site.start("sub", "-L", url, "-t", "t", "--json", "-C", "1");
    await env.subscribed();
    const client = await site.client(url);
    await client.publish("t", "a\nb", { qos: 1, properties: { unit: "C" }, contentType: "text/plain" });
    expect(await code).toBe(0);
    expect(env.stdout.split("\n")).toHaveLength(2);
    expect(JSON.parse(env.stdout)).toMatchObject({
      topic: "t",
      payload: "a\nb",
      contentType: "text/plain",
      properties: { unit: "C" },
      ...(protocol === "mqtt" ? { qos: 0 } : {}),
    });
  });

  test("exits with 124 when the time is over", async () => {
    const { env, code } = site.start("sub", "-L", url, "-t", "t", "-C", "1", "-W", "2.5");
    await env.subscribed();
    await env.clock.advance(2_500);
    expect(await code).toBe(124);
  });

  test("a request to stop ends it: with 0 when it runs until stopped, with 130 when messages are missing", async () => {
    const endless = site.start("sub", "-L", url, "-t", "t");
    const counted = site.start("sub", "-L", url, "-t", "t", "-C", "1");
    await endless.env.subscribed();
    await counted.env.subscribed();
    endless.env.stop();
    counted.env.stop();
    expect(await endless.code).toBe(0);
    expect(await counted.code).toBe(130);
    expect(endless.env.isListening).toBe(false);
  });
});

describe("how sub prints", () => {
  async function printed(payload: Uint8Array | string, ...args: string[]): Promise<string> {
    const { env, code } = site.start("sub", ...MQTT, "-t", "t", "-C", "1", ...args);
    await env.subscribed();
    await (await site.client("mqtt://memory")).publish("t", payload, { qos: 1 });
    expect(await code).toBe(0);
    return env.stdout;
  }

  test("by a template", async () => {
    expect(await printed("ab", "-F", "[%t] %p %l %x %b %q%%\\t|")).toBe("[t] ab 2 6162 YWI= 0%\t|\n");
  });

  test("without line ends", async () => {
    expect(await printed("ab", "-N")).toBe("ab");
  });

  test("payloads that are no text in base64 within JSON", async () => {
    expect(JSON.parse(await printed(Uint8Array.of(255, 0), "--json"))).toMatchObject({ payloadBase64: "/wA=" });
  });

  test("JSON payloads parsed with %J", async () => {
    expect(JSON.parse(await printed('{"a":[1]}', "-F", "%J"))).toMatchObject({ payload: { a: [1] } });
  });
});

describe("kept messages", () => {
  beforeEach(async () => {
    const client = await site.client("mqtt://memory");
    if (client.is("mqtt")) await client.publish("kept", "old", { qos: 1, retain: true });
  });

  test("-R leaves them out", async () => {
    const { env, code } = site.start("sub", ...MQTT, "-t", "kept", "-R", "-C", "1");
    await env.subscribed();
    await (await site.client("mqtt://memory")).publish("kept", "new", { qos: 1 });
    expect(await code).toBe(0);
    expect(env.stdout).toBe("new\n");
  });

  test("--retained-only prints them alone, and exits at the first new one", async () => {
    const { env, code } = site.start("sub", ...MQTT, "-t", "kept", "--retained-only");
    await env.until(({ stdout }) => stdout === "old\n");
    await (await site.client("mqtt://memory")).publish("kept", "new", { qos: 1 });
    expect(await code).toBe(0);
    expect(env.stdout).toBe("old\n");
  });

  test("other protocols have none", async () => {
    const { code, stderr } = await site.run("sub", "-L", "amqp://memory", "-t", "kept", "-R");
    expect(code).toBe(1);
    expect(stderr).toMatch(/^polymq: ERR_UNSUPPORTED: /);
  });
});

test("-V chooses the version of MQTT", async () => {
  for (const [version, level] of [
    ["3.1.1", 4],
    ["mqttv5", 5],
  ] as const) {
    const { env, code } = site.start("sub", ...MQTT, "-t", "t", "-V", version);
    await env.subscribed();
    env.stop();
    expect(await code).toBe(0);
    expect(env.levels).toEqual([level]);
  }
});

describe("polymq sub -U", () => {
  const session = [...MQTT, "-i", "me", "-c", "-q", "1"];

  test("ends subscriptions of the session, and with no topic that is all", async () => {
    expect((await site.run("sub", ...session, "-t", "a", "-t", "b", "-E")).code).toBe(0);
    expect(await site.run("sub", ...session, "-U", "a")).toEqual({ code: 0, stdout: "", stderr: "" });
    const client = await site.client("mqtt://memory");
    await client.publish("a", "to nobody", { qos: 1 });
    await client.publish("b", "to me", { qos: 1 });
    expect((await site.run("sub", ...session, "-t", "b", "-C", "1")).stdout).toBe("to me\n");
  });

  test("is for MQTT, and takes filters alone", async () => {
    const { code, stderr } = await site.run("sub", "-L", "amqp://memory", "-U", "a");
    expect(stderr).toBe("polymq: ERR_UNSUPPORTED: the options --unsubscribe are for MQTT\n");
    expect(code).toBe(1);
    expect((await site.run("sub", ...session, "-U", "a/#/b")).code).toBe(2);
  });
});

test("nothing to subscribe to is wrong usage", async () => {
  const { code, stderr } = await site.run("sub", ...MQTT);
  expect(stderr).toContain("polymq: ERR_INVALID_ARGUMENT: say what to subscribe to with --topic");
  expect(code).toBe(2);
});

describe("polymq sub -d", () => {
  test("tells on standard error what the client does, and is silent again afterwards", async () => {
    const { env, code } = site.start("sub", ...MQTT, "-t", "t", "-C", "1", "-d");
    await env.subscribed();
    await (await site.client("mqtt://memory")).publish("t", "x", { qos: 1 });
    expect(await code).toBe(0);
    expect(env.stdout).toBe("x\n");
    expect(env.stderr).toMatch(/^polymq: connect server=mqtt:\/\/memory:1883 phase=connected attempt=1$/m);
    expect(env.stderr).toMatch(/^polymq: deliver address=t payloadBytes=1 deliveryId=\d+$/m);
    const said = env.stderr;
    await (await site.client("mqtt://memory")).publish("t", "y");
    expect(env.stderr).toBe(said);
  });
});

describe("sessions", () => {
  test("-E leaves a subscription behind for which the server keeps messages", async () => {
    const session = [...MQTT, "-t", "t", "-q", "1", "-i", "me", "-c"];
    expect((await site.run("sub", ...session, "-E")).code).toBe(0);
    await (await site.client("mqtt://memory")).publish("t", "meanwhile", { qos: 1 });
    expect(await site.run("sub", ...session, "-C", "1")).toEqual({ code: 0, stdout: "meanwhile\n", stderr: "" });
  });

  test("messages beyond the count are left for the next one", async () => {
    const session = [...MQTT, "-t", "t", "-q", "1", "-i", "me", "-c"];
    await site.run("sub", ...session, "-E");
    const client = await site.client("mqtt://memory");
    for (const payload of ["one", "two", "three"]) await client.publish("t", payload, { qos: 1 });
    expect((await site.run("sub", ...session, "-C", "1")).stdout).toBe("one\n");
    expect((await site.run("sub", ...session, "-C", "2")).stdout).toBe("two\nthree\n");
  });
});

describe("topics that are left out, and kept messages that go", () => {
  beforeEach(async () => {
    for (const topic of ["a/1", "a/2", "a/3/x"]) {
      expect((await site.run("pub", ...MQTT, "-t", topic, "-m", topic, "-r", "-q", "1")).code).toBe(0);
    }
  });

  test("-T leaves topics out, and they do not count", async () => {
    const { stdout } = await site.run("sub", ...MQTT, "-t", "a/#", "-T", "a/3/+", "-T", "a/1", "-C", "1");
    expect(stdout).toBe("a/2\n");
  });

  test("--remove-retained removes what it prints, and that alone", async () => {
    const removed = await site.run("sub", ...MQTT, "-t", "a/+", "-T", "a/1", "-C", "1", "--remove-retained");
    expect(removed).toMatchObject({ code: 0, stdout: "a/2\n" });
    const { stdout } = await site.run("sub", ...MQTT, "-t", "a/#", "-C", "2");
    expect(stdout.split("\n").toSorted()).toEqual(["", "a/1", "a/3/x"]);
  });

  test("AMQP keeps none", async () => {
    const { code, stderr } = await site.run("sub", "-L", "amqp://memory", "-t", "t", "--remove-retained");
    expect(code).toBe(1);
    expect(stderr).toMatch(/^polymq: ERR_UNSUPPORTED: .*--remove-retained are for MQTT\n$/);
  });
});

describe("what sub cannot", () => {
  test("no server is one line with the code, and exit code 3", async () => {
    const env = new FakeEnvironment();
    expect(await runCli(["sub", "-t", "t"], env)).toBe(3);
    expect(env.stderr).toBe("polymq: ERR_CONNECT_FAILED: nobody listens at mqtt://localhost:1883\n");
  });

  test("the environment names a server, the command line another one", async () => {
    vi.stubEnv("POLYMQ_URL", "amqp://far");
    const env = new FakeEnvironment();
    expect(await runCli(["sub", "-t", "t"], env)).toBe(3);
    expect(await runCli(["sub", "-t", "t", "-h", "near"], env)).toBe(3);
    vi.unstubAllEnvs();
    expect(env.stderr).toMatch(/at amqp:\/\/far\n.*at mqtt:\/\/near:1883\n$/);
  });

  test("the end of the broker is told, and with --no-reconnect ends it with exit code 3", async () => {
    const { env, code } = site.start("sub", ...MQTT, "-t", "t", "--no-reconnect");
    await env.subscribed();
    await site.broker.close();
    expect(await code).toBe(3);
    expect(env.stderr).toMatch(/^polymq: connection lost: ERR_\w+: .*\npolymq: ERR_\w+: .*\n$/);
  });

  test.each([
    [[]],
    [["-t", "t", "-C", "0"]],
    [["-t", "t", "-W", "soon"]],
    [["-t", "t", "-F", "%y"]],
    [["-t", "t", "-F", "\\y"]],
    [["-t", "t", "-F", "%p", "--json"]],
    [["-t", "t", "--retained-only", "-R"]],
    [["-t", "t", "-T", "a/#/b"]],
    [["-t", "t", "-h", "h"]],
    [["-t", "t", "-c"]],
    [["-t", "t", "--cert", "c.pem"]],
  ])("%j is wrong usage", async (args) => {
    const { code, stdout, stderr } = await site.run("sub", ...MQTT, ...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^polymq: ERR_INVALID_ARGUMENT: .*\n$/);
  });
});
