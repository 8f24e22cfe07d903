/** Sessions and links: attach and detach from both sides, windows, what a hostile peer gets. */
import { describe, expect, test } from "vitest";
import type { PerformativeInput } from "../codec/tables.ts";
import { endError } from "./end.ts";
import { message, Pair, Scripted, transfer } from "./engine.test-support.ts";

type Fed = PerformativeInput | [PerformativeInput, Uint8Array];

function opened(): Scripted {
  return new Scripted({ role: "client" }).opened();
}

describe("the incoming window", () => {
  test("is told anew when half of it is used, once per turn", () => {
    const side = opened();
    side.receiver("r", side.begun({}, { incomingWindow: 4 }), 100);
    side.feed(transfer(0, "a"), transfer(1, "b"), transfer(2, "c"));
    expect(side.only("flow")).toMatchObject({ handle: null, nextIncomingId: 3, incomingWindow: 4 });
  });

  test("that is exceeded ends the session", () => {
    const side = opened();
    side.receiver("r", side.begun({}, { incomingWindow: 2 }), 100);
    side.feed(transfer(0, "a"), transfer(1, "b"), transfer(2, "c"));
    expect(side.only("end")).toMatchObject({ error: { condition: "amqp:session:window-violation" } });
    expect(side.told.slice(-2)).toEqual([
      "detach r by session violation amqp:session:window-violation",
      "end ours by session violation amqp:session:window-violation",
    ]);
    side.feed(transfer(3, "dropped"), { type: "end" });
    expect([side.engine.state, side.texts]).toEqual(["open", ["a", "b"]]);
    expect(side.told.filter((line) => line.startsWith("end"))).toHaveLength(1);
  });
});

describe("frames that fit no link (S10)", () => {
  const rows: [string, Fed[], string][] = [
    ["a transfer before any attach", [transfer(0, "x")], "amqp:session:unattached-handle"],
    [
      "a flow on an unknown handle",
      [{ type: "flow", incomingWindow: 1, nextOutgoingId: 0, outgoingWindow: 1, handle: 9 }],
      "amqp:session:unattached-handle",
    ],
    ["a detach of an unknown handle", [{ type: "detach", handle: 9 }], "amqp:session:unattached-handle"],
    ["a second attach of a handle", [attach("x", 1), attach("y", 1)], "amqp:session:handle-in-use"],
    ["a transfer on a link that we send on", [attach("x", 1), transfer(0, "x", { handle: 1 })], "amqp:not-allowed"],
  ];
  test.each(rows)("%s ends the session", (_, frames, condition) => {
    const side = opened();
    side.begun();
    side.feed(...frames);
    const end = side.performatives().find((each) => each?.type === "end");
    expect(end).toMatchObject({ error: { condition } });
    expect(side.engine.state).toBe("open");
  });

  test("an attach beyond the largest handle ends the connection", () => {
    const side = opened();
    side.begun({}, { handleMax: 3 });
    side.feed(attach("x", 4));
    expect(side.only("close")).toMatchObject({ error: { condition: "amqp:connection:framing-error" } });
  });
});

function attach(name: string, handle: number): { type: "attach"; name: string; handle: number; role: true } {
  return { type: "attach", name, handle, role: true };
}

