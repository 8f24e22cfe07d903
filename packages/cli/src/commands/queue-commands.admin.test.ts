import { type Broker, startBroker } from "@polymq/broker";
import { type Client, type ClientOptions, connect } from "polymq";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { runCli } from "../cli.ts";
import type { Ran } from "../clients.test-support.ts";
import { FakeEnvironment } from "../environment.test-support.ts";

let broker: Broker;
let client: Client;

// What is loaded on first use takes seconds on a busy machine: it would count against the first test's time and the client's limits.
beforeAll(async () => {
  await open({ connectTimeoutMs: 120_000 });
  await publish("orders", "first");
  await run("list");
  await close();
}, 120_000);

beforeEach(() => open({}));

afterEach(close);

async function open(options: ClientOptions): Promise<void> {
  broker = await startBroker({
    port: 0,
    queues: [{ name: "orders" }, { name: "parked" }, { name: "audit", kind: "stream" }],
  });
  client = (await connect(`mqtt://127.0.0.1:${broker.port}`, options)) as Client;
}

async function close(): Promise<void> {
  await client.close();
  await broker.close();
}

/** Runs a command that has the broker's address and token. */
async function run(...args: string[]): Promise<Ran> {
  return await runBare(...args, "--http-url", httpUrl(), "--http-token", broker.httpToken ?? "");
}

async function runBare(...args: string[]): Promise<Ran> {
  const env = new FakeEnvironment();
  const code = await runCli(["queue", ...args], env);
  return { code, stdout: env.stdout, stderr: env.stderr };
}

function httpUrl(): string {
  return broker.addresses.flatMap(({ urls }) => urls).find((url) => url.startsWith("http:")) ?? "";
}

async function publish(queue: string, ...payloads: string[]): Promise<void> {
  for (const payload of payloads) await client.queue(queue).publish(payload, { properties: { n: payload } });
}

/** Makes a message of `orders` a dead letter. */
async function bury(payload: string): Promise<void> {
  await publish("orders", payload);
  const subscription = await client.queue("orders").consume({ ack: "manual" });
  for await (const message of subscription) {
    await message.reject();
    break;
  }
}

describe("polymq queue list", () => {
  test("prints a table", async () => {
    await publish("orders", "a", "b");
    const { code, stdout, stderr } = await run("list");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const [head, ...rows] = stdout.trimEnd().split("\n");
    expect(head).toMatch(/^name +kind +depth +bytes +consumers +groups +delayed$/);
    expect(rows.map((row) => row.split(/ +/).slice(0, 3))).toEqual([
      ["audit", "stream", "0"],
      ["orders", "classic", "2"],
      ["parked", "classic", "0"],
    ]);
  });

  test("prints lines of JSON, of queues with a prefix", async () => {
    const { stdout } = await run("list", "--json", "--prefix", "or");
    expect(stdout.split("\n")).toHaveLength(2);
    expect(JSON.parse(stdout)).toMatchObject({ name: "orders", depth: 0, groups: [] });
  });
});

describe("polymq queue peek", () => {
  test("prints messages without taking them", async () => {
    await publish("orders", "a", "b", "c");
    expect((await run("peek", "orders", "-C", "2", "-F", "%o %p %P")).stdout).toBe("0 a n:a\n1 b n:b\n");
    expect((await run("peek", "orders", "--from", "2")).stdout).toBe("c\n");
    expect((await run("peek", "orders")).stdout).toBe("a\nb\nc\n");
  });

  test("asks again for more than one answer holds", async () => {
    const all = Array.from({ length: 250 }, (_, i) => String(i));
    await Promise.all(all.map((each) => publish("orders", each)));
    expect((await run("peek", "orders", "-C", "201")).stdout.trimEnd().split("\n")).toHaveLength(201);
    expect((await run("peek", "orders", "-C", "1000")).stdout.trimEnd().split("\n")).toHaveLength(250);
  });
});

