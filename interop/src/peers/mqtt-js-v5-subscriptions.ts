import assert from "node:assert/strict";
import { withDeadline } from "../harness/deadline.ts";
import { ANSWER_TIMEOUT_MS, text } from "./mqtt-js-peer.ts";
import { atBothLevels, atLevel, type MqttJsStage } from "./mqtt-js-stage.ts";
import type { Scenario } from "./scenario.ts";

const SHARED_MESSAGES = 200;

/** Subscription options, identifiers and shared subscriptions. */
export const mqttJsV5SubscriptionScenarios: readonly Scenario[] = [
  atLevel(5, "no-local keeps a client's own messages from it (§3.8.3.1)", noLocal),
  atLevel(5, "retain-as-published keeps the flag (§3.8.3.1)", retainAsPublished),
  atLevel(5, "retain handling 0, 1 and 2 (§3.8.3.1)", retainHandling),
  atLevel(5, "subscription identifiers say which filter matched (§3.3.2.3.8)", subscriptionIdentifiers),
  atLevel(5, "overlapping subscriptions give one copy each or one for all (§3.3.4)", overlapping),
  atLevel(5, "overlapping subscriptions give one copy with every identifier (§3.3.4)", overlappingMerged, [
    "merged-overlaps",
  ]),
  atLevel(5, "a subscription repeated with other options replaces the first (§3.8.4)", resubscribe),
  ...atBothLevels("a shared subscription spreads messages over its members, once each (§4.8.2)", shared),
  atLevel(5, "a shared subscription's messages go on when a member leaves", sharedMemberLeaves),
  atLevel(5, "two shared groups and a plain subscriber each get all (§4.8.2)", sharedGroups),
  atLevel(5, "a shared subscription gets no retained messages (§4.8.2)", sharedRetained),
  atLevel(5, "unsubscribing what was not subscribed is 0x11 (§3.11.3)", unsubscribeUnknown),
];

async function noLocal(stage: MqttJsStage): Promise<void> {
  const peer = await stage.connect();
  await peer.client.subscribeAsync(stage.topic, { qos: 1, nl: true });
  await peer.client.publishAsync(stage.topic, "own", { qos: 1 });
  const other = await stage.connect();
  await other.client.publishAsync(stage.topic, "foreign", { qos: 1 });
  await peer.expect("foreign");
}

async function retainAsPublished(stage: MqttJsStage): Promise<void> {
  const keeps = await stage.connect();
  await keeps.client.subscribeAsync(stage.topic, { qos: 1, rap: true });
  const clears = await stage.connect();
  await clears.client.subscribeAsync(stage.topic, { qos: 1, rap: false });
  await clears.client.publishAsync(stage.topic, "retained", { qos: 1, retain: true });
  await clears.client.publishAsync(stage.topic, "plain", { qos: 1 });
  assert.deepEqual(
    (await keeps.take(2)).map((packet) => packet.retain),
    [true, false],
  );
  assert.deepEqual(
    (await clears.take(2)).map((packet) => packet.retain),
    [false, false],
  );
  await clears.client.publishAsync(stage.topic, "", { qos: 1, retain: true });
}

async function retainHandling(stage: MqttJsStage): Promise<void> {
  const publisher = await stage.connect();
  await publisher.client.publishAsync(stage.topic, "kept", { qos: 1, retain: true });
  const peer = await stage.connect();
  // 2: never; 1: only for a subscription that is new; 0: each time.
  await peer.client.subscribeAsync(stage.topic, { qos: 1, rh: 2 });
  await peer.client.subscribeAsync(stage.topic, { qos: 1, rh: 1 });
  await peer.expectNothingBefore(stage.topic);
  await peer.client.subscribeAsync(stage.topic, { qos: 1, rh: 0 });
  await peer.expect("kept");
  await peer.client.unsubscribeAsync(stage.topic);
  await peer.client.subscribeAsync(stage.topic, { qos: 1, rh: 1 });
  await peer.expect("kept");
  await peer.expectNothingBefore(stage.topic);
  await publisher.client.publishAsync(stage.topic, "", { qos: 1, retain: true });
}

