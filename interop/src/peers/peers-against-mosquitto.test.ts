import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeCertificates } from "../harness/make-certificates.ts";
import { requireOrSkip } from "../harness/require-or-skip.ts";
import { type Mosquitto, startMosquitto } from "../harness/start-mosquitto.ts";
import { makeTempDir, type TempDir } from "../harness/temp-dir.ts";
import { allScenarios } from "./all-scenarios.ts";
import { MOSQUITTO_2_0_11_DIFFERENCES } from "./known-differences.ts";
import { missingNeed, type Need, type PeerTarget } from "./scenario.ts";

/**
 * The scenarios themselves are proved here, against a broker that is not ours: one that fails here is wrong, or asks for
 * more than Mosquitto offers and must say so in its `needs`.
 */
const AVAILABLE: readonly Need[] = [
  "websocket",
  "tls",
  "mutual-tls",
  "wss",
  "login",
  "client-topic-alias",
  "sys-topics",
];
const LOGIN = { username: "ada", password: "correct horse" } as const;

const tools = requireOrSkip(
  "mosquitto",
  "mosquitto_passwd",
  "mosquitto_pub",
  "mosquitto_sub",
  "mosquitto_rr",
  "openssl",
  "python:paho.mqtt.client",
);

// They wait far more than they compute, and share nothing but the broker.
describe.skipIf(tools.skip)(tools.title("peers against Mosquitto"), { concurrent: true }, () => {
  let certificateDirectory: TempDir;
  let open: Mosquitto;
  let closed: Mosquitto;
  let target: PeerTarget;

  beforeAll(async () => {
    certificateDirectory = await makeTempDir("certificates");
    const tls = await makeCertificates(certificateDirectory.path);
    open = await startMosquitto({ tls, websocket: true, maxInflight: 1_000 });
    closed = await startMosquitto({ passwords: { [LOGIN.username]: LOGIN.password } });
    target = {
      host: open.host,
      port: open.port,
      wsUrl: `ws://127.0.0.1:${open.wsPort}/mqtt`,
      tls: {
        port: open.tlsPort,
        caFile: tls.caFile,
        untrustedCaFile: tls.untrustedCaFile,
        mutual: { port: open.mutualTlsPort, client: tls.client, untrustedClient: tls.untrustedClient },
        wssUrl: `wss://localhost:${open.wssPort}/mqtt`,
      },
      login: { port: closed.port, ...LOGIN },
    };
  });

  afterAll(async () => {
    await closed?.stop();
    await open?.stop();
    await certificateDirectory?.remove();
  });

  for (const scenario of allScenarios) {
    const missing = missingNeed(scenario, AVAILABLE);
    const difference = MOSQUITTO_2_0_11_DIFFERENCES[scenario.name];
    if (missing !== undefined) {
      test.skipIf(true)(`${scenario.name} (skipped: Mosquitto has no ${missing})`, () => scenario.run(target));
    } else if (difference !== undefined) {
      test(`Mosquitto 2.0.11 ${difference}, which fails: ${scenario.name}`, async () => {
        if (open.version === "2.0.11") await expect(scenario.run(target)).rejects.toThrow();
        else await scenario.run(target);
      });
    } else {
      test(scenario.name, () => scenario.run(target));
    }
  }
});
