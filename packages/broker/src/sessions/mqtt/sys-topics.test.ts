import { describe, expect, test } from "vitest";
import { type RawClient, Scene, textOf } from "./scene.test-support.ts";
import { SysTopics } from "./sys-topics.ts";

/** What was published below `$SYS/broker/`, by name. */
function figures(client: RawClient): Record<string, string> {
  return Object.fromEntries(
    client.take("publish").map((packet) => [packet.topic.replace("$SYS/broker/", ""), textOf(packet.payload)]),
  );
}

describe("statistics", () => {
  test("are published at the interval, at QoS 0 and not retained, to those who ask", async () => {
    const scene = new Scene();
    const sys = new SysTopics(scene.context, 10);
    const client = await scene.client("a");
    await client.subscribe("$SYS/#");
    await scene.advance(9.9);
    expect(client.packets).toEqual([]);
    await scene.advance(0.2);
    const messages = client.take("publish");
    expect(messages).toHaveLength(24);
    expect(messages.every((packet) => packet.qos === 0 && !packet.retain)).toBe(true);
    await scene.advance(10);
    expect(client.take("publish")).toHaveLength(24);
    expect(scene.hub.retained.count).toBe(0);
    sys.stop();
    await scene.advance(100);
    expect(client.packets).toEqual([]);
  });

  test("say what is so", async () => {
    const scene = new Scene();
    const sys = new SysTopics(scene.context, 10);
    await (await scene.keeper("away")).drop();
    const other = await scene.client("other");
    await other.subscribe("t", "$share/g/s");
    const client = await scene.client("a");
    await client.subscribe("$SYS/broker/#");
    for (let i = 0; i < 3; i++) await client.publish("t", "12345", { retain: i === 0 });
    const { bytesReceived, bytesSent } = scene.metrics;
    await scene.advance(10);
    expect(figures(client)).toEqual({
      version: "polymq/test",
      uptime: "10",
      "clients/connected": "2",
      "clients/disconnected": "1",
      "clients/total": "3",
      "clients/maximum": "2",
      "messages/received": "3",
      "messages/sent": expect.any(String),
      "messages/dropped": "0",
      "bytes/received": String(bytesReceived),
      "bytes/sent": String(bytesSent),
      "retained messages/count": "1",
      "messages/held/bytes": String(scene.hub.held.bytes),
      "messages/held/limit": String(scene.hub.held.bytesMax),
      "messages/held/refused": "0",
      "messages/unsent/bytes": "0",
      "subscriptions/count": "3",
      "shared subscriptions/count": "1",
      "queues/count": "0",
      "queues/messages": "0",
      "queues/pending": "0",
      "queues/consumers": "0",
      "queues/redelivered": "0",
      "queues/dead letters": "0",
    });
    // The broker's own messages did not come in from anybody.
    expect(scene.hub.statistics).toMatchObject({ messagesIn: 3, bytesIn: 15 });
    sys.stop();
  });

  test("are hidden from # and from whoever may not see them", async () => {
    const scene = new Scene({ anonymous: { subscribe: ["#", "$SYS/broker/uptime"] } });
    const sys = new SysTopics(scene.context, 1);
    const client = await scene.client("a");
    expect(await client.subscribe("#", "$SYS/#", "$SYS/broker/uptime")).toEqual([2, 0x87, 2]);
    await scene.advance(1);
    expect(figures(client)).toEqual({ uptime: "1" });
    sys.stop();
  });

  test("with an interval of 0 there are none, and no timer", async () => {
    const scene = new Scene();
    const timers = scene.clock.pendingTimers;
    const sys = new SysTopics(scene.context, 0);
    expect(scene.clock.pendingTimers).toBe(timers);
    sys.stop();
  });
});
