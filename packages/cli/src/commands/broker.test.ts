import { MessagingError } from "polymq/internal";
import { describe, expect, test } from "vitest";
import { runCli } from "../cli.ts";
import { FakeEnvironment } from "../environment.test-support.ts";

/** Runs a broker until it is ready, then stops it. */
async function runAndStop(env: FakeEnvironment, ...args: string[]): Promise<number> {
  const done = runCli(["broker", ...args], env);
  await env.ready;
  env.stop();
  return await done;
}

describe("polymq broker", () => {
  test("starts a broker with its defaults and exits with 0 when it was stopped and drained", async () => {
    const env = new FakeEnvironment();
    expect(await runAndStop(env)).toBe(0);
    expect(env.started).toEqual([{}]);
    expect(env.closes).toBe(1);
    expect(env.stderr).toBe("");
    expect(env.isListening).toBe(false);
  });

  test("says where to connect, what is kept, and how to publish", async () => {
    const env = new FakeEnvironment();
    await runAndStop(env);
    expect(env.stdout).toMatch(/^polymq broker 1\.2\.3 is ready\n/);
    expect(env.stdout).toContain("mqtt://127.0.0.1:4321\n");
    expect(env.stdout).toContain("ws://127.0.0.1:4321/mqtt\n");
    expect(env.stdout).toContain("in memory");
    expect(env.stdout).toContain("\n  npx polymq pub -t hello -m world -L mqtt://127.0.0.1:4321\n");
  });

  test("--json prints exactly one line with the addresses", async () => {
    const env = new FakeEnvironment();
    await runAndStop(env, "--json");
    expect(env.stdout.split("\n")).toHaveLength(2);
    expect(JSON.parse(env.stdout)).toEqual({
      event: "ready",
      version: "1.2.3",
      addresses: env.broker({}).addresses,
      httpToken: null,
    });
    expect(env.stderr).toBe("");
  });

  test("--quiet prints nothing", async () => {
    const env = new FakeEnvironment();
    expect(await runAndStop(env, "--quiet")).toBe(0);
    expect(env.stdout + env.stderr).toBe("");
  });

  test("--config gives the broker what a file says, and flags win over it", async () => {
    const env = new FakeEnvironment();
    env.configs.set("b.yaml", { dataDir: "/data", queues: [{ name: "q" }], port: 1 });
    expect(await runAndStop(env, "--config", "b.yaml", "--port", "0", "--durability", "buffered")).toBe(0);
    expect(env.started).toEqual([{ dataDir: "/data", queues: [{ name: "q" }], port: 0, durability: "buffered" }]);
    expect(env.stdout).toContain("/data");
  });

  test("a configuration file that is wrong ends it with 1 and the reason", async () => {
    const env = new FakeEnvironment();
    expect(await runCli(["broker", "--config", "no.yaml"], env)).toBe(1);
    expect(env.stderr).toBe("polymq: ERR_INVALID_OPTIONS: no.yaml: cannot be read\n");
  });

  test("every flag reaches the broker", async () => {
    const env = new FakeEnvironment();
    for (const name of ["cert", "key", "ca"]) env.files.set(`${name}.pem`, name);
    const flags =
      "--host 0.0.0.0 --port 0 --data ./d --durability buffered --tls-cert cert.pem --tls-key key.pem --tls-ca ca.pem " +
      "--user ann:se:same --user bob: --ws-path /mqtt --ws-path /ws --max-connections 7";
    expect(await runAndStop(env, ...flags.split(" "))).toBe(0);
    const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
    expect(env.started).toEqual([
      {
        host: "0.0.0.0",
        port: 0,
        dataDir: "./d",
        durability: "buffered",
        tls: { cert: bytes("cert"), key: bytes("key"), ca: bytes("ca"), clientCertificate: "require" },
        users: [
          { username: "ann", password: "se:same" },
          { username: "bob", password: "" },
        ],
        webSocket: { paths: ["/mqtt", "/ws"] },
        connections: { countMax: 7 },
      },
    ]);
  });

  test("a second request to stop ends the process at once with 1", async () => {
    const env = new FakeEnvironment();
    let release: () => void = () => {};
    env.start = () =>
      Promise.resolve(
        env.broker({
          close: () =>
            new Promise((resolve) => {
              release = resolve;
            }),
        }),
      );
    const done = runCli(["broker"], env);
    await env.ready;
    env.stop();
    expect(env.exits).toEqual([]);
    env.stop();
    expect(env.exits).toEqual([1]);
    await new Promise((resolve) => setImmediate(resolve));
    release();
    expect(await done).toBe(0);
  });

  test("a request to stop during the start is kept until there is something to stop", async () => {
    const env = new FakeEnvironment();
    env.start = () => {
      env.stop();
      return Promise.resolve(env.broker({}));
    };
    expect(await runCli(["broker"], env)).toBe(0);
    expect(env.closes).toBe(1);
  });

  test("a broker that ends by itself because of an error is a failure", async () => {
    const env = new FakeEnvironment();
    const closed = Promise.resolve(new MessagingError("ERR_STORE_FAILED", "the disk is full"));
    env.start = () => Promise.resolve(env.broker({ closed }));
    expect(await runCli(["broker", "--quiet"], env)).toBe(1);
    expect(env.stderr).toBe("polymq: ERR_STORE_FAILED: the disk is full\n");
    expect(env.isListening).toBe(false);
  });

  test("a broker that was ended in order from elsewhere is none", async () => {
    const env = new FakeEnvironment();
    env.start = () => Promise.resolve(env.broker({ closed: Promise.resolve(null) }));
    expect(await runCli(["broker", "--quiet"], env)).toBe(0);
  });
});

