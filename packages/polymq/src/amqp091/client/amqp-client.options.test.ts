import { describe, expect, test } from "vitest";
import { connected, FakeBroker, TestClient } from "./fake-broker.test-support.ts";
import { settingsOf } from "./options.ts";

describe("what the client says of itself", () => {
  test("the connection's name and further properties go to the server beside what it is capable of", async () => {
    const { broker } = await connected({ connectionName: "worker 7", clientProperties: { team: "blue" } });
    const properties = { product: "polymq", platform: "JavaScript", connection_name: "worker 7", team: "blue" };
    expect(broker.clientProperties).toMatchObject([properties]);
    expect(broker.clientProperties[0]?.["capabilities"]).toMatchObject({
      "basic.nack": true,
      consumer_cancel_notify: true,
      "connection.blocked": true,
      authentication_failure_close: true,
    });
  });

  test("a channel beyond channelMax is ERR_CHANNEL_MAX, and the server's properties and what was agreed are there while connected", async () => {
    const { client, broker } = await connected({ channelMax: 2 });
    expect(client.serverProperties?.["product"]).toBe("fake");
    expect(client.tuning).toMatchObject({ channelMax: 2, frameMax: 4_096 });
    await broker.now(client.channel());
    await broker.now(client.channel());
    await expect(client.channel()).rejects.toMatchObject({ code: "ERR_CHANNEL_MAX" });
  });
});

describe("how a server is dialled", () => {
  test("amqps:// with TLS and the options given for it, ws:// with the subprotocol amqp, each with its deadline", async () => {
    const broker = new FakeBroker();
    const tls = { serverName: "broker.example" };
    const webSocket = { protocols: ["v"], path: "/x" };
    const given = { tls, connectTimeoutMs: 77 };
    await broker.now(new TestClient(broker, { servers: "amqps://a", ...given }).connect());
    await broker.now(new TestClient(broker, { servers: "wss://a/ws" }).connect());
    await broker.now(new TestClient(broker, { servers: "ws://a/ws", webSocket }).connect());
    expect(broker.dials).toMatchObject([
      { kind: "tls", tls, connectTimeoutMs: 77 },
      { kind: "wss", webSocket: { protocols: ["amqp"] }, connectTimeoutMs: 10_000 },
      { kind: "ws", webSocket: { protocols: ["v"] } },
    ]);
  });

  test("a server that says nothing is ERR_CONNECT_TIMEOUT after connectTimeoutMs", async () => {
    const broker = new FakeBroker();
    broker.silent.add("connection.start-ok");
    const client = new TestClient(broker, { connectTimeoutMs: 500 });
    const connecting = client.connect();
    connecting.catch(() => undefined);
    await broker.clock.advance(2_000);
    await expect(broker.now(connecting)).rejects.toMatchObject({ code: "ERR_CONNECT_TIMEOUT" });
    expect([client.state, broker.clock.pendingTimers]).toEqual(["disconnected", 0]);
  });
});

describe("coming back", () => {
  test("is tried at once, then after 1 s, doubling to 2 min, and told by events", async () => {
    const { broker, client } = await connected({ reconnect: { jitter: "none" } });
    const told: string[] = [];
    const startMs = broker.clock.nowMs();
    client.on("reconnecting", (event) => {
      told.push(`${event.attempt} after ${(broker.clock.nowMs() - startMs) / 1_000}`);
    });
    client.on("connectionLost", (event) => void told.push(event.error.code));
    client.on("connect", (event) => void told.push(`back ${event.reconnected}`));
    broker.down.add("a");
    broker.link.pair.cut();
    await broker.clock.advance(400_000);
    expect(told).toEqual([
      "ERR_CONNECTION_LOST",
      ...[0, 1, 3, 7, 15, 31, 63, 127, 247, 367].map((seconds, i) => `${i + 1} after ${seconds}`),
    ]);
    broker.down.clear();
    await broker.clock.advance(120_000);
    expect(told.at(-1)).toBe("back true");
  });

  test("is not tried with reconnect: false", async () => {
    const { broker, client } = await connected({ reconnect: false });
    const failed: string[] = [];
    client.on("reconnectFailed", (event) => void failed.push(event.error.code));
    broker.link.pair.cut();
    await broker.clock.advance(10_000);
    expect([client.state, broker.links.length, failed.length]).toEqual(["disconnected", 1, 1]);
  });

  test("a second connect is ERR_ALREADY_CONNECTED", async () => {
    const { client } = await connected();
    await expect(client.connect()).rejects.toMatchObject({ code: "ERR_ALREADY_CONNECTED" });
  });
});

test("a password of a wrong type is refused without being told", () => {
  const password = new TextEncoder().encode("hunter2") as unknown as string;
  let refusal: unknown;
  try {
    settingsOf({ servers: "amqp://h", username: "u", password });
  } catch (error) {
    refusal = error;
  }
  expect(refusal).toMatchObject({ code: "ERR_INVALID_OPTIONS", message: "password must be a string" });
});
