import { randomBytes } from "node:crypto";
import { isMessagingError, type QoS } from "polymq/mqtt";
import { expect, test } from "vitest";
import { uniqueName } from "../peers/scenario.ts";
import type { Link } from "./link.test-support.ts";
import { Ear, eventOf, numbered, Stage } from "./stage.test-support.ts";

/** 1 MiB. */
const LARGE_BYTES = 1_048_576;

/** Registers what every broker must do over every link. */
export function exchangeTests(link: Link): void {
  const on = (name: string, body: (stage: Stage) => Promise<void>): void => {
    test(name, async () => {
      await using stage = new Stage(link);
      await body(stage);
    });
  };

  on("CONNACK tells the version, and whether there was a session", async (stage) => {
    const client = stage.client();
    const event = eventOf(client, "connect");
    await client.connect();
    expect(await event).toMatchObject({ sessionPresent: false, protocolVersion: link.level });
    expect([client.state, client.protocolVersion]).toEqual(["connected", link.level]);
  });

  for (const qos of [0, 1, 2] as const) {
    if (qos > link.limits.qosMax) continue;
    on(`messages of QoS ${qos} arrive in order, once`, (stage) => inOrderOnce(stage, link, qos));
  }
  on("messages are read with for await, and leaving the loop unsubscribes", (stage) => iterated(stage));
  on("1 MiB travels unharmed", (stage) => large(stage, link));
  on("a retained message meets later subscribers, and an empty one clears it", retained);
  on("wildcards + and # match as they should", wildcards);
  on("nothing comes after unsubscribe", unsubscribed);
  on("several filters in one SUBSCRIBE are granted a QoS each", (stage) => severalFilters(stage, link));
  on(
    `the will is published when the connection breaks, and ${link.limits.willAfterDisconnect} after DISCONNECT`,
    (stage) => will(stage, link.limits.willAfterDisconnect === "published"),
  );
  on("a session keeps its subscriptions, and what was sent meanwhile", (stage) => sessionResumed(stage, link));
  on("a message that was not acknowledged comes again in the next connection", redelivered);
  on("a second client with the same id takes over, and the first one is told by a typed event", takenOver);
}

async function inOrderOnce(stage: Stage, link: Link, qos: QoS): Promise<void> {
  const sender = await stage.connect();
  const ear = await stage.watcher(stage.topic, qos);
  const own = await Ear.of(sender, stage.topic, qos);
  const texts = numbered("message", link.limits.burst);
  await Promise.all(texts.map((text) => sender.publish(stage.topic, text, { qos })));
  for (const each of [ear, own]) {
    const messages = await each.take(texts.length);
    expect(messages.map((message) => message.text())).toEqual(texts);
    expect(messages.every((message) => message.qos === qos && message.topic === stage.topic)).toBe(true);
  }
  await ear.expectNothingBefore(stage.topic);
}

async function iterated(stage: Stage): Promise<void> {
  const client = await stage.connect();
  const subscription = await client.subscribe(stage.topic, { qos: 1 });
  const sent = numbered("read", 5);
  for (const text of sent) await client.publish(stage.topic, text, { qos: 1 });
  const read: string[] = [];
  for await (const message of subscription) {
    read.push(message.text());
    if (read.length === sent.length) break;
  }
  expect(read).toEqual(sent);
  expect(subscription.ended).toBe(true);
  const ear = await Ear.of(client, `${stage.topic}/after`);
  await client.publish(stage.topic, "nobody listens", { qos: 1 });
  await ear.expectNothingBefore(`${stage.topic}/after`);
}

async function large(stage: Stage, link: Link): Promise<void> {
  const sender = await stage.connect();
  const ear = await stage.watcher();
  const payload = randomBytes(LARGE_BYTES);
  await sender.publish(stage.topic, payload, { qos: link.limits.qosMax });
  expect(payload.equals((await ear.next()).payload)).toBe(true);
}

async function retained(stage: Stage): Promise<void> {
  const sender = await stage.connect();
  const live = await stage.watcher();
  // RabbitMQ looks for what is retained after it has confirmed the subscription.
  await live.expectNothingBefore(stage.topic);
  await sender.publish(stage.topic, "kept", { qos: 1, retain: true });
  expect((await live.expect("kept")).retain).toBe(false);
  const late = await stage.watcher();
  expect((await late.expect("kept")).retain).toBe(true);
  await sender.publish(stage.topic, "", { qos: 1, retain: true });
  await late.expect("");
  const later = await stage.watcher();
  await later.expectNothingBefore(stage.topic);
}