async function subscriptionIdentifiers(stage: MqttJsStage): Promise<void> {
  const peer = await stage.connect();
  // The smallest and largest identifiers and one per encoded length (§3.8.2.1.2).
  const identifiers = [1, 127, 128, 16_384, 2_097_152, 268_435_455];
  for (const subscriptionIdentifier of identifiers) {
    const filter = `${stage.topic}/${subscriptionIdentifier}/#`;
    await peer.client.subscribeAsync(filter, { qos: 1, properties: { subscriptionIdentifier } });
  }
  await peer.client.subscribeAsync(`${stage.topic}/none`, { qos: 1 });
  for (const identifier of identifiers) {
    await peer.client.publishAsync(`${stage.topic}/${identifier}/a`, "x", { qos: 1 });
    assert.deepEqual(identifiersOf((await peer.next()).properties?.subscriptionIdentifier), [identifier]);
  }
  await peer.client.publishAsync(`${stage.topic}/none`, "x", { qos: 1 });
  assert.deepEqual(identifiersOf((await peer.next()).properties?.subscriptionIdentifier), []);
}

async function overlapping(stage: MqttJsStage): Promise<void> {
  const seen = await deliverToOverlapping(stage);
  assert.deepEqual([...seen.identifiers].sort(), [7, 8]);
  assert.ok(seen.copies === 1 || seen.copies === 2, `${seen.copies} copies`);
}

/** Mosquitto 2.0.11 sends a copy per subscription unless told `allow_duplicate_messages false`, and then drops one identifier. */
async function overlappingMerged(stage: MqttJsStage): Promise<void> {
  const seen = await deliverToOverlapping(stage);
  assert.deepEqual([...seen.identifiers].sort(), [7, 8]);
  assert.equal(seen.copies, 1);
  assert.equal(seen.qosMax, 2);
}

async function deliverToOverlapping(
  stage: MqttJsStage,
): Promise<{ readonly copies: number; readonly identifiers: readonly number[]; readonly qosMax: number }> {
  const peer = await stage.connect();
  const [exact, wild] = [`${stage.topic}/a`, `${stage.topic}/#`];
  await peer.client.subscribeAsync(exact, { qos: 1, properties: { subscriptionIdentifier: 7 } });
  await peer.client.subscribeAsync(wild, { qos: 2, properties: { subscriptionIdentifier: 8 } });
  await peer.client.publishAsync(exact, "both", { qos: 2 });
  await peer.client.publishAsync(`${stage.topic}/end`, "end", { qos: 2 });
  const identifiers: number[] = [];
  let copies = 0;
  let qosMax = 0;
  for (let packet = await peer.next(); text(packet) !== "end"; packet = await peer.next()) {
    copies++;
    qosMax = Math.max(qosMax, packet.qos);
    identifiers.push(...identifiersOf(packet.properties?.subscriptionIdentifier));
  }
  return { copies, identifiers, qosMax };
}

async function resubscribe(stage: MqttJsStage): Promise<void> {
  const peer = await stage.connect();
  await peer.client.subscribeAsync(stage.topic, { qos: 0, properties: { subscriptionIdentifier: 1 } });
  await peer.client.subscribeAsync(stage.topic, { qos: 2, properties: { subscriptionIdentifier: 2 } });
  await peer.client.publishAsync(stage.topic, "x", { qos: 2 });
  const packet = await peer.expect("x");
  assert.equal(packet.qos, 2);
  assert.deepEqual(identifiersOf(packet.properties?.subscriptionIdentifier), [2]);
  await peer.expectNothingBefore(stage.topic);
}

