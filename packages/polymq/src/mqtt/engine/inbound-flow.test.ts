import { describe, expect, test } from "vitest";
import { Acks, arrive, deliver, opened, reconnect, repeat } from "./inbound-flow.test-support.ts";
import { Arrival, InboundFlow } from "./inbound-flow.ts";

describe("InboundFlow: acknowledgements", () => {
  test("settling QoS 1 sends PUBACK with its id [MQTT-4.3.2-4] [MQTT3-4.3.2-2]", () => {
    const { flow, acks } = opened();
    expect(flow.settle(deliver(flow, 7, 1), 0)).toBe(true);
    expect(acks.take()).toEqual(["a7"]);
  });

  test("settling QoS 2 sends PUBREC with its id [MQTT-4.3.3-8] [MQTT3-4.3.3-2]", () => {
    const { flow, acks } = opened();
    expect(flow.settle(deliver(flow, 7, 2), 0)).toBe(true);
    expect(acks.take()).toEqual(["r7"]);
  });

  test("acknowledgements leave in the order of arrival however they are settled [MQTT-4.6.0-2] [MQTT-4.6.0-3] [MQTT3-4.6.0-2] [MQTT3-4.6.0-3]", () => {
    const { flow, acks } = opened();
    const tickets = [deliver(flow, 5, 1), deliver(flow, 9, 2), deliver(flow, 2, 1), deliver(flow, 4, 2)];
    flow.settle(tickets[3] ?? -1, 0);
    flow.settle(tickets[1] ?? -1, 0x87);
    expect(acks.take()).toEqual([]);
    flow.settle(tickets[0] ?? -1, 0);
    expect(acks.take()).toEqual(["a5", "r9:0x87"]);
    flow.settle(tickets[2] ?? -1, 0x10);
    expect(acks.take()).toEqual(["a2:0x10", "r4"]);
    expect(flow.unsettled).toBe(0);
  });

  test("a ticket settles once", () => {
    const { flow, acks } = opened();
    const first = deliver(flow, 1, 1);
    const second = deliver(flow, 2, 1);
    expect([flow.settle(second, 0), flow.settle(second, 0x87), flow.withhold(second)]).toEqual([true, false, false]);
    expect([flow.settle(first, 0), flow.settle(first, 0), flow.withhold(first)]).toEqual([true, false, false]);
    expect(acks.take()).toEqual(["a1", "a2"]);
  });

  test("a ticket that never was settles nothing", () => {
    const { flow, acks } = opened();
    deliver(flow, 1, 1);
    expect([flow.settle(-1, 0), flow.settle(1, 0), flow.settle(99, 0), flow.withhold(99)]).toEqual([
      false,
      false,
      false,
      false,
    ]);
    expect(acks.take()).toEqual([]);
  });

  test("a ticket is open until it is settled or withheld", () => {
    const { flow } = opened();
    const first = deliver(flow, 1, 1);
    const second = deliver(flow, 2, 1);
    const third = deliver(flow, 3, 1);
    flow.settle(second, 0);
    flow.withhold(third);
    expect([flow.isOpen(first), flow.isOpen(second), flow.isOpen(third), flow.isOpen(77)]).toEqual([
      true,
      false,
      false,
      false,
    ]);
  });

  test("a flow that was never opened takes messages and sends nothing", () => {
    const flow = new InboundFlow();
    expect(flow.settle(deliver(flow, 1, 1), 0)).toBe(true);
  });

  test("more unsettled messages than the ring first has room for keep their order and ids", () => {
    const { flow, acks } = opened(65_535);
    const expected: string[] = [];
    // Starts the ring off its first slot, so that growing has to unwind it.
    for (let id = 1; id <= 50; id++) flow.settle(deliver(flow, id, 1), 0);
    acks.take();
    const tickets: number[] = [];
    for (let id = 1_000; id < 2_000; id++) {
      const qos = id % 3 === 0 ? 2 : 1;
      tickets.push(deliver(flow, id, qos));
      expected.push(`${qos === 2 ? "r" : "a"}${id}${id % 5 === 0 ? ":0x80" : ""}`);
      if (id % 5 === 0) flow.settle(tickets.at(-1) ?? -1, 0x80);
    }
    for (let i = tickets.length - 1; i >= 0; i--) flow.settle(tickets[i] ?? -1, 0);
    expect(acks.take()).toEqual(expected);
  });
});

