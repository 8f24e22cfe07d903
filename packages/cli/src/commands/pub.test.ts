import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runCli } from "../cli.ts";
import { PROTOCOLS, Site } from "../clients.test-support.ts";
import { input } from "../environment.test-support.ts";

let site: Site;

beforeEach(async () => {
  site = await Site.start();
});

afterEach(() => site.close());

/** What the topic of a test gets, in the order of arrival. */
async function arrivals(url: string, topic = "t"): Promise<{ readonly next: () => Promise<string> }> {
  const client = await site.client(url);
  const iterator = (await client.subscribe(topic, { qos: 1 }))[Symbol.asyncIterator]();
  return { next: async () => ((await iterator.next()).value as { text(): string }).text() };
}

describe.each(PROTOCOLS)("polymq pub over %s", (_, url) => {
  test("publishes a message", async () => {
    const { next } = await arrivals(url);
    expect(await site.run("pub", "-L", url, "-t", "t", "-m", "hello")).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(await next()).toBe("hello");
  });

  test("publishes each line of standard input, in order", async () => {
    const { next } = await arrivals(url);
    const env = site.environment();
    env.stdin = input("one\ntw", "o\n\nthr", "ee");
    expect(await runCli(["pub", "-L", url, "-t", "t", "-q", "1", "-l", "--json"], env)).toBe(0);
    expect([await next(), await next(), await next(), await next()]).toEqual(["one", "two", "", "three"]);
    expect(JSON.parse(env.stdout)).toMatchObject({ event: "published", messages: 4, bytes: 11 });
  });

  test("publishes more lines than it has on their way at a time", async () => {
    const { next } = await arrivals(url);
    const env = site.environment();
    const lines = Array.from({ length: 1_000 }, (_each, i) => `line ${i}`);
    env.stdin = input(lines.join("\n"));
    const code = runCli(["pub", "-L", url, "-t", "t", "-q", "1", "-l"], env);
    for (const line of lines) expect(await next()).toBe(line);
    expect(await code).toBe(0);
  });

  test("sends properties and the content type along", async () => {
    const client = await site.client(url);
    const iterator = (await client.subscribe("t"))[Symbol.asyncIterator]();
    const args = ["-D", "unit=C", "-D", "place=a=b", "--content-type", "text/plain", "--expires", "60"];
    expect((await site.run("pub", "-L", url, "-t", "t", "-m", "21", ...args)).code).toBe(0);
    const { value: message } = await iterator.next();
    expect(message?.property("unit")).toBe("C");
    expect(message?.property("place")).toBe("a=b");
    expect(message?.contentType).toBe("text/plain");
  });
});

describe("whom an answer goes to, and what a payload is", () => {
  const REPLY = ["--response-topic", "answers/1", "--correlation-data", "no 7"];
  const FIELDS = ["-C", "1", "-F", "%R|%D|%F|%E\\n%j\\n"];

  test("goes along over MQTT 5.0, with everything else", async () => {
    const { env, code } = site.start("sub", "-L", "mqtt://memory", "-t", "t", ...FIELDS);
    await env.subscribed();
    const more = ["--payload-format-indicator", "--expires", "59.5", "--content-type", "text/plain", "-D", "unit=C"];
    const sent = await site.run("pub", "-L", "mqtt://memory", "-t", "t", "-m", "21", "-q", "1", ...REPLY, ...more);
    expect(sent).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(await code).toBe(0);
    const [fields, json] = env.stdout.split("\n");
    expect(fields).toBe("answers/1|no 7|1|60");
    expect(JSON.parse(json ?? "")).toMatchObject({
      contentType: "text/plain",
      responseTopic: "answers/1",
      correlationData: "no 7",
      payloadFormat: 1,
      expirySeconds: 60,
      properties: { unit: "C" },
    });
  });

  test("goes along over AMQP 0-9-1 as reply-to and correlation-id", async () => {
    const { env, code } = site.start("sub", "-L", "amqp://memory", "-t", "t", ...FIELDS);
    await env.subscribed();
    const more = ["-D", "unit=C"];
    expect((await site.run("pub", "-L", "amqp://memory", "-t", "t", "-m", "21", ...REPLY, ...more)).code).toBe(0);
    expect(await code).toBe(0);
    const [fields, json] = env.stdout.split("\n");
    expect(fields).toBe("answers/1|no 7||");
    expect(JSON.parse(json ?? "")).toMatchObject({ responseTopic: "answers/1", properties: { unit: "C" } });
  });

  test("is not there where nobody said it", async () => {
    const { env, code } = site.start("sub", "-L", "mqtt://memory", "-t", "t", "-C", "1", "-F", "%R|%D|%F|%E");
    await env.subscribed();
    expect((await site.run("pub", "-L", "mqtt://memory", "-t", "t", "-m", "21")).code).toBe(0);
    expect(await code).toBe(0);
    expect(env.stdout.trim()).toBe("|||");
  });

  test("is for MQTT 5.0: 3.1.1 has no properties", async () => {
    const { code, stderr } = await site.run("pub", "-L", "mqtt://memory", "-V", "3.1.1", "-t", "t", "-n", ...REPLY);
    expect(stderr).toMatch(/^polymq: ERR_UNSUPPORTED: .*\n$/);
    expect(code).toBe(1);
  });
});

