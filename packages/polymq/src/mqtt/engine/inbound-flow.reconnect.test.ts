import { describe, expect, test } from "vitest";
import { Acks, arrive, deliver, opened, reconnect, repeat } from "./inbound-flow.test-support.ts";
import { Arrival, InboundFlow } from "./inbound-flow.ts";

describe("InboundFlow: the link breaks and the session goes on", () => {
  test.each([1, 2] as const)(
    "a QoS %i message settled before its repetition is acknowledged when it comes again",
    (qos) => {
      const { flow, acks } = opened();
      const ticket = deliver(flow, 5, qos);
      flow.suspend();
      expect(flow.settle(ticket, 0x10)).toBe(true);
      expect([flow.isOpen(ticket), flow.settle(ticket, 0)]).toEqual([false, false]);
      expect(acks.take()).toEqual([]);
      const next = new Acks();
      flow.open(next, 100, true);
      expect(next.take()).toEqual([]);
      expect(repeat(flow, 5, qos)).toBe(Arrival.Repeated);
      expect(next.take()).toEqual([qos === 1 ? "a5:0x10" : "r5:0x10"]);
    },
  );

  test.each([1, 2] as const)(
    "a QoS %i message settled on the new link before its repetition is acknowledged with it",
    (qos) => {
      const { flow } = opened();
      const ticket = deliver(flow, 5, qos);
      const next = reconnect(flow);
      expect(flow.settle(ticket, 0)).toBe(true);
      expect(next.take()).toEqual([]);
      expect(repeat(flow, 5, qos)).toBe(Arrival.Repeated);
      expect(next.take()).toEqual([qos === 1 ? "a5" : "r5"]);
    },
  );

  test.each([1, 2] as const)("a QoS %i message settled after its repetition is acknowledged then", (qos) => {
    const { flow } = opened();
    const ticket = deliver(flow, 5, qos);
    const next = reconnect(flow);
    expect(repeat(flow, 5, qos)).toBe(Arrival.Repeated);
    expect([flow.isOpen(ticket), next.take()]).toEqual([true, []]);
    expect([flow.settle(ticket, 0), flow.settle(ticket, 0), flow.isOpen(ticket)]).toEqual([true, false, false]);
    expect(next.take()).toEqual([qos === 1 ? "a5" : "r5"]);
  });

  test.each([1, 2] as const)("a QoS %i message lives through two broken links", (qos) => {
    const { flow } = opened();
    const ticket = deliver(flow, 5, qos);
    reconnect(flow);
    expect(repeat(flow, 5, qos)).toBe(Arrival.Repeated);
    const third = reconnect(flow);
    expect(repeat(flow, 5, qos)).toBe(Arrival.Repeated);
    expect(flow.isOpen(ticket)).toBe(true);
    expect(flow.settle(ticket, 0)).toBe(true);
    expect(third.take()).toEqual([qos === 1 ? "a5" : "r5"]);
  });

  test("QoS 1 messages behind one whose acknowledgement got lost are delivered again with it, in their order [MQTT-4.6.0-6]", () => {
    const { flow } = opened();
    const older = deliver(flow, 5, 1);
    const newer = deliver(flow, 6, 1);
    flow.settle(older, 0);
    reconnect(flow);
    expect([repeat(flow, 5, 1), repeat(flow, 6, 1)]).toEqual([Arrival.Deliver, Arrival.Deliver]);
    expect([flow.isOpen(newer), flow.settle(newer, 0)]).toEqual([false, false]);
  });

  test("an acknowledgement of this connection only leaves in its turn there, and is forgotten with it", () => {
    const { flow, acks } = opened();
    const first = deliver(flow, 5, 1);
    flow.settle(deliver(flow, 6, 1), 0, false);
    expect([repeat(flow, 6, 1), acks.take()]).toEqual([Arrival.Repeated, []]);
    flow.settle(first, 0);
    expect(acks.take()).toEqual(["a5", "a6"]);
    deliver(flow, 5, 1);
    flow.settle(deliver(flow, 6, 1), 0, false);
    const next = reconnect(flow);
    expect([repeat(flow, 6, 1), next.take()]).toEqual([Arrival.Deliver, []]);
  });

  test("a QoS 1 message behind one that was withheld is not delivered again while it is being handled", () => {
    const { flow } = opened();
    flow.withhold(deliver(flow, 5, 1));
    const ticket = deliver(flow, 6, 1);
    reconnect(flow);
    expect([repeat(flow, 5, 1), repeat(flow, 6, 1)]).toEqual([Arrival.Deliver, Arrival.Repeated]);
    expect(flow.isOpen(ticket)).toBe(true);
  });

  test.each([1, 2] as const)("a QoS %i message that was not repeated on the link between is still known", (qos) => {
    const { flow } = opened();
    const ticket = deliver(flow, 5, qos);
    reconnect(flow);
    const third = reconnect(flow);
    flow.settle(ticket, 0);
    expect(repeat(flow, 5, qos)).toBe(Arrival.Repeated);
    expect(third.take()).toEqual([qos === 1 ? "a5" : "r5"]);
  });

  test("an acknowledgement that waited for its turn when the link broke leaves with the repetition", () => {
    const { flow } = opened();
    const first = deliver(flow, 1, 1);
    flow.settle(deliver(flow, 2, 2), 0);
    const next = reconnect(flow);
    repeat(flow, 1, 1);
    repeat(flow, 2, 2);
    expect(next.take()).toEqual([]);
    flow.settle(first, 0);
    expect(next.take()).toEqual(["a1", "r2"]);
  });

  test("repetitions and new messages are acknowledged in the order of their arrival on the new link", () => {
    const { flow } = opened();
    const old = [deliver(flow, 1, 1), deliver(flow, 2, 2)];
    const next = reconnect(flow);
    repeat(flow, 2, 2);
    const fresh = deliver(flow, 7, 1);
    repeat(flow, 1, 1);
    flow.settle(fresh, 0);
    flow.settle(old[0] ?? -1, 0);
    flow.settle(old[1] ?? -1, 0);
    expect(next.take()).toEqual(["r2", "a7", "a1"]);
  });

  test("a QoS 1 id that comes back without DUP is a new message, and the old one is void [MQTT-4.3.2-5]", () => {
    const { flow } = opened();
    const old = deliver(flow, 5, 1);
    const next = reconnect(flow);
    const fresh = deliver(flow, 5, 1);
    expect([flow.isOpen(old), flow.settle(old, 0)]).toEqual([false, false]);
    expect(repeat(flow, 5, 1)).toBe(Arrival.Repeated);
    flow.settle(fresh, 0);
    expect(next.take()).toEqual(["a5"]);
  });

  test("a QoS 2 message with PUBREC out is remembered: PUBREC again, then PUBREL is known [MQTT-4.3.3-10]", () => {
    const { flow } = opened();
    flow.settle(deliver(flow, 5, 2), 0);
    const next = reconnect(flow);
    expect(repeat(flow, 5, 2)).toBe(Arrival.Repeated);
    expect(next.take()).toEqual(["r5"]);
    expect(flow.released(5)).toBe(true);
  });

  test("a message settled with a refusal while the link was down is refused with its repetition, and then forgotten", () => {
    const { flow } = opened();
    const ticket = deliver(flow, 5, 2);
    flow.suspend();
    flow.settle(ticket, 0x83);
    const next = new Acks();
    flow.open(next, 100, true);
    repeat(flow, 5, 2);
    expect(next.take()).toEqual(["r5:0x83"]);
    expect(repeat(flow, 5, 2)).toBe(Arrival.Deliver);
  });

  test("many carried messages settle in any order and are acknowledged in that of their repetitions", () => {
    const { flow } = opened(65_535);
    const ids = Array.from({ length: 20_000 }, (_, i) => i + 1);
    const tickets = ids.map((id) => deliver(flow, id, id % 2 === 0 ? 1 : 2));
    reconnect(flow, 65_535);
    for (const id of ids) expect(repeat(flow, id, id % 2 === 0 ? 1 : 2)).toBe(Arrival.Repeated);
    const next = reconnect(flow, 65_535);
    for (let i = tickets.length - 1; i >= 0; i--) expect(flow.settle(tickets[i] ?? -1, 0)).toBe(true);
    for (const id of ids) repeat(flow, id, id % 2 === 0 ? 1 : 2);
    expect(next.take()).toEqual(ids.map((id) => `${id % 2 === 0 ? "a" : "r"}${id}`));
  });
});