async function wildcards(stage: Stage): Promise<void> {
  const client = await stage.connect();
  const one = await Ear.of(client, `${stage.topic}/+/temperature`, 1);
  const all = await stage.watcher(`${stage.topic}/#`, 1);
  const topics = ["", "/kitchen", "/kitchen/temperature", "/hall/temperature", "/hall/temperature/max"];
  for (const tail of topics) await client.publish(stage.topic + tail, tail, { qos: 1 });
  expect(await all.texts(topics.length)).toEqual(topics);
  expect(await one.texts(2)).toEqual(["/kitchen/temperature", "/hall/temperature"]);
  await one.expectNothingBefore(`${stage.topic}/last/temperature`);
}

async function unsubscribed(stage: Stage): Promise<void> {
  const client = await stage.connect();
  const gone = await Ear.of(client, stage.topic, 1);
  const stays = await Ear.of(client, `${stage.topic}/stays`, 1);
  await client.publish(stage.topic, "before", { qos: 1 });
  await gone.expect("before");
  await client.unsubscribe(stage.topic);
  await client.publish(stage.topic, "after", { qos: 1 });
  await stays.expectNothingBefore(`${stage.topic}/stays`);
  const again = await Ear.of(client, stage.topic, 1);
  await again.expectNothingBefore(stage.topic);
}

async function severalFilters(stage: Stage, link: Link): Promise<void> {
  const client = await stage.connect();
  const ear = new Ear(client);
  const [zero, one, two] = [`${stage.topic}/0`, `${stage.topic}/1`, `${stage.topic}/2`];
  const subscription = await client.subscribe({ [zero]: 0, [one]: 1, [two]: 2 }, { handler: ear.hear });
  const highest = link.limits.qosMax;
  expect(subscription.filters.map((each) => each.reasonCode)).toEqual([0, 1, highest]);
  const came: number[] = [];
  for (const topic of [zero, one, two]) {
    await client.publish(topic, topic, { qos: highest });
    came.push((await ear.expect(topic)).qos);
  }
  expect(came).toEqual([0, 1, highest]);
}

async function will(stage: Stage, endedTellsToo: boolean): Promise<void> {
  const watcher = await stage.watcher(stage.topic, 1);
  const ended = await stage.connect({ will: { topic: stage.topic, payload: "ended", qos: 1 } });
  await ended.close();
  if (endedTellsToo) await watcher.expect("ended");
  const broken = await stage.connect({ will: { topic: stage.topic, payload: "broken", qos: 1 } });
  await broken.destroy();
  expect((await watcher.expect("broken")).qos).toBe(1);
  await watcher.expectNothingBefore(stage.topic);
}

async function sessionResumed(stage: Stage, link: Link): Promise<void> {
  const clientId = uniqueName("session");
  const first = await stage.connect(stage.lasting(clientId));
  await Ear.of(first, stage.topic, 2);
  await first.close();

  const sender = await stage.connect();
  const texts = numbered("meanwhile", Math.min(20, link.limits.burst));
  for (const text of texts) await sender.publish(stage.topic, text, { qos: link.limits.qosMax });

  // What was waiting comes right behind CONNACK, before this client can have subscribed to anything.
  const ear = new Ear(stage.client());
  const second = stage.client({ ...stage.lasting(clientId), onMessage: ear.hear });
  const event = eventOf(second, "connect");
  await second.connect();
  expect((await event).sessionPresent).toBe(true);
  expect(await ear.texts(texts.length)).toEqual(texts);
  await sender.publish(stage.topic, "live", { qos: 1 });
  await ear.expect("live");
  await second.close();
  await stage.forget(clientId);
}

async function redelivered(stage: Stage): Promise<void> {
  const clientId = uniqueName("again");
  const first = await stage.connect(stage.lasting(clientId));
  const held = new Ear(first);
  await first.subscribe(stage.topic, { qos: 1, ack: "manual", handler: held.hear });
  const sender = await stage.connect();
  await sender.publish(stage.topic, "precious", { qos: 1 });
  expect((await held.expect("precious")).dup).toBe(false);
  await first.destroy();

  const ear = new Ear(stage.client());
  const second = await stage.connect({ ...stage.lasting(clientId), onMessage: ear.hear });
  expect((await ear.expect("precious")).dup).toBe(true);
  await second.close();
  const third = new Ear(
    await stage.connect({ ...stage.lasting(clientId), onMessage: (message) => third.hear(message) }),
  );
  await third.expectNothingBefore(stage.topic);
  await third.client.close();
  await stage.forget(clientId);
}

async function takenOver(stage: Stage): Promise<void> {
  const clientId = uniqueName("twice");
  const first = await stage.connect({ clientId, reconnect: false });
  const lost = eventOf(first, "connectionLost");
  const second = await stage.connect({ clientId });
  const { error } = await lost;
  expect(isMessagingError(error)).toBe(true);
  // A server of MQTT 5.0 should say why (§3.1.4), but may also just close.
  expect(["ERR_CONNECTION_LOST", "ERR_SERVER_DISCONNECT"]).toContain(error.code);
  const ear = await Ear.of(second, stage.topic, 1);
  await ear.expectNothingBefore(stage.topic);
  expect(first.connected).toBe(false);
}
