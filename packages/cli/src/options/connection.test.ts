import type { Socket } from "node:net";
import { connect } from "polymq";
import { listenTcp } from "polymq/transport";
import { describe, expect, test } from "vitest";
import { addressOf, type ConnectionFlags, clientOptions } from "./connection.ts";

const read = (path: string): Promise<Uint8Array> => Promise.resolve(new TextEncoder().encode(path));

describe("addressOf", () => {
  test.each<[ConnectionFlags, string, string]>([
    [{}, "mqtt://localhost:1883", "mqtt"],
    [{ host: "h", port: 1 }, "mqtt://h:1", "mqtt"],
    [{ host: "::1" }, "mqtt://[::1]:1883", "mqtt"],
    [{ protocol: "amqp091" }, "amqp://localhost:5672", "amqp091"],
    [{ protocol: "amqp10", tls: true }, "amqp10s://localhost:5671", "amqp10"],
    [{ cafile: "ca.pem" }, "mqtts://localhost:8883", "mqtt"],
    [{ url: "WSS://h/mqtt" }, "WSS://h/mqtt", "mqtt"],
    [{ url: "ws://h/amqp", protocol: "amqp10" }, "ws://h/amqp", "amqp10"],
    [{ url: "amqps://h", insecure: true }, "amqps://h", "amqp091"],
  ])("%j is %s", (flags, url, protocol) => {
    expect(addressOf(flags)).toEqual({ url, protocol });
  });

  test.each<[ConnectionFlags]>([
    [{ url: "mqtt://h", host: "h" }],
    [{ url: "h:1883" }],
    [{ url: "mqtt://h", cafile: "ca.pem" }],
  ])("%j is wrong usage", (flags) => {
    expect(() => addressOf(flags)).toThrow(expect.objectContaining({ name: "UsageError" }));
  });
});

describe("clientOptions", () => {
  test("carry every flag", async () => {
    const flags: ConnectionFlags = {
      username: "ann",
      password: "secret",
      id: "me",
      cafile: "ca",
      cert: "cert",
      key: "key",
      insecure: true,
      alpn: ["mqtt", "x"],
      dialect: "fluxmq",
      connectTimeout: 2_000,
      reconnect: false,
      mqttVersion: 4,
      keepalive: 10,
      clean: false,
      willTopic: "gone",
      willPayload: "bye",
      willQos: 1,
      willRetain: true,
      willDelay: 5,
      willExpires: 60,
      willContentType: "text/plain",
      willProp: { unit: "C" },
      receiveMaximum: 9,
      maximumPacketSize: 1_000,
      connectProp: { site: "north" },
    };
    const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
    expect(await clientOptions(flags, read)).toEqual({
      username: "ann",
      password: "secret",
      clientId: "me",
      tls: {
        ca: bytes("ca"),
        cert: bytes("cert"),
        key: bytes("key"),
        alpnProtocols: ["mqtt", "x"],
        rejectUnauthorized: false,
      },
      dialect: "fluxmq",
      connectTimeoutMs: 2_000,
      reconnect: false,
      mqtt: {
        protocolVersion: 4,
        keepAliveSeconds: 10,
        cleanStart: false,
        sessionExpirySeconds: 4_294_967_295,
        receiveMaximum: 9,
        maximumPacketSize: 1_000,
        userProperties: { site: "north" },
        will: {
          topic: "gone",
          payload: "bye",
          qos: 1,
          retain: true,
          delaySeconds: 5,
          messageExpirySeconds: 60,
          contentType: "text/plain",
          userProperties: { unit: "C" },
        },
      },
    });
  });

  test("say which headers a WebSocket request has", async () => {
    const flags: ConnectionFlags = { url: "wss://h/mqtt", wsHeader: { "x-token": "t" } };
    expect(await clientOptions(flags, read)).toEqual({ webSocket: { headers: { "x-token": "t" } } });
  });

  test.skipIf(process.platform !== "linux").each(["mqtt", "ws", "amqp", "amqp10"])(
    "connect from --bind-address over %s",
    async (scheme) => {
      let accept: (socket: Socket) => void = () => {};
      const accepted = new Promise<Socket>((resolve) => {
        accept = resolve;
      });
      const listener = await listenTcp({ host: "127.0.0.1", port: 0 }, accept);
      const url = `${scheme}://127.0.0.1:${listener.port}`;
      const attempt = connect(url, await clientOptions({ url, bindAddress: "127.0.0.9" }, read));
      const refused = expect(attempt).rejects.toMatchObject({ name: "MessagingError" });
      const socket = await accepted;
      expect(socket.remoteAddress).toBe("127.0.0.9");
      socket.destroy();
      await refused;
      await listener.close();
    },
  );

  test("are empty without flags", async () => {
    expect(await clientOptions({}, read)).toEqual({});
  });

  test.each<[ConnectionFlags]>([
    [{ protocol: "amqp10", keepalive: 1 }],
    [{ willPayload: "x" }],
    [{ willDelay: 5 }],
    [{ protocol: "amqp091", connectProp: { a: "b" } }],
    [{ clean: false }],
    [{ key: "key" }],
    [{ url: "mqtt://h", wsHeader: { a: "b" } }],
  ])("%j is wrong usage", async (flags) => {
    await expect(clientOptions(flags, read)).rejects.toMatchObject({ name: "UsageError" });
  });
});