describe("failures", () => {
  test("a port of its own for AMQP makes two listeners of one", async () => {
    const env = new FakeEnvironment();
    expect(await runAndStop(env, "--amqp-port", "5672", "--host", "0.0.0.0")).toBe(0);
    expect(env.started).toEqual([
      {
        listeners: [
          { host: "0.0.0.0", port: 1883 },
          { host: "0.0.0.0", port: 5672, protocols: ["amqp091"], webSocket: false },
        ],
      },
    ]);
  });

  test("AMQP 0-9-1 and AMQP 1.0 can have a port each", async () => {
    const env = new FakeEnvironment();
    expect(await runAndStop(env, "--amqp-port", "5682", "--amqp10-port", "5672", "--port", "0")).toBe(0);
    expect(env.started).toEqual([
      {
        listeners: [
          { port: 0 },
          { port: 5682, protocols: ["amqp091"], webSocket: false },
          { port: 5672, protocols: ["amqp10"], webSocket: false },
        ],
      },
    ]);
  });

  test("HTTP can have a port of its own, a token, callers from elsewhere, or be left out", async () => {
    const env = new FakeEnvironment();
    expect(await runAndStop(env, "--http-port", "8080", "--http-token", "0123456789abcdef", "--http-remote")).toBe(0);
    expect(await runAndStop(env, "--no-http")).toBe(0);
    expect(env.started).toEqual([
      {
        listeners: [{ port: 1883 }, { port: 8080, protocols: ["http"], webSocket: false }],
        http: { token: "0123456789abcdef", remote: "allow" },
      },
      { http: false },
    ]);
    expect(await runCli(["broker", "--no-http", "--http-port", "1"], new FakeEnvironment())).toBe(2);
  });

  test("the token that the broker made is printed, one that was given is not", async () => {
    const served = { urls: ["http://127.0.0.1:1"], transport: "tcp", host: "127.0.0.1", port: 1 } as const;
    const env = new FakeEnvironment();
    env.start = () => Promise.resolve(env.broker({ addresses: [served], httpToken: "made-at-start" }));
    await runAndStop(env);
    expect(env.stdout).toContain("made-at-start");
    const given = new FakeEnvironment();
    given.start = () => Promise.resolve(given.broker({ addresses: [served], httpToken: "given-by-me-1234" }));
    await runAndStop(given, "--http-token", "given-by-me-1234");
    expect(given.stdout).not.toContain("given-by-me");
  });

  test("a port in use is told in one line with the code, the system's word for it and a way out", async () => {
    const env = new FakeEnvironment();
    const cause = Object.assign(new Error("listen EADDRINUSE: address already in use 127.0.0.1:1883"), {
      code: "EADDRINUSE",
    });
    env.start = () =>
      Promise.reject(new MessagingError("ERR_LISTEN_FAILED", `cannot listen: ${cause.message}`, { cause }));
    expect(await runCli(["broker"], env)).toBe(1);
    expect(env.stderr).toBe(
      "polymq: ERR_LISTEN_FAILED: cannot listen: listen EADDRINUSE: address already in use 127.0.0.1:1883; port 0 takes any free one\n",
    );
    expect(env.stdout).toBe("");
  });

  test("the system's code is added where the message lacks it", async () => {
    const env = new FakeEnvironment();
    const cause = Object.assign(new Error("no"), { code: "EACCES" });
    env.start = () =>
      Promise.reject(new MessagingError("ERR_STORE_FAILED", "cannot open\nthe data directory", { cause }));
    expect(await runCli(["broker", "--data", "./data"], env)).toBe(1);
    expect(env.stderr).toBe("polymq: ERR_STORE_FAILED: cannot open the data directory (EACCES)\n");
  });

  test("a certificate file that is not there is a failure before anything starts", async () => {
    const env = new FakeEnvironment();
    expect(await runCli(["broker", "--tls-cert", "no.pem", "--tls-key", "no.pem"], env)).toBe(1);
    expect(env.stderr).toBe("polymq: ENOENT: no such file or directory, open 'no.pem'\n");
    expect(env.started).toEqual([]);
  });
});

