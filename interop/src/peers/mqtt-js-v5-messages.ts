import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { IPublishPacket } from "mqtt";
import { type MqttJsPeer, text } from "./mqtt-js-peer.ts";
import { atLevel, type MqttJsStage } from "./mqtt-js-stage.ts";
import type { Scenario } from "./scenario.ts";

/** Long enough that a message with one second to live is gone, on a clock that only the broker has. */
const PAST_ONE_SECOND_MS = 2_200;

/** What an MQTT 5.0 PUBLISH can carry and how its properties reach the subscriber. */
export const mqttJsV5MessageScenarios: readonly Scenario[] = [
  atLevel(5, "every property of a message reaches the subscriber (§3.3.2.3)", properties),
  atLevel(5, "user properties keep their order and repeated keys (§3.3.2.3.7)", userProperties),
  atLevel(5, "a retained message keeps its properties", retainedProperties),
  atLevel(5, "a queued message expires (§3.3.2.3.3)", expiryDrops),
  atLevel(5, "the expiry interval that arrives is what is left (§3.3.2.3.3)", expiryCountsDown),
  atLevel(5, "a retained message expires (§3.3.2.3.3)", retainedExpires),
  atLevel(5, "a client's topic alias stands for its topic (§3.3.2.3.4)", clientTopicAlias, ["client-topic-alias"]),
  atLevel(5, "a client's topic alias can be given a new topic (§3.3.2.3.4)", aliasReassigned, ["client-topic-alias"]),
  atLevel(5, "MQTT.js's own alias assignment is understood", automaticAlias, ["client-topic-alias"]),
  atLevel(5, "the server uses topic aliases up to the client's maximum (§3.3.2.3.4)", serverTopicAlias, [
    "server-topic-alias",
  ]),
  atLevel(5, "request and response find each other by correlation data (§4.10)", requestResponse),
];

async function properties(stage: MqttJsStage): Promise<void> {
  const subscriber = await stage.watcher();
  const publisher = await stage.connect();
  const correlationData = randomBytes(32);
  for (const qos of [0, 1, 2] as const) {
    await publisher.client.publishAsync(stage.topic, '{"a":1}', {
      qos,
      properties: {
        payloadFormatIndicator: true,
        messageExpiryInterval: 1_000,
        contentType: "application/json",
        responseTopic: `${stage.topic}/answers`,
        correlationData,
        userProperties: { unit: "°C" },
      },
    });
    const received = (await subscriber.expect('{"a":1}')).properties ?? {};
    assert.equal(received.payloadFormatIndicator, true);
    assert.equal(received.contentType, "application/json");
    assert.equal(received.responseTopic, `${stage.topic}/answers`);
    assert.deepEqual(bytes(received.correlationData), [...correlationData]);
    assert.deepEqual({ ...received.userProperties }, { unit: "°C" });
    const left = received.messageExpiryInterval ?? 0;
    assert.ok(left > 990 && left <= 1_000, `expiry ${left}`);
  }
}

async function userProperties(stage: MqttJsStage): Promise<void> {
  const subscriber = await stage.watcher();
  await subscriber.client.publishAsync(stage.topic, "x", {
    qos: 1,
    properties: { userProperties: { repeated: ["1", "2", "1"], "": "empty key", empty: "", ключ: "значение" } },
  });
  const received = (await subscriber.expect("x")).properties?.userProperties ?? {};
  assert.deepEqual({ ...received }, { repeated: ["1", "2", "1"], "": "empty key", empty: "", ключ: "значение" });
}

async function retainedProperties(stage: MqttJsStage): Promise<void> {
  const publisher = await stage.connect();
  const properties = { contentType: "text/plain", userProperties: { kept: "yes" } };
  await publisher.client.publishAsync(stage.topic, "kept", { qos: 1, retain: true, properties });
  const subscriber = await stage.watcher();
  const received = await subscriber.expect("kept");
  assert.equal(received.properties?.contentType, "text/plain");
  assert.deepEqual({ ...received.properties?.userProperties }, { kept: "yes" });
  await publisher.client.publishAsync(stage.topic, "", { qos: 1, retain: true });
}

