import { type AmqpReceiver, type AmqpSession, selectorFilter } from "polymq/amqp10";
import { describe, expect, test } from "vitest";
import { Amqp10Scene, takeTexts } from "./scene.test-support.ts";
import { selectiveGroup } from "./selection.ts";

const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);

function selecting(session: AmqpSession, address: string, selector: string, group?: string): Promise<AmqpReceiver> {
  return session.createReceiver(address, {
    source: { filters: [selectorFilter(selector)] },
    ...(group === undefined ? {} : { properties: { "consumer-group": group } }),
  });
}

async function sendColours(session: AmqpSession, address: string): Promise<void> {
  const sender = await session.createSender(address);
  for (const [colour, size] of [
    ["red", 1],
    ["blue", 2],
    ["red", 3],
    ["green", 4],
  ] as const) {
    await sender.send({
      applicationProperties: { colour, size },
      body: { type: "data", data: bytes(`${colour}${size}`) },
    });
  }
}

describe("a selector on a queue", () => {
  test("brings the messages that match, and the others stay for receivers without one", async () => {
    await using scene = await Amqp10Scene.open();
    const session = await scene.session();
    const selective = await selecting(session, "$queue/q", "colour = 'red' AND size > 1");
    await sendColours(session, "$queue/q");
    expect(await takeTexts(selective, 1)).toEqual(["red3"]);
    const plain = await session.createReceiver("$queue/q");
    expect(await takeTexts(plain, 4)).toEqual(["red1", "blue2", "red3", "green4"]);
  });

  test("receivers with the same one share a line, those with another have their own", async () => {
    await using scene = await Amqp10Scene.open();
    const session = await scene.session();
    const first = await selecting(session, "$queue/q", "colour = 'red'", "g");
    const other = await selecting(session, "$queue/q", "colour <> 'red'", "g");
    await sendColours(session, "$queue/q");
    expect(await takeTexts(first, 1)).toEqual(["red1"]);
    await first.close();
    const second = await selecting(session, "$queue/q", "colour = 'red'", "g");
    expect(await takeTexts(second, 1)).toEqual(["red3"]);
    expect(await takeTexts(other, 2)).toEqual(["blue2", "green4"]);
  });

  test("is echoed, and sees messages of MQTT and AMQP 0-9-1", async () => {
    await using scene = await Amqp10Scene.open();
    const session = await scene.session();
    const receiver = await selecting(session, "$queue/q", "colour = 'red'");
    const mqtt = await scene.mqtt();
    await mqtt.publish("$queue/q", "by mqtt", { qos: 1, properties: { userProperties: [["colour", "red"]] } });
    const amqp = await scene.amqp091();
    const channel = await amqp.channel();
    await channel.publish("", "$queue/q", "by 0-9-1", { headers: { colour: "red" } });
    await channel.publish("", "$queue/q", "not this", { headers: { colour: "blue" } });
    const texts = await takeTexts(receiver, 2);
    expect(texts).toEqual(["by mqtt", "by 0-9-1"]);
  });

  test("that cannot be read is refused with its place", async () => {
    await using scene = await Amqp10Scene.open();
    const session = await scene.session();
    await expect(selecting(session, "$queue/q", "colour = ")).rejects.toMatchObject({
      code: "ERR_LINK_DETACHED",
      peer: { code: "amqp:invalid-field", text: expect.stringContaining("character 10") },
    });
  });
});

test("a message passes both selectors of a source (§3.5.8), each of which is read by itself", async () => {
  await using scene = await Amqp10Scene.open();
  const session = await scene.session();
  const two = (first: string, second: string): Promise<AmqpReceiver> =>
    session.createReceiver("$queue/q", {
      source: {
        filters: [
          { ...selectorFilter(first), name: "first" },
          { ...selectorFilter(second), name: "second" },
        ],
      },
    });
  const receiver = await two("colour = 'red' OR colour = 'blue'", "size > 1");
  await sendColours(session, "$queue/q");
  expect(await takeTexts(receiver, 2)).toEqual(["blue2", "red3"]);
  await expect(two("size > 1) OR (size < 9", "size = 1")).rejects.toMatchObject({
    peer: { code: "amqp:invalid-field" },
  });
});

test("a selector on a plain topic passes over what does not match", async () => {
  await using scene = await Amqp10Scene.open();
  const session = await scene.session();
  const receiver = await selecting(session, "a/b", "colour = 'red'");
  await sendColours(session, "a/b");
  expect(await takeTexts(receiver, 2)).toEqual(["red1", "red3"]);
});

test("the group of a long selector has a short name", () => {
  const long = selectiveGroup("g", `a = '${"x".repeat(300)}'`);
  expect([selectiveGroup("g", "a = 1"), long.startsWith("g?sha256:"), long.length < 100]).toEqual([
    "g?a = 1",
    true,
    true,
  ]);
});
