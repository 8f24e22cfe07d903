import { FrameType, type Method, protocolHeader } from "polymq/amqp091/codec";
import { ByteWriter } from "polymq/internal";
import { describe, expect, test } from "vitest";
import { AmqpScene, frame, headerFrame, methodFrame, TEXT } from "./scene.test-support.ts";

const PUBLISH: Method = {
  method: "basic.publish",
  exchange: "",
  routingKey: "q",
  mandatory: false,
  immediate: false,
};

const bytes = (...octets: number[]): Uint8Array => Uint8Array.from(octets);

/** A method frame's payload of class, method and anything. */
function payload(classId: number, methodId: number, rest: Uint8Array = bytes()): Uint8Array {
  const w = new ByteWriter(TEXT, 4 + rest.length);
  w.u16(classId);
  w.u16(methodId);
  w.bytes(rest);
  return w.copyFrom(0);
}

/** `queue.declare` whose arguments are so many tables, one in the other. */
function nested(depth: number): Uint8Array {
  let table: Uint8Array = bytes(0, 0, 0, 0);
  for (let i = 0; i < depth; i++) {
    const w = new ByteWriter(TEXT, 7 + table.length);
    w.u32(3 + table.length);
    w.bytes(bytes(1, 0x61, 0x46));
    w.bytes(table);
    table = w.copyFrom(0);
  }
  const w = new ByteWriter(TEXT, 5 + table.length);
  w.bytes(bytes(0, 0, 1, 0x71, 0));
  w.bytes(table);
  return payload(50, 10, w.copyFrom(0));
}

const ENDS: [string, string, () => Uint8Array[]][] = [
  ["a frame that ends in another octet", "501 FRAME_ERROR", () => [frame(FrameType.Method, 1, payload(60, 10), 0xcd)]],
  ["a frame of 2^32 - 1 bytes", "501 FRAME_ERROR", () => [bytes(1, 0, 1, 0xff, 0xff, 0xff, 0xff)]],
  ["a frame larger than agreed upon", "501 FRAME_ERROR", () => [bytes(3, 0, 1, 0, 2, 0, 1)]],
  ["a frame of no type", "501 FRAME_ERROR", () => [frame(9, 1, bytes(1))]],
  ["content without a method", "505 UNEXPECTED_FRAME", () => [headerFrame(1, 5)]],
  [
    "a body without a header",
    "505 UNEXPECTED_FRAME",
    () => [methodFrame(1, PUBLISH), frame(FrameType.Body, 1, bytes(1))],
  ],
  [
    "a body longer than its header says",
    "505 UNEXPECTED_FRAME",
    () => [methodFrame(1, PUBLISH), headerFrame(1, 1), frame(FrameType.Body, 1, bytes(1, 2))],
  ],
  [
    "a method in the middle of content",
    "505 UNEXPECTED_FRAME",
    () => [methodFrame(1, PUBLISH), methodFrame(1, PUBLISH)],
  ],
  ["a class that nobody knows", "540 NOT_IMPLEMENTED", () => [frame(FrameType.Method, 1, payload(99, 1))]],
  ["a method that nobody knows", "540 NOT_IMPLEMENTED", () => [frame(FrameType.Method, 1, payload(60, 999))]],
  ["a method of servers", "503 COMMAND_INVALID", () => [methodFrame(1, { method: "basic.get-empty" })]],
  ["a method cut short", "502 SYNTAX_ERROR", () => [frame(FrameType.Method, 1, payload(50, 10, bytes(0, 0, 9)))]],
  ["tables that nest too deep", "502 SYNTAX_ERROR", () => [frame(FrameType.Method, 1, nested(200))]],
  [
    "a table longer than its frame",
    "502 SYNTAX_ERROR",
    () => [frame(FrameType.Method, 1, payload(50, 10, bytes(0, 0, 1, 0x71, 0, 0xff, 0xff, 0xff, 0xff)))],
  ],
  [
    "a property block that is none",
    "502 SYNTAX_ERROR",
    () => [methodFrame(1, PUBLISH), headerFrame(1, 1, bytes(0x20, 0, 0xff, 0xff, 0xff, 0xff))],
  ],
  ["a channel that is not open", "504 CHANNEL_ERROR", () => [methodFrame(7, { method: "tx.select" })]],
  ["a channel that is open", "504 CHANNEL_ERROR", () => [methodFrame(1, { method: "channel.open" })]],
  ["a protocol header in the middle", "505 UNEXPECTED_FRAME", () => [protocolHeader()]],
];