describe("attaching", () => {
  test("that the peer refuses is told by its detach, with the reason", () => {
    const side = opened();
    const link = side.begun().attachSender({ name: "a", target: { type: "target", address: "no" } }, "a");
    side.feed(attach("a", 0));
    expect([link.attached, side.told.includes("attach a")]).toEqual([false, false]);
    const error = {
      type: "error",
      condition: "amqp:not-found",
      description: "no such node",
      info: { hint: 1 },
    } as const;
    side.feed({ type: "detach", handle: 0, closed: true, error });
    expect(side.told.at(-1)).toBe("detach a closed by link peer amqp:not-found");
    const end = side.ends.at(-1);
    if (end === undefined) return expect.unreachable();
    expect(endError(end)).toMatchObject({
      code: "ERR_LINK_DETACHED",
      peer: { code: "amqp:not-found", text: "no such node" },
    });
    expect(end.error?.info?.get("hint")).toBe(1);
    expect(endError(end).peer?.info).toBe(end.error?.info);
  });

  test("a name twice in one direction is refused to the caller, in the other it is not", () => {
    const side = opened();
    const session = side.begun();
    session.attachSender({ name: "a" }, "a");
    session.attachReceiver({ name: "a" }, "a");
    expect(() => session.attachSender({ name: "a" }, "a")).toThrow(
      expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }),
    );
  });

  test("beyond the peer's largest handle is refused to the caller", () => {
    const session = opened().begun({ handleMax: 1 });
    session.attachSender({ name: "a" }, "a");
    session.attachSender({ name: "b" }, "b");
    expect(() => session.attachSender({ name: "c" }, "c")).toThrow(
      expect.objectContaining({ code: "ERR_UNSUPPORTED" }),
    );
  });

  test("from the peer is offered, and may be refused with a reason", () => {
    const pair = new Pair();
    const session = pair.opened();
    pair.server.onOffer = (link) => link.refuse({ type: "error", condition: "amqp:unauthorized-access" });
    session.attachSender({ name: "s", target: { type: "target", address: "q" } }, "s");
    session.attachReceiver({ name: "r", source: { type: "source", address: "q" } }, "r");
    pair.run();
    expect(pair.client.told.slice(-2)).toEqual([
      "detach s closed by link peer amqp:unauthorized-access",
      "detach r closed by link peer amqp:unauthorized-access",
    ]);
    expect(pair.server.engine.sessions[0]?.links).toEqual([]);
  });

  test.each([
    ["its maker, who gets an attach and a detach", "client"],
    ["whoever would have to answer, as a refusal", "server"],
  ] as const)("may be ended before it is answered by %s", (_, who) => {
    const pair = new Pair();
    const session = pair.opened();
    const offered: { detach(how: { closed: boolean }): void }[] = [];
    pair.server.onOffer = (link) => void offered.push(link);
    const link = session.attachReceiver({ name: "r", source: { type: "source", address: "q" } }, "r");
    pair.run();
    (who === "client" ? link : offered[0])?.detach({ closed: true });
    pair.run();
    expect(pair.client.told.at(-1)).toBe(`detach r closed by link ${who === "client" ? "us" : "peer"}`);
    expect(pair.server.engine.sessions[0]?.links).toEqual([]);
    expect(pair.client.engine.over).toBe(false);
    const again = session.attachReceiver({ name: "r", source: { type: "source", address: "q" } }, "r");
    pair.server.onOffer = (each) => each.accept();
    pair.run();
    expect(again.attached).toBe(true);
  });

  test("5,000 links come and go, and their handles are used again (S24)", () => {
    const pair = new Pair({ session: { handleMax: 65_535 } }, { session: { handleMax: 65_535 } });
    const session = pair.opened({ handleMax: 65_535 });
    for (let round = 0; round < 2; round++) {
      const links = Array.from({ length: 2_500 }, (_, i) =>
        session.attachSender({ name: `l${i}`, target: { type: "target" } }, "l"),
      );
      pair.run();
      expect(Math.max(...links.map((link) => link.handle))).toBe(2_499);
      for (const link of links) link.detach({ closed: true });
      pair.run();
      expect(session.links).toEqual([]);
    }
  });
});

describe("what still comes after our detach", () => {
  test("is dropped until the peer has answered", () => {
    const side = opened();
    const link = side.receiver("r", side.begun(), 5);
    link.detach({ closed: true });
    side.feed(transfer(0, "late"), { type: "detach", handle: 0, closed: true });
    expect([side.texts, side.told.at(-1)]).toEqual([[], "detach r closed by link us"]);
  });
});

describe("the connection's end", () => {
  test("reaches every link and session once, with what was unsettled", () => {
    const side = opened();
    const link = side.sender("a", side.begun());
    side.credit(link, 1);
    link.send(message("x"), "x");
    link.send(message("y"), "y");
    side.engine.lost(new Error("cut"));
    side.engine.lost(new Error("again"));
    expect(side.told.slice(-3)).toEqual([
      "detach a by connection lost",
      "end ours by connection lost",
      "close by connection lost",
    ]);
    expect([link.left.unsettled, link.left.unsent].map((list) => list.map((each) => each.item))).toEqual([
      ["x"],
      ["y"],
    ]);
  });
});

