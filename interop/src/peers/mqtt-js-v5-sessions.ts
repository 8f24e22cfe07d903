import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import type { IClientOptions } from "mqtt";
import { atLevel, type MqttJsStage } from "./mqtt-js-stage.ts";
import { PacketTypes } from "./packet-types.ts";
import { type Scenario, uniqueName } from "./scenario.ts";

const PAST_ONE_SECOND_MS = 2_200;
/** Control packet types (§2.1.2). */
const PUBLISH = 3;
const PINGRESP = 13;

/** Limits and lifetimes that an MQTT 5.0 client and server tell each other. */
export const mqttJsV5SessionScenarios: readonly Scenario[] = [
  atLevel(5, "an empty client identifier is given one (§3.2.2.3.7)", assignedClientId),
  atLevel(5, "receive maximum 1 keeps the server to one message in flight (§3.3.4)", receiveMaximum),
  atLevel(5, "a message larger than the client's maximum packet size is left out (§3.1.2.11.4)", maximumPacketSize),
  atLevel(5, "the session ends when its expiry interval has passed (§3.1.2.11.2)", sessionExpires),
  atLevel(5, "DISCONNECT can end a lasting session (§3.14.2.2.2)", sessionEndedByDisconnect),
  atLevel(5, "the will carries its properties (§3.1.3.2)", willProperties),
  atLevel(5, "DISCONNECT with 0x04 sends the will (§3.14.2.1)", disconnectWithWill),
  atLevel(5, "the will waits for its delay (§3.1.3.2.2)", willDelay),
  atLevel(5, "the will is not sent when the session is resumed in time (§3.1.3.2.2)", willCancelled),
  atLevel(5, "the will is sent at the session's end when its delay is longer (§3.1.3.2.2)", willAtSessionEnd),
  atLevel(5, "the will is sent at once when the session ends with the connection (§3.1.3.2.2)", willAtOnce),
  atLevel(5, "the client that is taken over is told 0x8E (§3.1.4)", takeoverIsTold),
];

async function assignedClientId(stage: MqttJsStage): Promise<void> {
  const first = await stage.connect({ clientId: "" });
  const second = await stage.connect({ clientId: "" });
  const names = [first, second].map((peer) => peer.connack.properties?.assignedClientIdentifier ?? "");
  assert.ok(
    names.every((name) => name.length > 0),
    "no Assigned Client Identifier",
  );
  assert.notEqual(names[0], names[1]);
  await first.client.subscribeAsync(stage.topic, { qos: 1 });
  await first.expectNothingBefore(stage.topic);
}

async function receiveMaximum(stage: MqttJsStage): Promise<void> {
  const peer = await stage.connect({ properties: { receiveMaximum: 1 } });
  const held = peer.holdAcks();
  await peer.client.subscribeAsync(stage.topic, { qos: 1 });
  const types = new PacketTypes();
  peer.client.stream.on("data", (chunk: Uint8Array) => types.onBytes(chunk));
  const publisher = await stage.connect();
  const sent = ["1", "2", "3", "4", "5"];
  for (const payload of sent) await publisher.client.publishAsync(stage.topic, payload, { qos: 1 });
  for (const [index, payload] of sent.entries()) {
    await peer.expect(payload);
    assert.equal(held.length, 1);
    // MQTT.js reads no further while it keeps an acknowledgement back, so the bytes themselves are asked: the answer to a
    // PINGREQ shows that the server had nothing more to send while this message was unacknowledged.
    peer.client.sendPing();
    await types.waitFor(PINGRESP, index + 1);
    assert.equal(types.count(PUBLISH), index + 1, "another message came before this one was acknowledged");
    held.pop()?.();
  }
}

async function maximumPacketSize(stage: MqttJsStage): Promise<void> {
  const peer = await stage.connect({ properties: { maximumPacketSize: 200 } });
  await peer.client.subscribeAsync(stage.topic, { qos: 1 });
  const publisher = await stage.connect();
  await publisher.client.publishAsync(stage.topic, "x".repeat(400), { qos: 1 });
  await publisher.client.publishAsync(stage.topic, "small", { qos: 1 });
  await peer.expect("small");
  assert.equal(peer.client.connected, true);
}

async function sessionExpires(stage: MqttJsStage): Promise<void> {
  const options = (sessionExpiryInterval: number): IClientOptions => ({
    clientId: `${stage.topic}-c`,
    clean: false,
    properties: { sessionExpiryInterval },
  });
  const first = await stage.connect(options(1));
  await first.client.subscribeAsync(stage.topic, { qos: 1 });
  await first.end();
  await delay(PAST_ONE_SECOND_MS);
  const second = await stage.connect(options(0));
  assert.equal(second.connack.sessionPresent, false);
}

