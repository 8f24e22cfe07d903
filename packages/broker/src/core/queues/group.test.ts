import { describe, expect, test } from "vitest";
import { QueueScene } from "./queue-scene.test-support.ts";

/** Ids of the groups of queue `q`. */
function groupsOf(scene: QueueScene): string[] {
  return (scene.hub.queues.get("q")?.groups ?? []).map((group) => group.id);
}

describe("a group without members", () => {
  test("stays for ever by default when somebody named it", () => {
    const scene = new QueueScene();
    scene.consume("q").subscription.close();
    scene.clock.advanceSync(30 * 86_400_000);
    expect(groupsOf(scene)).toEqual(["g"]);
  });

  test("goes after the queue's time when nobody named it, and holds nothing back any more", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "q", maxDepth: 2 });
    const other = scene.consume("q");
    scene.consume("q", "random", { lifetime: "passing" }).subscription.close();
    for (const offset of [0, 1]) {
      scene.publish("q", "x");
      other.subscription.settle(offset, { is: "ack" });
    }
    expect(scene.publish("q", "x")?.code).toBe("ERR_QUEUE_FULL");
    scene.clock.advanceSync(299_999);
    expect(groupsOf(scene)).toEqual(["g", "random"]);
    scene.clock.advanceSync(1);
    expect([groupsOf(scene), scene.hub.queues.get("q")?.first]).toEqual([["g"], 2]);
    expect(scene.publish("q", "x")).toBeNull();
  });

  test("goes as well when it was stored before a restart, and not once somebody came back to it", () => {
    const scene = new QueueScene();
    for (const group of ["leaves", "returns", "named"]) {
      scene.consume("q", group, { lifetime: "passing" }).subscription.close();
    }
    scene.restart();
    const back = scene.consume("q", "returns", { lifetime: "passing" });
    scene.consume("q", "named").subscription.close(); // by its name: it lasts from now on
    scene.restart();
    scene.consume("q", "returns", { lifetime: "passing" });
    scene.clock.advanceSync(300_000);
    expect(groupsOf(scene)).toEqual(["returns", "named"]);
    expect(back.consumer.cancelled).toEqual([]);
    scene.restart();
    expect(groupsOf(scene)).toEqual(["returns", "named"]);
  });

  test("goes after the time that the queue has for named ones", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "q", groupExpiresAfterMs: 1_000 });
    scene.consume("q").subscription.close();
    expect(scene.hub.queues.get("q")?.groups[0]?.expiresAtMs).toBe(scene.clock.epochMs() + 1_000);
    scene.hub.queues.declare({ name: "q", groupExpiresAfterMs: 5_000 }, { ifExists: "update" });
    scene.clock.advanceSync(4_999);
    expect(groupsOf(scene)).toEqual(["g"]);
    scene.clock.advanceSync(1);
    expect(groupsOf(scene)).toEqual([]);
  });

  test("leaves what it had not settled for the next one, when it was the only one, and nothing that it had", () => {
    const scene = new QueueScene();
    for (const text of ["a", "b", "c"]) scene.publish("q", text);
    const { subscription } = scene.consume("q", "random", { lifetime: "passing" });
    subscription.settle(1, { is: "ack" });
    subscription.close();
    scene.clock.advanceSync(300_000);
    scene.restart();
    expect([groupsOf(scene), scene.hub.queues.get("q")?.depth]).toEqual([[], 2]);
    expect(scene.consume("q", "next").consumer.texts).toEqual(["a", "c"]);
  });

  test("makes room for another one when there are as many as allowed, if nobody named it", () => {
    const scene = new QueueScene({ queueLimits: { groupsPerQueueMax: 3 } });
    scene.consume("q", "named").subscription.close();
    for (let i = 0; i < 5; i++) scene.consume("q", `c${i}`, { lifetime: "passing" }).subscription.close();
    expect(groupsOf(scene)).toEqual(["named", "c3", "c4"]);
    for (const id of ["a", "b"]) scene.consume("q", id);
    expect(() => scene.consume("q", "c")).toThrow(expect.objectContaining({ code: "ERR_QUEUE_LIMIT" }));
  });

  test("of a stream keeps its position for a week", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "q", kind: "stream" });
    scene.consume("q", "random", { lifetime: "passing" }).subscription.close();
    scene.clock.advanceSync(7 * 86_400_000 - 1);
    expect(groupsOf(scene)).toEqual(["random"]);
    scene.clock.advanceSync(1);
    expect(groupsOf(scene)).toEqual([]);
  });
});
