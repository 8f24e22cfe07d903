import { describe, expect, test } from "vitest";
import { QueueScene } from "./queue-scene.test-support.ts";

/** A scene with the stream `s` of these texts, a second between them. */
function stream(texts: readonly string[], settings: Record<string, unknown> = {}): QueueScene {
  const scene = new QueueScene();
  scene.hub.queues.declare({ name: "s", kind: "stream", ...settings });
  for (const text of texts) {
    scene.publish("s", text);
    scene.clock.advanceSync(1000);
  }
  return scene;
}

describe("a stream", () => {
  test("keeps its messages for every group, read or not", () => {
    const scene = stream(["a", "b"]);
    const first = scene.consume("s");
    first.subscription.settle(1, { is: "ack" });
    scene.run();
    expect(scene.consume("s", "later").consumer.texts).toEqual(["a", "b"]);
    expect(scene.hub.queues.get("s")).toMatchObject({ first: 0, next: 2 });
  });

  test("tells with each message when it was appended", () => {
    const scene = stream(["a"]);
    const [delivery] = scene.consume("s").consumer.got;
    expect(delivery?.stream).toEqual({ timestampMs: scene.clock.epochMs() - 1000, work: null });
  });

  test("tells how far the primary group is", () => {
    const scene = stream(["a", "b"], { primaryGroup: "w" });
    const work = scene.consume("s", "w", { mode: "work" });
    work.subscription.settle(0, { is: "ack" });
    const facts = scene.consume("s", "r").consumer.got.map((one) => one.stream?.work);
    expect(facts).toEqual([
      { group: "w", committed: 1 },
      { group: "w", committed: 1 },
    ]);
  });

  test("does not tell of a primary group that does not exist", () => {
    const scene = stream(["a"], { primaryGroup: "w" });
    expect(scene.consume("s").consumer.got[0]?.stream?.work).toBeNull();
  });

  test("shares its messages among the members of a group", () => {
    const scene = stream([]);
    const [x, y] = [scene.consume("s"), scene.consume("s")];
    for (const text of ["a", "b"]) scene.publish("s", text);
    expect([x.consumer.texts, y.consumer.texts]).toEqual([["a"], ["b"]]);
  });

  test("shows a group with a filter only what matches", () => {
    const scene = stream([]);
    const { consumer } = scene.consume("s", "g", { filter: "a/+" });
    for (const key of ["s/a/1", "s/b", "s/a"]) scene.publish(key, key);
    expect(consumer.texts).toEqual(["s/a/1"]);
  });

  test("passes over what has expired", () => {
    const scene = stream([]);
    scene.publish("s", "a", { expiresAtMs: scene.clock.epochMs() + 10 });
    scene.publish("s", "b");
    scene.clock.advanceSync(10);
    expect(scene.consume("s").consumer.texts).toEqual(["b"]);
  });
});

describe("where a stream group begins", () => {
  const texts = ["a", "b", "c"];

  test("a new group at the first message", () => {
    expect(stream(texts).consume("s").consumer.texts).toEqual(texts);
  });

  test("`first`, `last` and `next`", () => {
    const scene = stream(texts);
    const at = (where: "first" | "last" | "next") => scene.consume("s", where, { from: { at: where } }).consumer;
    const [first, last, next] = [at("first"), at("last"), at("next")];
    scene.publish("s", "d");
    expect([first.texts, last.texts, next.texts]).toEqual([["a", "b", "c", "d"], ["c", "d"], ["d"]]);
  });

  test("an offset, drawn in to what there is", () => {
    const scene = stream(texts);
    const at = (offset: number) =>
      scene.consume("s", `at ${offset}`, { from: { at: "offset", offset } }).consumer.texts;
    expect([at(1), at(99)]).toEqual([["b", "c"], []]);
  });

  test("a time: the first message that was appended then or later", () => {
    const scene = stream(texts);
    const epochMs = scene.clock.epochMs() - 2500;
    const at = (time: number) =>
      scene.consume("s", `${time}`, { from: { at: "timestamp", epochMs: time } }).consumer.texts;
    expect([at(epochMs), at(epochMs + 500), at(0), at(epochMs + 9_999)]).toEqual([["b", "c"], ["b", "c"], texts, []]);
  });

  test("a position moves the whole group", () => {
    const scene = stream(texts);
    const x = scene.consume("s", "g", { credit: 2 });
    const y = scene.consume("s", "g", { from: { at: "first" }, credit: 1 });
    x.take(2);
    expect([x.consumer.texts, y.consumer.texts]).toEqual([["a", "b", "b", "c"], ["a"]]);
  });

  test("`resume` joins a group where it is", () => {
    const scene = stream(texts);
    scene.consume("s", "g", { credit: 1 });
    expect(scene.consume("s").consumer.texts).toEqual(["b", "c"]);
  });
});

