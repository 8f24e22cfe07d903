import { describe, expect, test } from "vitest";
import { MemoryMedium, MemoryStore } from "../storage/memory-store.ts";
import type { Hub } from "./hub.ts";
import { bytesOf, connect, disconnect, type PlainSession, scene, textOf } from "./session.test-support.ts";

/** Publishes a text as a connection would: through a view that is overwritten afterwards. */
function publish(
  hub: Hub,
  topic: string,
  text: string,
  more: { guarantee?: 0 | 1 | 2; retain?: boolean; publisherId?: string; expiresAtMs?: number } = {},
): number {
  const view = hub.transientMessage();
  const input = bytesOf(text);
  view.begin(topic, input);
  view.guarantee = more.guarantee ?? 1;
  view.retain = more.retain ?? false;
  view.publisherId = more.publisherId ?? "";
  view.expiresAtMs = more.expiresAtMs ?? Number.POSITIVE_INFINITY;
  const matched = hub.publish(view);
  view.end();
  input.fill(0x21);
  return matched;
}

describe("publishing", () => {
  test("everybody whose filter matches gets the message, and their number is told", () => {
    const { hub } = scene();
    const [x, y, z] = ["x", "y", "z"].map((id) => connect(hub, id)) as [PlainSession, PlainSession, PlainSession];
    hub.subscribe(x, { filter: "a/+", guaranteeMax: 0 });
    hub.subscribe(y, { filter: "#", guaranteeMax: 1 });
    hub.subscribe(z, { filter: "b", guaranteeMax: 1 });
    expect(publish(hub, "a/1", "hello")).toBe(2);
    expect([x.got, y.waiting, z.waiting]).toEqual([["hello"], ["hello"], []]);
    expect(publish(hub, "nobody/2/3", "x", { guarantee: 0 })).toBe(1);
  });

  test("0 means that nobody is interested", () => {
    const { hub } = scene();
    expect(publish(hub, "a", "x")).toBe(0);
    expect(hub.statistics.messagesUnmatched).toBe(1);
  });

  test("a group counts as one and gets one copy", () => {
    const { hub } = scene();
    const [x, y] = ["x", "y"].map((id) => connect(hub, id)) as [PlainSession, PlainSession];
    for (const session of [x, y]) hub.subscribe(session, { filter: "a", guaranteeMax: 1, group: "g" });
    expect([publish(hub, "a", "1"), publish(hub, "a", "2")]).toEqual([1, 1]);
    expect([x.waiting, y.waiting]).toEqual([["1"], ["2"]]);
  });

  test("own messages do not come back to a subscription that does not want them", () => {
    const { hub } = scene();
    const [x, y] = ["x", "y"].map((id) => connect(hub, id)) as [PlainSession, PlainSession];
    hub.subscribe(x, { filter: "a", guaranteeMax: 1, noLocal: true });
    hub.subscribe(y, { filter: "a", guaranteeMax: 1, noLocal: true });
    expect(publish(hub, "a", "1", { publisherId: "x" })).toBe(1);
    expect([x.waiting, y.waiting]).toEqual([[], ["1"]]);
  });

  test("own messages come once through an overlapping subscription that wants them", () => {
    const { hub } = scene();
    const x = connect(hub, "x");
    hub.subscribe(x, { filter: "a", guaranteeMax: 1, noLocal: true });
    hub.subscribe(x, { filter: "#", guaranteeMax: 0 });
    expect(publish(hub, "a", "own", { publisherId: "x" })).toBe(1);
    expect([x.got, x.waiting]).toEqual([["own"], []]);
    publish(hub, "a", "other", { publisherId: "y" });
    expect([x.got, x.waiting]).toEqual([["own"], ["other"]]);
  });

  test("a subscriber that throws is reported and the others get the message", () => {
    const { hub, errors } = scene();
    const [x, y] = ["x", "y"].map((id) => connect(hub, id)) as [PlainSession, PlainSession];
    for (const session of [x, y]) hub.subscribe(session, { filter: "a", guaranteeMax: 1 });
    x.deliver = () => {
      throw new Error("broken");
    };
    expect(publish(hub, "a", "1")).toBe(2);
    expect([errors.map(String), y.waiting]).toEqual([["Error: broken"], ["1"]]);
  });

  test("what is published and dropped is counted", () => {
    const { hub } = scene();
    const x = connect(hub, "x", { expiryMs: 1000 });
    hub.subscribe(x, { filter: "a", guaranteeMax: 1 });
    disconnect(x);
    publish(hub, "a", "12345", { guarantee: 0 });
    expect(hub.statistics).toMatchObject({ messagesIn: 1, bytesIn: 5, messagesDropped: 1 });
  });
});

