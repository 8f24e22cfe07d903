import type { AmqpReceiver } from "polymq/amqp10";
import { noLocalFilter } from "polymq/amqp10";
import { nodePlatform } from "polymq/transport";
import { describe, expect, test } from "vitest";
import { LateClock } from "../late-clock.test-support.ts";
import { Amqp10Scene, takeTexts, textOf } from "./scene.test-support.ts";

const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);

async function next(receiver: AmqpReceiver): Promise<[string | null, string]> {
  const { message } = await receiver.receive();
  const { body } = message;
  const text = body?.type === "value" ? String(body.value) : textOf(message.data);
  return [String(message.properties?.to), text];
}

describe("plain topics over AMQP 1.0", () => {
  test("reach receivers of matching filters, with the topic in `to`", async () => {
    await using scene = await Amqp10Scene.open();
    const session = await scene.session();
    const [all, one] = [await session.createReceiver("sensors/#"), await session.createReceiver("sensors.*.temp")];
    const sender = await session.createSender("sensors/a/temp");
    expect(await sender.send("21")).toMatchObject({ type: "accepted" });
    expect([await next(all), await next(one)]).toEqual([
      ["sensors/a/temp", "21"],
      ["sensors/a/temp", "21"],
    ]);
  });

  test("an AMQP 1.0 message reaches MQTT subscribers and AMQP 0-9-1 consumers, with its properties", async () => {
    await using scene = await Amqp10Scene.open();
    const mqtt = await scene.mqtt();
    const got = new Promise<[string, string | undefined, unknown]>((resolve) => {
      void mqtt.subscribe("a/+", {
        qos: 1,
        handler: (message) =>
          resolve([message.text(), message.properties?.contentType, message.properties?.userProperties]),
      });
    });
    const channel = await (await scene.amqp091()).channel();
    const consumer = await channel.consume("a.*");
    const sender = await (await scene.session()).createSender("a/b");
    await sender.send({
      properties: { contentType: "text/plain" },
      applicationProperties: { colour: "red" },
      body: { type: "data", data: bytes("x") },
    });
    expect(await got).toMatchObject(["x", "text/plain", [["colour", "red"]]]);
    for await (const message of consumer) {
      expect([message.text(), message.routingKey, message.properties.headers]).toMatchObject([
        "x",
        "a.b",
        { colour: "red" },
      ]);
      break;
    }
  });

  test("large messages reach all receivers whole, with the sections around them, by whichever protocol they came", async () => {
    await using scene = await Amqp10Scene.open();
    const session = await scene.session();
    const receivers = [await session.createReceiver("t/#"), await session.createReceiver("t/+")];
    const data = new Uint8Array(2_500_000).map((_, index) => index % 251);
    const sender = await session.createSender("t/a");
    const footer = { sum: 7 };
    await sender.send({ messageAnnotations: { x: 1 }, body: { type: "data", data }, footer });
    const mqtt = await scene.mqtt();
    await mqtt.publish("t/b", data.subarray(0, 1_000_000), { qos: 1 });
    await sender.send(data.subarray(0, 40_000));
    for (const receiver of receivers) {
      const came = [await receiver.receive(), await receiver.receive(), await receiver.receive()];
      const bodies = came.map(({ message }) => Buffer.from(message.data ?? bytes("")));
      const sent = [2_500_000, 1_000_000, 40_000].map((length) => data.subarray(0, length));
      expect(bodies.map((body, index) => body.equals(sent[index] as Uint8Array))).toEqual([true, true, true]);
      expect(came.map(({ message }) => message.footer?.size ?? 0)).toEqual([1, 0, 0]);
      expect(came[0]?.message.messageAnnotations?.size).toBe(1);
    }
  });

  test("a text that is the body's value is text to MQTT", async () => {
    await using scene = await Amqp10Scene.open();
    const mqtt = await scene.mqtt();
    const got = new Promise<string>((resolve) => {
      void mqtt.subscribe("t", { qos: 1, handler: (message) => resolve(message.text()) });
    });
    const sender = await (await scene.session()).createSender("t");
    await sender.send("gruß");
    expect(await got).toBe("gruß");
  });

  test("MQTT and AMQP 0-9-1 messages reach AMQP 1.0 receivers, with their properties", async () => {
    await using scene = await Amqp10Scene.open();
    const receiver = await (await scene.session()).createReceiver("a/#");
    const mqtt = await scene.mqtt();
    await mqtt.publish("a/m", "1", { qos: 1, properties: { contentType: "text/plain", userProperties: [["k", "v"]] } });
    const first = (await receiver.receive()).message;
    expect([first.properties?.to, first.properties?.contentType, textOf(first.data)]).toEqual([
      "a/m",
      "text/plain",
      "1",
    ]);
    expect(first.applicationProperties?.get("k")).toBe("v");
    const channel = await (await scene.amqp091()).channel();
    await channel.publish("", "a.r", "2", { correlationId: "c", headers: { n: 5 } });
    const second = (await receiver.receive()).message;
    expect([second.properties?.to, second.properties?.correlationId, textOf(second.data)]).toEqual(["a/r", "c", "2"]);
  });

  test("at most once is sent settled, at least once unsettled", async () => {
    await using scene = await Amqp10Scene.open();
    const receiver = await (await scene.session()).createReceiver("t");
    const mqtt = await scene.mqtt();
    for (const qos of [0, 1] as const) await mqtt.publish("t", String(qos), { qos });
    expect([(await receiver.receive()).settled, (await receiver.receive()).settled]).toEqual([true, false]);
  });

  test("a receiver without local messages does not get its own connection's (§3.5.8)", async () => {
    await using scene = await Amqp10Scene.open();
    const session = await scene.session();
    const receiver = await session.createReceiver("t", {
      source: { filters: [noLocalFilter()] },
      whenFilterIgnored: "fail",
    });
    await (await session.createSender("t")).send(bytes("own"));
    await (await (await scene.session()).createSender("t")).send(bytes("other"));
    expect(await takeTexts(receiver, 1)).toEqual(["other"]);
  });

  test("what a receiver does not take waits within limits, and the oldest is left out", async () => {
    await using scene = await Amqp10Scene.open({ sessions: { queuedMessagesMax: 2 } });
    const session = await scene.session();
    const receiver = await session.createReceiver("t", { credit: "manual" });
    const sender = await session.createSender("t");
    for (const each of ["a", "b", "c"]) await sender.send(bytes(each));
    receiver.issueCredit(5);
    expect(await takeTexts(receiver, 2)).toEqual(["b", "c"]);
    expect(scene.broker.inspect().metrics.messagesDroppedSlow).toBe(1);
  });

  test("a message larger than the limit in bytes waits as well, and drives nobody out", async () => {
    await using scene = await Amqp10Scene.open({ sessions: { queuedBytesMax: 2_000 } });
    const session = await scene.session();
    const receiver = await session.createReceiver("t", { credit: "manual" });
    const sender = await session.createSender("t");
    const large = "x".repeat(5_000);
    for (const each of ["a", large, "b"]) await sender.send(bytes(each));
    receiver.issueCredit(5);
    expect(await takeTexts(receiver, 3)).toEqual(["a", large, "b"]);
  });

  test("a message whose lifetime ends while it waits is not sent", async () => {
    const clock = new LateClock();
    await using scene = await Amqp10Scene.open({}, { platform: { ...nodePlatform(), clock } });
    const session = await scene.session();
    const receiver = await session.createReceiver("t", { credit: "manual" });
    const mqtt = await scene.mqtt();
    await mqtt.publish("t", "1", { qos: 1, properties: { messageExpirySeconds: 1 } });
    await mqtt.publish("t", "2", { qos: 1 });
    clock.lateMs = 1_001;
    receiver.issueCredit(5);
    expect(await takeTexts(receiver, 1)).toEqual(["2"]);
    expect(scene.broker.inspect().metrics.messagesExpired).toBe(1);
  });

  test("filters that are not known are not confirmed", async () => {
    await using scene = await Amqp10Scene.open();
    const session = await scene.session();
    const filters = [{ name: "x:unknown", descriptor: null, value: "x" }];
    const receiver = await session.createReceiver("t", { source: { filters } });
    expect(receiver.ignoredFilters).toEqual(["x:unknown"]);
  });
});
