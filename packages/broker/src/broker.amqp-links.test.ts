import { connect, saslExternal } from "polymq/amqp10";
import { AmqpClient } from "polymq/amqp091";
import { testCertificates } from "polymq/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import type { AuthDecision, AuthenticateRequest } from "./auth/auth-hooks.ts";
import { type Broker, startBroker } from "./broker.ts";
import type { ListenerOptions, ProtocolName } from "./options.ts";
import { takeTexts } from "./sessions/amqp10/scene.test-support.ts";

const { ca, serverCert: cert, serverKey: key, clientCert, clientKey } = testCertificates;
const TLS = { cert, key, ca, clientCertificate: "ask" } as const;
/** Larger than a TLS record and a frame, and no whole number of either. */
const BODY = "0123456789".repeat(30_001);

/** Sends a message to a queue of its own and gets it back, and says who the broker takes the client for. */
type Exchange = (url: string, options?: { readonly external?: boolean }) => Promise<string>;

const over091: Exchange = async (url, { external = false } = {}) => {
  const client = new AmqpClient({
    servers: url,
    reconnect: false,
    tls: external ? { ca, cert: clientCert, key: clientKey } : { ca },
    mechanism: external ? "EXTERNAL" : "auto",
  });
  try {
    await client.connect();
    const channel = await client.channel();
    const { queue } = await channel.declareQueue();
    await channel.publish("", queue, BODY);
    return (await channel.get(queue, { noAck: true }))?.text() ?? "nothing";
  } finally {
    await client.close();
  }
};

const over10: Exchange = async (url, { external = false } = {}) => {
  const connection = await connect(url, {
    reconnect: false,
    tls: external ? { ca, cert: clientCert, key: clientKey } : { ca },
    ...(external ? { sasl: saslExternal() } : {}),
  });
  try {
    const session = await connection.createSession();
    await (await session.createSender("$queue/links")).send(new TextEncoder().encode(BODY));
    const [text] = await takeTexts(await session.createReceiver("$queue/links", { credit: 1 }), 1);
    return text ?? "nothing";
  } finally {
    await connection.close();
  }
};

describe.each<[string, ProtocolName, Exchange]>([
  ["AMQP 0-9-1", "amqp091", over091],
  ["AMQP 1.0", "amqp10", over10],
])("%s", (_, protocol, exchange) => {
  let broker: Broker;
  const ports = { shared: 0, sharedTls: 0, own: 0, ownTls: 0 };
  const certificates: string[] = [];

  beforeAll(async () => {
    const own = [protocol];
    const listeners: ListenerOptions[] = [
      { port: 0 },
      { port: 0, tls: TLS },
      { port: 0, protocols: own },
      { port: 0, protocols: own, tls: TLS },
    ];
    const authenticate = (request: AuthenticateRequest): AuthDecision => {
      certificates.push(`${request.protocol} ${request.username} ${request.certificateCommonName}`);
      return { allow: true };
    };
    broker = await startBroker({ listeners, auth: { authenticate } });
    const [shared = 0, sharedTls = 0, ownPort = 0, ownTls = 0] = broker.addresses.map((address) => address.port);
    Object.assign(ports, { shared, sharedTls, own: ownPort, ownTls });
  });

  afterAll(async () => {
    await broker?.close();
  });

  describe.each(["shared", "own"] as const)("on a port %s", (which) => {
    const port = (): number => ports[which];
    const securePort = (): number => ports[`${which}Tls`];

    test("is served in the clear, over TLS, WebSocket and WebSocket over TLS", async () => {
      for (const url of [
        `amqp://127.0.0.1:${port()}`,
        `amqps://localhost:${securePort()}`,
        `ws://127.0.0.1:${port()}/amqp`,
        `wss://localhost:${securePort()}/amqp`,
      ]) {
        expect([url, (await exchange(url)) === BODY]).toEqual([url, true]);
      }
    });

    test("lets nobody in without a certificate where one is required, and says who came with one", async () => {
      const tls = { ...TLS, clientCertificate: "require" } as const;
      const listener = which === "own" ? { port: 0, tls, protocols: [protocol] } : { port: 0, tls };
      await using strict = await startBroker({ listeners: [listener] });
      const url = `amqps://localhost:${strict.port}`;
      await expect(exchange(url)).rejects.toMatchObject({
        code: expect.stringMatching(/^ERR_(CONNECT_FAILED|CONNECTION_LOST)$/),
      });
      expect((await exchange(url, { external: true })) === BODY).toBe(true);
    });

    test("takes the user from the client's certificate (EXTERNAL), over TLS and WebSocket over TLS", async () => {
      for (const url of [`amqps://localhost:${securePort()}`, `wss://localhost:${securePort()}/amqp`]) {
        certificates.length = 0;
        expect((await exchange(url, { external: true })) === BODY).toBe(true);
        expect(certificates).toEqual([`${protocol} polymq-test-client polymq-test-client`]);
      }
    });
  });
});

describe("a WebSocket that names no subprotocol", () => {
  /** What the broker sends first, or the status with which it refuses. */
  function firstBytes(url: string, hello: Uint8Array): Promise<string> {
    const socket = new WebSocket(url, { ca });
    return new Promise((resolve) => {
      socket.on("error", () => undefined);
      socket.once("unexpected-response", (request, response) => {
        response.resume();
        request.destroy();
        resolve(`status ${response.statusCode}`);
      });
      socket.once("open", () => socket.send(hello));
      socket.once("close", () => resolve("end"));
      socket.once("message", (data: Buffer) => {
        resolve(data.subarray(0, 8).toString("latin1"));
        socket.terminate();
      });
    });
  }

  const AMQP091 = Buffer.from("AMQP\x00\x00\x09\x01", "latin1");
  /** A method frame on channel 0. */
  const START = "\x01\x00\x00\x00\x00";

  test("speaks AMQP 0-9-1, whose clients in browsers name none", async () => {
    const listeners: ListenerOptions[] = [{ port: 0 }, { port: 0, protocols: ["amqp091"], tls: TLS }];
    await using broker = await startBroker({ listeners });
    const [shared, own] = broker.addresses.map((address) => address.port);
    expect(await firstBytes(`ws://127.0.0.1:${shared}/amqp`, AMQP091)).toContain(START);
    expect(await firstBytes(`wss://localhost:${own}/amqp`, AMQP091)).toContain(START);
  });

  test("does not speak MQTT [MQTT-6.0.0-3] [MQTT3-6.0.0-3]", async () => {
    await using broker = await startBroker({ port: 0 });
    const connect = Buffer.from("\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01a", "latin1");
    expect(await firstBytes(`ws://127.0.0.1:${broker.port}/mqtt`, connect)).toBe("AMQP\x00\x00\x09\x01");
  });

  test("is refused where only protocols are served that need one", async () => {
    await using broker = await startBroker({ port: 0, protocols: ["mqtt", "amqp10"] });
    expect(await firstBytes(`ws://127.0.0.1:${broker.port}/amqp`, AMQP091)).toBe("status 400");
  });
});
