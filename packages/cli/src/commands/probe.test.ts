import { type Broker, startBroker } from "@polymq/broker";
import { type ClientOptions, connect } from "polymq";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { runCli } from "../cli.ts";
import { FakeEnvironment } from "../environment.test-support.ts";

let broker: Broker;

// What is loaded on first use takes seconds on a busy machine: it would count against the first test's time and probe's own limit.
beforeAll(async () => {
  broker = await startBroker({ port: 0 });
  expect((await probe(...here(), "--connect-timeout", "120")).code).toBe(0);
  await broker.close();
}, 120_000);

beforeEach(async () => {
  broker = await startBroker({ port: 0 });
});

afterEach(() => broker.close());

class SocketEnvironment extends FakeEnvironment {
  override connect = connect as FakeEnvironment["connect"];
}

/** Where somebody listens at port 1883 or 5672, the broker or nobody listens here. */
class PortsEnvironment extends FakeEnvironment {
  readonly tried: string[] = [];
  readonly #ports: ReadonlyMap<number, number>;

  constructor(ports: ReadonlyMap<number, number>) {
    super();
    this.#ports = ports;
  }

  override connect = ((url: string, options: ClientOptions) => {
    this.tried.push(url);
    const { protocol, hostname, port } = new URL(url);
    return connect(`${protocol}//${hostname}:${this.#ports.get(Number(port)) ?? 1}`, options);
  }) as FakeEnvironment["connect"];
}

async function probe(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return await probeIn(new SocketEnvironment(), ...args);
}

async function probeIn(
  env: FakeEnvironment,
  ...args: string[]
): Promise<{ code: number; stdout: string; stderr: string }> {
  const code = await runCli(["probe", ...args], env);
  return { code, stdout: env.stdout, stderr: env.stderr };
}

const here = (): string[] => ["-h", "127.0.0.1", "-p", String(broker.addresses[0]?.port)];

test("says of every protocol on a port what the server can do in it", async () => {
  const { code, stdout, stderr } = await probe(...here(), "--json");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const probed = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as object);
  expect(probed).toMatchObject([
    {
      ok: true,
      protocol: "MQTT 5.0",
      dialect: "polymq",
      capabilities: { maximumQoS: 2, sharedSubscriptionAvailable: true },
    },
    { ok: true, protocol: "MQTT 3.1.1" },
    { ok: true, protocol: "AMQP 0-9-1", dialect: "polymq", capabilities: { product: "polymq", frameMax: 131_072 } },
    { ok: true, protocol: "AMQP 1.0", dialect: "polymq", capabilities: { maxFrameSize: expect.any(Number) } },
  ]);
});

test("prints them for people", async () => {
  const { code, stdout } = await probe("-L", `amqp://127.0.0.1:${broker.addresses[0]?.port}`);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^AMQP 0-9-1 +amqp:\/\/127\.0\.0\.1:\d+ +connected in [\d.]+ ms\n {2}dialect +polymq\n/);
  expect(stdout).toMatch(/\n {2}channelMax +\d+\n/);
});

test("a protocol that the server does not speak is told with its code; another one is enough for exit code 0", async () => {
  await broker.close();
  broker = await startBroker({ listeners: [{ port: 0, protocols: ["mqtt"], webSocket: false }] });
  const { code, stdout } = await probe(...here(), "--json", "--connect-timeout", "2");
  expect(code).toBe(0);
  const probed = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { ok: boolean });
  expect(probed.map(({ ok }) => ok)).toEqual([true, true, false, false]);
  expect(probed[2]).toMatchObject({ protocol: "AMQP 0-9-1", error: { code: expect.stringMatching(/^ERR_/) } });
});

test("nobody there is exit code 3, and passwords are not printed", async () => {
  const { port = 0 } = broker.addresses[0] ?? {};
  await broker.close();
  const { code, stdout } = await probe("-L", `mqtt://ann:secret@127.0.0.1:${port}`);
  expect(code).toBe(3);
  expect(stdout).toMatch(/^MQTT +mqtt:\/\/127\.0\.0\.1:\d+\n {2}no: ERR_CONNECT_FAILED: .*\n$/);
});

describe("without a port", () => {
  test("finds every protocol on the port of polymq's broker", async () => {
    const env = new PortsEnvironment(new Map([[1_883, broker.port]]));
    const { code, stdout } = await probeIn(env);
    expect(code).toBe(0);
    expect(env.tried).toEqual([
      "mqtt://localhost:1883",
      "mqtt://localhost:1883",
      "amqp://localhost:1883",
      "amqp10://localhost:1883",
    ]);
    expect(stdout).toMatch(/\nAMQP 1\.0 +amqp10:\/\/localhost:1883 +connected/);
  });

  test("goes on to the protocol's own port where the broker does not speak it on that one", async () => {
    const mqtt = await startBroker({ listeners: [{ port: 0, protocols: ["mqtt"], webSocket: false }] });
    try {
      const env = new PortsEnvironment(
        new Map([
          [1_883, mqtt.port],
          [5_672, broker.port],
        ]),
      );
      const { stdout } = await probeIn(env, "--json");
      const probed = stdout.trimEnd().split("\n");
      expect(probed.map((line) => JSON.parse(line) as object)).toMatchObject([
        { ok: true },
        { ok: true },
        { ok: true, url: "amqp://localhost:5672" },
        { ok: true, url: "amqp10://localhost:5672" },
      ]);
    } finally {
      await mqtt.close();
    }
  });

  test("leaves other protocols alone on the port of a server that is not polymq's", async () => {
    const env = new PortsEnvironment(new Map());
    expect((await probeIn(env)).code).toBe(3);
    expect(env.tried.slice(2)).toEqual(["amqp://localhost:5672", "amqp10://localhost:5672"]);
  });
});
