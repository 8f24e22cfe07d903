import type { Socket } from "node:net";
import { PassThrough } from "node:stream";
import type { PerformativeInput } from "polymq/amqp10/codec";
import { describe, expect, test } from "vitest";
import type { Work } from "../amqp/plan.ts";
import { unread } from "../amqp/unread.test-support.ts";
import { makePayloads } from "../mqtt/wire/payloads.ts";
import { performativeFrame, transferFrames } from "./frames.ts";
import { Stub10 } from "./stub.ts";
import { TransferRing } from "./transfer-ring.ts";

const HELLO = Buffer.from("AMQP\0\x01\0\0", "latin1");

/** A stub whose client has attached its link; answers are collected. */
function stubFor(work: Work, size: number): { stub: Stub10; answers(): string } {
  const socket = new PassThrough({ highWaterMark: 1 << 20 });
  const stub = new Stub10(socket as unknown as Socket, { work, size });
  const answers = (): string => unread(socket);
  const windows = { nextOutgoingId: 0, incomingWindow: 100, outgoingWindow: 100 };
  stub.onChunk(HELLO);
  say(stub, { type: "open", containerId: "c" });
  say(stub, { type: "begin", ...windows });
  say(stub, { type: "attach", name: "l", handle: 0, role: work.is === "receive", initialDeliveryCount: 0 });
  answers();
  return { stub, answers };
}

function say(stub: Stub10, performative: PerformativeInput): void {
  stub.onChunk(performativeFrame(0, performative));
}

function accepted(first: number, last: number): string {
  const state = { type: "accepted" } as const;
  return performativeFrame(0, { type: "disposition", role: true, first, last, settled: true, state }).toString("hex");
}

describe("the stub server", () => {
  test.each([64, 65_536])(
    "counts messages of %i bytes, whatever the chunks, and accepts them once per chunk",
    async (size) => {
      const { stub, answers } = stubFor({ is: "publish", isAnswered: true }, size);
      const ring = new TransferRing(0, makePayloads(size), false);
      const done = stub.begin(3, 3);
      stub.onChunk(ring.take(2));
      expect(answers()).toBe(accepted(0, 1));
      const third = ring.take(1);
      for (let at = 0; at < third.length; at += 13) stub.onChunk(third.subarray(at, at + 13));
      expect(answers()).toBe(accepted(2, 2));
      expect(await done).toBeGreaterThan(0);
      expect([stub.total, stub.isWhole]).toEqual([3, true]);
    },
  );

  test("refuses a wrong byte, and a settled message where outcomes are awaited", () => {
    const body = makePayloads(64)[1] ?? new Uint8Array(0);
    const { stub } = stubFor({ is: "publish", isAnswered: true }, 64);
    void stub.begin(1, 1);
    expect(() => stub.onChunk(transferFrames(0, body, false))).toThrow("a wrong body");
    expect(() => stub.onChunk(transferFrames(0, body, true))).toThrow("settled otherwise");
  });

  test("sends as far as credit goes, and wants every message accepted", async () => {
    const { stub, answers } = stubFor({ is: "receive", isAnswered: true }, 64);
    const done = stub.begin(3, 3);
    const flow = { nextIncomingId: 0, incomingWindow: 100, nextOutgoingId: 0, outgoingWindow: 100, handle: 0 };
    say(stub, { type: "flow", ...flow, deliveryCount: 0, linkCredit: 2 });
    const ring = new TransferRing(0, makePayloads(64), false);
    expect(answers()).toBe(ring.take(2).toString("hex"));
    say(stub, { type: "flow", ...flow, nextIncomingId: 2, deliveryCount: 2, linkCredit: 2 });
    expect(answers()).toBe(ring.take(1).toString("hex"));
    stub.onChunk(Buffer.from(accepted(0, 2), "hex"));
    expect(await done).toBeGreaterThan(0);
  });
});
