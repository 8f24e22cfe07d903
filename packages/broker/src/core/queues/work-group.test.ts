import { describe, expect, test } from "vitest";
import { QueueScene, TestConsumer } from "./queue-scene.test-support.ts";

describe("deliveries of a work group", () => {
  test("follow the log, and begin with what was there before the group", () => {
    const scene = new QueueScene();
    for (const text of ["a", "b"]) scene.publish("q", text);
    const { consumer } = scene.consume("q");
    scene.publish("q", "c");
    expect(consumer.texts).toEqual(["a", "b", "c"]);
    expect(consumer.offsets).toEqual([0, 1, 2]);
  });

  test("begin only when the message's batch is durable", () => {
    const scene = new QueueScene();
    const { consumer } = scene.consume("q");
    scene.offer("q", "a");
    expect(consumer.texts).toEqual([]);
    scene.run();
    expect(consumer.texts).toEqual(["a"]);
  });

  test("stop when nobody has credit, and go on when it comes", () => {
    const scene = new QueueScene();
    for (const text of ["a", "b", "c"]) scene.publish("q", text);
    const { consumer, take } = scene.consume("q", "g", { credit: 1 });
    expect(consumer.texts).toEqual(["a"]);
    take(2);
    expect(consumer.texts).toEqual(["a", "b", "c"]);
  });

  test("go to members in turn, one message each", () => {
    const scene = new QueueScene();
    const [x, y] = [scene.consume("q"), scene.consume("q")];
    for (const text of ["a", "b", "c", "d"]) scene.offer("q", text);
    scene.run();
    expect([x.consumer.texts, y.consumer.texts]).toEqual([
      ["a", "c"],
      ["b", "d"],
    ]);
  });

  test("pass over members without credit", () => {
    const scene = new QueueScene();
    const [x, y] = [scene.consume("q", "g", { credit: 1 }), scene.consume("q")];
    for (const text of ["a", "b", "c"]) scene.offer("q", text);
    scene.run();
    expect([x.consumer.texts, y.consumer.texts]).toEqual([["a"], ["b", "c"]]);
  });

  test("go to every group", () => {
    const scene = new QueueScene();
    const [x, y] = [scene.consume("q", "g"), scene.consume("q", "h")];
    scene.publish("q", "a");
    expect([x.consumer.texts, y.consumer.texts]).toEqual([["a"], ["a"]]);
  });

  test("go to the oldest member alone when one is to be active, and to the next one when it leaves", () => {
    const scene = new QueueScene();
    const [x, y] = [scene.consume("q", "g", { distribution: "single-active" }), scene.consume("q")];
    for (const text of ["a", "b"]) scene.publish("q", text);
    expect([x.consumer.texts, y.consumer.texts]).toEqual([["a", "b"], []]);
    x.subscription.settle(0, { is: "ack" });
    x.subscription.close();
    expect(y.consumer.counted).toEqual(["b/1"]);
  });

  test("wait for the consumer's first wake", () => {
    const scene = new QueueScene();
    scene.publish("q", "a");
    const waiting = scene.consume("q", "g", { credit: 0 });
    expect(waiting.consumer.texts).toEqual([]);
    waiting.take(1);
    expect(waiting.consumer.texts).toEqual(["a"]);
  });

  test("stop at the queue's limit of unsettled messages", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "q", pendingMax: 2 });
    const { consumer, subscription } = scene.consume("q");
    for (const text of ["a", "b", "c"]) scene.publish("q", text);
    expect(consumer.texts).toEqual(["a", "b"]);
    subscription.settle(1, { is: "ack" });
    expect(consumer.texts).toEqual(["a", "b", "c"]);
  });
});

