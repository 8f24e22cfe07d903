/** Sending: credit, windows, drain, splitting, cancelling, outcomes. The peer is a script that keeps its own books. */
import { describe, expect, test } from "vitest";
import { randomInteger, seededRandom } from "../../testing/seeded-random.ts";
import { DATA_BYTES_LARGE, encodeMessage, type MessageInput } from "../codec/message.ts";
import { message, Scripted, type Seen, text } from "./engine.test-support.ts";

function transfers(side: Scripted): Seen[] {
  return side.seen().filter((each) => each.performative?.type === "transfer");
}

function opened(frame = 65_536): Scripted {
  return new Scripted({ role: "client" }).opened({ maxFrameSize: frame });
}

describe("credit", () => {
  test("is obeyed, and what it does not allow waits in order (S23)", () => {
    const side = opened();
    const link = side.sender("a", side.begun());
    for (let i = 0; i < 5; i++) link.send(message(`${i}`), `${i}`, { settled: true });
    expect(transfers(side)).toHaveLength(0);
    side.credit(link, 2);
    expect(transfers(side)).toHaveLength(2);
    expect(side.sent).toEqual(["0", "1"]);
    side.credit(link, 10, { deliveryCount: 2 });
    expect(transfers(side)).toHaveLength(3);
    expect([link.credit, link.queued, link.queuedBytes]).toEqual([7, 0, 0]);
  });

  test("that is lowered below what is in flight is 0, not billions (S3)", () => {
    const side = opened();
    const link = side.sender("a", side.begun());
    side.credit(link, 10);
    for (let i = 0; i < 8; i++) link.send(message("x"), "x");
    side.credit(link, 3, { deliveryCount: 2 });
    expect(link.credit).toBe(0);
    expect(link.send(message("x"), "x")).toBe(false);
    expect(transfers(side)).toHaveLength(8);
  });

  test("is not needed for settled messages where the owner says so, nor for others where it grants it anew", () => {
    const side = opened();
    const link = side.sender("a", side.begun());
    link.settledAreFree = true;
    side.credit(link, 2);
    for (let i = 0; i < 5; i++) expect(link.send(message(`${i}`), `${i}`, { settled: true })).toBe(true);
    expect([link.send(message("x"), "x"), link.send(message("y"), "y")]).toEqual([true, true]);
    expect(link.send(message("z"), "z")).toBe(false);
    link.grant(1);
    expect([transfers(side).length, link.credit, link.queued]).toEqual([8, 0, 0]);
  });

  test("without a delivery count is counted from the link's beginning", () => {
    const side = opened();
    const link = side.sender("a", side.begun());
    side.credit(link, 5);
    link.send(message("x"), "x", { settled: true });
    const flow = { incomingWindow: 100, nextOutgoingId: 0, outgoingWindow: 1 };
    side.feed({ type: "flow", ...flow, handle: link.handle, linkCredit: 7 });
    expect(link.credit).toBe(6);
  });

  test("of one link is no matter of another: nine of ten deliver everything while one has none (S6)", () => {
    const side = opened();
    const session = side.begun();
    const links = Array.from({ length: 10 }, (_, i) => side.sender(`l${i}`, session));
    for (const link of links) for (let i = 0; i < 20; i++) link.send(message("x"), "x", { settled: true });
    for (const link of links.slice(1)) side.credit(link, 20);
    expect(transfers(side)).toHaveLength(180);
    expect(links.map((link) => link.queued)).toEqual([20, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  });

  test("law: whatever the order of flows, sends and drains, no more is sent than was granted (S4)", () => {
    const random = seededRandom(4);
    const side = opened();
    const link = side.sender("a", side.begun());
    let count = 0;
    let limit = 0;
    for (let step = 0; step < 5_000; step++) {
      const what = randomInteger(random, 0, 9);
      if (what < 6) link.send(message("x"), "x", { settled: true });
      else {
        const linkCredit = randomInteger(random, 0, 8);
        limit = count + linkCredit;
        side.credit(link, linkCredit, {
          deliveryCount: count,
          drain: what === 9,
          nextIncomingId: 0,
          incomingWindow: 1_000_000,
        });
      }
      for (const each of side.seen()) {
        const sent = each.performative;
        if (sent?.type === "transfer") count++;
        if (sent?.type === "flow" && sent.deliveryCount !== null) count = sent.deliveryCount;
        expect(count).toBeLessThanOrEqual(limit);
      }
    }
    expect(count).toBeGreaterThan(100);
  });
});

describe("drain and echo (S5)", () => {
  test("a drain sends what waits and gives the rest of the credit back", () => {
    const side = opened();
    const link = side.sender("a", side.begun());
    link.send(message("x"), "x", { settled: true });
    side.credit(link, 10, { drain: true });
    const seen = side.performatives();
    expect(seen.map((each) => each?.type)).toEqual(["transfer", "flow"]);
    expect(seen[1]).toMatchObject({ deliveryCount: 10, linkCredit: 0, drain: true });
    expect(link.send(message("x"), "x")).toBe(false);
  });

  test("an echo is answered, of the link and of the session", () => {
    const side = opened();
    const link = side.sender("a", side.begun());
    side.credit(link, 10, { echo: true });
    expect(side.only("flow")).toMatchObject({ handle: link.handle, linkCredit: 10, available: 0 });
    side.feed({ type: "flow", nextIncomingId: 0, incomingWindow: 5, nextOutgoingId: 0, outgoingWindow: 5, echo: true });
    expect(side.only("flow")).toMatchObject({ handle: null, incomingWindow: 2_048 });
  });
});

describe("the session's window", () => {
  test("stops all links, and is shared among them a frame at a time", () => {
    const side = opened();
    const session = side.begun({ incomingWindow: 1 });
    const links = ["a", "b"].map((name) => side.sender(name, session));
    for (const link of links) side.credit(link, 10, { incomingWindow: 0, nextIncomingId: 0 });
    for (const link of links) for (let i = 0; i < 3; i++) link.send(message("x"), "x", { settled: true });
    expect(transfers(side)).toHaveLength(0);
    side.feed({ type: "flow", nextIncomingId: 0, incomingWindow: 4, nextOutgoingId: 0, outgoingWindow: 5 });
    expect(transfers(side).map((each) => (each.performative as { handle: number }).handle)).toEqual([0, 1, 0, 1]);
    expect(session.remoteIncomingWindow).toBe(0);
  });
});

describe("large messages", () => {
  test("are cut into frames of at most what the peer takes, and arrive whole (S11)", () => {
    const side = opened(512);
    const link = side.sender("a", side.begun());
    side.credit(link, 10, { incomingWindow: 1_000_000 });
    const payload = Uint8Array.from({ length: 1_048_576 }, (_, i) => i % 251);
    link.send(payload, "big", { tag: new Uint8Array(32).fill(9) });
    const seen = transfers(side);
    expect(Math.max(...seen.map((each) => each.bytes))).toBeLessThanOrEqual(512);
    expect(Buffer.concat(seen.map((each) => each.payload)).equals(payload)).toBe(true);
    const more = seen.map((each) => (each.performative as { more: boolean }).more);
    expect(more.lastIndexOf(true)).toBe(more.length - 2);
  });

  test.each([
    ["copied before the call returns", {}, 0],
    ["read as it leaves, when it is lent", { lent: true }, 7],
  ])("with data of a MiB arrive whole between the sections around it, which is %s", (_, options, last) => {
    const side = opened(65_536);
    const link = side.sender("a", side.begun());
    const data = Uint8Array.from({ length: DATA_BYTES_LARGE }, (_, i) => i % 251);
    const sections: MessageInput = {
      properties: { to: "there" },
      body: { type: "data", data },
      footer: { sum: "of all" },
    };
    data[DATA_BYTES_LARGE - 1] = 0;
    expect(link.send(sections, "big", options)).toBe(false);
    data[DATA_BYTES_LARGE - 1] = 7;
    side.credit(link, 10, { incomingWindow: 1_000 });
    const payload = Buffer.concat(transfers(side).map((each) => each.payload));
    data[DATA_BYTES_LARGE - 1] = last;
    expect(payload.equals(encodeMessage(text, sections))).toBe(true);
  });

  test("are said to have left when they have, not when another one has", () => {
    const side = opened();
    const link = side.sender("a", side.begun());
    side.credit(link, 100);
    side.isBlocked = true;
    expect(link.send(message("x"), "x")).toBe(true);
    side.take();
    side.bufferedBytes = 2_000_000;
    expect([link.send(message("a"), "a"), link.send(message("b"), "b")]).toEqual([false, false]);
    // Room for one: a transport empties before it says that it has drained.
    side.bufferedBytes = 999_999;
    expect(link.send(message("c"), "c")).toBe(false);
    expect([side.sent, link.queued]).toEqual([["a"], 2]);
    side.bufferedBytes = 0;
    expect(link.send(message("d"), "d")).toBe(true);
    expect(side.sent).toEqual(["a", "b", "c", "d"]);
  });

  test("that are given in parts leave as those are when their turn comes, and count until then", () => {
    const side = opened(512);
    const link = side.sender("a", side.begun());
    const parts = [new Uint8Array(3).fill(1), new Uint8Array(2_000).fill(2), new Uint8Array(1).fill(3)];
    expect([link.sendParts(parts, "big"), link.queued, link.queuedBytes]).toEqual([false, 1, 2_004]);
    parts[1]?.fill(4);
    side.credit(link, 10, { incomingWindow: 1_000 });
    const payload = Buffer.concat(transfers(side).map((each) => each.payload));
    expect([payload.equals(Buffer.concat(parts)), link.queuedBytes]).toEqual([true, 0]);
    expect(link.sendParts(parts, "next")).toBe(true);
  });

  test("that are given in parts are refused above the peer's largest, and when the link is over", () => {
    const side = opened();
    const link = side.sender("a", side.begun(), { maxMessageSize: 100 });
    expect(() => link.sendParts([new Uint8Array(101)], "big")).toThrow("the peer takes 100");
    link.detach({ closed: true });
    expect(() => link.sendParts([new Uint8Array(1)], "late")).toThrow("the link is over");
  });

  test("wait for a transport that is full without a flush in every turn, and go on when it has drained", () => {
    const side = opened();
    const link = side.sender("a", side.begun());
    side.credit(link, 10, { incomingWindow: 1_000 });
    side.take();
    side.isBlocked = true;
    link.send(new Uint8Array(3_000_000), "big");
    let turns = 0;
    for (; side.isArmed && turns < 10; turns++) {
      side.isArmed = false;
      side.engine.flush(0);
    }
    expect([turns < 10, link.queued]).toEqual([true, 1]);
    side.isBlocked = false;
    side.outbox.drained();
    side.engine.pump();
    expect(Buffer.concat(transfers(side).map((each) => each.payload))).toHaveLength(3_000_000);
  });

  test("do not hold up another link: their frames take turns", () => {
    const side = opened(512);
    const session = side.begun({ incomingWindow: 0 });
    const [a, b] = [side.sender("a", session), side.sender("b", session)];
    for (const link of [a, b]) side.credit(link, 10, { incomingWindow: 0 });
    a.send(new Uint8Array(2_000), "big");
    b.send(new Uint8Array(10), "small");
    side.feed({ type: "flow", nextIncomingId: 0, incomingWindow: 100, nextOutgoingId: 0, outgoingWindow: 5 });
    expect(transfers(side).map((each) => (each.performative as { handle: number }).handle)).toEqual([0, 1, 0, 0, 0, 0]);
  });

  test("that are cancelled on the way are taken back on the wire, and the link goes on (S9)", () => {
    const side = opened(512);
    const link = side.sender("a", side.begun({ incomingWindow: 1 }));
    side.credit(link, 10, { incomingWindow: 1 });
    link.send(new Uint8Array(2_000), "big");
    link.send(message("next"), "next");
    expect(transfers(side)).toHaveLength(1);
    expect(link.cancel("big")).toBe("aborted");
    expect(link.cancel("big")).toBe("sent");
    expect(transfers(side)[0]?.performative).toMatchObject({ aborted: true });
    side.feed({ type: "flow", nextIncomingId: 2, incomingWindow: 9, nextOutgoingId: 0, outgoingWindow: 5 });
    expect(transfers(side)).toHaveLength(1);
    side.feed({ type: "disposition", role: true, first: 0, last: 1, settled: true, state: { type: "accepted" } });
    expect(side.outcomes).toEqual([["next", "accepted", true]]);
  });

  test("that only wait are cancelled without a word", () => {
    const side = opened();
    const link = side.sender("a", side.begun());
    link.send(message("x"), "x");
    expect(link.cancel("x")).toBe("removed");
    side.credit(link, 5);
    expect(transfers(side)).toHaveLength(0);
  });

  test("above what the peer takes are refused to their caller, and nothing is sent", () => {
    const side = opened();
    const link = side.sender("a", side.begun(), { maxMessageSize: 100 } as never);
    side.credit(link, 5);
    expect(() => link.send(new Uint8Array(101), "x")).toThrow(
      expect.objectContaining({ code: "ERR_PACKET_TOO_LARGE" }),
    );
    expect(link.send(new Uint8Array(100), "y")).toBe(true);
    expect(transfers(side)).toHaveLength(1);
  });

  test("that cannot be encoded are refused to their caller, and nothing is sent", () => {
    const side = opened();
    const link = side.sender("a", side.begun());
    side.credit(link, 5);
    const wrong = { body: { type: "value", value: "\ud800" } } as const;
    expect(() => link.send(wrong, "x")).toThrow(expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }));
    expect(side.types()).toEqual([]);
    expect(link.send(message("y"), "y")).toBe(true);
  });
});

