import type { Socket } from "node:net";
import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import type { Work } from "../amqp/plan.ts";
import { unread } from "../amqp/unread.test-support.ts";
import { makePayloads } from "../mqtt/wire/payloads.ts";
import { contentFrames, methodFrame } from "./frames.ts";
import { Stub091 } from "./stub.ts";

const PUBLISH = { method: "basic.publish", exchange: "", routingKey: "q", mandatory: false, immediate: false } as const;
const HELLO = Buffer.from("AMQP\0\0\x09\x01", "latin1");
const PAYLOADS = makePayloads(64);

/** A stub whose answers are collected. */
function stubFor(work: Work): { stub: Stub091; answers(): string } {
  const socket = new PassThrough();
  const stub = new Stub091(socket as unknown as Socket, { work, size: 64 });
  return { stub, answers: () => unread(socket) };
}

function publish(place: number): Buffer {
  return contentFrames(1, PUBLISH, PAYLOADS[place] ?? new Uint8Array(0));
}

describe("the stub server", () => {
  test("counts what is published, byte by byte too, and confirms it once per chunk", async () => {
    const { stub, answers } = stubFor({ is: "publish", isAnswered: true });
    stub.onChunk(HELLO);
    stub.onChunk(methodFrame(1, { method: "confirm.select", noWait: false }));
    const done = stub.begin(3, 3);
    answers();
    stub.onChunk(Buffer.concat([publish(0), publish(1)]));
    expect(answers()).toBe(methodFrame(1, { method: "basic.ack", deliveryTag: 2, multiple: true }).toString("hex"));
    for (const byte of publish(2)) stub.onChunk(Buffer.of(byte));
    expect(answers()).toBe(methodFrame(1, { method: "basic.ack", deliveryTag: 3, multiple: true }).toString("hex"));
    expect(await done).toBeGreaterThan(0);
    expect([stub.total, stub.isWhole]).toEqual([3, true]);
  });

  test("refuses a message out of order, and a wrong byte", () => {
    const { stub } = stubFor({ is: "publish", isAnswered: false });
    void stub.begin(2, 2);
    stub.onChunk(HELLO);
    expect(() => stub.onChunk(publish(1))).toThrow("a wrong body");
  });

  test("gives each delivery its number, and wants them acknowledged in order", async () => {
    const { stub, answers } = stubFor({ is: "receive", isAnswered: true });
    stub.onChunk(HELLO);
    const consume = { queue: "q", consumerTag: "c", noLocal: false, noAck: false, exclusive: false, noWait: false };
    stub.onChunk(methodFrame(1, { method: "basic.consume", ...consume, arguments: {} }));
    answers();
    const done = stub.begin(2, 2);
    await new Promise(setImmediate);
    const deliver = {
      method: "basic.deliver",
      consumerTag: "c",
      redelivered: false,
      exchange: "",
      routingKey: "bench",
    } as const;
    const expected = [1, 2].map((deliveryTag) =>
      contentFrames(1, { ...deliver, deliveryTag }, PAYLOADS[deliveryTag - 1] ?? new Uint8Array(0)),
    );
    expect(answers()).toBe(Buffer.concat(expected).toString("hex"));
    expect(() => stub.onChunk(methodFrame(1, { method: "basic.ack", deliveryTag: 2, multiple: false }))).toThrow(
      "out of order",
    );
    stub.onChunk(methodFrame(1, { method: "basic.ack", deliveryTag: 2, multiple: true }));
    await done;
  });
});