describe("settling", () => {
  test("an acknowledged message is gone, and no neighbour with it", () => {
    const scene = new QueueScene();
    const { subscription } = scene.consume("q");
    for (const text of ["a", "b", "c"]) scene.publish("q", text);
    expect(subscription.settle(1, { is: "ack" })).toBe("settled");
    scene.run();
    const [group] = scene.hub.queues.get("q")?.groups ?? [];
    expect(group).toMatchObject({ depth: 2, pending: 2, committed: 0 });
    expect(scene.hub.queues.peek("q", 0, 9).map((one) => one.offset)).toEqual([0, 2]);
  });

  test("works by names as well", () => {
    const scene = new QueueScene();
    const { consumer } = scene.consume("q", "g", { filter: "#" });
    scene.publish("q/k", "a");
    expect(consumer.got[0]?.group).toBe("g@#");
    const { queues } = scene.hub;
    expect(queues.settle("q", "g", 0, { is: "ack" })).toBe("unknown-group");
    expect(queues.settle("r", "g@#", 0, { is: "ack" })).toBe("unknown-queue");
    expect(queues.settle("q", "g@#", 0, { is: "ack" })).toBe("settled");
    expect(queues.settle("q", "g@#", 0, { is: "ack" })).toBe("not-pending");
  });

  test("what was not delivered is not pending", () => {
    const scene = new QueueScene();
    const { subscription } = scene.consume("q", "g", { credit: 0 });
    scene.publish("q", "a");
    expect(subscription.settle(0, { is: "ack" })).toBe("not-pending");
    expect(subscription.settle(7, { is: "reject" })).toBe("not-pending");
  });

  test("may happen inside the delivery", () => {
    const scene = new QueueScene();
    const { consumer, subscription } = scene.consume("q");
    consumer.onDelivery = ({ offset }) => void subscription.settle(offset, { is: "ack" });
    for (const text of ["a", "b"]) scene.offer("q", text);
    scene.run();
    expect(consumer.texts).toEqual(["a", "b"]);
    expect(scene.hub.queues.get("q")).toMatchObject({ depth: 0 });
  });

  test("a settled head is removed from the log", () => {
    const scene = new QueueScene();
    const { subscription } = scene.consume("q");
    for (const text of ["a", "b", "c"]) scene.publish("q", text);
    for (const offset of [1, 0]) subscription.settle(offset, { is: "ack" });
    scene.run();
    expect(scene.hub.queues.get("q")).toMatchObject({ first: 2, next: 3 });
  });

  test("the slowest group keeps the log", () => {
    const scene = new QueueScene();
    const [x, y] = [scene.consume("q", "g"), scene.consume("q", "h")];
    for (const text of ["a", "b"]) scene.publish("q", text);
    for (const offset of [0, 1]) x.subscription.settle(offset, { is: "ack" });
    scene.run();
    expect(scene.hub.queues.get("q")).toMatchObject({ first: 0, depth: 2 });
    y.subscription.settle(0, { is: "ack" });
    scene.run();
    expect(scene.hub.queues.get("q")).toMatchObject({ first: 1, depth: 1 });
  });
});

