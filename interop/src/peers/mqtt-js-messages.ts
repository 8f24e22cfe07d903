import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { text } from "./mqtt-js-peer.ts";
import { atBothLevels, type MqttJsStage } from "./mqtt-js-stage.ts";
import type { Scenario } from "./scenario.ts";

const QOS_LEVELS = [0, 1, 2] as const;
const MESSAGES = 50;
const LARGE_BYTES = 1024 * 1024;
const MANY_FILTERS = 500;

/** Publishing, receiving, retaining and subscribing, in either version of the protocol. */
export const mqttJsMessageScenarios: readonly Scenario[] = [
  ...QOS_LEVELS.flatMap((qos) =>
    atBothLevels(`QoS ${qos} messages arrive in order, once`, (stage) => order(stage, qos)),
  ),
  ...atBothLevels("the granted QoS caps what is delivered", grantedQosCaps),
  ...QOS_LEVELS.flatMap((qos) => atBothLevels(`1 MiB travels unharmed at QoS ${qos}`, (stage) => large(stage, qos))),
  ...atBothLevels("an empty payload travels", emptyPayload),
  ...atBothLevels("a retained message meets later subscribers and an empty one clears it", retained),
  ...atBothLevels("a retained message is replaced by the next", retainedReplaced),
  ...atBothLevels("wildcards match as they should", wildcards),
  ...atBothLevels("topics that begin with $ stay out of # and +", dollarTopics),
  ...atBothLevels("nothing comes after unsubscribe", unsubscribe),
  ...atBothLevels(`${MANY_FILTERS} filters in one SUBSCRIBE each get their message`, manySubscriptions),
  ...atBothLevels("two hundred QoS 2 publishes under way at once all complete", manyInFlight),
];

async function order(stage: MqttJsStage, qos: 0 | 1 | 2): Promise<void> {
  const subscriber = await stage.watcher();
  const publisher = await stage.connect();
  const sent = Array.from({ length: MESSAGES }, (_, index) => `${qos}-${index}`);
  await Promise.all(sent.map((payload) => publisher.client.publishAsync(stage.topic, payload, { qos })));
  const received = await subscriber.take(MESSAGES);
  assert.deepEqual(received.map(text), sent);
  for (const packet of received) {
    assert.equal(packet.qos, qos);
    assert.equal(packet.retain, false);
    assert.equal(packet.dup, false);
    assert.equal(packet.topic, stage.topic);
  }
  await subscriber.expectNothingBefore(stage.topic);
}

async function grantedQosCaps(stage: MqttJsStage): Promise<void> {
  for (const granted of QOS_LEVELS) {
    const topic = `${stage.topic}/${granted}`;
    const subscriber = await stage.connect();
    const [grant] = await subscriber.client.subscribeAsync(topic, { qos: granted });
    assert.equal(grant?.qos, granted);
    for (const qos of QOS_LEVELS) {
      await subscriber.client.publishAsync(topic, `${qos}`, { qos });
      const packet = await subscriber.expect(`${qos}`);
      assert.equal(packet.qos, Math.min(qos, granted));
    }
  }
}

async function large(stage: MqttJsStage, qos: 0 | 1 | 2): Promise<void> {
  const payload = randomBytes(LARGE_BYTES);
  const subscriber = await stage.watcher();
  const publisher = await stage.connect();
  await publisher.client.publishAsync(stage.topic, payload, { qos });
  const packet = await subscriber.next();
  assert.ok(payload.equals(Buffer.from(packet.payload)), "the payload differs");
}

async function emptyPayload(stage: MqttJsStage): Promise<void> {
  const subscriber = await stage.watcher();
  await subscriber.client.publishAsync(stage.topic, "", { qos: 1 });
  assert.equal((await subscriber.next()).payload.length, 0);
}

async function retained(stage: MqttJsStage): Promise<void> {
  const publisher = await stage.watcher();
  await publisher.client.publishAsync(stage.topic, "kept", { qos: 1, retain: true });
  // Sent on for a subscription that was there already: not marked as retained (3.1.1 §3.3.1.3, 5.0 §3.3.1.3).
  assert.equal((await publisher.expect("kept")).retain, false);

  const later = await stage.watcher();
  const packet = await later.expect("kept");
  assert.equal(packet.retain, true);
  assert.equal(packet.qos, 1);

  await publisher.client.publishAsync(stage.topic, "", { qos: 1, retain: true });
  assert.equal((await later.next()).payload.length, 0);
  const latest = await stage.watcher();
  await latest.expectNothingBefore(stage.topic);
}

