import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe } from "vitest";
import { makeCertificates } from "../harness/make-certificates.ts";
import { requireOrSkip } from "../harness/require-or-skip.ts";
import { type Mosquitto, startMosquitto } from "../harness/start-mosquitto.ts";
import { makeTempDir, type TempDir } from "../harness/temp-dir.ts";
import { exchangeTests } from "./exchange.test-support.ts";
import { type Address, type LinkLimits, linksOver } from "./link.test-support.ts";

const tools = requireOrSkip("mosquitto", "openssl");

describe.skipIf(tools.skip)(tools.title("our client and Mosquitto"), () => {
  let directory: TempDir;
  let broker: Mosquitto;
  let tls: NonNullable<Address["tls"]>;
  let mutualTls: NonNullable<Address["tls"]>;

  beforeAll(async () => {
    directory = await makeTempDir("certificates");
    const files = await makeCertificates(directory.path);
    tls = { ca: await readFile(files.caFile) };
    mutualTls = { ...tls, cert: await readFile(files.client.certFile), key: await readFile(files.client.keyFile) };
    broker = await startMosquitto({ tls: files, websocket: true, maxInflight: 1_000 });
  });

  afterAll(async () => {
    await broker?.stop();
    await directory?.remove();
  });

  const transports = {
    TCP: () => ({ servers: `mqtt://127.0.0.1:${broker.port}` }),
    TLS: () => ({ servers: `mqtts://localhost:${broker.tlsPort}`, tls }),
    "TLS with a client certificate": () => ({ servers: `mqtts://localhost:${broker.mutualTlsPort}`, tls: mutualTls }),
    WebSocket: () => ({ servers: `ws://127.0.0.1:${broker.wsPort}/mqtt` }),
    "WebSocket over TLS": () => ({ servers: `wss://localhost:${broker.wssPort}/mqtt`, tls }),
  };
  // Mosquitto 2.0.11 sends a tenth of a second apart over WebSocket.
  const limitsOf = (transport: string): LinkLimits => ({
    qosMax: 2,
    burst: transport.startsWith("WebSocket") ? 10 : 200,
    willAfterDisconnect: "discarded",
  });

  for (const link of linksOver([4, 5], transports, limitsOf)) {
    // They wait far more than they compute, and share nothing but the broker.
    describe(link.name, { concurrent: true }, () => exchangeTests(link));
  }
});