describe("a message that was not settled", () => {
  test("comes again at once after a nack, to the same consumer if need be, with its count", () => {
    const scene = new QueueScene();
    const { consumer, subscription } = scene.consume("q");
    scene.publish("q", "a");
    expect(subscription.settle(0, { is: "nack" })).toBe("settled");
    expect(consumer.counted).toEqual(["a/0", "a/1"]);
  });

  test("stands in its old place after a nack", () => {
    const scene = new QueueScene();
    const { consumer, subscription, take } = scene.consume("q", "g", { credit: 3 });
    for (const text of ["a", "b", "c", "d"]) scene.publish("q", text);
    for (const offset of [2, 0]) subscription.settle(offset, { is: "nack" });
    take(3);
    expect(consumer.texts).toEqual(["a", "b", "c", "a", "c", "d"]);
  });

  test("waits out of line when the nack asks for a delay", () => {
    const scene = new QueueScene();
    const { consumer, subscription } = scene.consume("q");
    scene.publish("q", "a");
    subscription.settle(0, { is: "nack", delayMs: 500 });
    scene.publish("q", "b");
    scene.clock.advanceSync(499);
    expect(consumer.texts).toEqual(["a", "b"]);
    scene.clock.advanceSync(1);
    expect(consumer.counted).toEqual(["a/0", "b/0", "a/1"]);
  });

  test("waits longer each time when the queue says so", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "q", retry: { delayMs: 100, multiplier: 3, maxMs: 250 } });
    const { consumer, subscription } = scene.consume("q");
    scene.publish("q", "a");
    for (const delayMs of [100, 250, 250]) {
      const before = consumer.got.length;
      subscription.settle(0, { is: "nack" });
      scene.clock.advanceSync(delayMs - 1);
      expect(consumer.got.length).toBe(before);
      scene.clock.advanceSync(1);
      expect(consumer.got.length).toBe(before + 1);
    }
  });

  test("a nack of what is already to come again is not pending; an ack still counts", () => {
    const scene = new QueueScene();
    const { subscription, consumer } = scene.consume("q", "g", { credit: 1 });
    scene.publish("q", "a");
    subscription.settle(0, { is: "nack" });
    expect(subscription.settle(0, { is: "nack" })).toBe("not-pending");
    expect(subscription.settle(0, { is: "ack" })).toBe("settled");
    consumer.credit = 5;
    subscription.wake();
    expect(consumer.texts).toEqual(["a"]);
  });

  test("and that another member has by now, is not given back by the first one, and can still be acknowledged by it", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "q", visibilityTimeoutMs: 1_000 });
    const slow = scene.consume("q", "g", { credit: 1 });
    scene.publish("q", "a");
    const other = scene.consume("q");
    scene.clock.advanceSync(1_000);
    expect(other.consumer.counted).toEqual(["a/1"]);
    expect(slow.subscription.settle(0, { is: "nack" })).toBe("not-pending");
    expect(other.consumer.counted).toEqual(["a/1"]);
    expect(slow.subscription.settle(0, { is: "ack" })).toBe("settled");
    expect(other.subscription.settle(0, { is: "nack" })).toBe("not-pending");
  });

  test("comes again after the visibility timeout", () => {
    const scene = new QueueScene();
    const { consumer } = scene.consume("q");
    scene.publish("q", "a");
    scene.clock.advanceSync(29_999);
    expect(consumer.counted).toEqual(["a/0"]);
    scene.clock.advanceSync(1);
    expect(consumer.counted).toEqual(["a/0", "a/1"]);
  });

  test("is taken from nobody by the one who had it before: giving it back then is not pending, an ack still counts", () => {
    const scene = new QueueScene();
    const late = scene.consume("q", "g", { id: "late", credit: 1 });
    scene.publish("q", "a");
    const others = ["y", "z"].map((id) => scene.consume("q", "g", { id, credit: 1 }).consumer);
    scene.clock.advanceSync(30_000);
    expect(late.subscription.settle(0, { is: "nack" })).toBe("not-pending");
    scene.run();
    expect(others.flatMap((one) => one.counted)).toEqual(["a/1"]);
    expect(late.subscription.settle(0, { is: "ack" })).toBe("settled");
  });

  test("is not taken from the one who has it again by giving its first delivery back late; its second can be", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "q", visibilityTimeoutMs: 1_000 });
    const { subscription, consumer } = scene.consume("q");
    scene.publish("q", "a");
    scene.clock.advanceSync(1_000);
    const [first, second] = consumer.got.map(({ ticket }) => ticket);
    expect(subscription.settle(0, { is: "nack" }, first)).toBe("not-pending");
    scene.run();
    expect(consumer.counted).toEqual(["a/0", "a/1"]);
    expect(subscription.settle(0, { is: "nack" }, second)).toBe("settled");
    scene.run();
    expect(consumer.counted).toEqual(["a/0", "a/1", "a/2"]);
    expect(subscription.settle(0, { is: "ack" }, first)).toBe("settled");
  });

  test("comes again before anything later, also when another group's timer of the same moment is served first", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "q", visibilityTimeoutMs: 700, pendingMax: 3, priorityMax: 1, deliveryLimit: 0 });
    scene.consume("q", "g", { credit: 4 });
    const h = scene.consume("q", "h", { credit: 4 });
    for (const text of ["a", "b", "c", "d"]) scene.offer("q", text);
    scene.offer("q", "urgent", { priority: 1, expiresAtMs: scene.clock.epochMs() + 300 });
    scene.run();
    h.subscription.settle(4, { is: "nack", delayMs: 900 });
    scene.clock.advanceSync(700); // group g finds out that "urgent" has expired, which makes room in group h
    expect(h.consumer.counted).toEqual(["urgent/0", "a/0", "b/0", "a/1"]);
  });

  test("stays with its consumer for ever when there is no visibility timeout", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "q", visibilityTimeoutMs: 0 });
    const { consumer } = scene.consume("q");
    scene.publish("q", "a");
    scene.clock.advanceSync(3_600_000);
    expect(consumer.counted).toEqual(["a/0"]);
  });

  test("has the time of a visibility timeout that was set later", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "q", visibilityTimeoutMs: 0 });
    const { consumer } = scene.consume("q");
    scene.publish("q", "a");
    scene.hub.queues.declare({ name: "q", visibilityTimeoutMs: 500 }, { ifExists: "update" });
    scene.publish("q", "b");
    scene.clock.advanceSync(500);
    expect(consumer.counted).toEqual(["a/0", "b/0", "a/1", "b/1"]);
  });

  test("goes to the others at once when its consumer leaves, and its count stays", () => {
    const scene = new QueueScene();
    const x = scene.consume("q");
    for (const text of ["a", "b"]) scene.publish("q", text);
    const y = scene.consume("q");
    x.subscription.close();
    x.subscription.close();
    expect(y.consumer.counted).toEqual(["a/1", "b/1"]);
  });

  test("is dead-lettered when it was delivered as often as allowed", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "q", deliveryLimit: 2 });
    const { consumer, subscription } = scene.consume("q");
    scene.publish("q", "a");
    for (let i = 0; i < 2; i++) subscription.settle(0, { is: "nack" });
    scene.run();
    expect(consumer.counted).toEqual(["a/0", "a/1"]);
    expect(scene.deadLetters("q")).toMatchObject([{ reason: "delivery-limit", count: 2, group: "g", queue: "q" }]);
  });
});

