import { describe, expect, test } from "vitest";
import { OutboundFlow, Phase } from "./outbound-flow.ts";

function withWindow(window: number): OutboundFlow<string> {
  const flow = new OutboundFlow<string>();
  flow.openWindow(window);
  return flow;
}

describe("OutboundFlow: exchanges", () => {
  test("an exchange holds its item until it is finished [MQTT-4.3.2-3] [MQTT3-4.3.2-1]", () => {
    const flow = withWindow(10);
    const id = flow.beginPublish("a", Phase.AtLeastOnce);
    expect([flow.item(id), flow.phase(id), flow.inflight]).toEqual(["a", Phase.AtLeastOnce, 1]);
    expect(flow.finish(id, Phase.AtLeastOnce)).toBe("a");
    expect([flow.item(id), flow.phase(id), flow.inflight]).toEqual([undefined, Phase.Free, 0]);
  });

  test("QoS 2 goes from PUBLISH over PUBREL to its end [MQTT-4.3.3-3] [MQTT-4.3.3-5]", () => {
    const flow = withWindow(10);
    const id = flow.beginPublish("a", Phase.ExactlyOnce);
    expect(flow.release(id)).toBe(true);
    expect([flow.phase(id), flow.item(id), flow.inflight]).toEqual([Phase.Released, "a", 1]);
    expect(flow.finish(id, Phase.Released)).toBe("a");
    expect(flow.inflight).toBe(0);
  });

  test("an exchange can only be finished in its phase", () => {
    const flow = withWindow(10);
    const id = flow.beginPublish("a", Phase.ExactlyOnce);
    for (const phase of [Phase.Free, Phase.AtLeastOnce, Phase.Released, Phase.Subscribe, Phase.Unsubscribe]) {
      expect(flow.finish(id, phase)).toBeUndefined();
    }
    expect(flow.phase(id)).toBe(Phase.ExactlyOnce);
  });

  test("an unknown id can neither be finished nor released", () => {
    const flow = withWindow(10);
    expect(flow.finish(7, Phase.AtLeastOnce)).toBeUndefined();
    expect(flow.finish(65_535, Phase.AtLeastOnce)).toBeUndefined();
    expect(flow.finish(7, Phase.Free)).toBeUndefined();
    expect(flow.release(65_535)).toBe(false);
    expect(flow.phase(65_535)).toBe(Phase.Free);
  });

  test("only a QoS 2 PUBLISH can be released, and only once", () => {
    const flow = withWindow(10);
    const one = flow.beginPublish("a", Phase.AtLeastOnce);
    const two = flow.beginPublish("b", Phase.ExactlyOnce);
    const sub = flow.beginRequest("c", Phase.Subscribe);
    expect([flow.release(one), flow.release(sub), flow.release(two), flow.release(two)]).toEqual([
      false,
      false,
      true,
      false,
    ]);
  });

  test("requests and messages share the ids but not the window [MQTT-2.2.1-3] [MQTT-3.3.4-8] [MQTT-3.3.4-10]", () => {
    const flow = withWindow(1);
    const publish = flow.beginPublish("a", Phase.AtLeastOnce);
    const subscribe = flow.beginRequest("b", Phase.Subscribe);
    const unsubscribe = flow.beginRequest("c", Phase.Unsubscribe);
    expect(new Set([publish, subscribe, unsubscribe]).size).toBe(3);
    expect([flow.inflight, flow.quota]).toEqual([1, 0]);
    expect(flow.finish(subscribe, Phase.Subscribe)).toBe("b");
    expect(flow.finish(unsubscribe, Phase.Unsubscribe)).toBe("c");
    expect([flow.inflight, flow.quota]).toEqual([1, 0]);
  });

  test("with all ids in use nothing begins, until one is free again [MQTT3-2.3.1-2]", () => {
    const flow = withWindow(65_535);
    for (let i = 0; i < 65_535; i++) flow.beginRequest("s", Phase.Subscribe);
    expect(flow.beginPublish("a", Phase.AtLeastOnce)).toBe(0);
    expect(flow.beginRequest("b", Phase.Subscribe)).toBe(0);
    expect([flow.inflight, flow.quota]).toEqual([0, 65_535]);
    flow.finish(300, Phase.Subscribe);
    expect(flow.beginPublish("a", Phase.AtLeastOnce)).toBe(300);
  });
});