describe("outcomes", () => {
  test("come by ranges across the wrap of the delivery numbers (S1)", () => {
    const side = opened();
    const first = 0xffff_fffd;
    const session = side.begun({}, { nextOutgoingId: first });
    const link = side.sender("a", session);
    side.credit(link, 100, { nextIncomingId: first });
    for (let i = 0; i < 100; i++) link.send(message("x"), `${i}`);
    const sent = transfers(side).map((each) => (each.performative as { deliveryId: number }).deliveryId);
    expect(sent.slice(0, 5)).toEqual([first, 0xffff_fffe, 0xffff_ffff, 0, 1]);
    side.feed({ type: "disposition", role: true, first, last: 96, settled: true, state: { type: "accepted" } });
    expect(side.outcomes.map(([item]) => item)).toEqual(Array.from({ length: 100 }, (_, i) => `${i}`));
  });

  test("in mode second are settled by us after the receiver's word (S15)", () => {
    const side = opened();
    const session = side.begun();
    const link = side.sender("a", session, { rcvSettleMode: 1 } as never);
    side.credit(link, 5);
    for (const item of ["a", "b"]) link.send(message(item), item);
    side.take();
    side.feed({ type: "disposition", role: true, first: 0, last: 1, state: { type: "accepted" } });
    expect(side.outcomes).toEqual([
      ["a", "accepted", false],
      ["b", "accepted", false],
    ]);
    expect(side.only("disposition")).toMatchObject({ role: false, first: 0, last: 1, settled: true });
    expect(session.outgoing.size).toBe(0);
  });

  test("of deliveries that are unknown or settled are ignored", () => {
    const side = opened();
    side.sender("a", side.begun());
    side.feed({ type: "disposition", role: true, first: 5, last: 900, settled: true });
    expect([side.outcomes, side.engine.state]).toEqual([[], "open"]);
  });

  test("that never came are left with the link that ends, in order", () => {
    const side = opened();
    const link = side.sender("a", side.begun());
    side.credit(link, 2);
    for (const item of ["a", "b", "c"]) link.send(message(item), item);
    side.feed({
      type: "detach",
      handle: link.handle,
      closed: true,
      error: { type: "error", condition: "amqp:link:stolen" },
    });
    expect(link.left.unsettled.map((each) => each.item)).toEqual(["a", "b"]);
    expect(link.left.unsent.map((each) => each.item)).toEqual(["c"]);
    expect(side.told.at(-1)).toBe("detach a closed by link peer amqp:link:stolen");
    expect(() => link.send(message("d"), "d")).toThrow(expect.objectContaining({ code: "ERR_NOT_CONNECTED" }));
  });
});