/** Shared subscriptions belong to 5.0; every broker of note, Mosquitto among them, gives them to 3.1.1 clients as well. */
async function shared(stage: MqttJsStage): Promise<void> {
  const members = [await stage.connect(), await stage.connect(), await stage.connect()];
  for (const member of members) await member.client.subscribeAsync(`$share/group/${stage.topic}`, { qos: 1 });
  const received: string[][] = members.map(() => []);
  const all = collect(
    members.map((member) => member.client),
    received,
    SHARED_MESSAGES,
  );
  const publisher = await stage.connect();
  const sent = Array.from({ length: SHARED_MESSAGES }, (_, index) => `${index}`);
  await Promise.all(sent.map((payload) => publisher.client.publishAsync(stage.topic, payload, { qos: 1 })));
  await withDeadline(all, ANSWER_TIMEOUT_MS, () => `only ${received.flat().length} of ${SHARED_MESSAGES} arrived`);
  assert.deepEqual(received.flat().sort(), [...sent].sort());
  for (const [index, payloads] of received.entries()) assert.ok(payloads.length > 0, `member ${index} got nothing`);
}

async function sharedMemberLeaves(stage: MqttJsStage): Promise<void> {
  const filter = `$share/group/${stage.topic}`;
  const [staying, leaving] = [await stage.connect(), await stage.connect()];
  for (const member of [staying, leaving]) await member.client.subscribeAsync(filter, { qos: 1 });
  await leaving.client.unsubscribeAsync(filter);
  const publisher = await stage.connect();
  const sent = Array.from({ length: 10 }, (_, index) => `${index}`);
  for (const payload of sent) await publisher.client.publishAsync(stage.topic, payload, { qos: 1 });
  assert.deepEqual((await staying.take(sent.length)).map(text), sent);
}

async function sharedGroups(stage: MqttJsStage): Promise<void> {
  const peers = [];
  for (const filter of [`$share/a/${stage.topic}`, `$share/b/${stage.topic}`, stage.topic]) {
    const peer = await stage.connect();
    await peer.client.subscribeAsync(filter, { qos: 1 });
    peers.push(peer);
  }
  const publisher = await stage.connect();
  for (const payload of ["1", "2"]) await publisher.client.publishAsync(stage.topic, payload, { qos: 1 });
  for (const peer of peers) assert.deepEqual((await peer.take(2)).map(text), ["1", "2"]);
}

/** Mosquitto 2.0.11 sends them. */
async function sharedRetained(stage: MqttJsStage): Promise<void> {
  const publisher = await stage.connect();
  await publisher.client.publishAsync(stage.topic, "kept", { qos: 1, retain: true });
  const member = await stage.connect();
  await member.client.subscribeAsync(`$share/group/${stage.topic}`, { qos: 1 });
  await member.expectNothingBefore(stage.topic);
  await publisher.client.publishAsync(stage.topic, "", { qos: 1, retain: true });
}

async function unsubscribeUnknown(stage: MqttJsStage): Promise<void> {
  const peer = await stage.connect();
  await peer.client.subscribeAsync(stage.topic, { qos: 1 });
  const answer = peer.packet("unsuback");
  await peer.client.unsubscribeAsync([`${stage.topic}/unknown`, stage.topic]).catch(() => {});
  const unsuback = await answer;
  assert.ok(unsuback.cmd === "unsuback");
  assert.deepEqual([...(unsuback.granted as Iterable<number>)], [0x11, 0x00]);
}

function collect(
  clients: readonly { on(event: "message", listener: (topic: string, payload: Uint8Array) => void): unknown }[],
  into: readonly string[][],
  count: number,
): Promise<void> {
  let received = 0;
  return new Promise((resolve) => {
    for (const [index, client] of clients.entries()) {
      client.on("message", (_topic, payload) => {
        into[index]?.push(Buffer.from(payload).toString());
        received++;
        if (received === count) resolve();
      });
    }
  });
}

function identifiersOf(property: number | readonly number[] | undefined): readonly number[] {
  if (property === undefined) return [];
  return typeof property === "number" ? [property] : property;
}
