import { describe, expect, test } from "vitest";
import { QueueScene } from "./queue-scene.test-support.ts";

/** A queue with `maxDepth` 3 whose first message stays and whose other two have expired by now. */
function filled(more: { readonly overflow?: "reject" | "drop-head"; readonly maxBytes?: number } = {}): QueueScene {
  const scene = new QueueScene();
  scene.hub.queues.declare({ name: "q", maxDepth: 3, ...more });
  scene.publish("q", "stays");
  for (const text of ["b", "c"]) scene.publish("q", text, { expiresAtMs: scene.clock.epochMs() + 500 });
  scene.clock.advanceSync(500);
  return scene;
}

describe("expired messages behind one that has not", () => {
  test("make room before a publisher is refused, and are dead letters", () => {
    const scene = filled();
    const results = ["d", "e", "f"].map((text) => scene.publish("q", text)?.code ?? "queued");
    expect(results).toEqual(["queued", "queued", "ERR_QUEUE_FULL"]);
    expect(scene.deadLetters("q")).toMatchObject([
      { reason: "expired", offset: 1 },
      { reason: "expired", offset: 2 },
    ]);
    expect(scene.consume("q").consumer.texts).toEqual(["stays", "d", "e"]);
  });

  test("make room when they were stored before a restart, and when a group came meanwhile", () => {
    const scene = filled();
    scene.restart();
    scene.consume("q", "late", { credit: 0 });
    expect(scene.publish("q", "d")).toBeNull();
    expect(scene.deadLetters("q")).toMatchObject([{ offset: 1 }, { offset: 2 }]);
  });

  test("leave before one that is still worth something, where the oldest is to leave", () => {
    const scene = filled({ overflow: "drop-head" });
    scene.publish("q", "d");
    expect(scene.deadLetters("q").map((one) => one?.reason)).toEqual(["expired", "expired"]);
    expect(scene.consume("q").consumer.texts).toEqual(["stays", "d"]);
  });

  test("make room for bytes as well", () => {
    const scene = filled({ maxBytes: 7 });
    expect([scene.publish("q", "d"), scene.publish("q", "e")]).toEqual([null, null]);
    expect(scene.publish("q", "f")?.code).toBe("ERR_QUEUE_FULL");
  });

  test("are found when they come back from a consumer after their time", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "q", maxDepth: 3 });
    const { subscription } = scene.consume("q", "g", { credit: 2 });
    scene.publish("q", "a", { expiresAtMs: scene.clock.epochMs() + 900 });
    scene.publish("q", "b", { expiresAtMs: scene.clock.epochMs() + 500 });
    scene.publish("q", "c");
    scene.clock.advanceSync(900);
    expect(scene.publish("q", "refused")?.code).toBe("ERR_QUEUE_FULL");
    subscription.close();
    expect(scene.publish("q", "d")).toBeNull();
    expect(scene.deadLetters("q")).toMatchObject([{ offset: 0 }, { offset: 1 }]);
  });

  test("leave with the sweep at the latest", () => {
    const scene = filled();
    scene.clock.advanceSync(60_000);
    expect(scene.hub.queues.get("q")?.depth).toBe(1);
  });
});

test("a message with a time is found in a queue that was emptied of one without", () => {
  const scene = new QueueScene();
  scene.hub.queues.declare({ name: "q", maxDepth: 1, ttlMs: 0 });
  scene.publish("q", "for ever");
  scene.hub.queues.sweep(scene.clock.epochMs());
  scene.hub.queues.purge("q");
  scene.run();
  scene.publish("q", "a", { expiresAtMs: scene.clock.epochMs() + 300 });
  scene.clock.advanceSync(300);
  expect(scene.publish("q", "b")).toBeNull();
});

test("what a consumer works on does not expire under its hands by a sweep", () => {
  const scene = new QueueScene();
  const { subscription } = scene.consume("q");
  scene.publish("q", "a", { expiresAtMs: scene.clock.epochMs() + 500 });
  scene.hub.queues.sweep(scene.clock.epochMs() + 600);
  expect(subscription.settle(0, { is: "ack" })).toBe("settled");
  scene.run();
  expect(scene.deadLetters("q")).toEqual([]);
});

test("thousands of messages with times in any order leave when they are over, and no others", () => {
  const scene = new QueueScene();
  scene.hub.queues.declare({ name: "q", maxDepth: 4_000 });
  const startMs = scene.clock.epochMs();
  const lives = Array.from({ length: 4_000 }, (_, i) => ((i * 7_919) % 4_000) + 1);
  for (const [i, life] of lives.entries())
    scene.offer("q", String(life), { expiresAtMs: startMs + life + (i === 0 ? 9_000 : 0) });
  scene.run();
  scene.clock.advanceSync(1_000);
  for (let round = 0; round < 2; round++) expect(scene.offer("q", "later")).toBeNull();
  scene.run();
  const left = scene.hub.queues.peek("q", 0, 5_000).map((one) => one.expiresAtMs - startMs);
  expect(left.filter((life) => life <= 1_000)).toEqual([]);
  expect(left).toHaveLength(3_000 + 1 + 2);
});