describe("usage", () => {
  test.each([
    [[]],
    [["brokre"]],
    [["broker", "--prot", "1"]],
    [["broker", "extra"]],
    [["broker", "--port"]],
    [["broker", "--port", "65536"]],
    [["broker", "--port", "1e3"]],
    [["broker", "--max-connections", "0"]],
    [["broker", "--durability", "sometimes"]],
    [["broker", "--durability", "fsync"]],
    [["broker", "--durability", "memory", "--data", "d"]],
    [["broker", "--user", "ann"]],
    [["broker", "--user", ":x"]],
    [["broker", "--ws-path", "mqtt"]],
    [["broker", "--tls-cert", "c.pem"]],
    [["broker", "--tls-ca", "c.pem"]],
  ])("%j is wrong: exit code 2, a word on standard error, nothing started", async (args) => {
    const env = new FakeEnvironment();
    expect(await runCli(args, env)).toBe(2);
    expect(env.stderr).not.toBe("");
    expect(env.stdout).toBe("");
    expect(env.started).toEqual([]);
  });

  test("--version prints the version", async () => {
    const env = new FakeEnvironment();
    expect(await runCli(["--version"], env)).toBe(0);
    expect(env.stdout).toBe("1.2.3\n");
  });

  test("--help names the commands", async () => {
    const env = new FakeEnvironment();
    expect(await runCli(["--help"], env)).toBe(0);
    expect(env.stdout).toContain("broker");
  });

  test("the help of broker names every flag and has examples", async () => {
    const env = new FakeEnvironment();
    expect(await runCli(["broker", "--help"], env)).toBe(0);
    for (const flag of "host port data durability json quiet tls-cert tls-key tls-ca user ws-path max-connections amqp-port amqp10-port http-port no-http http-token http-remote".split(
      " ",
    )) {
      expect(env.stdout).toContain(`--${flag}`);
    }
    expect(env.stdout).toContain("Examples:");
  });
});