async function expiryDrops(stage: MqttJsStage): Promise<void> {
  const clientId = `${stage.topic}-c`;
  const first = await stage.connect(stage.lasting(clientId));
  await first.client.subscribeAsync(stage.topic, { qos: 1 });
  await first.end();
  const publisher = await stage.connect();
  for (const [payload, messageExpiryInterval] of [["short", 1] as const, ["long", 100] as const]) {
    await publisher.client.publishAsync(stage.topic, payload, { qos: 1, properties: { messageExpiryInterval } });
  }
  await publisher.client.publishAsync(stage.topic, "forever", { qos: 1 });
  await delay(PAST_ONE_SECOND_MS);
  const second = await stage.connect(stage.lasting(clientId));
  await second.expect("long");
  await second.expect("forever");
  await second.end({ properties: { sessionExpiryInterval: 0 } });
}

async function expiryCountsDown(stage: MqttJsStage): Promise<void> {
  const clientId = `${stage.topic}-c`;
  const first = await stage.connect(stage.lasting(clientId));
  await first.client.subscribeAsync(stage.topic, { qos: 1 });
  await first.end();
  const publisher = await stage.connect();
  await publisher.client.publishAsync(stage.topic, "old", { qos: 1, properties: { messageExpiryInterval: 100 } });
  await delay(PAST_ONE_SECOND_MS);
  const second = await stage.connect(stage.lasting(clientId));
  const left = (await second.expect("old")).properties?.messageExpiryInterval ?? 0;
  assert.ok(left >= 90 && left <= 98, `${left} s left of 100 after two`);
  await second.end({ properties: { sessionExpiryInterval: 0 } });
}

async function retainedExpires(stage: MqttJsStage): Promise<void> {
  const publisher = await stage.connect();
  const properties = { messageExpiryInterval: 1 };
  await publisher.client.publishAsync(stage.topic, "brief", { qos: 1, retain: true, properties });
  await delay(PAST_ONE_SECOND_MS);
  const subscriber = await stage.watcher();
  await subscriber.expectNothingBefore(stage.topic);
}

async function clientTopicAlias(stage: MqttJsStage): Promise<void> {
  const subscriber = await stage.watcher();
  const publisher = await stage.connect();
  const topicAlias = 1;
  await publisher.client.publishAsync(stage.topic, "named", { qos: 1, properties: { topicAlias } });
  for (const qos of [0, 1, 2] as const) {
    await publisher.client.publishAsync("", `by alias ${qos}`, { qos, properties: { topicAlias } });
  }
  for (const payload of ["named", "by alias 0", "by alias 1", "by alias 2"]) {
    const packet = await subscriber.expect(payload);
    assert.equal(packet.topic, stage.topic);
    // An alias is of one connection; this one's subscriber has allowed none (§3.3.2.3.4).
    assert.equal(packet.properties?.topicAlias, undefined);
  }
}

async function aliasReassigned(stage: MqttJsStage): Promise<void> {
  const subscriber = await stage.watcher(`${stage.topic}/+`);
  const publisher = await stage.connect();
  const properties = { topicAlias: 2 };
  await publisher.client.publishAsync(`${stage.topic}/a`, "1", { qos: 1, properties });
  await publisher.client.publishAsync("", "2", { qos: 1, properties });
  await publisher.client.publishAsync(`${stage.topic}/b`, "3", { qos: 1, properties });
  await publisher.client.publishAsync("", "4", { qos: 1, properties });
  const received = await subscriber.take(4);
  assert.deepEqual(
    received.map((packet) => `${packet.topic}=${text(packet)}`),
    ["a=1", "a=2", "b=3", "b=4"].map((pair) => `${stage.topic}/${pair}`),
  );
}