describe("InboundFlow: a peer gives an id to another QoS 1 message", () => {
  const first = { id: 5, qos: 1, says: { topic: "t", payload: "one", properties: "p" } } as const;

  /** What becomes of a PUBLISH with DUP under an id whose first message is being handled since before the link broke. */
  function cameAgain(says: { topic?: string; payload?: string; properties?: string }, changing = false): Arrival {
    const { flow } = opened();
    arrive(flow, first);
    reconnect(flow);
    return arrive(flow, { id: 5, qos: 1, dup: true, says: { ...first.says, ...says }, changing });
  }

  test("one that says the same with DUP is the message from before", () => {
    expect(cameAgain({})).toBe(Arrival.Repeated);
  });

  test.each([
    ["payload", { payload: "two" }],
    ["longer payload", { payload: "one more" }],
    ["topic", { topic: "u" }],
    ["property", { properties: "q" }],
  ])("one with another %s is new, though it says DUP: a server that lost count must not cost a message", (_, says) => {
    expect(cameAgain(says)).toBe(Arrival.Deliver);
  });

  test("properties are not compared beside an expiry or an alias, which a server may change", () => {
    expect(cameAgain({ properties: "q" }, true)).toBe(Arrival.Repeated);
    expect(cameAgain({ properties: "q", payload: "two" }, true)).toBe(Arrival.Deliver);
  });

  test("the new one is acknowledged by its own handler, and the old handler's outcome goes nowhere", () => {
    const { flow } = opened();
    arrive(flow, first);
    const old = flow.lastTicket;
    const acks = reconnect(flow);
    arrive(flow, { ...first, dup: true, says: { payload: "two" } });
    const fresh = flow.lastTicket;
    expect([flow.settle(old, 0), acks.take()]).toEqual([false, []]);
    expect([flow.settle(fresh, 0), acks.take()]).toEqual([true, ["a5"]]);
  });

  test("on the same connection, too", () => {
    const { flow, acks } = opened();
    arrive(flow, first);
    const tickets = [flow.lastTicket];
    expect(arrive(flow, { ...first, dup: true })).toBe(Arrival.Repeated);
    expect(arrive(flow, { ...first, dup: true, says: { payload: "two" } })).toBe(Arrival.Deliver);
    tickets.push(flow.lastTicket);
    for (const ticket of tickets) flow.settle(ticket, 0);
    expect(acks.take()).toEqual(["a5", "a5"]);
  });

  test("a message whose content is not kept any more is delivered again rather than lost", () => {
    const { flow } = opened();
    const large = "x".repeat(9_000_000);
    for (const id of [1, 2]) expect(arrive(flow, { id, qos: 1, says: { payload: large } })).toBe(Arrival.Deliver);
    reconnect(flow);
    const again = [1, 2].map((id) => arrive(flow, { id, qos: 1, dup: true, says: { payload: large } }));
    expect(again).toEqual([Arrival.Repeated, Arrival.Deliver]);
  });

  test("content is known however many messages wait, and whichever of them are settled", () => {
    const { flow } = opened(65_535);
    const ids = Array.from({ length: 300 }, (_, index) => index + 1);
    const tickets = ids.map((id) => deliver(flow, id, 1));
    for (const ticket of tickets.slice(0, 100)) flow.settle(ticket, 0);
    for (const id of ids.slice(0, 100)) tickets.push(deliver(flow, id, 1));
    for (const ticket of tickets.slice(150, 300)) flow.settle(ticket, 0);
    reconnect(flow, 65_535);
    const order = [...ids.slice(100), ...ids.slice(0, 100)];
    expect(order.map((id) => repeat(flow, id, 1)).filter((arrival) => arrival !== Arrival.Repeated)).toEqual([]);
    const third = order.map((id) => arrive(flow, { id, qos: 1, dup: true, says: { payload: "other" } }));
    expect(third.filter((arrival) => arrival !== Arrival.Deliver)).toEqual([]);
  });
});

