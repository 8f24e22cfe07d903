import { describe, expect, test } from "vitest";
import { message, Pair, Scripted, transfer } from "./engine.test-support.ts";

describe("a client and a server engine", () => {
  test.each([1, 7, 1_000_000])("open, begin, attach, send, settle and close, in chunks of %i bytes (C12)", (cut) => {
    const pair = new Pair();
    const session = pair.opened({}, cut);
    pair.server.onOffer = (link) => {
      link.accept();
      if (!link.isSender) link.setCredit(10);
    };
    pair.server.onMessage = (delivery) => delivery.link.settle(delivery, { type: "accepted" });
    const sender = session.attachSender({ name: "s", target: { type: "target", address: "q" } }, "s");
    expect(sender.send(message("waits"), "0")).toBe(false);
    pair.run(cut);
    expect(sender.send(message("goes"), "1")).toBe(true);
    sender.send(message("settled"), "2", { settled: true });
    pair.run(cut);
    expect(pair.server.texts).toEqual(["waits", "goes", "settled"]);
    expect(pair.client.outcomes).toEqual([
      ["0", "accepted", true],
      ["1", "accepted", true],
    ]);
    sender.detach({ closed: true });
    pair.run(cut);
    session.end();
    pair.run(cut);
    pair.client.engine.close();
    pair.run(cut);
    expect(pair.client.told.slice(-3)).toEqual([
      "detach s closed by link us",
      "end ours by session us",
      "close by connection us",
    ]);
    expect(pair.server.told.slice(-3)).toEqual([
      "detach s closed by link peer",
      "end theirs by session peer",
      "close by connection peer",
    ]);
    expect(pair.client.engine.over && pair.server.engine.over).toBe(true);
  });

  test("the server sends to the client's receiver, and an outcome of each kind comes back (S14)", () => {
    const pair = new Pair();
    const session = pair.opened();
    const kinds = ["accepted", "rejected", "released", "modified"] as const;
    pair.server.onRoom = (link) => {
      pair.server.onRoom = () => {};
      for (const kind of kinds) link.send(message(kind), kind);
    };
    pair.client.onMessage = (delivery) => delivery.link.settle(delivery, { type: kinds[delivery.id] ?? "accepted" });
    const receiver = session.attachReceiver({ name: "r", source: { type: "source", address: "q" } }, "r");
    receiver.setCredit(10);
    pair.run();
    expect(pair.client.texts).toEqual([...kinds]);
    expect(pair.server.outcomes).toEqual(kinds.map((kind) => [kind, kind, true]));
    expect(receiver.credit).toBe(6);
  });
});

describe("opening", () => {
  test("a client without SASL sends header and open at once", () => {
    const side = new Scripted({ role: "client", maxFrameSize: 1_000, idleTimeoutMs: 60_000 });
    side.engine.start();
    expect(side.only("open")).toMatchObject({
      containerId: "client",
      maxFrameSize: 1_000,
      channelMax: 255,
      idleTimeOut: 30_000,
    });
  });

  test("a server answers header and open", () => {
    const side = new Scripted({ role: "server" }).opened();
    expect(side.engine.peer?.containerId).toBe("peer");
    expect(side.told).toEqual(["open peer"]);
  });
});

describe("transfers to a receiver", () => {
  test("are views of the received chunk", () => {
    const side = new Scripted({ role: "client" });
    side.receiver("r", side.begun(), 5);
    side.feed(transfer(0, "one"), transfer(1, "two", { settled: true }));
    expect(side.texts).toEqual(["one", "two"]);
    expect(side.deliveries.map((each) => each.settled)).toEqual([false, true]);
  });
});