describe("InboundFlow: repetitions on a live connection", () => {
  test("an unacknowledged QoS 1 message that comes again is not delivered again", () => {
    const { flow, acks } = opened();
    const ticket = deliver(flow, 1, 1);
    deliver(flow, 2, 1);
    expect(repeat(flow, 1, 1)).toBe(Arrival.Repeated);
    flow.settle(ticket, 0);
    expect(acks.take()).toEqual(["a1"]);
  });

  test("a settled message whose PUBACK waits for its turn is still the same message", () => {
    const { flow } = opened();
    deliver(flow, 1, 1);
    flow.settle(deliver(flow, 2, 1), 0);
    expect(repeat(flow, 2, 1)).toBe(Arrival.Repeated);
  });

  test("after PUBACK a PUBLISH with the id is new, whatever its DUP says [MQTT-4.3.2-5] [MQTT3-4.3.2-2]", () => {
    const { flow } = opened();
    deliver(flow, 9, 1);
    flow.settle(flow.lastTicket, 0);
    deliver(flow, 1, 1);
    expect(repeat(flow, 9, 1)).toBe(Arrival.Deliver);
    expect(repeat(flow, 9, 1)).toBe(Arrival.Repeated);
  });

  test("repetitions are recognised as well among messages that came after the first repetition", () => {
    const { flow } = opened();
    deliver(flow, 1, 1);
    expect(repeat(flow, 1, 1)).toBe(Arrival.Repeated);
    deliver(flow, 2, 1);
    expect(repeat(flow, 2, 1)).toBe(Arrival.Repeated);
    flow.settle(0, 0);
    flow.settle(1, 0);
    expect(repeat(flow, 2, 1)).toBe(Arrival.Deliver);
  });

  test("a QoS 2 message that is being handled is not delivered again, with or without DUP [MQTT-4.3.3-10]", () => {
    const { flow, acks } = opened();
    const ticket = deliver(flow, 3, 2);
    expect(arrive(flow, { id: 3, qos: 2 })).toBe(Arrival.Repeated);
    expect(repeat(flow, 3, 2)).toBe(Arrival.Repeated);
    flow.settle(ticket, 0);
    expect(acks.take()).toEqual(["r3"]);
  });

  test("between PUBREC and PUBREL each repetition is answered by PUBREC and not delivered [MQTT-4.3.3-10] [MQTT3-4.3.3-2]", () => {
    const { flow, acks } = opened();
    flow.settle(deliver(flow, 3, 2), 0);
    expect([repeat(flow, 3, 2), arrive(flow, { id: 3, qos: 2 })]).toEqual([Arrival.Repeated, Arrival.Repeated]);
    expect(acks.take()).toEqual(["r3", "r3", "r3"]);
  });

  test("PUBREL is known once; then a PUBLISH with the id is new [MQTT-4.3.3-12] [MQTT3-4.3.3-2]", () => {
    const { flow } = opened();
    flow.settle(deliver(flow, 3, 2), 0);
    expect([flow.released(3), flow.released(3)]).toEqual([true, false]);
    expect(arrive(flow, { id: 3, qos: 2, dup: true })).toBe(Arrival.Deliver);
  });

  test("PUBREL for a message without PUBREC is unknown", () => {
    const { flow } = opened();
    deliver(flow, 3, 2);
    expect([flow.released(3), flow.released(4)]).toEqual([false, false]);
  });

  test("after a PUBREC that refuses, a PUBLISH with the id is new [MQTT-4.3.3-9]", () => {
    const { flow, acks } = opened();
    flow.settle(deliver(flow, 3, 2), 0x97);
    expect(acks.take()).toEqual(["r3:0x97"]);
    expect(flow.released(3)).toBe(false);
    expect(repeat(flow, 3, 2)).toBe(Arrival.Deliver);
  });

  test("QoS 1 and QoS 2 messages with one id do not touch each other", () => {
    const { flow, acks } = opened();
    const one = deliver(flow, 3, 1);
    const two = deliver(flow, 3, 2);
    flow.settle(two, 0);
    flow.settle(one, 0);
    expect(acks.take()).toEqual(["a3", "r3"]);
    expect(flow.released(3)).toBe(true);
  });
});