describe("OutboundFlow: order", () => {
  test("unfinished messages are listed in the order in which they began, whatever their ids [MQTT-4.6.0-1] [MQTT3-4.6.0-1]", () => {
    const flow = withWindow(100);
    for (let i = 0; i < 40; i++) flow.beginPublish(`old ${i}`, Phase.AtLeastOnce);
    for (let id = 40; id >= 1; id--) flow.finish(id, Phase.AtLeastOnce);
    const begun: number[] = [];
    for (let i = 0; i < 45; i++) {
      begun.push(flow.beginPublish(`new ${i}`, i % 2 === 0 ? Phase.AtLeastOnce : Phase.ExactlyOnce));
    }
    flow.release(begun[1] ?? 0);
    expect(flow.publishIds()).toEqual(begun);
    expect([...begun].sort((a, b) => a - b)).not.toEqual(begun);
  });

  test("requests are listed apart from messages", () => {
    const flow = withWindow(100);
    const subscribe = flow.beginRequest("s", Phase.Subscribe);
    const publish = flow.beginPublish("p", Phase.AtLeastOnce);
    const unsubscribe = flow.beginRequest("u", Phase.Unsubscribe);
    expect(flow.requestIds()).toEqual([subscribe, unsubscribe]);
    expect(flow.publishIds()).toEqual([publish]);
  });
});

describe("OutboundFlow: the send window", () => {
  test("each message takes one and its end gives one back [MQTT-4.9.0-1] [MQTT-4.9.0-2]", () => {
    const flow = withWindow(2);
    const one = flow.beginPublish("a", Phase.AtLeastOnce);
    const two = flow.beginPublish("b", Phase.ExactlyOnce);
    expect(flow.quota).toBe(0);
    flow.finish(one, Phase.AtLeastOnce);
    expect(flow.quota).toBe(1);
    flow.release(two);
    expect(flow.quota).toBe(1);
    flow.finish(two, Phase.Released);
    expect(flow.quota).toBe(2);
  });

  test("a refused QoS 2 message gives its place back (MQTT 5.0 §4.9)", () => {
    const flow = withWindow(1);
    flow.finish(flow.beginPublish("a", Phase.ExactlyOnce), Phase.ExactlyOnce);
    expect(flow.quota).toBe(1);
  });

  test("a new connection begins with its whole window; what is sent again counts as it is sent [MQTT-4.9.0-1]", () => {
    const flow = withWindow(10);
    const ids = ["a", "b", "c"].map((item) => flow.beginPublish(item, Phase.AtLeastOnce));
    flow.openWindow(2);
    expect([flow.quota, flow.inflight]).toEqual([2, 3]);
    flow.charge();
    flow.charge();
    expect(flow.quota).toBe(0);
    flow.finish(ids[0] ?? 0, Phase.AtLeastOnce);
    flow.charge();
    expect(flow.quota).toBe(0);
    flow.finish(ids[1] ?? 0, Phase.AtLeastOnce);
    flow.finish(ids[2] ?? 0, Phase.AtLeastOnce);
    expect([flow.quota, flow.inflight]).toEqual([2, 0]);
  });

  test("a PUBREL from before takes no room, and its PUBCOMP makes none [MQTT-3.3.4-7] [MQTT-3.3.4-9]", () => {
    const flow = withWindow(10);
    const ids = ["a", "b", "c"].map((item) => flow.beginPublish(item, Phase.ExactlyOnce));
    for (const id of ids) flow.release(id);
    flow.openWindow(2);
    expect(flow.quota).toBe(2);
    const fresh = flow.beginPublish("d", Phase.ExactlyOnce);
    flow.beginPublish("e", Phase.AtLeastOnce);
    for (const id of ids) flow.finish(id, Phase.Released);
    expect(flow.quota).toBe(0);
    flow.release(fresh);
    flow.finish(fresh, Phase.Released);
    expect(flow.quota).toBe(1);
  });

  test("the window is never larger than it was opened, even when old exchanges end without being sent again", () => {
    const flow = withWindow(10);
    const id = flow.beginPublish("a", Phase.AtLeastOnce);
    flow.openWindow(5);
    flow.finish(id, Phase.AtLeastOnce);
    expect(flow.quota).toBe(5);
  });
});

describe("OutboundFlow: restore", () => {
  test("brings exchanges back in their order, with their ids taken [MQTT-4.4.0-1] [MQTT3-2.3.1-3]", () => {
    const flow = new OutboundFlow<string>();
    flow.restore([
      { id: 700, item: "first", phase: Phase.AtLeastOnce },
      { id: 3, item: "second", phase: Phase.Released },
      { id: 1, item: "third", phase: Phase.ExactlyOnce },
    ]);
    flow.openWindow(10);
    expect(flow.publishIds()).toEqual([700, 3, 1]);
    expect([flow.item(700), flow.item(3), flow.item(1)]).toEqual(["first", "second", "third"]);
    expect([flow.inflight, flow.quota]).toEqual([3, 10]);
    const begun = Array.from({ length: 1_000 }, () => flow.beginRequest("s", Phase.Subscribe));
    expect(begun.some((id) => [700, 3, 1, 0].includes(id))).toBe(false);
  });

  test("a message begun after a restore comes behind the restored ones", () => {
    const flow = new OutboundFlow<string>();
    flow.restore([{ id: 9, item: "old", phase: Phase.AtLeastOnce }]);
    const id = flow.beginPublish("new", Phase.AtLeastOnce);
    expect(flow.publishIds()).toEqual([9, id]);
  });
});