async function retainedReplaced(stage: MqttJsStage): Promise<void> {
  const publisher = await stage.connect();
  for (const payload of ["first", "second", "third"]) {
    await publisher.client.publishAsync(stage.topic, payload, { qos: 1, retain: true });
  }
  const subscriber = await stage.watcher();
  await subscriber.expect("third");
  await subscriber.expectNothingBefore(stage.topic);
  await publisher.client.publishAsync(stage.topic, "", { qos: 1, retain: true });
}

async function wildcards(stage: MqttJsStage): Promise<void> {
  // The run's own name stands on the second level, so that a filter may begin with + and meet nobody else's messages.
  const top = `wild/${stage.topic}`;
  const topics = [top, `${top}/a`, `${top}/a/b`, `${top}/a/b/c`, `${top}//b`, `${top}/`];
  const expected: Readonly<Record<string, readonly number[]>> = {
    [`${top}/#`]: [0, 1, 2, 3, 4, 5],
    [`${top}/+`]: [1, 5],
    [`${top}/+/b`]: [2, 4],
    [`${top}/a/#`]: [1, 2, 3],
    [`+/${stage.topic}/a/+/c`]: [3],
    [`${top}/+/+`]: [2, 4],
  };
  const publisher = await stage.connect();
  for (const [filter, matches] of Object.entries(expected)) {
    const subscriber = await stage.watcher(filter);
    for (const topic of topics) await publisher.client.publishAsync(topic, topic, { qos: 1 });
    const received = await subscriber.take(matches.length);
    assert.deepEqual(
      received.map(text),
      matches.map((index) => topics[index]),
      `filter ${filter}`,
    );
    await subscriber.end();
  }
}

async function dollarTopics(stage: MqttJsStage): Promise<void> {
  const subscriber = await stage.connect();
  // Others may be at work on the same broker, so only what lies below our own second level is of interest.
  await subscriber.client.subscribeAsync(["#", `+/${stage.topic}`], { qos: 1 });
  await subscriber.client.publishAsync(`$${stage.topic}/${stage.topic}`, "hidden", { qos: 1 });
  await subscriber.client.publishAsync(`seen/${stage.topic}`, "shown", { qos: 1 });
  for (;;) {
    const packet = await subscriber.next();
    assert.notEqual(text(packet), "hidden");
    if (packet.topic === `seen/${stage.topic}`) return;
  }
}

async function unsubscribe(stage: MqttJsStage): Promise<void> {
  const [left, kept] = [`${stage.topic}/left`, `${stage.topic}/kept`];
  const subscriber = await stage.connect();
  await subscriber.client.subscribeAsync([left, kept], { qos: 1 });
  await subscriber.client.publishAsync(left, "before", { qos: 1 });
  await subscriber.expect("before");
  await subscriber.client.unsubscribeAsync(left);
  await subscriber.client.publishAsync(left, "after", { qos: 1 });
  await subscriber.expectNothingBefore(kept);
}

async function manySubscriptions(stage: MqttJsStage): Promise<void> {
  const filters = Array.from({ length: MANY_FILTERS }, (_, index) => `${stage.topic}/${index}`);
  const subscriber = await stage.connect({ subscribeBatchSize: MANY_FILTERS });
  const grants = await subscriber.client.subscribeAsync(filters, { qos: 1 });
  assert.equal(grants.length, MANY_FILTERS);
  const publisher = await stage.connect();
  for (const topic of filters) publisher.client.publish(topic, topic, { qos: 0 });
  const received = await subscriber.take(MANY_FILTERS);
  assert.deepEqual(new Set(received.map((packet) => packet.topic)), new Set(filters));
  await subscriber.client.unsubscribeAsync(filters);
}

async function manyInFlight(stage: MqttJsStage): Promise<void> {
  const subscriber = await stage.watcher();
  const publisher = await stage.connect();
  const sent = Array.from({ length: 200 }, (_, index) => `${index}`);
  await Promise.all(sent.map((payload) => publisher.client.publishAsync(stage.topic, payload, { qos: 2 })));
  assert.deepEqual((await subscriber.take(sent.length)).map(text), sent);
}