describe("InboundFlow: withheld messages", () => {
  test("later acknowledgements do not wait for a withheld one", () => {
    const { flow, acks } = opened();
    const tickets = [deliver(flow, 1, 1), deliver(flow, 2, 1), deliver(flow, 3, 1)];
    flow.settle(tickets[2] ?? -1, 0);
    flow.withhold(tickets[1] ?? -1);
    flow.settle(tickets[0] ?? -1, 0);
    expect(acks.take()).toEqual(["a1", "a3"]);
  });

  test("a withheld first message lets the settled ones behind it go", () => {
    const { flow, acks } = opened();
    const first = deliver(flow, 1, 1);
    flow.settle(deliver(flow, 2, 1), 0);
    expect(flow.withhold(first)).toBe(true);
    expect(acks.take()).toEqual(["a2"]);
  });

  test.each([1, 2] as const)("a withheld QoS %i message is delivered again when it comes again", (qos) => {
    const { flow, acks } = opened();
    const waiting = deliver(flow, 1, 1);
    flow.withhold(deliver(flow, 5, qos));
    expect(repeat(flow, 5, qos)).toBe(Arrival.Deliver);
    const again = flow.lastTicket;
    expect(repeat(flow, 5, qos)).toBe(Arrival.Repeated);
    flow.settle(again, 0);
    flow.settle(waiting, 0);
    expect(acks.take()).toEqual(["a1", qos === 1 ? "a5" : "r5"]);
  });

  test.each([1, 2] as const)("a withheld QoS %i message is delivered again after a reconnect", (qos) => {
    const { flow } = opened();
    deliver(flow, 1, 1);
    flow.withhold(deliver(flow, 5, qos));
    const acks = reconnect(flow);
    expect(repeat(flow, 5, qos)).toBe(Arrival.Deliver);
    flow.settle(flow.lastTicket, 0);
    expect(acks.take()).toEqual([qos === 1 ? "a5" : "r5"]);
  });

  test("PUBREL for a withheld QoS 2 message is unknown", () => {
    const { flow } = opened();
    flow.withhold(deliver(flow, 5, 2));
    expect(flow.released(5)).toBe(false);
  });

  test.each([1, 2] as const)("a QoS %i message withheld while the link is down is delivered again", (qos) => {
    const { flow } = opened();
    const ticket = deliver(flow, 5, qos);
    flow.suspend();
    expect([flow.isOpen(ticket), flow.withhold(ticket), flow.isOpen(ticket), flow.withhold(ticket)]).toEqual([
      true,
      true,
      false,
      false,
    ]);
    flow.open(new Acks(), 100, true);
    expect(repeat(flow, 5, qos)).toBe(Arrival.Deliver);
  });

  test.each([1, 2] as const)(
    "a QoS %i message withheld after its repetition comes once more on the next link",
    (qos) => {
      const { flow } = opened();
      const ticket = deliver(flow, 5, qos);
      reconnect(flow);
      expect(repeat(flow, 5, qos)).toBe(Arrival.Repeated);
      expect(flow.withhold(ticket)).toBe(true);
      expect(flow.isOpen(ticket)).toBe(false);
      reconnect(flow);
      expect(repeat(flow, 5, qos)).toBe(Arrival.Deliver);
    },
  );
});

describe("InboundFlow: receive maximum", () => {
  test("one message more than allowed is too many [MQTT-3.3.4-9] [MQTT-3.3.4-7]", () => {
    const { flow } = opened(2);
    deliver(flow, 1, 1);
    deliver(flow, 2, 2);
    expect(arrive(flow, { id: 3, qos: 1 })).toBe(Arrival.TooMany);
  });

  test("repetitions do not count", () => {
    const { flow } = opened(2);
    deliver(flow, 1, 1);
    deliver(flow, 2, 2);
    expect([repeat(flow, 1, 1), repeat(flow, 2, 2)]).toEqual([Arrival.Repeated, Arrival.Repeated]);
  });

  test("an acknowledged QoS 1 message makes room", () => {
    const { flow } = opened(1);
    flow.settle(deliver(flow, 1, 1), 0);
    deliver(flow, 2, 1);
  });

  test("a QoS 2 message counts until its PUBREL (MQTT 5.0 §4.9)", () => {
    const { flow } = opened(1);
    flow.settle(deliver(flow, 1, 2), 0);
    expect(arrive(flow, { id: 2, qos: 1 })).toBe(Arrival.TooMany);
    flow.released(1);
    deliver(flow, 2, 1);
  });

  test("a refused QoS 2 message makes room at once (MQTT 5.0 §4.9)", () => {
    const { flow } = opened(1);
    flow.settle(deliver(flow, 1, 2), 0x80);
    deliver(flow, 2, 1);
  });

  test.each([1, 2] as const)("a withheld QoS %i message goes on counting, once", (qos) => {
    const { flow } = opened(3);
    const first = deliver(flow, 1, 1);
    const second = deliver(flow, 2, qos);
    flow.withhold(second);
    deliver(flow, 3, 1);
    expect(arrive(flow, { id: 4, qos: 1 })).toBe(Arrival.TooMany);
    flow.settle(first, 0);
    deliver(flow, 4, 1);
    expect(arrive(flow, { id: 5, qos: 1 })).toBe(Arrival.TooMany);
  });

  test("a withheld message that is delivered again counts once", () => {
    const { flow } = opened(2);
    const first = deliver(flow, 1, 1);
    flow.withhold(deliver(flow, 2, 1));
    deliver(flow, 2, 1, true);
    flow.settle(first, 0);
    deliver(flow, 3, 1);
    expect(arrive(flow, { id: 4, qos: 1 })).toBe(Arrival.TooMany);
  });

  test("a new connection begins with nothing counted (MQTT 5.0 §4.9)", () => {
    const { flow } = opened(3);
    flow.settle(deliver(flow, 1, 2), 0);
    deliver(flow, 2, 1);
    flow.withhold(deliver(flow, 3, 1));
    reconnect(flow, 1);
    deliver(flow, 4, 1);
    expect(arrive(flow, { id: 5, qos: 1 })).toBe(Arrival.TooMany);
  });

  test("an old PUBREL makes no room that was not taken", () => {
    const { flow } = opened(3);
    flow.settle(deliver(flow, 1, 2), 0);
    reconnect(flow, 1);
    expect(flow.released(1)).toBe(true);
    deliver(flow, 2, 1);
    expect(arrive(flow, { id: 3, qos: 1 })).toBe(Arrival.TooMany);
  });
});
