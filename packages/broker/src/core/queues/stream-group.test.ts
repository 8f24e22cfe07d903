import { describe, expect, test } from "vitest";
import type { GroupSubscription } from "./group-subscription.ts";
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

  test("tells how far a primary group is that reads the stream as well", () => {
    const scene = stream(["a", "b", "c"], { primaryGroup: "w" });
    const work = scene.consume("s", "w", { commit: "settled" });
    work.subscription.settle(0, { is: "ack" });
    const { consumer } = scene.consume("s", "r");
    expect(consumer.got.map((one) => one.stream?.work?.committed)).toEqual([1, 1, 1]);
  });

  test("tells how far the primary group with the reader's own filter is", () => {
    const scene = stream([], { primaryGroup: "w" });
    for (const key of ["s/a", "s/b", "s/a"]) scene.publish(key, key);
    const work = scene.consume("s", "w", { mode: "work", filter: "a" });
    work.subscription.settle(0, { is: "ack" });
    const of = (filter: string) =>
      scene.consume("s", "r", { filter }).consumer.got.map((one) => one.stream?.work ?? null);
    expect([of("a"), of("b"), of("")]).toEqual([
      [
        { group: "w", committed: 2 },
        { group: "w", committed: 2 },
      ],
      [null],
      [null, null, null],
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

describe("a group that commits what is settled", () => {
  const settled = { commit: "settled" } as const;
  const groupOf = (scene: QueueScene) => scene.hub.queues.get("s")?.groups[0];

  /** Two members, of which `x` has 0, 2, 4 and `y` 1, 3, 5. */
  function shared(settings: Record<string, unknown> = {}) {
    const scene = stream([], settings);
    const x = scene.consume("s", "g", { id: "x", ...settled });
    const y = scene.consume("s", "g", { id: "y", ...settled });
    for (const text of ["a", "b", "c", "d", "e", "f"]) scene.publish("s", text);
    expect([x.consumer.texts, y.consumer.texts]).toEqual([
      ["a", "c", "e"],
      ["b", "d", "f"],
    ]);
    const ack = (...offsets: number[]) => offsets.map((offset) => x.subscription.settle(offset, { is: "ack" }));
    return { scene, x, y, ack, group: () => groupOf(scene) };
  }

  test("commits nothing beyond what another member still has in hand", () => {
    const { scene, ack, group } = shared();
    ack(0, 2, 4);
    expect(group()).toMatchObject({ committed: 1, pending: 3, returned: 0 });
    ack(1, 5);
    expect(group()?.committed).toBe(3);
    ack(3);
    expect(group()?.committed).toBe(6);
    scene.run();
    expect(scene.errors).toEqual([]);
  });

  test("delivers what a member left behind to the others, before anything later, and counts it", () => {
    const { scene, x, y, ack, group } = shared();
    x.consumer.credit = 1;
    scene.publish("s", "g");
    scene.publish("s", "h");
    y.subscription.settle(1, { is: "ack" });
    y.subscription.close();
    x.take(9);
    expect(x.consumer.counted).toEqual(["a/0", "c/0", "e/0", "g/0", "d/1", "f/1", "h/1"]);
    ack(0, 2, 4, 6, 7);
    expect(group()?.committed).toBe(3);
    ack(3, 5);
    expect(group()).toMatchObject({ committed: 8, pending: 0, returned: 0 });
  });

  test("after a restart goes on at the first message that some member had not settled", () => {
    const { scene, ack } = shared();
    ack(0, 2, 4);
    scene.restart();
    const later = scene.consume("s", "g", settled);
    expect(later.consumer.texts).toEqual(["b", "d", "f"]);
    for (const offset of [1, 3, 5]) later.subscription.settle(offset, { is: "ack" });
    expect(groupOf(scene)?.committed).toBe(6);
  });

  test("after a restart says how often it has delivered before, and buries what was out too often", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "s", kind: "stream", deliveryLimit: 3 });
    for (const text of ["a", "b"]) scene.publish("s", text);
    const { subscription } = scene.consume("s", "g", settled);
    subscription.settle(1, { is: "nack" });
    scene.run();
    scene.restart();
    const later = scene.consume("s", "g", settled);
    expect(later.consumer.counted).toEqual(["a/1", "b/2"]);
    later.subscription.settle(1, { is: "nack" });
    scene.run();
    expect(scene.deadLetters("s")).toMatchObject([{ reason: "delivery-limit", offset: 1, count: 3 }]);
    scene.restart();
    expect(scene.consume("s", "g", settled).consumer.counted).toEqual(["a/2"]);
  });

  test("that begins anew does not take back by a late nack of a first delivery what the member has again", () => {
    const scene = stream(["a"]);
    const { subscription, consumer } = scene.consume("s", "g", settled);
    const mover = scene.consume("s", "g", { ...settled, credit: 0, from: { at: "first" } });
    scene.run();
    subscription.wake();
    expect(consumer.texts).toEqual(["a", "a"]);
    const [first, second] = consumer.got.map(({ ticket }) => ticket);
    expect(subscription.settle(0, { is: "nack" }, first)).toBe("not-pending");
    expect(subscription.settle(0, { is: "nack" }, second)).toBe("settled");
    expect(consumer.texts).toEqual(["a", "a", "a"]);
    mover.subscription.close();
  });

  test("that all have left goes on there as well, and says what it has delivered before", () => {
    const { scene, x, y, ack, group } = shared();
    ack(0, 2);
    x.subscription.close();
    y.subscription.close();
    scene.publish("s", "g");
    const later = scene.consume("s", "g", settled);
    expect(later.consumer.counted).toEqual(["b/1", "d/1", "e/2", "f/1", "g/0"]);
    expect(group()).toMatchObject({ committed: 1, pending: 5 });
  });

  test("that its only member leaves and joins again delivers, and buries, nothing again that was settled", () => {
    const scene = stream(["a", "b", "c"]);
    for (let round = 0; round < 3; round++) {
      const { consumer, subscription } = scene.consume("s", "g", settled);
      expect(consumer.texts).toEqual(round === 0 ? ["a", "b", "c"] : ["a"]);
      subscription.settle(1, { is: "reject" });
      subscription.settle(2, { is: "ack" });
      subscription.close();
    }
    expect(scene.consume("$dlq/s", "g").consumer.texts).toEqual(["b"]);
    const { consumer, subscription } = scene.consume("s", "g", settled);
    subscription.settle(0, { is: "ack" });
    expect([consumer.texts, groupOf(scene)?.committed]).toEqual([["a"], 3]);
  });

  test("that the application moved back delivers all from there once its members have left", () => {
    const scene = stream(["a", "b", "c"]);
    const first = scene.consume("s", "g", settled);
    for (const offset of [0, 1, 2]) first.subscription.settle(offset, { is: "ack" });
    expect(scene.hub.queues.commit("s", "g", 1)).toBe("committed");
    first.subscription.close();
    expect(scene.consume("s", "g", settled).consumer.texts).toEqual(["b", "c"]);
  });

  test("delivers again what is returned, at once in its place or after a delay", () => {
    const { scene, x, y, group } = shared();
    x.subscription.settle(2, { is: "nack" });
    x.subscription.settle(0, { is: "nack", delayMs: 500 });
    expect(x.subscription.settle(0, { is: "nack" })).toBe("not-pending");
    expect(group()).toMatchObject({ pending: 5, returned: 1 });
    scene.clock.advanceSync(499);
    expect(x.consumer.counted.concat(y.consumer.counted)).toContain("c/1");
    expect(x.consumer.counted.concat(y.consumer.counted)).not.toContain("a/1");
    scene.clock.advanceSync(1);
    expect(x.consumer.counted.concat(y.consumer.counted)).toContain("a/1");
  });

  test("delivers again what a member gives back without leaving", () => {
    const { x, y, ack } = shared();
    y.consumer.credit = 0;
    ack(2);
    (x.subscription as GroupSubscription).recover();
    expect(x.consumer.counted).toEqual(["a/0", "c/0", "e/0", "a/1", "e/1"]);
  });

  test("buries what was returned too often, or rejected, and goes on", () => {
    const scene = stream(["a", "b"], { deliveryLimit: 2 });
    const { consumer, subscription } = scene.consume("s", "g", settled);
    for (let i = 0; i < 2; i++) subscription.settle(0, { is: "nack" });
    subscription.settle(1, { is: "reject", detail: "no" });
    scene.run();
    expect(consumer.counted).toEqual(["a/0", "b/0", "a/1"]);
    expect(groupOf(scene)?.committed).toBe(2);
    expect(scene.deadLetters("s")).toMatchObject([
      { reason: "delivery-limit", queue: "s", group: "g", offset: 0, count: 2 },
      { reason: "rejected", queue: "s", group: "g", offset: 1, count: 1, detail: "no" },
    ]);
    expect(scene.hub.queues.get("s")).toMatchObject({ first: 0, next: 2 });
  });

  test("lets go for a while of a consumer that returns every message inside its delivery", () => {
    const scene = stream([], { deliveryLimit: 0 });
    const { consumer, subscription } = scene.consume("s", "g", { credit: 0, ...settled });
    scene.publish("s", "a");
    consumer.onDelivery = ({ offset }) => {
      consumer.credit++;
      if (consumer.got.length < 10_000) subscription.settle(offset, { is: "nack" });
    };
    consumer.credit = 1;
    subscription.wake();
    expect(consumer.got).toHaveLength(4_096);
    scene.run();
    expect(consumer.got).toHaveLength(10_000);
    expect(scene.errors).toEqual([]);
  });

  test("settles each delivery once, and nothing that was not delivered", () => {
    const { ack } = shared();
    expect(ack(0, 0, 6)).toEqual(["settled", "not-pending", "not-pending"]);
  });

  test("passes what is not for it, and what retention takes from it", () => {
    const scene = stream([], { retention: { messages: 3 } });
    const { consumer, subscription } = scene.consume("s", "g", { filter: "a", ...settled });
    for (const key of ["b", "a", "b"]) scene.publish(`s/${key}`, key);
    expect(groupOf(scene)?.committed).toBe(1);
    subscription.settle(1, { is: "ack" });
    expect(groupOf(scene)?.committed).toBe(3);
    for (let i = 0; i < 5; i++) scene.publish("s/a", `${i}`);
    expect(groupOf(scene)?.committed).toBe(scene.hub.queues.get("s")?.first);
    expect(consumer.offsets.map((offset) => subscription.settle(offset, { is: "ack" }))).toEqual([
      "not-pending",
      ...Array.from({ length: 5 }, () => "settled"),
    ]);
    expect(groupOf(scene)?.committed).toBe(8);
  });

  test("holds as many unsettled messages as the queue allows", () => {
    const scene = stream(["a", "b", "c"], { pendingMax: 2 });
    const { consumer, subscription } = scene.consume("s", "g", settled);
    expect(consumer.texts).toEqual(["a", "b"]);
    subscription.settle(1, { is: "ack" });
    expect(consumer.texts).toEqual(["a", "b", "c"]);
  });

  test("is moved with all that its members have in hand", () => {
    const { scene, ack, group } = shared();
    const z = scene.consume("s", "g", { from: { at: "offset", offset: 4 }, credit: 0, ...settled });
    expect(ack(0)).toEqual(["not-pending"]);
    expect(group()?.committed).toBe(4);
    z.subscription.close();
    expect(ack(4, 5)).toEqual(["settled", "settled"]);
    expect(group()?.committed).toBe(6);
  });

  test("takes an explicit commit for the whole group", () => {
    const { scene, y, group } = shared();
    expect(scene.hub.queues.commit("s", "g", 4)).toBe("committed");
    y.subscription.close();
    expect(group()).toMatchObject({ committed: 4, returned: 0 });
    expect(scene.hub.queues.commit("s", "g", 1)).toBe("committed");
    expect(group()?.committed).toBe(1);
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

  test("reads on when all that it may have in hand was left by members that are gone", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "s", kind: "stream", pendingMax: 2 });
    for (const text of ["a", "b", "c"]) scene.publish("s", text);
    scene.consume("s", "g", { commit: "settled" }).subscription.close();
    const { consumer, subscription } = scene.consume("s", "g", { commit: "settled" });
    expect(consumer.counted).toEqual(["a/1", "b/1"]);
    subscription.settle(0, { is: "ack" });
    expect(consumer.counted).toEqual(["a/1", "b/1", "c/0"]);
  });
});
