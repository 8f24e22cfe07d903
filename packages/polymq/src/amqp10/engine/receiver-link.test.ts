/** Receiving: credit, multi-frame and aborted deliveries, settlement, drain, what a hostile sender gets. */
import { describe, expect, test } from "vitest";
import { Scripted, textOf, transfer } from "./engine.test-support.ts";

function opened(): Scripted {
  return new Scripted({ role: "client" }).opened();
}

describe("credit", () => {
  test("is told once at the end of the turn, whatever happened in it", () => {
    const side = opened();
    const link = side.receiver("r", side.begun(), 5);
    link.addCredit(1);
    link.addCredit(2);
    expect(side.only("flow")).toMatchObject({ handle: link.handle, linkCredit: 8, deliveryCount: 0, drain: false });
    expect(side.types()).toEqual([]);
  });

  test("is used up by deliveries, and counts on from the sender's first number across its wrap (S1)", () => {
    const side = opened();
    const link = side.receiver("r", side.begun(), 5, { initialDeliveryCount: 0xffff_ffff } as never);
    side.feed(transfer(0, "a", { settled: true }), transfer(1, "b", { settled: true }));
    expect(link.credit).toBe(3);
    link.addCredit(0);
    expect(side.only("flow")).toMatchObject({ deliveryCount: 1, linkCredit: 3 });
  });

  test("that is exceeded ends the link (S4)", () => {
    const side = opened();
    side.receiver("r", side.begun(), 1);
    side.feed(transfer(0, "a"), transfer(1, "b"), transfer(2, "c"));
    expect(side.texts).toEqual(["a"]);
    expect(side.only("detach")).toMatchObject({
      closed: true,
      error: { condition: "amqp:link:transfer-limit-exceeded" },
    });
    expect(side.told.at(-1)).toBe("detach r closed by link violation amqp:link:transfer-limit-exceeded");
    side.feed({ type: "detach", handle: 0, closed: true });
    expect(side.engine.state).toBe("open");
  });
});

describe("a resumed delivery (§2.7.5)", () => {
  test("that we hold no state of is ignored, with all its frames, and takes its credit", () => {
    const side = opened();
    const link = side.receiver("r", side.begun(), 9);
    const [first, payload] = transfer(0, "ab");
    side.feed([{ ...first, resume: true, more: true } as never, payload.subarray(0, payload.length - 1)]);
    side.feed([{ type: "transfer", handle: 0 } as never, payload.subarray(payload.length - 1)]);
    side.feed(transfer(1, "c", { resume: true } as never), transfer(2, "d"));
    expect([side.texts, link.credit, link.session.incoming.size]).toEqual([["d"], 6, 1]);
  });

  test("that our unsettled map has comes once", () => {
    const side = opened();
    const session = side.begun();
    const unsettled = new Map([[Uint8Array.of(0, 7), null]]);
    const link = session.attachReceiver(
      { name: "r", source: { type: "source", address: "q" }, target: { type: "target" }, unsettled },
      "r",
    );
    side.feed({
      type: "attach",
      name: "r",
      handle: 0,
      role: false,
      source: { type: "source", address: "q" },
      target: { type: "target" },
      initialDeliveryCount: 0,
    });
    link.setCredit(9);
    const resumed = { resume: true, deliveryTag: Uint8Array.of(0, 7) } as never;
    side.feed(transfer(0, "a", resumed), transfer(1, "a", resumed));
    expect(side.deliveries.map((each) => [each.id, each.resumed])).toEqual([[0, true]]);
  });
});

describe("a drain", () => {
  test("ends when the sender has given the credit back", () => {
    const side = opened();
    const link = side.receiver("r", side.begun(), 5);
    link.drain();
    expect(side.only("flow")).toMatchObject({ drain: true, linkCredit: 5 });
    side.feed(transfer(0, "a"));
    expect(side.told).not.toContain("drained r");
    side.feed({
      type: "flow",
      incomingWindow: 9,
      nextOutgoingId: 1,
      outgoingWindow: 9,
      handle: 0,
      deliveryCount: 5,
      linkCredit: 0,
      drain: true,
    });
    expect(side.told.at(-1)).toBe("drained r");
    expect([link.credit, link.draining]).toEqual([0, false]);
  });

  test("ends when all credit was used", () => {
    const side = opened();
    side.receiver("r", side.begun(), 1).drain();
    side.feed(transfer(0, "a"));
    expect(side.told.at(-1)).toBe("drained r");
  });
});