describe("InboundFlow: the link breaks and the session is gone", () => {
  test.each([1, 2] as const)("an old QoS %i ticket settles nothing, and the id is new [MQTT-3.2.2-5]", (qos) => {
    const { flow } = opened();
    const ticket = deliver(flow, 5, qos);
    flow.suspend();
    const next = new Acks();
    flow.open(next, 100, false);
    expect([flow.isOpen(ticket), flow.settle(ticket, 0), flow.withhold(ticket)]).toEqual([false, false, false]);
    expect(repeat(flow, 5, qos)).toBe(Arrival.Deliver);
    expect(next.take()).toEqual([]);
  });

  test("a ticket that had moved to its repetition is void as well", () => {
    const { flow } = opened();
    const ticket = deliver(flow, 5, 1);
    reconnect(flow);
    repeat(flow, 5, 1);
    flow.suspend();
    flow.open(new Acks(), 100, false);
    expect([flow.isOpen(ticket), flow.settle(ticket, 0)]).toEqual([false, false]);
  });

  test("PUBREL for a message of the old session is unknown", () => {
    const { flow } = opened(1);
    flow.settle(deliver(flow, 5, 2), 0);
    flow.suspend();
    flow.open(new Acks(), 1, false);
    expect(flow.released(5)).toBe(false);
    deliver(flow, 1, 2);
  });
});

describe("InboundFlow: the store", () => {
  test("names the ids whose PUBREL is awaited, those of earlier connections too", () => {
    const { flow } = opened();
    flow.settle(deliver(flow, 5, 2), 0);
    reconnect(flow);
    flow.settle(deliver(flow, 6, 2), 0);
    deliver(flow, 7, 2);
    flow.settle(deliver(flow, 8, 1), 0);
    expect(flow.receivedIds().sort()).toEqual([5, 6]);
  });

  test("a restored id is answered by PUBREC, delivered no more, and known to PUBREL [MQTT-4.3.3-10] [MQTT3-4.3.3-2]", () => {
    const flow = new InboundFlow();
    flow.restore([5, 6]);
    const acks = new Acks();
    flow.open(acks, 1, true);
    expect([repeat(flow, 5, 2), repeat(flow, 6, 2)]).toEqual([Arrival.Repeated, Arrival.Repeated]);
    expect(acks.take()).toEqual(["r5", "r6"]);
    expect([flow.released(5), flow.released(6), flow.released(5)]).toEqual([true, true, false]);
    deliver(flow, 5, 2);
  });
});
