import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "mqtt";
import { afterEach, describe, expect, test } from "vitest";
import { withDeadline } from "./deadline.ts";
import { makeCertificates } from "./make-certificates.ts";
import { isPortOpen } from "./ports.ts";
import { makeRabbitmqSite } from "./rabbitmq-site.ts";
import { isRequired, requirementFor, requireOrSkip } from "./require-or-skip.ts";
import { runTool } from "./run-tool.ts";
import { spawnTool } from "./spawn-tool.ts";
import { startMosquitto } from "./start-mosquitto.ts";
import { startRabbitmq } from "./start-rabbitmq.ts";

/** Everything a test has to undo, last first. */
class Cleanup {
  readonly #steps: (() => Promise<unknown>)[] = [];

  add<T extends { stop(): Promise<unknown> }>(stoppable: T): T {
    this.#steps.push(() => stoppable.stop());
    return stoppable;
  }

  later(step: () => Promise<unknown>): void {
    this.#steps.push(step);
  }

  async run(): Promise<void> {
    for (const step of this.#steps.splice(0).reverse()) await step();
  }
}

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

const mosquitto = requireOrSkip("mosquitto", "mosquitto_passwd", "openssl");
const tools = requireOrSkip("mosquitto", "mosquitto_pub", "mosquitto_sub");
const python = requireOrSkip("mosquitto", "python:paho.mqtt.client");
const rabbitmq = requireOrSkip("rabbitmq-server", "rabbitmqctl", "epmd", "openssl");

describe("running programs", () => {
  test("a program's input, output and exit code come back", async () => {
    const result = await runTool("sh", ["-c", "cat; echo sorry >&2; exit 3"], { stdin: "hello", exit: "any" });
    expect(result).toMatchObject({ code: 3, stdout: "hello", stderr: "sorry\n" });
  });

  test("a failing program rejects with what it printed", async () => {
    await expect(runTool("sh", ["-c", "echo the reason >&2; exit 1"])).rejects.toThrow(/exit code 1[\s\S]*the reason/);
  });

  test("a program that runs past its deadline is killed and its output shown", async () => {
    const run = runTool("sh", ["-c", "echo begun; exec tail -f /dev/null"], { timeoutMs: 300 });
    await expect(run).rejects.toThrow(/still running[\s\S]*begun/);
  });

  test("a program that is not there rejects with how to install it", async () => {
    await expect(runTool("no-such-program", [])).rejects.toThrow("install-debian.sh");
  });

  test("a line is found whether it was printed before or after it was asked for", async () => {
    const tool = cleanup.add(await spawnTool("sh", ["-c", 'echo one; read -r word; echo "two $word"; read -r word']));
    expect(await tool.waitForLine(/^one$/)).toBe("one");
    const second = tool.waitForLine(/^two/);
    tool.write("words\n");
    expect(await second).toBe("two words");
    expect(await tool.waitForLine(/^one$/)).toBe("one");
  });

  test("waiting for a line of a program that ends rejects with its output", async () => {
    const tool = await spawnTool("sh", ["-c", "echo last words; exit 4"]);
    await expect(tool.waitForLine(/never/)).rejects.toThrow(/last words/);
    expect(await tool.exited).toEqual({ code: 4, signal: null });
  });

  test("a program that ignores SIGTERM is killed after its grace", async () => {
    const tool = await spawnTool("sh", ["-c", "trap '' TERM; echo deaf; while :; do read -r line; done < /dev/zero"]);
    await tool.waitForLine(/deaf/);
    expect(await tool.stop({ graceMs: 200 })).toEqual({ code: null, signal: "SIGKILL" });
  });
});

describe("requirements", () => {
  test("nothing missing leaves the title alone", () => {
    const met = requirementFor([], "fail");
    expect([met.skip, met.title("against Mosquitto")]).toEqual([false, "against Mosquitto"]);
  });

  test("a missing program skips with the reason in the title", () => {
    const unmet = requirementFor(["mosquitto"], "skip");
    expect(unmet.skip).toBe(true);
    expect(unmet.title("against Mosquitto")).toMatch(/^against Mosquitto \(skipped: mosquitto not installed/);
  });

  test("a missing program fails where it is required", () => {
    expect(() => requirementFor(["mosquitto"], "fail")).toThrow("mosquitto not installed");
  });

  test.each([
    [{}, "skip"],
    [{ CI: "" }, "skip"],
    [{ CI: "false" }, "skip"],
    [{ CI: "true" }, "fail"],
    [{ POLYMQ_INTEROP_REQUIRED: "1" }, "fail"],
    [{ POLYMQ_INTEROP_REQUIRED: "0" }, "skip"],
  ])("the environment %j means %s", (environment, expected) => {
    expect(isRequired(environment)).toBe(expected);
  });
});

describe.skipIf(mosquitto.skip)(mosquitto.title("Mosquitto"), () => {
  test("a round trip works on every kind of listener", async () => {
    const certificates = await certificatesFor(cleanup);
    const broker = cleanup.add(await startMosquitto({ tls: certificates, websocket: true }));
    const ca = await readFile(certificates.caFile);
    const cert = await readFile(certificates.client.certFile);
    const key = await readFile(certificates.client.keyFile);
    await roundTrip(`mqtt://127.0.0.1:${broker.port}`, {});
    await roundTrip(`mqtts://localhost:${broker.tlsPort}`, { ca });
    await roundTrip(`mqtts://localhost:${broker.mutualTlsPort}`, { ca, cert, key });
    await roundTrip(`ws://127.0.0.1:${broker.wsPort}/mqtt`, {});
    await roundTrip(`wss://localhost:${broker.wssPort}/mqtt`, { ca });
    expect(broker.version).toMatch(/^2\./);
  });

  test("stop leaves no process, no port and no directory", async () => {
    const before = await ourTempDirs("mosquitto");
    const broker = await startMosquitto({ websocket: true });
    const { pid, port, wsPort } = broker;
    await broker.stop();
    expect(isRunning(pid)).toBe(false);
    expect([await isPortOpen(port), await isPortOpen(wsPort)]).toEqual([false, false]);
    expect(await ourTempDirs("mosquitto")).toEqual(before);
    await broker.stop();
  });

  test.each(["stop", "kill"] as const)("a restart by %s keeps the ports", async (how) => {
    const broker = cleanup.add(await startMosquitto());
    const { pid, port } = broker;
    await broker.restart(how);
    expect(broker.port).toBe(port);
    expect(broker.pid).not.toBe(pid);
    await roundTrip(`mqtt://127.0.0.1:${port}`, {});
  });

  test.each([true, false])(
    "with persistence %s a retained message outlives a restart accordingly",
    async (persistence) => {
      const broker = cleanup.add(await startMosquitto({ persistence }));
      const url = `mqtt://127.0.0.1:${broker.port}`;
      const publisher = await connected(url, {});
      await publisher.publishAsync("kept", "retained", { qos: 1, retain: true });
      await publisher.endAsync();
      await broker.restart();
      const subscriber = await connected(url, {});
      const first = firstMessage(subscriber);
      await subscriber.subscribeAsync("kept", { qos: 1 });
      await subscriber.publishAsync("kept", "fresh", { qos: 1 });
      expect(await first).toBe(persistence ? "retained" : "fresh");
      await subscriber.endAsync();
    },
  );

  test("passwords let the right user in and nobody else", async () => {
    const broker = cleanup.add(await startMosquitto({ passwords: { ada: "correct horse" } }));
    const url = `mqtt://127.0.0.1:${broker.port}`;
    await roundTrip(url, { username: "ada", password: "correct horse" });
    await expect(connected(url, { username: "ada", password: "wrong" })).rejects.toThrow("Not authorized");
    await expect(connected(url, {})).rejects.toThrow("Not authorized");
  });

  test("limits reach an MQTT 5 client in CONNACK", async () => {
    const options = {
      maxInflight: 7,
      maxPacketSize: 5_000,
      maxKeepAliveSeconds: 30,
      maxQos: 1,
      maxTopicAlias: 3,
    } as const;
    const broker = cleanup.add(await startMosquitto({ ...options, retainAvailable: false }));
    const client = connect(`mqtt://127.0.0.1:${broker.port}`, { protocolVersion: 5, reconnectPeriod: 0 });
    const connack = await new Promise<{ properties?: object }>((resolve) => client.once("connect", resolve));
    await client.endAsync();
    expect(connack.properties).toMatchObject({
      receiveMaximum: 7,
      maximumPacketSize: 5_000,
      serverKeepAlive: 30,
      maximumQoS: 1,
      topicAliasMaximum: 3,
      retainAvailable: false,
    });
  });

  test("a bad configuration rejects with the broker's own words", async () => {
    await expect(startMosquitto({ extraLines: ["no_such_setting 1"] })).rejects.toThrow(
      "Unknown configuration variable",
    );
  });

  test("asking for a port that was not configured says what is missing", async () => {
    const broker = cleanup.add(await startMosquitto());
    expect(() => broker.tlsPort).toThrow("without tls");
  });
});

describe.skipIf(tools.skip)(tools.title("mosquitto_pub and mosquitto_sub"), () => {
  test("a message travels between them", async () => {
    const broker = cleanup.add(await startMosquitto());
    const address = ["-h", broker.host, "-p", `${broker.port}`];
    await runTool("mosquitto_pub", [...address, "-t", "a/b", "-q", "1", "-r", "-m", "hello"]);
    const received = await runTool("mosquitto_sub", [...address, "-t", "a/+", "-C", "1", "-v"]);
    expect(received.stdout).toBe("a/b hello\n");
  });
});

describe.skipIf(python.skip)(python.title("paho-mqtt"), () => {
  test("a message travels from one call to the other", async () => {
    const broker = cleanup.add(await startMosquitto());
    const at = `hostname="${broker.host}", port=${broker.port}`;
    const program = [
      "import paho.mqtt.publish as p, paho.mqtt.subscribe as s",
      `p.single("a", "hello", qos=1, retain=True, ${at})`,
      `print(s.simple("a", qos=1, ${at}).payload.decode())`,
    ].join("\n");
    expect((await runTool("python3", ["-"], { stdin: program })).stdout).toBe("hello\n");
  });
});

describe.skipIf(rabbitmq.skip)(rabbitmq.title("RabbitMQ"), () => {
  test("a round trip works over MQTT, MQTT over TLS and MQTT over WebSocket, and stop leaves nothing", async () => {
    const certificates = await certificatesFor(cleanup);
    const before = await ourTempDirs("rabbitmq");
    const node = cleanup.add(
      await startRabbitmq({ plugins: ["rabbitmq_mqtt", "rabbitmq_web_mqtt"], tls: certificates }),
    );
    const ca = await readFile(certificates.caFile);
    const guest = { username: "guest", password: "guest", protocolVersion: 4 } as const;
    await roundTrip(`mqtt://127.0.0.1:${node.ports.mqtt}`, guest);
    await roundTrip(`mqtts://localhost:${node.ports.mqtts}`, { ...guest, ca });
    await roundTrip(`ws://127.0.0.1:${node.ports.webMqtt}/ws`, guest);
    await roundTrip(`wss://localhost:${node.ports.webMqtts}/ws`, { ...guest, ca });
    expect(node.version).toMatch(/^\d+\.\d+\.\d+$/);

    await node.stop();
    expect(isRunning(node.pid)).toBe(false);
    expect(await processesNaming(node.nodeName)).toEqual([]);
    for (const port of Object.values(node.ports)) expect(await isPortOpen(port)).toBe(false);
    expect(await ourTempDirs("rabbitmq")).toEqual(before);
  });

  test("users are added, and a restart keeps them and the ports", async () => {
    const node = cleanup.add(await startRabbitmq());
    await node.addUser("ada", "correct horse");
    const { mqtt } = node.ports;
    await node.restart();
    expect(node.ports.mqtt).toBe(mqtt);
    await roundTrip(`mqtt://127.0.0.1:${mqtt}`, { username: "ada", password: "correct horse", protocolVersion: 4 });
  });

  test("a bad configuration rejects with RabbitMQ's own words", async () => {
    await expect(startRabbitmq({ extraLines: ["no_such_setting = 1"] })).rejects.toThrow(/no_such_setting/);
  });

  test("nodes on one site form a cluster", async () => {
    const site = cleanup.add(await makeRabbitmqSite());
    const [first, second] = await Promise.all([startRabbitmq({ site }), startRabbitmq({ site })]);
    cleanup.add(first);
    cleanup.add(second);
    await second.joinCluster(first);
    const status = await first.rabbitmqctl("cluster_status", "--formatter", "json");
    expect(JSON.parse(status)).toMatchObject({
      running_nodes: expect.arrayContaining([first.nodeName, second.nodeName]),
    });
  });
});

type ConnectOptions = NonNullable<Parameters<typeof connect>[1]>;
type Client = ReturnType<typeof connect>;

async function connected(url: string, options: ConnectOptions): Promise<Client> {
  const client = connect(url, { reconnectPeriod: 0, ...options });
  const ready = new Promise<Client>((resolve, reject) => {
    client.once("connect", () => resolve(client));
    client.on("error", reject);
  });
  return await withDeadline(ready, 10_000, () => `no connection to ${url}`).catch((error: unknown) => {
    client.end(true);
    throw error;
  });
}

function firstMessage(client: Client): Promise<string> {
  const first = new Promise<string>((resolve) =>
    client.once("message", (_topic, payload) => resolve(payload.toString())),
  );
  return withDeadline(first, 10_000, () => "no message");
}

async function roundTrip(url: string, options: ConnectOptions): Promise<void> {
  const client = await connected(url, options);
  const received = firstMessage(client);
  await client.subscribeAsync("round/trip", { qos: 1 });
  await client.publishAsync("round/trip", url, { qos: 1 });
  expect(await received).toBe(url);
  await client.endAsync();
}

async function certificatesFor(owner: Cleanup): Promise<Awaited<ReturnType<typeof makeCertificates>>> {
  const directory = await mkdtemp(join(tmpdir(), "polymq-harness-"));
  owner.later(() => rm(directory, { recursive: true }));
  return await makeCertificates(directory);
}

async function ourTempDirs(label: string): Promise<readonly string[]> {
  return (await readdir(tmpdir())).filter((name) => name.startsWith(`polymq-${label}`)).sort();
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Command lines of processes that carry this text; empty where there is no /proc to look at. */
async function processesNaming(text: string): Promise<readonly string[]> {
  if ((await stat("/proc/self/cmdline").catch(() => undefined)) === undefined) return [];
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")));
  return lines.filter((line) => line.includes(text));
}
