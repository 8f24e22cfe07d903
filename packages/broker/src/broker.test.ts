import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isMessagingError } from "polymq/internal";
import { MqttClient, type MqttClientOptions } from "polymq/mqtt";
import { leakCheck } from "polymq/testing";
import { afterEach, describe, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { type Broker, startBroker } from "./broker.ts";
import type { BrokerOptions } from "./options.ts";
import {
  connectPacket,
  encode,
  HeldStore,
  hexBytes,
  publishPacket,
  subscribePacket,
  textOf,
} from "./sessions/mqtt/scene.test-support.ts";
import { SocketClient } from "./socket-client.test-support.ts";
import { LmdbStore } from "./storage/lmdb-store.ts";
import { VERSION } from "./version.ts";

const open: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function started(options: BrokerOptions = {}): Promise<Broker> {
  const broker = await startBroker({ port: 0, ...options });
  open.push(() => broker.close().catch(() => undefined));
  return broker;
}

async function client(servers: string, options: Partial<MqttClientOptions> = {}): Promise<MqttClient> {
  const made = new MqttClient({ servers, clientId: "", protocolVersion: 5, ...options });
  open.push(() => made.destroy());
  await made.connect();
  return made;
}

async function codeOf(action: Promise<unknown>): Promise<string> {
  try {
    await action;
  } catch (error) {
    if (isMessagingError(error)) return error.code;
    throw error;
  }
  return "";
}

function directory(): string {
  const made = mkdtempSync(join(tmpdir(), "polymq-broker-"));
  open.push(() => rmSync(made, { recursive: true }));
  return made;
}

describe("a broker", () => {
  test.each([
    ["tcp", 4],
    ["tcp", 5],
    ["websocket", 4],
    ["websocket", 5],
  ] as const)(
    "serves %s and version %i on its one port [MQTT-4.2.0-1] [MQTT3-7.1.1-1] [MQTT-6.0.0-1] [MQTT-6.0.0-4] [MQTT3-6.0.0-1] [MQTT3-6.0.0-4]",
    async (kind, protocolVersion) => {
      const broker = await started();
      const url = kind === "tcp" ? broker.url : `ws://127.0.0.1:${broker.port}/mqtt`;
      const one = await client(url, { protocolVersion, clientId: "one" });
      for (const qos of [0, 1, 2] as const) {
        const got = new Promise<string>((resolve, reject) => {
          one
            .subscribe(`t/${qos}`, { qos, handler: (message) => resolve(`${message.qos} ${textOf(message.payload)}`) })
            .then(() => one.publish(`t/${qos}`, "x".repeat(100_000), { qos }))
            .catch(reject);
        });
        expect(await got).toBe(`${qos} ${"x".repeat(100_000)}`);
      }
    },
  );

  test("takes packets split over WebSocket frames and joined in them, and no text frames [MQTT-6.0.0-1] [MQTT-6.0.0-2] [MQTT-6.0.0-4] [MQTT3-6.0.0-1] [MQTT3-6.0.0-2] [MQTT3-6.0.0-4]", async () => {
    const broker = await started();
    const socket = new WebSocket(`ws://127.0.0.1:${broker.port}/mqtt`, ["other", "mqtt"]);
    open.push(() => socket.terminate());
    const received: Buffer[] = [];
    const opened = new Promise((resolve) => socket.once("open", resolve));
    const message = (): Promise<unknown> => new Promise((resolve) => socket.once("message", resolve));
    socket.on("message", (data) => received.push(data as Buffer));
    await opened;
    expect(socket.protocol).toBe("mqtt");
    const connect = encode(connectPacket({ level: 4 }), 4);
    const connack = message();
    for (const byte of connect) socket.send(Uint8Array.of(byte));
    await connack;
    const answers = message();
    socket.send(Buffer.concat([encode(subscribePacket(["t"]), 4), hexBytes("c000c000")]));
    await answers;
    expect(Buffer.concat(received).toString("hex")).toBe("20020000" + "9003000a02" + "d000d000");
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.send("text");
    expect(await closed).toBe(1003);
  });

  test("carries requests and answers", async () => {
    const broker = await started();
    const server = await client(broker.url, { clientId: "server" });
    await server.respond("double", (request) => String(2 * Number(textOf(request.payload))));
    const asking = await client(broker.url, { clientId: "asking", requestResponseInformation: true });
    expect(textOf((await asking.request("double", "21")).payload)).toBe("42");
  });

  test("says where it listens", async () => {
    const broker = await started();
    expect(broker.port).toBeGreaterThan(0);
    expect(broker.url).toBe(`mqtt://127.0.0.1:${broker.port}`);
    expect(broker.addresses[0]?.port).toBe(broker.port);
  });

  test("names itself with its version, which is that of the package", async () => {
    const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
    expect(VERSION).toBe(version);
    const broker = await started();
    const raw = await SocketClient.open(broker.port);
    raw.send(connectPacket());
    expect((await raw.next("connack")).properties?.userProperties).toEqual([["server", `polymq/${version}`]]);
    raw.destroy();
  });

  test("shows what is in it", async () => {
    const broker = await started();
    const one = await SocketClient.connect(broker.port, { clientId: "one", properties: { sessionExpirySeconds: 60 } });
    one.send(subscribePacket(["a", "$share/g/b"]), publishPacket("a", { retain: true, text: "12345" }));
    await one.next("suback");
    await one.next("publish");
    const shown = broker.inspect();
    expect(shown).toMatchObject({
      sessionCount: 1,
      attachedCount: 1,
      subscriptionCount: 2,
      sharedSubscriptionCount: 1,
      groupCount: 1,
      retainedCount: 1,
      delayedCount: 0,
      durability: "none",
      storeFailure: null,
      sessions: [{ id: "one", state: "attached", expiryMs: 60_000, isStored: false, subscriptions: ["a", "g: b"] }],
      statistics: { messagesIn: 1, messagesOut: 1, bytesIn: 5, bytesOut: 5 },
      metrics: { clientsConnected: 1, connectionsOpen: 1, subscriptionsAccepted: 2, internalErrors: 0 },
    });
    expect(shown.metrics.bytesReceived).toBe(one.socket.bytesWritten);
    expect(shown.metrics.bytesSent).toBe(one.socket.bytesRead);
    one.destroy();
  });

  test("may run beside others in one process", async () => {
    const brokers = [await started(), await started()];
    const clients = await Promise.all(brokers.map((broker) => client(broker.url, { clientId: "same" })));
    await clients[0]?.publish("t", "x", { qos: 1 });
    expect(brokers.map((broker) => broker.inspect().statistics["messagesIn"])).toEqual([1, 0]);
  });
});

describe("closing", () => {
  test("tells 5.0 clients 0x8B, ends 3.1.1 clients, and leaves nothing open", async () => {
    const leaks = leakCheck(2_000);
    const broker = await startBroker({ port: 0 });
    const [young, old] = [
      await SocketClient.connect(broker.port, { clientId: "young" }),
      await SocketClient.connect(broker.port, { clientId: "old", level: 4 }),
    ];
    const silent = await SocketClient.open(broker.port);
    await broker.close();
    await Promise.all([young.closed, old.closed, silent.closed]);
    expect(young.packets).toEqual([{ type: "disconnect", reasonCode: 0x8b, properties: null }]);
    expect([old.packets, silent.packets]).toEqual([[], []]);
    expect(await broker.closed).toBeNull();
    await leaks.check();
  });

  test("of a broker with a data directory leaves nothing open either, not even its lock", async () => {
    const dataDir = directory();
    const leaks = leakCheck(2_000);
    for (let round = 0; round < 3; round++) {
      const broker = await startBroker({ port: 0, dataDir });
      const one = await SocketClient.connect(broker.port, { clientId: "a", properties: { sessionExpirySeconds: 60 } });
      one.send(subscribePacket(["t"]), publishPacket("t", { qos: 2, packetId: 1 }));
      await one.next("publish");
      await broker.close();
      await one.closed;
    }
    await leaks.check();
  });

  test("twice, and by leaving its scope, is one closing", async () => {
    const broker = await startBroker({ port: 0 });
    const first = broker.close();
    expect(broker.close()).toBe(first);
    await broker[Symbol.asyncDispose]();
    await first;
  });

  test("acknowledges what was taken over before", async () => {
    const broker = await started({ dataDir: directory() });
    const one = await SocketClient.connect(broker.port, { clientId: "a", properties: { sessionExpirySeconds: 60 } });
    one.send(subscribePacket([{ filter: "t", qos: 1 }]));
    await one.next("suback");
    one.send(publishPacket("t", { qos: 1, packetId: 5 }));
    await one.next("publish"); // it has been routed; its commit may still be under way
    await broker.close();
    await one.closed;
    expect(one.packets.map((packet) => packet.type)).toEqual(["puback", "disconnect"]);
  });

  test("lets a client take what is on its way to it", async () => {
    const broker = await started();
    const one = await SocketClient.connect(broker.port, { clientId: "a" });
    one.send(subscribePacket([{ filter: "t", qos: 0 }]));
    await one.next("suback");
    one.socket.pause();
    const from = await client(broker.url);
    for (let i = 0; i < 20; i++) await from.publish("t", new Uint8Array(100_000), { qos: 1 });
    const closing = broker.close();
    one.socket.resume();
    await closing;
    await one.closed;
    expect(one.packets.map((packet) => packet.type)).toEqual([
      ...Array.from({ length: 20 }, () => "publish"),
      "disconnect",
    ]);
  });

  test("cuts a client off that does not take it in time", async () => {
    const broker = await started({ drainTimeoutMs: 50, sessions: { unsentBytesMax: 50_000_000 } });
    const one = await SocketClient.connect(broker.port, { clientId: "a" });
    one.send(subscribePacket([{ filter: "t", qos: 0 }]));
    await one.next("suback");
    one.socket.pause();
    const from = await client(broker.url);
    // More than the kernel holds for a socket.
    for (let i = 0; i < 30; i++) await from.publish("t", new Uint8Array(1_000_000), { qos: 1 });
    await broker.close();
    expect(broker.inspect().metrics.connectionsOpen).toBe(0);
    one.destroy();
  });
});

describe("a broker that cannot start", () => {
  test("because its port is taken says ERR_LISTEN_FAILED, and leaves nothing open", async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    open.push(() => new Promise((resolve) => taken.close(resolve)));
    const address = taken.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const dataDir = directory();
    const leaks = leakCheck(2_000);
    expect(await codeOf(startBroker({ listeners: [{ port: 0 }, { port }], dataDir }))).toBe("ERR_LISTEN_FAILED");
    await leaks.check();
    await started({ dataDir });
  });

  test("because its data directory is in use says ERR_STORE_IN_USE", async () => {
    const dataDir = directory();
    const first = await started({ dataDir });
    expect(await codeOf(startBroker({ port: 0, dataDir }))).toBe("ERR_STORE_IN_USE");
    await first.close();
    await started({ dataDir });
  });

  test.each([
    ["an unknown option", { prot: 1 }],
    ["a password hash of no known form", { users: [{ username: "a", passwordHash: "plain" }] }],
    ["a limit that is none", { mqtt: { receiveMaximum: 0 } }],
  ])("because of %s says ERR_INVALID_OPTIONS, and leaves nothing open", async (_what, options) => {
    const dataDir = directory();
    const leaks = leakCheck(2_000);
    expect(await codeOf(startBroker({ port: 0, dataDir, ...options } as BrokerOptions))).toBe("ERR_INVALID_OPTIONS");
    await leaks.check();
    await started({ dataDir });
  });
});

describe("a broker whose store fails", () => {
  test("ends, says why, and has acknowledged nothing", async () => {
    const store = new HeldStore();
    const opened = vi.spyOn(LmdbStore, "open").mockResolvedValue(store as unknown as LmdbStore);
    open.push(() => opened.mockRestore());
    const broker = await started({ dataDir: "unused" });
    const one = await SocketClient.connect(broker.port, { clientId: "a" });
    one.send(publishPacket("t", { qos: 1, packetId: 1, retain: true }), { type: "pingreq" });
    await one.next("pingresp");
    expect(store.pending).toBe(1);
    store.fail();
    expect((await broker.closed)?.code).toBe("ERR_STORE_FAILED");
    expect(await codeOf(broker.close())).toBe("ERR_STORE_FAILED");
    await one.closed;
    expect(one.packets).toMatchObject([{ type: "disconnect", reasonCode: 0x8b }]);
    expect(broker.inspect().storeFailure).not.toBeNull();
  });
});