describe("retained messages", () => {
  test("a new subscription is offered what is retained", () => {
    const { hub } = scene();
    publish(hub, "a/1", "one", { retain: true, guarantee: 0 });
    publish(hub, "a/2", "two", { retain: true });
    publish(hub, "a/2", "", { retain: true });
    const replay = hub.replay("a/#");
    expect(textOf(replay.next(hub.epochMs())?.payload ?? bytesOf(""))).toBe("one");
    expect(replay.next(hub.epochMs())).toBeNull();
  });

  test("the limit refuses without making a copy of the message", () => {
    const { hub } = scene({ limits: { retainedMax: 1 } });
    publish(hub, "a", "1", { retain: true });
    const before = hub.nextSequence();
    publish(hub, "b", "1", { retain: true });
    expect([hub.retained.count, hub.retained.refusedCount, hub.nextSequence() - before]).toEqual([1, 1, 1]);
  });

  test("expired ones are swept in time", async () => {
    const { hub, clock } = scene();
    publish(hub, "a", "1", { retain: true, expiresAtMs: hub.epochMs() + 1000 });
    await clock.advance(60_000);
    expect(hub.retained.count).toBe(0);
  });
});

describe("sessions", () => {
  test("a session without time to outlive its connection ends with it", () => {
    const { hub } = scene();
    const x = connect(hub, "x");
    hub.subscribe(x, { filter: "a", guaranteeMax: 1 });
    disconnect(x);
    expect([x.ended, hub.sessions.count, hub.router.subscriptionCount]).toEqual([["closed"], 0, 0]);
  });

  test("a session with time keeps its subscriptions and queues", () => {
    const { hub } = scene();
    const x = connect(hub, "x", { expiryMs: 1000 });
    hub.subscribe(x, { filter: "a", guaranteeMax: 1 });
    disconnect(x);
    publish(hub, "a", "1");
    const again = connect(hub, "x", { expiryMs: 1000 });
    expect([again === x, x.waiting]).toEqual([true, ["1"]]);
  });

  test("a session ends when its time is over, not before", async () => {
    const { hub, clock } = scene();
    const x = connect(hub, "x", { expiryMs: 1000 });
    disconnect(x);
    await clock.advance(999);
    expect(x.ended).toEqual([]);
    await clock.advance(1);
    expect([x.ended, hub.statistics.sessionsExpired]).toEqual([["expired"], 1]);
  });

  test("a resumed session does not end at its old time", async () => {
    const { hub, clock } = scene();
    const x = connect(hub, "x", { expiryMs: 1000 });
    disconnect(x);
    await clock.advance(500);
    connect(hub, "x", { expiryMs: 1000 });
    await clock.advance(5000);
    expect([x.ended, hub.sessions.attachedCount]).toEqual([[], 1]);
  });

  test("a session for ever stays", async () => {
    const { hub, clock } = scene({ sweepIntervalMs: 1e10 });
    const x = connect(hub, "x", { expiryMs: Number.POSITIVE_INFINITY });
    disconnect(x);
    await clock.advance(10 * 365 * 24 * 3600 * 1000);
    expect(x.ended).toEqual([]);
  });

  test("a fresh start ends the old session and begins with nothing", () => {
    const { hub } = scene();
    const x = connect(hub, "x", { expiryMs: 1000 });
    hub.subscribe(x, { filter: "a", guaranteeMax: 1 });
    disconnect(x);
    const fresh = connect(hub, "x", { start: "fresh", expiryMs: 1000 });
    expect([fresh === x, x.ended, hub.router.subscriptionCount]).toEqual([false, ["replaced"], 0]);
  });

  test("a second connection takes the session over", () => {
    const { hub } = scene();
    const x = connect(hub, "x", { expiryMs: 1000 });
    hub.subscribe(x, { filter: "a", guaranteeMax: 1 });
    const again = connect(hub, "x", { expiryMs: 1000 });
    expect([again === x, x.takenOver, x.ended, hub.sessions.attachedCount]).toEqual([true, 1, [], 1]);
    expect(hub.statistics).toMatchObject({ sessionsTakenOver: 1, sessionsResumed: 1, sessionsCreated: 1 });
  });

  test("a taken over session without time to outlive its connection is not continued", () => {
    const { hub } = scene();
    const x = connect(hub, "x");
    const again = connect(hub, "x");
    expect([again === x, x.takenOver, x.ended]).toEqual([false, 1, ["closed"]]);
  });

  test("what an ended session asks for is refused or does nothing", () => {
    const { hub } = scene();
    const x = connect(hub, "x");
    disconnect(x);
    expect(() => hub.subscribe(x, { filter: "a", guaranteeMax: 0 })).toThrow("ended");
    hub.detachSession(x);
    hub.endSession(x, "removed");
    expect(x.ended).toEqual(["closed"]);
  });

  test("the time to outlive a connection may change at its end", async () => {
    const { hub, clock } = scene();
    const x = connect(hub, "x", { expiryMs: 1000 });
    hub.detachSession(x, 5000);
    await clock.advance(4999);
    expect(x.ended).toEqual([]);
    await clock.advance(1);
    expect(x.ended).toEqual(["expired"]);
    const y = connect(hub, "y", { expiryMs: 1000 });
    hub.detachSession(y, 0);
    expect(y.ended).toEqual(["closed"]);
  });

  test("sessions and subscriptions are bounded", () => {
    const { hub } = scene({ limits: { sessionsMax: 2, subscriptionsPerSessionMax: 1 } });
    const x = connect(hub, "x");
    connect(hub, "y");
    expect(() => connect(hub, "z")).toThrow(expect.objectContaining({ code: "ERR_CONNECT_REJECTED" }));
    connect(hub, "x");
    hub.subscribe(connect(hub, "x"), { filter: "a", guaranteeMax: 0 });
    const again = hub.sessions.get("x")?.session as PlainSession;
    expect(again).not.toBe(x);
    hub.subscribe(again, { filter: "a", guaranteeMax: 1 });
    expect(() => hub.subscribe(again, { filter: "b", guaranteeMax: 0 })).toThrow(
      expect.objectContaining({ code: "ERR_SUBSCRIBE_FAILED" }),
    );
  });

  test("the text of a session's filters is bounded, group names included, and given back", () => {
    const { hub } = scene({ limits: { filterUnitsPerSessionMax: 20 } });
    const x = connect(hub, "x");
    const refused = expect.objectContaining({ code: "ERR_SUBSCRIBE_FAILED" });
    hub.subscribe(x, { filter: "123456789", guaranteeMax: 0 });
    hub.subscribe(x, { filter: "123456789", guaranteeMax: 1 });
    hub.subscribe(x, { filter: "abc", guaranteeMax: 1, group: "group" });
    expect(() => hub.subscribe(x, { filter: "1", guaranteeMax: 0 })).toThrow(refused);
    expect(() => hub.subscribe(connect(hub, "y"), { filter: "1".repeat(20), guaranteeMax: 0 })).toThrow(refused);
    hub.unsubscribe(x, "abc", "group");
    hub.subscribe(x, { filter: "1", guaranteeMax: 0 });
  });

  test("undelivered messages of a group go to the others when a member ends", async () => {
    const { hub, clock } = scene();
    const x = connect(hub, "x", { expiryMs: 1000 });
    hub.subscribe(x, { filter: "a", guaranteeMax: 1, group: "g" });
    hub.subscribe(x, { filter: "a", guaranteeMax: 1 });
    disconnect(x);
    publish(hub, "a", "1");
    const y = connect(hub, "y");
    hub.subscribe(y, { filter: "a", guaranteeMax: 1, group: "g" });
    await clock.advance(1000);
    expect([x.ended, y.waiting]).toEqual([["expired"], ["1"]]);
  });

  test("expired messages leave mailboxes in time", async () => {
    const { hub, clock } = scene();
    const x = connect(hub, "x", { expiryMs: 1_000_000 });
    hub.subscribe(x, { filter: "a", guaranteeMax: 1 });
    disconnect(x);
    publish(hub, "a", "1", { expiresAtMs: hub.epochMs() + 10 });
    await clock.advance(60_000);
    expect(x.mailbox.length).toBe(0);
  });
});