describe("what pub publishes", () => {
  test("a file, all of standard input, or nothing", async () => {
    const { next } = await arrivals("mqtt://memory");
    const env = site.environment();
    env.files.set("f.txt", "from\nfile");
    expect(await runCli(["pub", "-L", "mqtt://memory", "-t", "t", "-f", "f.txt"], env)).toBe(0);
    env.stdin = input("all\n", "of it\n");
    expect(await runCli(["pub", "-L", "mqtt://memory", "-t", "t", "-s"], env)).toBe(0);
    expect(await runCli(["pub", "-L", "mqtt://memory", "-t", "t", "-n"], env)).toBe(0);
    expect([await next(), await next(), await next()]).toEqual(["from\nfile", "all\nof it\n", ""]);
  });

  test("the bytes that a text in hexadecimal or base64 stands for", async () => {
    const { next } = await arrivals("mqtt://memory");
    const env = site.environment();
    env.stdin = input("68 69\n", "4A4b\n\n");
    expect(await runCli(["pub", "-L", "mqtt://memory", "-t", "t", "-l", "--encoding", "hex"], env)).toBe(0);
    expect(
      (await site.run("pub", "-L", "mqtt://memory", "-t", "t", "-m", "aGVsbG8=", "--encoding", "base64")).code,
    ).toBe(0);
    expect([await next(), await next(), await next(), await next()]).toEqual(["hi", "JK", "", "hello"]);
  });

  test.each([
    ["hex", "abc"],
    ["hex", "zz"],
    ["base64", "a"],
    ["base64", "a==="],
    ["base64", "!!!!"],
  ])("no text that is not in %s: %s", async (format, text) => {
    const { code, stderr } = await site.run("pub", "-L", "mqtt://memory", "-t", "t", "-m", text, "--encoding", format);
    expect(stderr).toBe(`polymq: ERR_INVALID_MESSAGE: a payload that is no ${format}\n`);
    expect(code).toBe(1);
  });

  test("each message several times, with a pause in between", async () => {
    const { next } = await arrivals("mqtt://memory");
    const { env, code } = site.start(..."pub -L mqtt://memory -t t -m x --repeat 3 --delay 1.5".split(" "));
    expect(await next()).toBe("x");
    await env.clock.advance(1_500);
    expect(await next()).toBe("x");
    await env.clock.advance(1_500);
    expect(await next()).toBe("x");
    expect(await code).toBe(0);
  });

  test("a message that the server keeps", async () => {
    expect((await site.run(..."pub -L mqtt://memory -t t -m kept -r -q 1".split(" "))).code).toBe(0);
    expect(await (await arrivals("mqtt://memory")).next()).toBe("kept");
  });

  test("a request to stop while it waits for input ends it with 130", async () => {
    const env = site.environment();
    let asked: () => void = () => {};
    const waits = new Promise<void>((resolve) => {
      asked = resolve;
    });
    env.stdin = {
      [Symbol.asyncIterator]: () => ({
        next: () => {
          asked();
          return new Promise(() => {});
        },
      }),
    };
    const code = runCli(["pub", "-L", "mqtt://memory", "-t", "t", "-l"], env);
    await waits;
    env.stop();
    expect(await code).toBe(130);
    expect(env.isListening).toBe(false);
  });
});

describe("what pub cannot", () => {
  test.each([
    ["amqp://memory", ["-r"], "--retain"],
    ["amqp10://memory", ["-q", "2"], "--qos 2"],
    ["mqtt://memory", ["--exchange", "e"], "--exchange"],
    ["amqp://memory", ["--payload-format-indicator"], "--payload-format-indicator"],
    ["amqp10://memory", ["--response-topic", "r"], "--response-topic"],
  ])("%s with %j is one line with the code, and exit code 1", async (url, args, flag) => {
    const { code, stdout, stderr } = await site.run("pub", "-L", url, "-t", "t", "-m", "x", ...args);
    expect(code).toBe(1);
    expect(stdout).toBe("");
    expect(stderr).toMatch(new RegExp(`^polymq: ERR_UNSUPPORTED: ${flag}.*\\n$`));
  });

  test("a topic that is none is told with its code", async () => {
    const { code, stderr } = await site.run("pub", "-L", "mqtt://memory", "-t", "a/#", "-m", "x");
    expect(code).toBe(1);
    expect(stderr).toMatch(/^polymq: ERR_INVALID_TOPIC: .*\n$/);
  });

  test("a message that no queue takes is told with its code", async () => {
    const args = ["-L", "amqp://memory", "-t", "nobody", "-m", "x", "--exchange", "amq.direct", "--mandatory"];
    const { code, stderr } = await site.run("pub", ...args);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^polymq: ERR_UNROUTABLE: .*\n$/);
  });

  test.each([
    [["-m", "x"]],
    [["-t", "t"]],
    [["-t", "t", "-m", "x", "-n"]],
    [["-t", "t", "-m", "x", "-q", "3"]],
    [["-t", "t", "-m", "x", "-D", "unit"]],
    [["-t", "t", "-m", "x", "--repeat", "0"]],
    [["-t", "t", "-m", "x", "--delay", "-1"]],
    [["-t", "t", "-m", "x", "extra"]],
  ])("%j is wrong usage", async (args) => {
    const { code, stdout, stderr } = await site.run("pub", "-L", "mqtt://memory", ...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^polymq: ERR_INVALID_ARGUMENT: .*\n$/);
  });
});