async function automaticAlias(stage: MqttJsStage): Promise<void> {
  const subscriber = await stage.watcher(`${stage.topic}/+`);
  const publisher = await stage.connect({ autoAssignTopicAlias: true });
  const maximum = publisher.connack.properties?.topicAliasMaximum ?? 0;
  assert.ok(maximum > 0, "no Topic Alias Maximum in CONNACK");
  const sent: IPublishPacket[] = [];
  publisher.client.on("packetsend", (packet) => {
    if (packet.cmd === "publish") sent.push(packet);
  });
  // More topics than aliases, so that MQTT.js has to take some back, and each topic more than once.
  const topics = Array.from({ length: maximum + 3 }, (_, index) => `${stage.topic}/${index}`);
  const expected = [...topics, ...topics.slice(-2), ...topics.slice(-2), ...topics.slice(0, 3)];
  for (const topic of expected) await publisher.client.publishAsync(topic, topic, { qos: 1 });
  assert.ok(
    sent.some((packet) => packet.topic === ""),
    "MQTT.js sent no bare alias",
  );
  const received = await subscriber.take(expected.length);
  assert.deepEqual(
    received.map((packet) => packet.topic),
    expected,
  );
  assert.deepEqual(received.map(text), expected);
}

async function serverTopicAlias(stage: MqttJsStage): Promise<void> {
  const maximum = 3;
  const subscriber = await stage.connect({ properties: { topicAliasMaximum: maximum } });
  const onWire: { readonly bare: boolean; readonly alias: number | undefined }[] = [];
  subscriber.client.on("packetreceive", (packet) => {
    if (packet.cmd !== "publish") return;
    onWire.push({ bare: packet.topic === "", alias: packet.properties?.topicAlias });
  });
  await subscriber.client.subscribeAsync(`${stage.topic}/+`, { qos: 1 });
  const publisher = await stage.connect();
  const expected = [1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 5, 5].map((index) => `${stage.topic}/${index}`);
  for (const topic of expected) await publisher.client.publishAsync(topic, topic, { qos: 1 });
  const received = await subscriber.take(expected.length);
  assert.deepEqual(received.map(text), expected);
  assert.deepEqual(
    received.map((packet) => packet.topic),
    expected,
  );
  assert.ok(
    onWire.some((packet) => packet.bare),
    "no message came by its alias alone",
  );
  for (const { alias } of onWire) assert.ok(alias === undefined || (alias >= 1 && alias <= maximum), `alias ${alias}`);
}

async function requestResponse(stage: MqttJsStage): Promise<void> {
  const answers = `${stage.topic}/answers`;
  const responder = await stage.watcher(stage.topic, 1);
  const requester = await stage.watcher(answers, 1);
  const sent = [0, 1, 2].map((index) => ({ payload: `question ${index}`, correlationData: randomBytes(8) }));
  for (const { payload, correlationData } of sent) {
    await requester.client.publishAsync(stage.topic, payload, {
      qos: 1,
      properties: { responseTopic: answers, correlationData },
    });
  }
  // Answered in the other order, so that only the correlation data can tell them apart.
  const requests = [...(await responder.take(sent.length))].reverse();
  for (const request of requests) await answer(responder, request);
  const received = await requester.take(sent.length);
  for (const packet of received) {
    const asked = sent.find(({ correlationData }) =>
      correlationData.equals(packet.properties?.correlationData ?? Buffer.of()),
    );
    assert.equal(text(packet), `answer to ${asked?.payload}`);
  }
}

async function answer(responder: MqttJsPeer, request: IPublishPacket): Promise<void> {
  const { responseTopic, correlationData } = request.properties ?? {};
  assert.ok(responseTopic !== undefined && correlationData !== undefined, "the request lost its properties");
  await responder.client.publishAsync(responseTopic, `answer to ${text(request)}`, {
    qos: 1,
    properties: { correlationData },
  });
}

function bytes(data: Uint8Array | undefined): readonly number[] {
  return [...(data ?? [])];
}