async function sessionEndedByDisconnect(stage: MqttJsStage): Promise<void> {
  const clientId = uniqueName("expiry");
  const first = await stage.connect(stage.lasting(clientId));
  await first.end({ properties: { sessionExpiryInterval: 0 } });
  const second = await stage.connect(stage.lasting(clientId));
  assert.equal(second.connack.sessionPresent, false);
  await second.end();
  const third = await stage.connect(stage.lasting(clientId));
  assert.equal(third.connack.sessionPresent, true);
  await third.end({ properties: { sessionExpiryInterval: 0 } });
}

async function willProperties(stage: MqttJsStage): Promise<void> {
  const watcher = await stage.watcher();
  const correlationData = Buffer.from([0, 1, 2]);
  const mortal = await stage.connect({
    will: {
      ...willTo(stage.topic, "will"),
      properties: {
        contentType: "text/plain",
        payloadFormatIndicator: true,
        messageExpiryInterval: 60,
        responseTopic: "answers",
        correlationData,
        userProperties: { why: "test" },
      },
    },
  });
  await mortal.cut();
  const received = (await watcher.expect("will")).properties;
  assert.equal(received?.contentType, "text/plain");
  assert.equal(received?.payloadFormatIndicator, true);
  assert.equal(received?.responseTopic, "answers");
  assert.deepEqual([...(received?.correlationData ?? [])], [...correlationData]);
  assert.deepEqual({ ...received?.userProperties }, { why: "test" });
  assert.ok((received?.messageExpiryInterval ?? 0) > 0);
}

async function disconnectWithWill(stage: MqttJsStage): Promise<void> {
  const watcher = await stage.watcher();
  const mortal = await stage.connect({ will: willTo(stage.topic, "asked for") });
  await mortal.end({ reasonCode: 0x04 });
  await watcher.expect("asked for");
}

async function willDelay(stage: MqttJsStage): Promise<void> {
  const watcher = await stage.watcher();
  const mortal = await stage.connect({
    ...stage.lasting(uniqueName("mortal")),
    will: { ...willTo(stage.topic, "late"), properties: { willDelayInterval: 2 } },
  });
  const cutAtMs = performance.now();
  await mortal.cut();
  // The mark overtakes the will, which therefore was not sent at once.
  await watcher.expectNothingBefore(stage.topic);
  await watcher.expect("late");
  // A broker may count whole seconds of its own clock, so up to one may be missing.
  const waitedMs = performance.now() - cutAtMs;
  assert.ok(waitedMs > 900, `came after ${waitedMs} ms`);
}

async function willCancelled(stage: MqttJsStage): Promise<void> {
  const clientId = uniqueName("mortal");
  const watcher = await stage.watcher();
  const mortal = await stage.connect({
    ...stage.lasting(clientId),
    will: { ...willTo(stage.topic, "never"), properties: { willDelayInterval: 1 } },
  });
  await mortal.cut();
  const resumed = await stage.connect(stage.lasting(clientId));
  assert.equal(resumed.connack.sessionPresent, true);
  await delay(PAST_ONE_SECOND_MS);
  await watcher.expectNothingBefore(stage.topic);
  await resumed.end({ properties: { sessionExpiryInterval: 0 } });
}

/** Mosquitto 2.0.11 closes the connection without a word. */
async function takeoverIsTold(stage: MqttJsStage): Promise<void> {
  const clientId = uniqueName("takeover");
  const first = await stage.connect({ clientId });
  const closed = first.closed();
  await stage.connect({ clientId });
  await closed;
  assert.equal(first.disconnectReason, 0x8e);
}

async function willAtSessionEnd(stage: MqttJsStage): Promise<void> {
  await willBeforeItsDelay(stage, { sessionExpirySeconds: 1, willDelaySeconds: 60, withinMs: 8_000 });
}

/** Mosquitto 2.0.11 waits for the delay. */
async function willAtOnce(stage: MqttJsStage): Promise<void> {
  await willBeforeItsDelay(stage, { sessionExpirySeconds: 0, willDelaySeconds: 4, withinMs: 2_000 });
}

interface Lifetimes {
  readonly sessionExpirySeconds: number;
  readonly willDelaySeconds: number;
  readonly withinMs: number;
}

async function willBeforeItsDelay(stage: MqttJsStage, times: Lifetimes): Promise<void> {
  const watcher = await stage.watcher();
  const mortal = await stage.connect({
    clientId: uniqueName("mortal"),
    properties: { sessionExpiryInterval: times.sessionExpirySeconds },
    will: { ...willTo(stage.topic, "session over"), properties: { willDelayInterval: times.willDelaySeconds } },
  });
  const cutAtMs = performance.now();
  await mortal.cut();
  await watcher.expect("session over");
  const waitedMs = performance.now() - cutAtMs;
  assert.ok(waitedMs < times.withinMs, `came after ${waitedMs} ms`);
}

function willTo(topic: string, payload: string): NonNullable<IClientOptions["will"]> {
  return { topic, payload: Buffer.from(payload), qos: 1, retain: false };
}
