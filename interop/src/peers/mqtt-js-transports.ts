import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { IClientOptions } from "mqtt";
import { atBothLevels, type MqttJsStage } from "./mqtt-js-stage.ts";
import { given, type Scenario } from "./scenario.ts";

/** More than one TLS record, and a WebSocket frame of the longest form (RFC 6455 §5.2). */
const PAYLOAD_BYTES = 70_000;
/** Mosquitto 2.0.11 sends a tenth of a second apart over WebSocket, which is what keeps this number small. */
const SMALL_PACKETS = 15;

/** The same round trip over every kind of listener. */
export const mqttJsTransportScenarios: readonly Scenario[] = [
  ...atBothLevels("WebSocket", overWebSocket, ["websocket"]),
  ...atBothLevels("TLS under a private authority", overTls, ["tls"]),
  ...atBothLevels("TLS is refused by a client that trusts another authority", untrustedServer, ["tls"]),
  ...atBothLevels("TLS with a client certificate", overMutualTls, ["mutual-tls"]),
  ...atBothLevels("TLS without a client certificate, or with a stranger's, is refused", strangers, ["mutual-tls"]),
  ...atBothLevels("WebSocket over TLS", overSecureWebSocket, ["wss"]),
];

async function overWebSocket(stage: MqttJsStage): Promise<void> {
  await roundTrip(stage, given(stage.target.wsUrl, "websocket"));
}

async function overTls(stage: MqttJsStage): Promise<void> {
  const { caFile } = given(stage.target.tls, "tls");
  await roundTrip(stage, tlsUrl(stage), { ca: await readFile(caFile) });
}

async function untrustedServer(stage: MqttJsStage): Promise<void> {
  const { untrustedCaFile } = given(stage.target.tls, "tls");
  await assert.rejects(
    stage.connectTo(tlsUrl(stage), { ca: await readFile(untrustedCaFile) }),
    /self-signed|unable to verify/,
  );
}

async function overMutualTls(stage: MqttJsStage): Promise<void> {
  const tls = given(stage.target.tls, "tls");
  const { port, client } = given(tls.mutual, "mutual-tls");
  await roundTrip(stage, `mqtts://localhost:${port}`, {
    ca: await readFile(tls.caFile),
    cert: await readFile(client.certFile),
    key: await readFile(client.keyFile),
  });
}

async function strangers(stage: MqttJsStage): Promise<void> {
  const tls = given(stage.target.tls, "tls");
  const { port, untrustedClient } = given(tls.mutual, "mutual-tls");
  const ca = await readFile(tls.caFile);
  const stranger = { cert: await readFile(untrustedClient.certFile), key: await readFile(untrustedClient.keyFile) };
  for (const options of [{ ca }, { ca, ...stranger }]) {
    await assert.rejects(stage.connectTo(`mqtts://localhost:${port}`, options));
  }
}

async function overSecureWebSocket(stage: MqttJsStage): Promise<void> {
  const tls = given(stage.target.tls, "tls");
  await roundTrip(stage, given(tls.wssUrl, "wss"), { ca: await readFile(tls.caFile) });
}

function tlsUrl(stage: MqttJsStage): string {
  return `mqtts://localhost:${given(stage.target.tls, "tls").port}`;
}

async function roundTrip(stage: MqttJsStage, url: string, options: IClientOptions = {}): Promise<void> {
  const near = await stage.connectTo(url, options);
  await near.client.subscribeAsync(stage.topic, { qos: 2 });
  const far = await stage.watcher();
  for (const qos of [0, 1, 2] as const) {
    const payload = randomBytes(PAYLOAD_BYTES);
    await near.client.publishAsync(stage.topic, payload, { qos });
    for (const peer of [near, far]) {
      const packet = await peer.next();
      assert.ok(payload.equals(Buffer.from(packet.payload)), `the payload at QoS ${qos} differs`);
    }
  }
  // Many small packets may share a frame or straddle two.
  for (let index = 0; index < SMALL_PACKETS; index++) near.client.publish(stage.topic, `${index}`, { qos: 1 });
  for (let index = 0; index < SMALL_PACKETS; index++) await far.expect(`${index}`);
}