describe("deliveries of several frames", () => {
  const [first, payload] = transfer(0, "0123456789");
  const part = (from: number, to: number, fields: object): [never, Uint8Array] => [
    { ...first, ...fields } as never,
    payload.subarray(from, to),
  ];

  test("are given as a list of views, once, when they are whole", () => {
    const side = opened();
    const link = side.receiver("r", side.begun(), 5);
    side.feed(part(0, 5, { more: true }));
    side.feed([{ type: "transfer", handle: 0, more: true }, payload.subarray(5, 8)]);
    expect([side.texts, link.credit]).toEqual([[], 4]);
    side.feed([{ type: "transfer", handle: 0 }, payload.subarray(8)]);
    expect(side.texts).toEqual(["0123456789"]);
    expect(side.deliveries[0]?.payload).toHaveLength(3);
    expect(side.deliveries[0]?.payloadBytes).toBe(payload.length);
  });

  test("that are aborted are never told, and the next one is (S9)", () => {
    const side = opened();
    const session = side.begun();
    side.receiver("r", session, 5);
    side.feed(
      part(0, payload.length, { more: true }),
      { type: "transfer", handle: 0, aborted: true },
      transfer(1, "next"),
    );
    expect(side.texts).toEqual(["next"]);
    expect(session.incoming.size).toBe(1);
  });

  test.each([
    ["another delivery-id", { deliveryId: 7 }],
    ["another message-format", { deliveryId: 0, messageFormat: 9 }],
  ])("with %s in between end the link", (_, fields) => {
    const side = opened();
    side.receiver("r", side.begun(), 5);
    side.feed(part(0, 5, { more: true }), [{ type: "transfer", handle: 0, ...fields }, payload.subarray(5)]);
    expect(side.texts).toEqual([]);
    expect(side.only("detach")).toMatchObject({ error: { condition: "amqp:not-allowed" } });
  });

  test("of very many small frames are joined on the way and stay right", () => {
    const side = opened();
    side.receiver("r", side.begun(), 5);
    const [head, whole] = transfer(0, "x".repeat(3_000));
    side.feed([{ ...head, more: true } as never, whole.subarray(0, 1)]);
    for (let at = 1; at < whole.length - 1; at++) {
      side.feed([{ type: "transfer", handle: 0, more: true }, whole.subarray(at, at + 1)]);
      if (at % 500 === 0) side.take();
    }
    side.feed([{ type: "transfer", handle: 0 }, whole.subarray(-1)]);
    expect(side.texts).toEqual(["x".repeat(3_000)]);
    expect(side.deliveries[0]?.payload.length).toBeLessThan(2_000);
  });

  test("that are large are gathered as they come, and given in one piece", () => {
    const side = opened();
    side.receiver("r", side.begun(), 5);
    const [head, whole] = transfer(0, "0123456789".repeat(1_000_000));
    const step = 60_000;
    for (let at = 0; at < whole.length; at += step) {
      const more = at + step < whole.length;
      const fields = at === 0 ? { ...head, more } : { type: "transfer", handle: 0, more };
      side.feed([fields as never, whole.subarray(at, at + step)]);
      side.take();
    }
    const payload = side.deliveries[0]?.payload;
    expect(payload).toBeInstanceOf(Uint8Array);
    expect(Buffer.from(payload as Uint8Array).equals(whole)).toBe(true);
  });

  test.each([
    ["in as much memory as they say that they take", 20_000_000, 20_000_000],
    ["in memory that grows, where they are longer than they say", 20_000_000, 2_000_000],
    ["as they came, where they are shorter than they say", 2_000_000, 100_000_000],
  ])("that are large are gathered %s", (_, length, claimed) => {
    const side = opened();
    side.receiver("r", side.begun(), 5);
    const [head] = transfer(0, "");
    const whole = new Uint8Array(length).map((_byte, index) => index % 251);
    whole.set([0x00, 0x53, 0x75, 0xb0, claimed >>> 24, claimed >>> 16, claimed >>> 8, claimed]);
    const step = 60_000;
    for (let at = 0; at < length; at += step) {
      const more = at + step < length;
      const fields = at === 0 ? { ...head, more } : { type: "transfer", handle: 0, more };
      side.feed([fields as never, whole.subarray(at, at + step)]);
      side.take();
    }
    const payload = side.deliveries[0]?.payload as Uint8Array | Uint8Array[];
    const parts = payload instanceof Uint8Array ? [payload] : payload;
    expect(Buffer.concat(parts).equals(whole)).toBe(true);
    const held = parts.reduce((sum, each) => sum + each.buffer.byteLength, 0);
    if (claimed === length) expect(held).toBeLessThan(length + 10_000);
  });

  test("above the largest message end the link with message-size-exceeded", () => {
    const side = opened();
    const session = side.begun();
    const link = session.attachReceiver({ name: "r", maxMessageSize: 100, source: { type: "source" } }, "r");
    side.feed({
      type: "attach",
      name: "r",
      handle: 0,
      role: false,
      source: { type: "source" },
      initialDeliveryCount: 0,
    });
    link.setCredit(5);
    side.take();
    side.feed(transfer(0, "x".repeat(60), { more: true }), [{ type: "transfer", handle: 0 }, new Uint8Array(60)]);
    expect(side.only("detach")).toMatchObject({ error: { condition: "amqp:link:message-size-exceeded" } });
  });
});

