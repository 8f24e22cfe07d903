import { type Broker, startBroker } from "@polymq/broker";
import { connect } from "polymq";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runCli } from "../cli.ts";
import { FakeEnvironment } from "../environment.test-support.ts";

let broker: Broker;

beforeEach(async () => {
  broker = await startBroker({ port: 0 });
});

afterEach(() => broker.close());

class SocketEnvironment extends FakeEnvironment {
  override connect = connect as FakeEnvironment["connect"];
}

async function probe(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = new SocketEnvironment();
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