describe("a connection ends, and no other, with", () => {
  test.each(ENDS)("%s: %s", async (_, reply, frames) => {
    await using scene = await AmqpScene.open();
    const other = await (await scene.client()).channel();
    await other.declareQueue("bystander");
    const raw = await scene.raw().open();
    raw.write(...frames());
    expect(await raw.next()).toContain(`0 connection.close ${reply}`);
    expect(await raw.next()).toBe("end");
    await other.publish("", "bystander", "still here");
    expect((await other.get("bystander", { noAck: true }))?.text()).toBe("still here");
  });
});

describe("a channel ends, and no other, with", () => {
  test("a body of 2^32 - 1 bytes, for which no room is made: 311", async () => {
    await using scene = await AmqpScene.open();
    const raw = await scene.raw().open();
    raw.send(2, { method: "channel.open" });
    raw.write(methodFrame(1, PUBLISH), headerFrame(1, 0xffff_ffff));
    expect(await raw.take(2)).toEqual([
      "2 channel.open-ok",
      "1 channel.close 311 CONTENT_TOO_LARGE - a body of 4294967295 bytes, the limit is 16777216",
    ]);
    raw.send(2, { method: "tx.select" });
    expect(await raw.next()).toBe("2 tx.select-ok");
  });

  test("a delivery tag that is not there: 406", async () => {
    await using scene = await AmqpScene.open();
    const raw = await scene.raw().open();
    raw.send(1, { method: "basic.ack", deliveryTag: 5, multiple: false });
    expect(await raw.next()).toBe("1 channel.close 406 PRECONDITION_FAILED - unknown delivery tag 5");
  });
});

describe("memory stays bounded", () => {
  test("by what bodies may be incomplete in one connection: 506", async () => {
    await using scene = await AmqpScene.open({ amqp091: { maximumBodyBytes: 100_000 } });
    const raw = await scene.raw().open();
    for (let channel = 2; channel <= 20; channel++) raw.send(channel, { method: "channel.open" });
    await raw.take(19);
    for (let channel = 1; channel <= 20; channel++) {
      raw.write(methodFrame(channel, PUBLISH), headerFrame(channel, 100_000));
      raw.write(frame(FrameType.Body, channel, new Uint8Array(90_000)));
    }
    expect(await raw.next()).toContain("0 connection.close 506 RESOURCE_ERROR");
  });

  test("by the time that a handshake may take", async () => {
    await using scene = await AmqpScene.open({ amqp091: { handshakeTimeoutMs: 20 } });
    const raw = scene.raw();
    raw.write(protocolHeader());
    expect(await raw.next()).toBe("0 connection.start");
    expect(await raw.next()).toContain("0 connection.close 320");
    expect(await raw.next()).toBe("end");
  });

  test("by the number of consumers: 506", async () => {
    await using scene = await AmqpScene.open({ amqp091: { consumersMax: 2 } });
    const client = await scene.client();
    const channel = await client.channel();
    await channel.declareQueue("q");
    await channel.consume("q");
    await channel.consume("q");
    await expect(channel.consume("q")).rejects.toMatchObject({ code: expect.stringMatching(/^ERR_/) });
    expect(client.connected).toBe(false);
  });
});

test("a client of another protocol version is told which one is spoken here (§4.2.2)", async () => {
  await using scene = await AmqpScene.open();
  const raw = scene.raw();
  raw.write(bytes(0x41, 0x4d, 0x51, 0x50, 1, 1, 8, 0));
  expect(await raw.take(2)).toEqual(["protocol header", "end"]);
});