describe("settlement", () => {
  test("of neighbours leaves as one range at the end of the turn, backwards too", () => {
    const side = opened();
    const link = side.receiver("r", side.begun(), 100);
    for (let id = 0; id < 10; id++) side.feed(transfer(id, "x"));
    for (const delivery of side.deliveries.slice(0, 5)) expect(link.settle(delivery, { type: "accepted" })).toBe(true);
    for (const delivery of side.deliveries.slice(5).reverse()) link.settle(delivery, { type: "released" });
    const seen = side.performatives();
    expect(seen).toMatchObject([
      { type: "disposition", role: true, first: 0, last: 4, settled: true, state: { type: "accepted" } },
      { type: "disposition", role: true, first: 5, last: 9, settled: true, state: { type: "released" } },
    ]);
    const [once] = side.deliveries;
    expect(once && link.settle(once, { type: "accepted" })).toBe(false);
  });

  test("with a state that cannot be encoded is refused, and the delivery stays", () => {
    const side = opened();
    const link = side.receiver("r", side.begun(), 1);
    side.feed(transfer(0, "x"));
    const delivery = side.deliveries[0];
    if (delivery === undefined) return expect.unreachable();
    const wrong = { type: "rejected", error: { type: "error", condition: "é" } } as const;
    expect(() => link.settle(delivery, wrong)).toThrow(expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }));
    expect(link.settle(delivery, { type: "rejected", error: { type: "error", condition: "x" } })).toBe(true);
    expect(side.only("disposition")).toMatchObject({ state: { type: "rejected", error: { condition: "x" } } });
  });

  test("in mode second is the sender's last word (S15)", () => {
    const side = opened();
    const session = side.begun();
    const link = session.attachReceiver({ name: "r", rcvSettleMode: 1, source: { type: "source" } }, "r");
    side.feed({
      type: "attach",
      name: "r",
      handle: 0,
      role: false,
      rcvSettleMode: 1,
      source: { type: "source" },
      initialDeliveryCount: 0,
    });
    link.setCredit(5);
    side.take();
    side.feed(transfer(0, "x"));
    const delivery = side.deliveries[0];
    if (delivery === undefined) return expect.unreachable();
    link.settle(delivery, { type: "accepted" });
    expect(side.only("disposition")).toMatchObject({ settled: false, state: { type: "accepted" } });
    expect(delivery.settled).toBe(false);
    side.feed({ type: "disposition", role: false, first: 0, settled: true });
    expect(side.told.at(-1)).toBe("settled 0 accepted true");
    expect([delivery.settled, session.incoming.size]).toEqual([true, 0]);
  });

  test("by the peer without being asked is told (RabbitMQ's consumer timeout)", () => {
    const side = opened();
    side.receiver("r", side.begun(), 5);
    side.feed(transfer(0, "x"), { type: "disposition", role: false, first: 0, state: { type: "released" } });
    expect(side.told.at(-1)).toBe("settled 0 released false");
  });

  test("that nobody does holds up nobody: 10,000 deliveries pass beside one unsettled (S7)", () => {
    const side = opened();
    const session = side.begun();
    const [a, b] = [side.receiver("a", session, 1), side.receiver("b", session, 20_000)];
    side.feed(transfer(0, "held", { handle: a.handle }));
    for (let id = 1; id <= 10_000; id++) {
      side.feed(transfer(id, "x", { handle: b.handle }));
      const last = side.deliveries.at(-1);
      if (last !== undefined) b.settle(last, { type: "accepted" });
      if (id % 500 === 0) side.take();
    }
    expect(side.deliveries).toHaveLength(10_001);
    expect(session.incoming.size).toBe(1);
    expect(side.deliveries[0] && textOf(side.deliveries[0])).toBe("held");
    expect(side.engine.state).toBe("open");
  });
});

describe("a link that the peer detaches without closing", () => {
  test("is told so, and is attached again by its name (S16)", () => {
    const side = opened();
    const session = side.begun();
    side.receiver("r", session, 5);
    side.feed({ type: "detach", handle: 0 });
    expect(side.told.at(-1)).toBe("detach r by link peer");
    expect(side.only("detach")).toMatchObject({ closed: false });
    const again = side.receiver("r", session, 5);
    side.feed(transfer(0, "back"));
    expect([again.handle, side.texts]).toEqual([0, ["back"]]);
  });
});