describe("a group with a filter", () => {
  test("sees only keys that match, and is not held up by the others", () => {
    const scene = new QueueScene();
    const { consumer } = scene.consume("q", "g", { filter: "a/#" });
    for (const key of ["q/a", "q/b", "q/a/1", "q"]) scene.publish(key, key);
    expect(consumer.texts).toEqual(["q/a", "q/a/1"]);
    for (const offset of [0, 2]) scene.hub.queues.settle("q", "g@a/#", offset, { is: "ack" });
    scene.run();
    expect(scene.hub.queues.get("q")).toMatchObject({ first: 4, depth: 0 });
  });

  test("is another group than the one without", () => {
    const scene = new QueueScene();
    const [x, y] = [scene.consume("q", "g"), scene.consume("q", "g", { filter: "+" })];
    scene.publish("q/k", "a");
    expect([x.consumer.texts, y.consumer.texts]).toEqual([["a"], ["a"]]);
  });
});

describe("a group at its limits", () => {
  test("delivers a long log in pieces, so that others have their turn in between", () => {
    const scene = new QueueScene();
    for (let i = 0; i < 10_000; i++) scene.offer("q", "x");
    scene.run();
    const consumer = new TestConsumer("c", 1_000_000);
    scene.hub.queues.subscribe("q", { consumer, group: "g" }).wake();
    const atOnce = consumer.got.length;
    expect(atOnce).toBeLessThan(5_000);
    scene.run();
    expect(consumer.offsets).toEqual(Array.from({ length: 10_000 }, (_, i) => i));
  });

  test("passes over a long stretch that its filter leaves out, in pieces as well", () => {
    const scene = new QueueScene();
    for (let i = 0; i < 10_000; i++) scene.offer("q/other", "x");
    scene.offer("q/mine", "here");
    scene.run();
    const work = scene.consume("q", "g", { filter: "mine" });
    expect(work.consumer.texts).toEqual(["here"]);
  });

  test("loses no message of a member when one of its other messages is dead-lettered", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "q", deliveryLimit: 2 });
    const x = scene.consume("q");
    for (const text of ["a", "b"]) scene.publish("q", text);
    for (let i = 0; i < 2; i++) x.subscription.settle(0, { is: "nack" });
    x.subscription.close();
    expect(scene.consume("q").consumer.counted).toEqual(["b/1"]);
  });

  test("delivers nothing later before all that a member gave back", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "q", deliveryLimit: 2, pendingMax: 2 });
    const [x, y] = [scene.consume("q"), scene.consume("q", "g", { credit: 0 })];
    scene.publish("q", "a");
    x.subscription.settle(0, { is: "nack" });
    for (const text of ["b", "c"]) scene.publish("q", text);
    y.consumer.credit = 9;
    x.subscription.close();
    expect(y.consumer.counted).toEqual(["b/1", "c/0"]);
    scene.run();
    expect(scene.deadLetters("q")).toMatchObject([{ offset: 0 }]);
  });

  test("delivers what came back when a message of a higher priority has no room", () => {
    const scene = new QueueScene();
    scene.hub.queues.declare({ name: "q", priorityMax: 3, pendingMax: 1 });
    const x = scene.consume("q");
    scene.publish("q", "low");
    scene.publish("q", "high", { priority: 3 });
    x.subscription.close();
    const { consumer, subscription } = scene.consume("q");
    expect(consumer.counted).toEqual(["low/1"]);
    subscription.settle(0, { is: "ack" });
    expect(consumer.texts).toEqual(["low", "high"]);
  });
});

