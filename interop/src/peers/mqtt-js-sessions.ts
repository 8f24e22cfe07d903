import assert from "node:assert/strict";
import { withDeadline } from "../harness/deadline.ts";
import { ANSWER_TIMEOUT_MS, connected, text } from "./mqtt-js-peer.ts";
import { atBothLevels, atLevel, type MqttJsStage } from "./mqtt-js-stage.ts";
import { given, type Scenario, uniqueName } from "./scenario.ts";

const KEEP_ALIVE_SECONDS = 1;

/** Sessions, wills, takeover, keep-alive and logging in, in either version of the protocol. */
export const mqttJsSessionScenarios: readonly Scenario[] = [
  ...atBothLevels("a session keeps subscriptions and queued messages over a disconnect", sessionResumes),
  ...atBothLevels("a clean start forgets the session", cleanStartForgets),
  ...atBothLevels("an unacknowledged QoS 1 message comes again with DUP", redelivery),
  ...atBothLevels("a QoS 2 publish cut after PUBREC is delivered once", publishCutAfterPubrec),
  ...atBothLevels("a QoS 2 delivery cut before PUBCOMP is handed over once", deliveryCutBeforePubcomp),
  ...atBothLevels("the will is sent when the connection breaks", will),
  ...atBothLevels("a retained will meets later subscribers", retainedWill),
  ...atBothLevels("the will is not sent after DISCONNECT", noWillAfterDisconnect),
  ...atBothLevels("the will is sent when keep-alive runs out", willOnKeepAlive),
  ...atBothLevels("a second client with the same identifier takes over", takeover),
  ...atBothLevels("a right password gets in and a wrong one does not", login, ["login"]),
  atLevel(4, "an empty client identifier with a clean session is taken (§3.1.3.1)", emptyClientId),
];

async function sessionResumes(stage: MqttJsStage): Promise<void> {
  const clientId = uniqueName("session");
  const first = await stage.connect(stage.lasting(clientId));
  assert.equal(first.connack.sessionPresent, false);
  await first.client.subscribeAsync(stage.topic, { qos: 2 });
  await first.end();

  const publisher = await stage.connect();
  const sent = Array.from({ length: 20 }, (_, index) => `queued ${index}`);
  const qosOf = (payload: string): 1 | 2 => (sent.indexOf(payload) % 2 === 0 ? 1 : 2);
  for (const payload of sent) await publisher.client.publishAsync(stage.topic, payload, { qos: qosOf(payload) });
  const second = await stage.connect(stage.lasting(clientId));
  assert.equal(second.connack.sessionPresent, true);
  const received = await second.take(sent.length);
  // In order at each level; MQTT.js hands a QoS 2 message over at PUBREL only, by then later QoS 1 ones have come.
  for (const qos of [1, 2] as const) {
    const ofLevel = received.filter((packet) => packet.qos === qos);
    assert.deepEqual(
      ofLevel.map(text),
      sent.filter((payload) => qosOf(payload) === qos),
    );
  }
  assert.deepEqual(new Set(received.map((packet) => packet.dup)), new Set([false]));
  await second.expectNothingBefore(stage.topic);
  await second.end();
  await forget(stage, clientId);
}

async function cleanStartForgets(stage: MqttJsStage): Promise<void> {
  const clientId = uniqueName("session");
  const first = await stage.connect(stage.lasting(clientId));
  await first.client.subscribeAsync(stage.topic, { qos: 1 });
  await first.end();
  const publisher = await stage.connect();
  await publisher.client.publishAsync(stage.topic, "lost", { qos: 1 });
  await forget(stage, clientId);
  const third = await stage.connect(stage.lasting(clientId));
  assert.equal(third.connack.sessionPresent, false);
  await third.client.subscribeAsync(stage.topic, { qos: 1 });
  await third.expectNothingBefore(stage.topic);
  await third.end();
  await forget(stage, clientId);
}

async function redelivery(stage: MqttJsStage): Promise<void> {
  const clientId = uniqueName("redeliver");
  const first = await stage.connect(stage.lasting(clientId));
  const held = first.holdAcks();
  await first.client.subscribeAsync(stage.topic, { qos: 1 });
  const publisher = await stage.connect();
  for (const payload of ["one", "two"]) await publisher.client.publishAsync(stage.topic, payload, { qos: 1 });
  const before = await first.expect("one");
  assert.equal(before.dup, false);
  assert.equal(held.length, 1);
  await first.cut();

  const second = await stage.connect(stage.lasting(clientId));
  const again = await second.expect("one");
  assert.equal(again.dup, true);
  assert.equal(again.messageId, before.messageId);
  await second.expect("two");
  await second.end();

  // Acknowledged now, so a third connection finds nothing.
  const third = await stage.connect(stage.lasting(clientId));
  await third.expectNothingBefore(stage.topic);
  await third.end();
  await forget(stage, clientId);
}