describe("a last word that is published later", () => {
  const setUp = (expiryMs: number) => {
    const made = scene();
    const watcher = connect(made.hub, "w");
    made.hub.subscribe(watcher, { filter: "will", guaranteeMax: 0 });
    const x = connect(made.hub, "x", { expiryMs });
    const will = made.hub.makeMessage({ topic: "will", payload: bytesOf("gone") });
    return { ...made, watcher, x, will };
  };

  test("comes after its delay", async () => {
    const { hub, clock, watcher, x, will } = setUp(10_000);
    disconnect(x);
    hub.publishLater(x, will, 100);
    await clock.advance(99);
    expect(watcher.got).toEqual([]);
    await clock.advance(1);
    expect(watcher.got).toEqual(["gone"]);
  });

  test("does not come when the session is resumed before", async () => {
    const { hub, clock, watcher, x, will } = setUp(10_000);
    disconnect(x);
    hub.publishLater(x, will, 100);
    connect(hub, "x", { expiryMs: 10_000 });
    await clock.advance(20_000);
    expect(watcher.got).toEqual([]);
  });

  test("comes when the session ends before its delay is over", async () => {
    const { hub, clock, watcher, x, will } = setUp(50);
    disconnect(x);
    hub.publishLater(x, will, 100);
    await clock.advance(50);
    expect([watcher.got, x.ended]).toEqual([["gone"], ["expired"]]);
  });

  test("comes at once when a fresh session takes the place", () => {
    const { hub, watcher, x, will } = setUp(10_000);
    disconnect(x);
    hub.publishLater(x, will, 100);
    connect(hub, "x", { start: "fresh" });
    expect(watcher.got).toEqual(["gone"]);
  });

  test("comes at once for a session that has ended", () => {
    const { hub, watcher, x, will } = setUp(0);
    disconnect(x);
    hub.publishLater(x, will, 100);
    expect(watcher.got).toEqual(["gone"]);
  });

  test.each([
    [0, ["gone"]],
    [100, []],
  ])("with a delay of %i ms, a session that is taken over and continued says %j", async (delayMs, said) => {
    const { hub, clock, watcher, x, will } = setUp(10_000);
    x.lastWord = { message: will, delayMs };
    connect(hub, "x", { expiryMs: 10_000 });
    await clock.advance(20_000);
    expect(watcher.got).toEqual(said);
  });
});

