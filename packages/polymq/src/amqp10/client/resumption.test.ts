import { describe, expect, test } from "vitest";
import { AmqpMap, type AmqpValue, Described, typed } from "../codec/values.ts";
import { text } from "../engine/engine.test-support.ts";
import { type LabServer, recoveringLab, until } from "./client-lab.test-support.ts";
import { resumptionOf } from "./resumption.ts";

const tag = Uint8Array.of(0, 0, 0, 1);
const state = (code: number, fields: readonly AmqpValue[] = []): Described =>
  new Described(typed("ulong", code), fields);
const held = (value: AmqpValue): AmqpMap => new AmqpMap([[tag.slice(), value]]);

describe("a delivery that was on its way (§2.6.13, S19)", () => {
  test.each<[string, AmqpMap | null, unknown]>([
    ["no map", null, "new"],
    ["a map without it", new AmqpMap([[Uint8Array.of(9), null]]), "new"],
    ["it without a state", held(null), "again"],
    ["a part of it", held(state(0x23, [0, 5])), "again"],
    ["it accepted", held(state(0x24)), { type: "accepted" }],
    ["it rejected", held(state(0x25)), { type: "rejected", error: null }],
    ["it released", held(state(0x26)), { type: "released" }],
    ["it modified", held(state(0x27, [true])), { type: "modified", deliveryFailed: true }],
  ])("of which the receiver has %s", (_name, unsettled, expected) => {
    const then = resumptionOf(text, unsettled, tag);
    if (typeof expected === "string") expect(then).toBe(expected);
    else expect(then).toMatchObject(expected as object);
  });

  test("goes on as the unsettled map of the server's attach says, each in its way, and each resolves once", async () => {
    const theirs: [AmqpValue, AmqpValue][] = [];
    const seen: unknown[] = [];
    const { connection, servers } = await recoveringLab({}, (server: LabServer, index) => {
      server.onOffer = (link) => {
        server.links.set(link.name, link);
        const ours = link.state.is === "offered" ? link.state.attach.unsettled : null;
        if (index > 0) seen.push([...(ours ?? [])].map(([key, value]) => [(key as Uint8Array).join(), value]));
        link.accept(index === 0 ? {} : { unsettled: new AmqpMap(theirs) });
        if (!link.isSender) link.setCredit(100);
      };
      if (index === 0) server.outcome = null;
    });
    const session = await connection.createSession();
    const sender = await session.createSender("q", { target: { durability: "unsettledState", expiryPolicy: "never" } });
    const sends = ["new", "again", "accepted", "rejected"].map((data) => sender.send(new TextEncoder().encode(data)));
    const settled = Promise.allSettled(sends);
    const first = servers[0] as LabServer;
    await until(() => first.deliveries.length === 4);
    const tags = first.deliveries.map((delivery) => delivery.tag.slice());
    theirs.push(
      [tags[1] as Uint8Array, null],
      [tags[2] as Uint8Array, state(0x24)],
      [tags[3] as Uint8Array, state(0x25)],
    );
    first.transport.destroy();
    const results = await settled;
    expect(results.map((each) => (each.status === "fulfilled" ? each.value : each.reason.code))).toEqual([
      { type: "accepted" },
      { type: "accepted" },
      { type: "accepted" },
      "ERR_PUBLISH_REJECTED",
    ]);
    const server = servers[1] as LabServer;
    expect(seen).toEqual([tags.map((each) => [each.join(), null])]);
    await until(() => server.deliveries.length === 4);
    expect(
      server.deliveries.map(({ resumed, settled: done, payloadBytes }) => [resumed, done, payloadBytes > 0]),
    ).toEqual([
      [false, true, true],
      [true, true, true],
      [true, true, false],
      [true, true, false],
    ]);
    expect(server.deliveries[2]?.state).toMatchObject({ type: "accepted" });
    expect([sender.pendingMessages, sender.waitingMessages]).toEqual([0, 0]);
    await connection.close();
  });

  test("ends with its link where the server's map is not whole: what it leaves out may have arrived, and nothing new may follow", async () => {
    const { connection, servers } = await recoveringLab({}, (server: LabServer, index) => {
      server.onOffer = (link) => {
        server.links.set(link.name, link);
        link.accept(index === 0 ? {} : { unsettled: new AmqpMap([]), incompleteUnsettled: true });
        if (!link.isSender) link.setCredit(100);
      };
      if (index === 0) server.outcome = null;
    });
    const session = await connection.createSession();
    const sender = await session.createSender("q", { target: { durability: "unsettledState", expiryPolicy: "never" } });
    const sending = sender.send("x");
    const failed = expect(sending).rejects.toMatchObject({ code: "ERR_NOT_SUPPORTED_BY_SERVER" });
    await until(() => servers[0]?.deliveries.length === 1);
    servers[0]?.transport.destroy();
    await failed;
    expect([servers[1]?.deliveries, connection.state]).toEqual([[], "open"]);
    await connection.close();
  });

  test("is sent anew without a word of it to a server that keeps nothing", async () => {
    const unsettled: unknown[] = [];
    const { connection, servers } = await recoveringLab({}, (server: LabServer, index) => {
      server.onOffer = (link) => {
        unsettled.push(link.state.is === "offered" ? link.state.attach.unsettled : "?");
        server.acceptLink(link);
      };
      if (index === 0) server.outcome = null;
    });
    const sender = await (await connection.createSession()).createSender("q");
    const sending = sender.send("x");
    await until(() => servers[0]?.deliveries.length === 1);
    servers[0]?.transport.destroy();
    await sending;
    expect(unsettled).toEqual([null, null]);
    await connection.close();
  });
});
