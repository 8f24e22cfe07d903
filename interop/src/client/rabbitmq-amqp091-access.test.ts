import { readFile } from "node:fs/promises";
import { AmqpClient, type AmqpClientOptions } from "polymq/amqp091";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Certificates, makeCertificates } from "../harness/make-certificates.ts";
import { requireOrSkip } from "../harness/require-or-skip.ts";
import { type Rabbitmq, startRabbitmq } from "../harness/start-rabbitmq.ts";
import { makeTempDir, type TempDir } from "../harness/temp-dir.ts";
import { startWebSocketBridge, type WebSocketBridge } from "../harness/websocket-bridge.ts";

const tools = requireOrSkip("rabbitmq-server", "rabbitmqctl", "openssl");

describe.skipIf(tools.skip)(tools.title("who may come in to RabbitMQ over AMQP 0-9-1, and how"), () => {
  let directory: TempDir;
  let files: Certificates;
  let broker: Rabbitmq;
  let bridge: WebSocketBridge;

  beforeAll(async () => {
    directory = await makeTempDir("certificates");
    files = await makeCertificates(directory.path);
    broker = await startRabbitmq({
      tls: files,
      plugins: ["rabbitmq_auth_mechanism_ssl"],
      extraLines: [
        "auth_mechanisms.1 = PLAIN",
        "auth_mechanisms.2 = AMQPLAIN",
        "auth_mechanisms.3 = EXTERNAL",
        "ssl_cert_login_from = common_name",
      ],
    });
    await broker.addUser("polymq-client", "certificates only");
    bridge = await startWebSocketBridge(broker.ports.amqp);
  });

  afterAll(async () => {
    await bridge?.close();
    await broker?.stop();
    await directory?.remove();
  });

  /** Connects, declares, publishes with a confirm and gets the message back. */
  async function exchange(options: AmqpClientOptions): Promise<string | undefined> {
    await using client = new AmqpClient(options);
    await client.connect();
    const channel = await client.channel();
    const { queue } = await channel.declareQueue();
    await channel.publish("", queue, "x".repeat(300_000));
    await channel.publish("", queue, "through");
    (await channel.get(queue))?.ack();
    return (await channel.get(queue, { noAck: true }))?.text();
  }

  function refused(options: AmqpClientOptions): Promise<void> {
    return new AmqpClient(options).connect();
  }

  const secure = (): string => `amqps://localhost:${broker.ports.amqps}`;
  const pair = async (from: { certFile: string; keyFile: string }) => ({
    cert: await readFile(from.certFile),
    key: await readFile(from.keyFile),
  });

  test("TLS to a server whose authority is trusted", async () => {
    expect(await exchange({ servers: secure(), tls: { ca: await readFile(files.caFile) } })).toBe("through");
  });

  test("a server whose authority is not trusted is a typed error, and nothing is said to it", async () => {
    const tls = { ca: await readFile(files.untrustedCaFile) };
    await expect(refused({ servers: secure(), tls })).rejects.toMatchObject({ code: "ERR_CONNECT_FAILED" });
    await expect(refused({ servers: secure() })).rejects.toMatchObject({ code: "ERR_CONNECT_FAILED" });
  });

  test("EXTERNAL takes the user from the client's certificate", async () => {
    const tls = { ca: await readFile(files.caFile), ...(await pair(files.client)) };
    expect(await exchange({ servers: secure(), mechanism: "EXTERNAL", tls })).toBe("through");
  });

  test("EXTERNAL without a certificate, and a certificate of another authority, are refused", async () => {
    const ca = await readFile(files.caFile);
    await expect(refused({ servers: secure(), mechanism: "EXTERNAL", tls: { ca } })).rejects.toMatchObject({
      code: "ERR_AUTH_FAILED",
    });
    const tls = { ca, ...(await pair(files.untrustedClient)) };
    await expect(refused({ servers: secure(), mechanism: "EXTERNAL", tls })).rejects.toMatchObject({
      code: expect.stringMatching(/ERR_CONNECT_FAILED|ERR_CONNECTION_LOST/),
    });
  });

  test("a wrong password is ERR_AUTH_FAILED with 403, over PLAIN and AMQPLAIN", async () => {
    for (const mechanism of ["PLAIN", "AMQPLAIN"] as const) {
      const given = { servers: `127.0.0.1:${broker.ports.amqp}`, username: "guest", password: "wrong", mechanism };
      await expect(refused(given)).rejects.toMatchObject({ code: "ERR_AUTH_FAILED", peer: { code: 403 } });
    }
  });

  test("a virtual host that is not there, and one that the user may not enter, are ERR_CONNECT_REJECTED with 530", async () => {
    await broker.rabbitmqctl("add_vhost", "closed");
    const servers = `127.0.0.1:${broker.ports.amqp}`;
    const rejected = { code: "ERR_CONNECT_REJECTED", peer: { code: 530 } };
    await expect(refused({ servers, vhost: "missing" })).rejects.toMatchObject(rejected);
    const stranger = { servers, username: "polymq-client", password: "certificates only" };
    await expect(refused({ ...stranger, vhost: "closed" })).rejects.toMatchObject(rejected);
    expect(await exchange(stranger)).toBe("through");
  });

  test("WebSocket through a proxy that passes AMQP on, with the subprotocol amqp", async () => {
    expect(await exchange({ servers: `ws://127.0.0.1:${bridge.port}/amqp` })).toBe("through");
    expect(bridge.protocols).toEqual(["amqp"]);
  });

  test("what a user may not do closes the channel with 403, and the connection lives on", async () => {
    await broker.rabbitmqctl("add_user", "reader", "r");
    await broker.rabbitmqctl("set_permissions", "--vhost", "/", "reader", "", "", ".*");
    await using client = new AmqpClient({
      servers: `127.0.0.1:${broker.ports.amqp}`,
      username: "reader",
      password: "r",
    });
    await client.connect();
    const forbidden = { code: "ERR_CHANNEL_CLOSED", peer: { code: 403 } };
    await expect(client.declareStreamQueue({ name: "s" })).rejects.toMatchObject(forbidden);
    await expect(client.publish("a/b", "x")).rejects.toMatchObject(forbidden);
    expect(client.connected).toBe(true);
  });
});