async function publishCutAfterPubrec(stage: MqttJsStage): Promise<void> {
  const subscriber = await stage.watcher();
  const clientId = uniqueName("pubrec");
  const publisher = await stage.connect({ ...stage.lasting(clientId), reconnectPeriod: 50 });
  const cut = publisher.packet("pubrec").then(() => publisher.client.stream.destroy());
  const resumed = connected(publisher.client);
  const published = publisher.client.publishAsync(stage.topic, "once", { qos: 2 });
  await cut;
  const connack = await withDeadline(resumed, ANSWER_TIMEOUT_MS, () => "no second connection");
  assert.equal(connack.sessionPresent, true);
  await withDeadline(published, ANSWER_TIMEOUT_MS, () => "the publish did not complete");
  await subscriber.expect("once");
  await subscriber.expectNothingBefore(stage.topic);
  await publisher.end();
  await forget(stage, clientId);
}

async function deliveryCutBeforePubcomp(stage: MqttJsStage): Promise<void> {
  const clientId = uniqueName("pubcomp");
  const first = await stage.connect(stage.lasting(clientId));
  first.holdAcks();
  await first.client.subscribeAsync(stage.topic, { qos: 2 });
  const publisher = await stage.connect();
  await publisher.client.publishAsync(stage.topic, "once", { qos: 2 });
  await first.expect("once");
  await first.cut();

  // PUBLISH would be a second delivery: after PUBREC the broker may only go on with PUBREL (§4.3.3).
  const second = await stage.connect(stage.lasting(clientId));
  await second.expectNothingBefore(stage.topic);
  await second.end();
  await forget(stage, clientId);
}

async function will(stage: MqttJsStage): Promise<void> {
  const watcher = await stage.watcher();
  for (const qos of [0, 1, 2] as const) {
    const mortal = await stage.connect({
      will: { topic: stage.topic, payload: Buffer.from(`will ${qos}`), qos, retain: false },
    });
    await mortal.cut();
    const packet = await watcher.expect(`will ${qos}`);
    assert.equal(packet.qos, qos);
    assert.equal(packet.retain, false);
  }
}

async function retainedWill(stage: MqttJsStage): Promise<void> {
  const watcher = await stage.watcher();
  const mortal = await stage.connect({
    will: { topic: stage.topic, payload: Buffer.from("gone"), qos: 1, retain: true },
  });
  await mortal.cut();
  await watcher.expect("gone");
  const later = await stage.watcher();
  assert.equal((await later.expect("gone")).retain, true);
  await watcher.client.publishAsync(stage.topic, "", { qos: 1, retain: true });
}

async function noWillAfterDisconnect(stage: MqttJsStage): Promise<void> {
  const watcher = await stage.watcher();
  const mortal = await stage.connect({
    will: { topic: stage.topic, payload: Buffer.from("will"), qos: 1, retain: false },
  });
  await mortal.end();
  await watcher.expectNothingBefore(stage.topic);
}

async function willOnKeepAlive(stage: MqttJsStage): Promise<void> {
  const watcher = await stage.watcher();
  const mortal = await stage.connect({
    keepalive: KEEP_ALIVE_SECONDS,
    will: { topic: stage.topic, payload: Buffer.from("silent"), qos: 1, retain: false },
  });
  // Without its timer MQTT.js sends no PINGREQ; the connection stays open and silent.
  mortal.client.keepaliveManager.destroy();
  // MQTT 3.1.1 §3.1.2.10: after one and a half times the keep-alive. Mosquitto looks every few seconds only.
  await watcher.expect("silent");
  await mortal.closed();
}

async function takeover(stage: MqttJsStage): Promise<void> {
  const clientId = uniqueName("takeover");
  const first = await stage.connect({ clientId });
  const closed = first.closed();
  const second = await stage.connect({ clientId });
  await closed;
  await second.client.subscribeAsync(stage.topic, { qos: 1 });
  await second.expectNothingBefore(stage.topic);
}

async function login(stage: MqttJsStage): Promise<void> {
  const { port, username, password } = given(stage.target.login, "login");
  const url = `mqtt://${stage.target.host}:${port}`;
  const welcome = await stage.connectTo(url, { username, password });
  await welcome.client.subscribeAsync(stage.topic, { qos: 1 });
  await welcome.expectNothingBefore(stage.topic);

  // Bad user name or password, or not authorized: 4 or 5 in 3.1.1 (§3.2.2.3), 0x86 or 0x87 in 5.0 (§3.2.2.2).
  const refusals = stage.level === 5 ? [0x86, 0x87] : [4, 5];
  for (const wrong of [{ username, password: `${password}?` }, { username: `${username}?`, password }, {}]) {
    await assert.rejects(stage.connectTo(url, wrong), (error: unknown) => {
      assert.ok(error instanceof Error && "code" in error, String(error));
      assert.ok(
        refusals.some((code) => code === error.code),
        `refused with ${error.code}`,
      );
      return true;
    });
  }
}

async function emptyClientId(stage: MqttJsStage): Promise<void> {
  const peer = await stage.connect({ clientId: "", clean: true });
  assert.equal(peer.connack.sessionPresent, false);
  await peer.client.subscribeAsync(stage.topic, { qos: 1 });
  await peer.expectNothingBefore(stage.topic);
}

/** Removes the session, so that a broker which many runs share does not fill up. */
async function forget(stage: MqttJsStage, clientId: string): Promise<void> {
  const last = await stage.connect({ clientId, clean: true });
  assert.equal(last.connack.sessionPresent, false);
  await last.end();
}