describe("acknowledging", () => {
  test("a publish is acknowledged only after everything queued for it is in the store", () => {
    const { hub, clock, medium } = scene();
    const x = connect(hub, "x", { expiryMs: 1000 });
    hub.subscribe(x, { filter: "a", guaranteeMax: 1 });
    clock.advanceSync(0);
    const stored = medium.records.size;
    const acknowledged: number[] = [];
    publish(hub, "a", "1");
    hub.committer.whenDurable(
      {
        onDurable: (token) => {
          acknowledged.push(token);
          expect(medium.records.size).toBe(stored + 2);
        },
        onCommitFailed: () => {},
      },
      7,
    );
    expect([acknowledged, medium.records.size]).toEqual([[], stored]);
    clock.advanceSync(0);
    expect(acknowledged).toEqual([7]);
  });

  test("messages at most once, and sessions that end with their connection, cost no storage", () => {
    const { hub, clock, medium } = scene();
    const [x, y] = [connect(hub, "x"), connect(hub, "y", { expiryMs: 1000 })];
    hub.subscribe(x, { filter: "a", guaranteeMax: 2 });
    hub.subscribe(y, { filter: "a", guaranteeMax: 0 });
    clock.advanceSync(0);
    const before = [medium.records.size, hub.committer.commits];
    for (const guarantee of [0, 1, 2] as const) publish(hub, "a", "1", { guarantee });
    clock.advanceSync(0);
    expect([medium.records.size, hub.committer.commits]).toEqual(before);
    expect(x.waiting).toHaveLength(2);
  });

  test("closing stores what is left, then closes the store", async () => {
    const medium = new MemoryMedium();
    const store = new MemoryStore(medium);
    const { hub, clock } = scene({ medium, store });
    connect(hub, "x", { expiryMs: 1000 });
    const closing = hub.close();
    await clock.settle();
    await closing;
    expect(medium.records.size).toBe(1);
    expect(() => store.get(Uint8Array.of(1))).toThrow("closed");
    await hub.close();
  });
});

test("an inspection shows sessions, subscriptions and counts", () => {
  const { hub } = scene();
  const x = connect(hub, "x", { expiryMs: 1000 });
  hub.subscribe(x, { filter: "a/#", guaranteeMax: 1 });
  hub.subscribe(x, { filter: "b", guaranteeMax: 1, group: "g" });
  publish(hub, "a/1", "1", { retain: true });
  disconnect(x);
  connect(hub, "y");
  expect(hub.inspect()).toMatchObject({
    sessions: [
      {
        id: "x",
        state: "detached",
        endsAtMs: hub.epochMs() + 1000,
        isStored: true,
        storedDeliveries: 1,
        subscriptions: ["a/#", "g: b"],
      },
      { id: "y", state: "attached", endsAtMs: null, isStored: false, subscriptions: [] },
    ],
    sessionCount: 2,
    attachedCount: 1,
    subscriptionCount: 2,
    sharedSubscriptionCount: 1,
    groupCount: 1,
    retainedCount: 1,
    durability: "memory",
    storeFailure: null,
    statistics: { messagesIn: 1, sessionsCreated: 2 },
  });
});
