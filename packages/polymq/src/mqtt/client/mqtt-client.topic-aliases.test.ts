import { describe, expect, test } from "vitest";
import { connected, type Setup, type Stage } from "./client-setup.test-support.ts";

/** A client of a server that takes aliases. */
function withAliases(topicAliasMaximum: number, options: Setup = {}): Promise<Stage> {
  return connected({
    protocolVersion: 5,
    ...options,
    server: { onConnect: () => ({ properties: { topicAliasMaximum } }) },
  });
}

/** Topic and alias of each PUBLISH since the last call, as they were on the wire. */
function onWire(stage: Stage): string[] {
  return stage.link.take("publish").map((packet) => `${packet.topic}=${packet.properties?.topicAlias ?? "-"}`);
}

async function publish(stage: Stage, ...topics: string[]): Promise<void> {
  for (const topic of topics) await stage.now(stage.client.publish(topic, "x", { qos: 1 }));
}

describe("outbound topic aliases", () => {
  test("stand for a topic from its second message on [MQTT-3.2.2-17] [MQTT-3.3.2-8] [MQTT-3.3.2-9]", async () => {
    const stage = await withAliases(2);
    await publish(stage, "a", "b", "a", "b", "a");
    expect(onWire(stage)).toEqual(["a=1", "b=2", "=1", "=2", "=1"]);
    expect(stage.server.received.map((message) => message.topic)).toEqual(["a", "b", "a", "b", "a"]);
    await stage.finish();
  });

  test("beyond the server's maximum the least recently used one is given to the new topic [MQTT-3.2.2-17]", async () => {
    const stage = await withAliases(2);
    await publish(stage, "a", "b", "a", "c", "a", "b", "c");
    expect(onWire(stage)).toEqual(["a=1", "b=2", "=1", "c=2", "=1", "b=2", "c=1"]);
    expect(stage.server.received.map((message) => message.topic)).toEqual(["a", "b", "a", "c", "a", "b", "c"]);
    await stage.finish();
  });

  test("are not used with a server that allows none [MQTT-3.2.2-18]", async () => {
    const stage = await withAliases(0);
    await publish(stage, "a", "a");
    expect(onWire(stage)).toEqual(["a=-", "a=-"]);
    await stage.finish();
  });

  test("are not used when turned off", async () => {
    const stage = await withAliases(10, { outboundTopicAliases: "off" });
    await publish(stage, "a", "a");
    expect(onWire(stage)).toEqual(["a=-", "a=-"]);
    await stage.finish();
  });

  test("end with the connection: the next one starts anew [MQTT-3.3.2-7]", async () => {
    const stage = await withAliases(2);
    await publish(stage, "a", "b", "b");
    stage.link.cut();
    await stage.clock.settle();
    stage.link.take();
    await publish(stage, "b", "b");
    expect(onWire(stage)).toEqual(["b=1", "=1"]);
    await stage.finish();
  });

  test("a message in flight is sent again with its topic and an alias of the new connection", async () => {
    const stage = await withAliases(1, { sessionExpirySeconds: 60 });
    stage.server.options = { ...stage.server.options, onMessage: () => null };
    const all = [1, 2].map((i) => stage.promises.track(stage.client.publish("long/topic", String(i), { qos: 1 })));
    await stage.clock.settle();
    stage.server.options = { ...stage.server.options, onMessage: () => 0 };
    stage.link.cut();
    await stage.clock.settle();
    expect(onWire(stage)).toEqual(["long/topic=1", "=1"]);
    for (const message of stage.server.received) stage.link.settle(message.ticket);
    await stage.now(Promise.all(all));
    await stage.finish();
  });

  test.each([
    ["too large for the server", { maximumPacketSize: 60 }, { payload: new Uint8Array(60) }, "ERR_PACKET_TOO_LARGE"],
    ["of a QoS that the server lacks", { maximumQoS: 1 }, { qos: 2 }, "ERR_NOT_SUPPORTED_BY_SERVER"],
  ] as const)("a message %s leaves no alias behind that the server never learned", async (_, limits, message, code) => {
    const properties = { topicAliasMaximum: 5, ...limits };
    const stage = await connected({ protocolVersion: 5, server: { onConnect: () => ({ properties }) } });
    const { payload = "x", ...options } = { qos: 1 as const, ...message } as {
      payload?: string | Uint8Array;
      qos: 1 | 2;
    };
    await stage.refused(stage.client.publish("a", payload, options), code);
    await publish(stage, "a", "a");
    expect(onWire(stage)).toEqual(["a=1", "=1"]);
    await stage.finish();
  });

  test("go along with the message's own properties", async () => {
    const stage = await withAliases(1);
    for (let i = 0; i < 2; i++)
      await stage.now(stage.client.publish("a", "x", { qos: 1, properties: { contentType: "c" } }));
    expect(stage.server.received.map(({ topic, properties }) => [topic, properties?.contentType])).toEqual([
      ["a", "c"],
      ["a", "c"],
    ]);
    await stage.finish();
  });
});

describe("inbound topic aliases", () => {
  test("are taken up to the maximum that we announced [MQTT-3.3.2-10]", async () => {
    const stage = await connected({ protocolVersion: 5, topicAliasMaximum: 3 });
    const topics: string[] = [];
    await stage.now(stage.client.subscribe("#", { handler: (message) => void topics.push(message.topic) }));
    for (const topic of ["a", "b", "c", "a", "b", "c", "d", "d"]) stage.link.publish(topic, "x");
    await stage.clock.settle();
    expect(topics).toEqual(["a", "b", "c", "a", "b", "c", "d", "d"]);
    await stage.finish();
  });

  test("end with the connection [MQTT-3.3.2-7]", async () => {
    const stage = await connected({ protocolVersion: 5, topicAliasMaximum: 3 });
    const alias = Uint8Array.of(0x30, 7, 0, 0, 3, 0x23, 0, 1, 0x78);
    await stage.now(stage.client.subscribe("#", { handler: () => undefined }));
    stage.link.publish("a", "x");
    await stage.clock.settle();
    stage.link.cut();
    await stage.clock.settle();
    stage.link.sendBytes(alias);
    await stage.clock.settle();
    expect(stage.of("connectionLost").at(-1)?.error.code).toBe("ERR_TOPIC_ALIAS_INVALID");
    await stage.finish();
  });
});
