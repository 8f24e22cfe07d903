/** What hostile and broken peers get (S10), silence (S12), protocol headers, and a foreign corpus (C2). */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Scripted, seenIn } from "./engine.test-support.ts";

function bytes(hex: string): Uint8Array {
  return Uint8Array.from(hex.replaceAll(" ", "").match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
}

describe("an open connection ends with the right condition", () => {
  test.each([
    ["a frame of 0 bytes", "00000000", "amqp:decode-error"],
    ["a frame of 7 bytes", "00000007", "amqp:decode-error"],
    ["a frame of 2^31 bytes", "80000000", "amqp:connection:framing-error"],
    ["a frame larger than we take", "00010001", "amqp:connection:framing-error"],
    ["a data offset of 1", "0000000c 01 00 0000 00 53 18 45", "amqp:decode-error"],
    ["a data offset of 255", "0000000c ff 00 0000 00 53 18 45", "amqp:decode-error"],
    ["an unknown frame type", "0000000c 02 07 0000 00 53 18 45", "amqp:connection:framing-error"],
    ["a SASL frame", "0000000c 02 01 0000 00 53 44 45", "amqp:connection:framing-error"],
    ["an unknown performative", "0000000c 02 00 0000 00 53 99 45", "amqp:decode-error"],
    ["a performative that is none", "00000009 02 00 0000 40", "amqp:decode-error"],
    ["a second open", "00000010 02 00 0000 00 53 10 c0 03 01 a1 00", "amqp:illegal-state"],
    ["a channel that is too large", "0000000c 02 00 0fff 00 53 17 45", "amqp:connection:framing-error"],
    ["a transfer without a session", "00000010 02 00 0005 00 53 14 c0 03 02 43 43", "amqp:not-allowed"],
    ["a begin that answers nothing", "00000014 02 00 0000 00 53 11 c0 07 04 60 0009 43 43 43", "amqp:not-allowed"],
    ["payload behind a close", "0000000d 02 00 0000 00 53 18 45 40", "amqp:connection:framing-error"],
  ])("%s", (_, frame, condition) => {
    const side = new Scripted({ role: "server" }).opened();
    side.raw(bytes(frame));
    expect(side.only("close")).toMatchObject({ error: { condition } });
    expect(side.told.at(-1)).toBe(`close by connection violation ${condition}`);
    side.raw(bytes("00000008 02 00 0000"));
    expect([side.engine.over, side.types()]).toEqual([true, []]);
  });

  test("a begin on a channel in use", () => {
    const side = new Scripted({ role: "server" }).opened();
    const begin = { type: "begin", nextOutgoingId: 0, incomingWindow: 1, outgoingWindow: 1 } as const;
    side.feed(begin, begin);
    expect(side.performatives().at(-1)).toMatchObject({ type: "close", error: { condition: "amqp:not-allowed" } });
  });

  test("more sessions than there are channels", () => {
    const side = new Scripted({ role: "server", channelMax: 1 }).opened({ channelMax: 0 });
    for (const channel of [0, 1]) {
      side.feedOn(channel, { type: "begin", nextOutgoingId: 0, incomingWindow: 1, outgoingWindow: 1 });
    }
    expect(side.performatives().at(-1)).toMatchObject({ error: { condition: "amqp:resource-limit-exceeded" } });
  });

  test("a frame before the open", () => {
    const early = new Scripted({ role: "server" });
    early.engine.start();
    early.header(0);
    early.feed({ type: "end" });
    expect(early.performatives().map((each) => each?.type)).toEqual(["open", "close"]);
  });

  test("a largest frame below 512 is taken for 512, and the reason of a close behind it is told", () => {
    const small = new Scripted({ role: "client" });
    small.engine.start();
    small.header(0);
    small.feed({ type: "open", containerId: "x", maxFrameSize: 0 });
    expect(small.engine.peerFrameBytesMax).toBe(512);
    small.feed({ type: "close", error: { type: "error", condition: "amqp:not-found" } });
    expect(small.performatives().at(-1)).toMatchObject({ type: "close", error: null });
    expect(small.ends[0]).toMatchObject({ by: "peer", error: { condition: "amqp:not-found" } });
  });
});

describe("protocol headers (§2.2)", () => {
  test.each([
    ["TLS", "414d5150 02010000", 0],
    ["another version", "414d5150 00000901", 0],
    ["HTTP", "47455420 2f204854", 0],
    ["SASL where there is none", "414d5150 03010000", 0],
  ])("%s is answered by a server with the header that it takes, and the end", (_, header, answer) => {
    const side = new Scripted({ role: "server" });
    side.engine.start();
    side.raw(bytes(header));
    expect(seenIn(side.take())).toEqual([answer]);
    expect(side.engine.over).toBe(true);
  });

  test("AMQP without SASL, where it is required, is answered with SASL's", () => {
    const side = new Scripted({ role: "server", sasl: "required" });
    side.engine.start();
    side.header(0);
    expect(seenIn(side.take())).toEqual([3]);
    expect(side.told).toEqual(["close by connection violation amqp:connection:framing-error"]);
  });

  test("another header than asked for ends a client without a further word", () => {
    const side = new Scripted({ role: "client" });
    side.engine.start();
    side.take();
    side.header(3);
    expect([side.engine.over, side.take().length]).toEqual([true, 0]);
  });
});

describe("silence (S12)", () => {
  test("of the peer ends the connection at our timeout, and not before", () => {
    const side = new Scripted({ role: "client", idleTimeoutMs: 10_000 }).opened();
    side.nowMs = 4_000;
    side.raw(bytes("00000008 02 00 0000"));
    expect(side.engine.deadlineMs).toBe(14_000);
    side.engine.onTime(13_999);
    expect(side.engine.state).toBe("open");
    side.engine.onTime(14_000);
    expect(side.only("close")).toMatchObject({ error: { condition: "amqp:resource-limit-exceeded" } });
  });

  test("of ours is broken by an empty frame at half of the peer's timeout, only when there was no traffic", () => {
    const side = new Scripted({ role: "client", idleTimeoutMs: 0 }).opened({ idleTimeOut: 1_000 });
    expect(side.engine.deadlineMs).toBe(500);
    side.nowMs = 400;
    side.engine.begin({}, "s");
    side.take();
    side.engine.onTime(500);
    expect(side.types()).toEqual([]);
    expect(side.engine.deadlineMs).toBe(900);
    side.nowMs = 900;
    side.engine.onTime(900);
    expect(side.types()).toEqual([null]);
    expect(side.engine.deadlineMs).toBe(1_400);
  });

  test("before the open, and after our close, ends the connection as well", () => {
    const opening = new Scripted({ role: "client", handshakeTimeoutMs: 100 });
    opening.engine.start();
    opening.engine.onTime(opening.engine.deadlineMs);
    expect(opening.engine.over).toBe(true);
    const closing = new Scripted({ role: "client", handshakeTimeoutMs: 100 }).opened();
    closing.engine.close();
    closing.engine.onTime(closing.engine.deadlineMs);
    expect(closing.told.at(-1)).toBe("close by connection us");
  });
});

/** Raw bytes of hostile servers; see the README beside them. They are read where they are and never copied. */
const CORPUS = join(import.meta.dirname, "../../../../../../shared/vectors/amqp10-fuzz/connection");
const files = existsSync(CORPUS) ? readdirSync(CORPUS) : [];
const title =
  files.length > 0 ? `${files.length} inputs of a foreign corpus` : "inputs of a foreign corpus (not on this machine)";

describe.skipIf(files.length === 0)(title, () => {
  test("end in a clean state or a typed end, whole and in pieces alike (C2, C12)", () => {
    for (const file of files) {
      const input = new Uint8Array(readFileSync(join(CORPUS, file)));
      expect(played(input, 97)).toEqual(played(input, input.length));
    }
  });
});

/** Plays `input` as the server of a client with SASL that begins and attaches as it can; what it was told. */
function played(input: Uint8Array, cut: number): string[] {
  const side = new Scripted({ role: "client", sasl: "required" });
  side.onSasl = (what) => {
    if (what === "mechanisms") side.engine.saslInit("PLAIN", new Uint8Array(3));
    if (what === "challenge") side.engine.saslRespond(new Uint8Array(0));
  };
  const open = side.onOpen.bind(side);
  side.onOpen = (peer) => {
    open(peer);
    const session = side.engine.begin({}, "s");
    session.attachReceiver({ name: "r", source: { type: "source", address: "q" } }, "r").setCredit(100);
    session.attachSender({ name: "t", target: { type: "target", address: "q" } }, "t");
  };
  side.engine.start();
  for (let at = 0; at < input.length; at += Math.max(1, cut))
    side.engine.onBytes(input.slice(at, at + Math.max(1, cut)), 0);
  side.take();
  return [...side.told, `${side.deliveries.length} deliveries`, side.engine.state];
}
