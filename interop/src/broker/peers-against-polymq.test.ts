import { readFile } from "node:fs/promises";
import { type Broker, startBroker } from "@polymq/broker";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeCertificates } from "../harness/make-certificates.ts";
import { requireOrSkip } from "../harness/require-or-skip.ts";
import { makeTempDir, type TempDir } from "../harness/temp-dir.ts";
import { allScenarios } from "../peers/all-scenarios.ts";
import { missingNeed, type Need, type PeerTarget } from "../peers/scenario.ts";

/** All that a scenario can ask for: our broker leaves nothing out, so none of them is skipped. */
const AVAILABLE: readonly Need[] = [
  "websocket",
  "tls",
  "mutual-tls",
  "wss",
  "login",
  "client-topic-alias",
  "server-topic-alias",
  "merged-overlaps",
  "sys-topics",
];
const LOGIN = { username: "ada", password: "correct horse" } as const;
const PLAIN = 0;
const TLS = 1;
const MUTUAL_TLS = 2;

const tools = requireOrSkip("mosquitto_pub", "mosquitto_sub", "mosquitto_rr", "openssl", "python:paho.mqtt.client");

// They wait far more than they compute, and share nothing but the broker.
describe.skipIf(tools.skip)(tools.title("peers against the polymq broker"), { concurrent: true }, () => {
  let certificateDirectory: TempDir;
  let open: Broker;
  let closed: Broker;
  let target: PeerTarget;

  beforeAll(async () => {
    certificateDirectory = await makeTempDir("certificates");
    const files = await makeCertificates(certificateDirectory.path);
    const cert = await readFile(files.server.certFile);
    const key = await readFile(files.server.keyFile);
    const ca = await readFile(files.caFile);
    open = await startBroker({
      listeners: [
        { port: 0 },
        { port: 0, tls: { cert, key } },
        { port: 0, tls: { cert, key, ca, clientCertificate: "require" } },
      ],
      sysIntervalSeconds: 1,
    });
    closed = await startBroker({ port: 0, users: [LOGIN] });
    target = {
      host: "127.0.0.1",
      port: portOf(open, PLAIN),
      wsUrl: `ws://127.0.0.1:${portOf(open, PLAIN)}/mqtt`,
      tls: {
        port: portOf(open, TLS),
        caFile: files.caFile,
        untrustedCaFile: files.untrustedCaFile,
        mutual: { port: portOf(open, MUTUAL_TLS), client: files.client, untrustedClient: files.untrustedClient },
        wssUrl: `wss://localhost:${portOf(open, TLS)}/mqtt`,
      },
      login: { port: closed.port, ...LOGIN },
    };
  });

  afterAll(async () => {
    await closed?.close();
    await open?.close();
    await certificateDirectory?.remove();
  });

  for (const scenario of allScenarios) {
    test(scenario.name, async () => {
      expect(missingNeed(scenario, AVAILABLE)).toBeUndefined();
      await scenario.run(target);
    });
  }
});

function portOf(broker: Broker, listener: number): number {
  const address = broker.addresses[listener];
  if (address === undefined) throw new Error(`the broker has no listener ${listener}`);
  return address.port;
}