describe("modes", () => {
  test("of the link decide whether messages are settled", () => {
    const side = opened();
    const session = side.begun();
    const settled = side.sender("s", session, { sndSettleMode: 1 } as never);
    const unsettled = side.sender("u", session, { sndSettleMode: 0 } as never);
    for (const link of [settled, unsettled]) side.credit(link, 5);
    const refused = expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" });
    expect(() => settled.send(message("x"), "x", { settled: false })).toThrow(refused);
    expect(() => unsettled.send(message("x"), "x", { settled: true })).toThrow(refused);
    settled.send(message("x"), "x");
    unsettled.send(message("x"), "x");
    expect(transfers(side).map((each) => (each.performative as { settled: boolean | null }).settled)).toEqual([
      true,
      null,
    ]);
  });

  test("transactional states go with the message, large ones in several frames", () => {
    const side = opened(512);
    const link = side.sender("a", side.begun());
    side.credit(link, 5);
    const rare = { state: { type: "transactionalState", txnId: new Uint8Array(32).fill(1) } } as const;
    link.send(new Uint8Array(1_000), "x", { rare });
    const seen = transfers(side);
    expect(seen[0]?.performative).toMatchObject({ state: { type: "transactionalState" }, more: true });
    expect(Math.max(...seen.map((each) => each.bytes))).toBeLessThanOrEqual(512);
    expect(seen.reduce((sum, each) => sum + each.payload.length, 0)).toBe(1_000);
  });
});