describe("what is removed and moved", () => {
  test("purge empties a queue", async () => {
    await publish("orders", "a", "b");
    expect((await run("purge", "orders")).stdout).toBe("purged 2 messages\n");
    expect((await run("peek", "orders")).stdout).toBe("");
    expect((await run("purge", "orders", "--json")).stdout).toBe('{"event":"purged","messages":0}\n');
  });

  test("move takes all of now, or so many, oldest first", async () => {
    await publish("orders", "a", "b", "c");
    expect((await run("move", "orders", "parked", "-C", "1")).stdout).toBe("moved 1 message\n");
    expect((await run("peek", "parked")).stdout).toBe("a\n");
    expect((await run("move", "orders", "parked")).stdout).toBe("moved 2 messages\n");
    expect((await run("peek", "parked")).stdout).toBe("a\nb\nc\n");
  });

  test("a queue is declared, found again, and deleted", async () => {
    expect((await run("declare", "log", "--kind", "stream")).stdout).toMatch(/^name +kind +depth\nlog +stream +0\n$/);
    expect((await run("declare", "log", "--kind", "stream")).code).toBe(0);
    expect((await run("declare", "log")).stderr).toMatch(/^polymq: ERR_QUEUE_EXISTS: .*\n$/);
    await client.stream("log").publish("x");
    expect((await run("delete", "log", "--if-empty")).stderr).toMatch(/^polymq: ERR_QUEUE_IN_USE: .*\n$/);
    expect((await run("delete", "log")).stdout).toBe("deleted the queue with 1 message\n");
  });
});

describe("polymq queue dlq", () => {
  test.each([["peek"], ["replay"], ["purge"]])("%s of a queue that is not there ends with its code", async (what) => {
    const { code, stdout, stderr } = await run("dlq", what, "nosuch");
    expect(stderr).toBe("polymq: ERR_QUEUE_NOT_FOUND: there is no queue nosuch\n");
    expect(stdout).toBe("");
    expect(code).toBe(1);
  });

  test("lists, shows, sends back and removes dead letters", async () => {
    await bury("bad");
    expect((await run("dlq", "list")).stdout).toMatch(/\norders +\$dlq\/orders +1 +\d+\n$/);
    const { stdout } = await run("dlq", "peek", "orders", "--json");
    expect(JSON.parse(stdout)).toMatchObject({ payload: "bad", deadLetter: { queue: "orders", offset: 0 } });
    expect((await run("dlq", "replay", "orders")).stdout).toBe("replayed 1 message\n");
    expect((await run("peek", "orders")).stdout).toBe("bad\n");
    await run("purge", "orders");
    await bury("worse");
    expect((await run("dlq", "purge", "orders")).stdout).toBe("purged 1 message\n");
    expect((await run("dlq", "list", "--json")).stdout).toBe("");
  });
});

describe("failures", () => {
  test("a queue that is not there is told with the broker's code", async () => {
    const { code, stderr } = await run("peek", "nobody");
    expect(code).toBe(1);
    expect(stderr).toBe("polymq: ERR_QUEUE_NOT_FOUND: there is no queue nobody\n");
  });

  test("a wrong token is told with where to give the right one", async () => {
    const { code, stderr } = await runBare("list", "--http-url", httpUrl(), "--http-token", "wrong");
    expect(code).toBe(1);
    expect(stderr).toBe("polymq: UNAUTHORIZED: the broker wants its token: --http-token, or POLYMQ_HTTP_TOKEN\n");
  });

  test("nobody at the address is exit code 3", async () => {
    const url = httpUrl();
    await client.close();
    await broker.close();
    const { code, stderr } = await runBare("list", "--http-url", url);
    expect(code).toBe(3);
    expect(stderr).toMatch(/^polymq: ERR_CONNECT_FAILED: no answer from http:\/\/127\.0\.0\.1:\d+: .*\n$/);
  });

  test("a URL that is none is wrong usage", async () => {
    expect((await runBare("list", "--http-url", "localhost")).code).toBe(2);
  });
});