describe("committing", () => {
  test("a group that was left by all goes on behind what it committed", () => {
    const scene = stream(["a", "b", "c"]);
    const x = scene.consume("s", "g", { commit: "manual" });
    expect(scene.hub.queues.commit("s", "g", 1)).toBe("committed");
    x.subscription.close();
    expect(scene.consume("s").consumer.texts).toEqual(["b", "c"]);
  });

  test("so does one after a restart", () => {
    const scene = stream(["a", "b", "c"]);
    scene.consume("s", "g", { commit: "manual" });
    scene.hub.queues.commit("s", "g", 2);
    scene.restart();
    expect(scene.consume("s").consumer.texts).toEqual(["c"]);
  });

  test("happens by itself for what was delivered, at the queue's interval", () => {
    const scene = stream(["a", "b"], { autoCommitIntervalMs: 700 });
    scene.consume("s");
    const committed = () => scene.hub.queues.get("s")?.groups[0]?.committed;
    scene.clock.advanceSync(699);
    expect(committed()).toBe(0);
    scene.clock.advanceSync(1);
    expect(committed()).toBe(2);
  });

  test("happens with every delivery when the interval is 0", () => {
    const scene = stream(["a", "b"], { autoCommitIntervalMs: 0 });
    scene.consume("s", "g", { credit: 1 });
    expect(scene.hub.queues.get("s")?.groups[0]?.committed).toBe(1);
  });

  test("happens with an acknowledgement, and not with a nack", () => {
    const scene = stream(["a", "b"]);
    const { subscription } = scene.consume("s");
    const committed = () => scene.hub.queues.get("s")?.groups[0]?.committed;
    expect(subscription.settle(1, { is: "nack" })).toBe("settled");
    expect(committed()).toBe(0);
    subscription.settle(0, { is: "ack" });
    expect(committed()).toBe(1);
    expect(subscription.settle(2, { is: "ack" })).toBe("not-pending");
  });

  test("by hand does not happen by itself", () => {
    const scene = stream(["a", "b"]);
    const { subscription } = scene.consume("s", "g", { commit: "manual" });
    subscription.settle(0, { is: "ack" });
    scene.clock.advanceSync(60_000);
    expect(scene.hub.queues.get("s")?.groups[0]?.committed).toBe(0);
  });

  test("may go back, and not beyond what was delivered", () => {
    const scene = stream(["a", "b"]);
    scene.consume("s", "g", { commit: "manual" });
    const { queues } = scene.hub;
    expect([2, 1, 3, -1, 0.5].map((offset) => queues.commit("s", "g", offset))).toEqual([
      "committed",
      "committed",
      "invalid-offset",
      "invalid-offset",
      "invalid-offset",
    ]);
    expect([queues.commit("t", "g", 0), queues.commit("s", "h", 0)]).toEqual(["unknown-queue", "unknown-group"]);
  });

  test("is not for work groups", () => {
    const scene = stream(["a"]);
    scene.consume("s", "w", { mode: "work" });
    expect(scene.hub.queues.commit("s", "w", 0)).toBe("wrong-mode");
  });
});

describe("modes", () => {
  test("a group keeps the mode it was made with", () => {
    const scene = stream(["a"]);
    scene.consume("s", "g");
    expect(() => scene.consume("s", "g", { mode: "work" })).toThrow(
      expect.objectContaining({ code: "ERR_QUEUE_MODE_MISMATCH" }),
    );
  });

  test("a classic queue cannot be read as a stream", () => {
    const scene = new QueueScene();
    expect(() => scene.consume("q", "g", { mode: "stream" })).toThrow(
      expect.objectContaining({ code: "ERR_QUEUE_MODE_MISMATCH" }),
    );
  });
});
