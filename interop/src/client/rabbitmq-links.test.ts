import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeCertificates } from "../harness/make-certificates.ts";
import { requireOrSkip } from "../harness/require-or-skip.ts";
import { type Rabbitmq, startRabbitmq } from "../harness/start-rabbitmq.ts";
import { makeTempDir, type TempDir } from "../harness/temp-dir.ts";
import { exchangeTests } from "./exchange.test-support.ts";
import { type Address, type LinkLimits, linksOver } from "./link.test-support.ts";
import { Ear, eventOf, numbered, Stage, type StageTarget } from "./stage.test-support.ts";

/** RabbitMQ stops and starts in some seconds, or in the two minutes that the harness gives it on a machine with much else to do. */
const RESTART_TIMEOUT_MS = 150_000;

const tools = requireOrSkip("rabbitmq-server", "rabbitmqctl", "openssl");

describe.skipIf(tools.skip)(tools.title("our client and RabbitMQ"), () => {
  let directory: TempDir;
  let broker: Rabbitmq;
  let tls: NonNullable<Address["tls"]>;

  beforeAll(async () => {
    directory = await makeTempDir("certificates");
    const files = await makeCertificates(directory.path);
    tls = { ca: await readFile(files.caFile) };
    broker = await startRabbitmq({ tls: files, plugins: ["rabbitmq_mqtt", "rabbitmq_web_mqtt"] });
  });

  afterAll(async () => {
    await broker?.stop();
    await directory?.remove();
  });

  const transports = {
    TCP: () => ({ servers: `mqtt://127.0.0.1:${broker.ports.mqtt}` }),
    TLS: () => ({ servers: `mqtts://localhost:${broker.ports.mqtts}`, tls }),
    WebSocket: () => ({ servers: `ws://127.0.0.1:${broker.ports.webMqtt}/ws` }),
    "WebSocket over TLS": () => ({ servers: `wss://localhost:${broker.ports.webMqtts}/ws`, tls }),
  };
  // RabbitMQ 3.10 grants QoS 1 at most, and over WebSocket takes DISCONNECT for a broken connection.
  const limitsOf = (transport: string): LinkLimits => ({
    qosMax: 1,
    burst: 200,
    willAfterDisconnect: transport.startsWith("WebSocket") ? "published" : "discarded",
  });
  for (const link of linksOver([4], transports, limitsOf)) {
    describe(link.name, { concurrent: true }, () => exchangeTests(link));
  }

  describe("3.1.1 as RabbitMQ has it", { concurrent: true }, () => {
    const target: StageTarget = { level: 4, address: transports.TCP };

    test("version auto falls back to 3.1.1, and 5.0 alone is a typed error", async () => {
      await using stage = new Stage(target);
      const client = await stage.connect({ protocolVersion: "auto" });
      expect(client.protocolVersion).toBe(4);
      await expect(stage.connect({ protocolVersion: 5 })).rejects.toMatchObject({ code: "ERR_CONNECTION_LOST" });
    });

    test("a right password gets in, and a wrong one is refused with return code 4", async () => {
      await using stage = new Stage(target);
      await stage.connect({ username: "guest", password: "guest" });
      await expect(stage.connect({ username: "guest", password: "wrong" })).rejects.toMatchObject({
        code: "ERR_CONNECT_REJECTED",
        peer: { protocol: "mqtt", code: 4 },
      });
    });

    test("a publish of QoS 2, which RabbitMQ takes as QoS 1 and answers with PUBACK, ends well and arrives once", async () => {
      await using stage = new Stage(target);
      const watcher = await stage.watcher(stage.topic, 1);
      await watcher.client.publish(stage.topic, "as one", { qos: 2 });
      expect((await watcher.expect("as one")).qos).toBe(1);
      await watcher.expectNothingBefore(stage.topic);
    });
  });

  // Last, for it takes the broker away from all others.
  test("over a restart the client comes back, its session is there, and nothing of QoS 1 is lost", async () => {
    await using stage = new Stage({ level: 4, address: transports.TCP });
    const ear = new Ear(await stage.connect({ ...stage.lasting(), ackTimeoutMs: 60_000 }));
    await ear.client.subscribe(stage.topic, { qos: 1, handler: ear.hear });
    const sender = await stage.connect({ ...stage.lasting(), ackTimeoutMs: 60_000 });
    const back = eventOf(ear.client, "connect", RESTART_TIMEOUT_MS);
    const sent = numbered("message", 500);
    const lost = eventOf(sender, "connectionLost", RESTART_TIMEOUT_MS);
    const restarted = broker.restart();
    // Until the connection is gone, and behind it: some are in flight when it goes, and others wait for the next one.
    const published = Promise.all(sent.map((text) => sender.publish(stage.topic, text, { qos: 1 })));
    await lost;
    const later = sender.publish(stage.topic, "later", { qos: 1 });
    await restarted;
    await Promise.all([published, later]);
    expect((await back).sessionPresent).toBe(true);
    const received = new Set<string>();
    while (received.size < sent.length + 1) received.add((await ear.next()).text());
    expect([...received].sort()).toEqual([...sent, "later"].sort());
    // In order, where it was not sent twice.
    expect([...received]).toEqual([...sent, "later"]);
  });
});