describe("inside a delivery", () => {
  test("a consumer may leave; what it has goes to the others in order", () => {
    const scene = new QueueScene();
    const [x, y] = [scene.consume("q", "g", { credit: 0 }), scene.consume("q", "g", { credit: 0 })];
    for (const text of ["a", "b", "c"]) scene.publish("q", text);
    x.consumer.onDelivery = () => x.subscription.close();
    y.consumer.credit = 9;
    x.take(9);
    expect([x.consumer.counted, y.consumer.counted]).toEqual([["a/0"], ["a/1", "b/0", "c/0"]]);
  });

  test("a message may be returned: it comes at once, and nothing later before it", () => {
    const scene = new QueueScene();
    const { consumer, subscription, take } = scene.consume("q", "g", { credit: 0 });
    for (const text of ["a", "b"]) scene.publish("q", text);
    consumer.onDelivery = ({ offset, deliveryCount }) => {
      if (deliveryCount === 0) subscription.settle(offset, { is: "nack" });
    };
    take(9);
    expect(consumer.counted).toEqual(["a/0", "a/1", "b/0", "b/1"]);
  });

  test("the queue may be deleted", () => {
    const scene = new QueueScene();
    const { consumer, take } = scene.consume("q", "g", { credit: 0 });
    for (const text of ["a", "b"]) scene.publish("q", text);
    consumer.onDelivery = () => scene.hub.queues.delete("q");
    take(9);
    expect([consumer.texts, consumer.cancelled, scene.errors]).toEqual([["a"], ["queue-deleted"], []]);
  });
});

test("a consumer that returns every message at once, without a limit of deliveries, keeps nobody else waiting", () => {
  const scene = new QueueScene();
  scene.hub.queues.declare({ name: "q", deliveryLimit: 0 });
  scene.publish("q", "a");
  const consumer = new TestConsumer("c", 1_000_000);
  const subscription = scene.hub.queues.subscribe("q", { consumer, group: "g" });
  consumer.onDelivery = ({ offset }) => {
    if (consumer.got.length < 10_000) subscription.settle(offset, { is: "nack" });
  };
  subscription.wake();
  expect(consumer.got.length).toBeLessThan(10_000);
  scene.run();
  expect(consumer.got.length).toBe(10_000);
});

test("a group is not taken for another one whose name and filter together read the same", () => {
  const scene = new QueueScene();
  scene.consume("q", "g", { filter: "a" });
  expect(() => scene.consume("q", "g@a")).toThrow(expect.objectContaining({ code: "ERR_QUEUE_MODE_MISMATCH" }));
  scene.consume("q", "h@a");
  expect(() => scene.consume("q", "h", { filter: "a" })).toThrow(/another filter/);
});