describe("a closing detach that the owner answers itself", () => {
  test("is told at once and answered when the owner says so, with its reason; the peer's handle is free meanwhile", () => {
    const side = opened();
    const session = side.begun();
    const link = side.receiver("r", session, 5);
    link.answersLater = true;
    side.take();
    side.feed({ type: "detach", handle: 0, closed: true });
    expect([side.told.at(-1), link.state.is, side.types(), session.links]).toEqual([
      "detach r closed by link peer",
      "leaving",
      [],
      [link],
    ]);
    link.detach({ closed: true });
    side.feed({ type: "attach", name: "other", handle: 0, role: false, source: { type: "source" }, target: null });
    expect(side.only("attach")).toMatchObject({ name: "other", handle: 1 });
    link.answerDetach({ type: "error", condition: "amqp:internal-error" });
    link.answerDetach();
    expect(side.only("detach")).toMatchObject({ handle: 0, closed: true, error: { condition: "amqp:internal-error" } });
    expect(session.links.map(({ name }) => name)).toEqual(["other"]);
    side.feed({ type: "detach", handle: 0, closed: true });
    expect([side.only("detach"), session.links]).toMatchObject([{ handle: 1 }, []]);
  });

  test("is answered at once when it does not close, and is nobody's any more when the session ends first", () => {
    const side = opened();
    const session = side.begun();
    const [kept, closed] = [side.receiver("a", session, 5), side.receiver("b", session, 5)];
    for (const link of [kept, closed]) link.answersLater = true;
    side.take();
    side.feed({ type: "detach", handle: kept.remoteHandle, closed: false });
    expect(side.only("detach")).toMatchObject({ handle: kept.handle, closed: false });
    side.feed({ type: "detach", handle: closed.remoteHandle, closed: true }, { type: "end" });
    closed.answerDetach();
    expect(side.types()).toEqual(["end"]);
    expect(side.told.filter((line) => line.startsWith("detach b"))).toEqual(["detach b closed by link peer"]);
  });
});

describe("an end that is left unanswered", () => {
  test("is over for us when we say so, and its answer is told nobody any more", () => {
    const side = opened();
    const session = side.begun();
    side.receiver("r", session, 1);
    session.giveUpWaiting();
    expect([session.state, side.ends]).toEqual(["mapped", []]);
    session.end();
    session.giveUpWaiting();
    session.giveUpWaiting();
    const told = side.told.slice(-2);
    expect(told).toEqual(["detach r by session us", "end ours by session us"]);
    side.feed({ type: "end" });
    expect([session.state, side.engine.sessions, side.told.slice(-2)]).toEqual(["ended", [], told]);
    side.engine.close();
    expect(side.ends.filter((end) => end.scope === "session")).toHaveLength(2);
  });

  test("keeps its channel until no other is free, the oldest for the longest", () => {
    const limited = new Scripted({ role: "client", channelMax: 1 }).opened({ channelMax: 1 });
    const [first, second] = [limited.begun(), limited.engine.begin({}, "second")];
    limited.feedOn(1, { type: "begin", remoteChannel: 1, nextOutgoingId: 0, incomingWindow: 1, outgoingWindow: 1 });
    second.end();
    first.end();
    expect(() => limited.engine.begin({}, "third")).toThrow(expect.objectContaining({ code: "ERR_UNSUPPORTED" }));
    second.giveUpWaiting();
    first.giveUpWaiting();
    expect([limited.engine.begin({}, "third").channel, limited.engine.begin({}, "fourth").channel]).toEqual([1, 0]);
    expect(() => limited.engine.begin({}, "fifth")).toThrow(expect.objectContaining({ code: "ERR_UNSUPPORTED" }));
    limited.feedOn(1, { type: "begin", remoteChannel: 1, nextOutgoingId: 0, incomingWindow: 1, outgoingWindow: 1 });
    limited.feedOn(1, { type: "end" });
    expect([limited.told.at(-1), limited.engine.sessions.length]).toEqual(["end third by session peer", 1]);
    expect(limited.engine.begin({}, "fifth").channel).toBe(1);
  });

  test("whose answer comes frees its channel", () => {
    const limited = new Scripted({ role: "client", channelMax: 0 }).opened({ channelMax: 0 });
    const first = limited.begun();
    first.end();
    first.giveUpWaiting();
    limited.feed({ type: "end" });
    limited.begun();
    expect(() => limited.engine.begin({}, "third")).toThrow(expect.objectContaining({ code: "ERR_UNSUPPORTED" }));
  });
});
