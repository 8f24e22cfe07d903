import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { VirtualClock } from "polymq/testing";
import { describe, expect, test } from "vitest";
import { StoreBatch } from "../storage/batch.ts";
import { LmdbStore } from "../storage/lmdb-store.ts";
import { MemoryMedium, MemoryStore } from "../storage/memory-store.ts";
import type { Store } from "../storage/store.ts";
import { Hub } from "./hub.ts";
import { KIND, recordKeyOf } from "./records.ts";
import { bytesOf, connect, disconnect, PlainSession, type Scene, scene, textOf } from "./session.test-support.ts";

/** Lets what changed be committed, then starts another hub over the same contents, as after a crash. */
function crash({ clock, medium }: Scene, awayMs = 0): Scene {
  clock.advanceSync(0);
  return scene({ medium, clock: new VirtualClock(clock.epochMs() + awayMs) });
}

function sessionOf(hub: Hub, id: string): PlainSession {
  const session = hub.sessions.get(id)?.session;
  if (!(session instanceof PlainSession)) throw new Error(`no session ${id}`);
  return session;
}

function say(hub: Hub, topic: string, text: string, more: { retain?: boolean; guarantee?: 0 | 1 | 2 } = {}): void {
  hub.publish(hub.makeMessage({ topic, payload: bytesOf(text), guarantee: 1, ...more }));
}

describe("after a restart", () => {
  test("a session has its subscriptions and its undelivered messages in order", () => {
    const before = scene();
    const x = connect(before.hub, "x", { expiryMs: 10_000 });
    before.hub.subscribe(x, { filter: "a/#", guaranteeMax: 2, identifier: 7, retainAsPublished: true, noLocal: true });
    disconnect(x);
    for (const text of ["1", "2", "3"]) say(before.hub, "a/b", text);
    const { hub } = crash(before);
    const again = sessionOf(hub, "x");
    expect(again.waiting).toEqual(["1", "2", "3"]);
    expect(hub.router.subscriptionsOf(again)).toMatchObject([
      { filter: "a/#", guaranteeMax: 2, identifiers: [7], retainAsPublished: true, noLocal: true, group: null },
    ]);
    say(hub, "a/c", "4");
    expect(again.waiting).toEqual(["1", "2", "3", "4"]);
  });

  test("what was settled before stays settled", () => {
    const before = scene();
    const x = connect(before.hub, "x", { expiryMs: 10_000 });
    before.hub.subscribe(x, { filter: "a", guaranteeMax: 1 });
    for (const text of ["1", "2"]) say(before.hub, "a", text);
    before.clock.advanceSync(0);
    x.settleNext();
    expect(sessionOf(crash(before).hub, "x").waiting).toEqual(["2"]);
  });

  test("a session that was connected has its whole time from now on", async () => {
    const before = scene();
    connect(before.hub, "x", { expiryMs: 1000 });
    const { hub, clock } = crash(before, 5000);
    await clock.advance(999);
    expect(hub.sessions.count).toBe(1);
    await clock.advance(1);
    expect(hub.sessions.count).toBe(0);
  });

  test("a session whose time ran out meanwhile is gone, from the store too", () => {
    const before = scene();
    const x = connect(before.hub, "x", { expiryMs: 1000 });
    before.hub.subscribe(x, { filter: "a", guaranteeMax: 1 });
    disconnect(x);
    say(before.hub, "a", "1");
    const after = crash(before, 1000);
    expect([after.hub.sessions.count, after.hub.router.subscriptionCount]).toEqual([0, 0]);
    after.clock.advanceSync(0);
    expect(after.medium.records.size).toBe(0);
  });

  test("messages of a group that an expired session held go to the others", () => {
    const before = scene();
    const x = connect(before.hub, "x", { expiryMs: 1000 });
    before.hub.subscribe(x, { filter: "a", guaranteeMax: 1, group: "g" });
    disconnect(x);
    say(before.hub, "a", "1");
    const y = connect(before.hub, "y", { expiryMs: 100_000 });
    before.hub.subscribe(y, { filter: "a", guaranteeMax: 1, group: "g" });
    const { hub } = crash(before, 1000);
    expect([hub.sessions.get("x"), sessionOf(hub, "y").waiting]).toEqual([null, ["1"]]);
  });

  test("sessions that end with their connection are gone", () => {
    const before = scene();
    connect(before.hub, "x");
    expect(crash(before).hub.sessions.count).toBe(0);
  });

  test("retained messages are there, at most once as well, with all they said", () => {
    const before = scene();
    say(before.hub, "a", "old", { retain: true, guarantee: 0 });
    say(before.hub, "b", "cleared", { retain: true });
    before.clock.advanceSync(0);
    const parts = { properties: bytesOf("p"), encoding: 5, publisherId: "me", expiresAtMs: 9e15 };
    before.hub.publish(before.hub.makeMessage({ topic: "a", payload: bytesOf("new"), retain: true, ...parts }));
    say(before.hub, "b", "", { retain: true });
    const { hub } = crash(before);
    expect(hub.retained.count).toBe(1);
    expect(hub.retained.get("a")).toMatchObject({ payload: bytesOf("new"), guarantee: 0, retain: true, ...parts });
  });

  test("a delayed publication comes at its time, or at once when that is past", async () => {
    const before = scene();
    for (const [id, delay] of [
      ["x", 1000],
      ["y", 5000],
    ] as const) {
      const session = connect(before.hub, id, { expiryMs: 100_000 });
      disconnect(session);
      before.hub.publishLater(session, before.hub.makeMessage({ topic: "will", payload: bytesOf(id) }), delay);
    }
    const w = connect(before.hub, "w", { expiryMs: 100_000 });
    before.hub.subscribe(w, { filter: "will", guaranteeMax: 0 });
    const { hub, clock } = crash(before, 2000);
    const again = connect(hub, "w");
    await clock.advance(0);
    expect(again.got).toEqual(["x"]);
    await clock.advance(2999);
    expect(again.got).toEqual(["x"]);
    await clock.advance(1);
    expect(again.got).toEqual(["x", "y"]);
  });

  test("a delayed publication that was made or called off is not made again", async () => {
    const before = scene();
    const x = connect(before.hub, "x", { expiryMs: 100_000 });
    disconnect(x);
    before.hub.publishLater(x, before.hub.makeMessage({ topic: "will", payload: bytesOf("x") }), 1000);
    before.clock.advanceSync(0);
    connect(before.hub, "x", { expiryMs: 100_000 });
    const { hub } = crash(before);
    expect(hub.delayed.count).toBe(0);
  });

  test("inbound ids and the session layer's own data come back", () => {
    const medium = new MemoryMedium();
    const first = scene({ medium });
    const x = connect(first.hub, "x", { expiryMs: 1000 });
    if (x.stored === null) throw new Error("not stored");
    for (const id of [3, 65_535]) first.hub.persistence?.saveInbound(x.stored, id);
    first.clock.advanceSync(0);
    const seen: unknown[] = [];
    Hub.open({
      clock: new VirtualClock(),
      store: new MemoryStore(medium),
      restoreSession: (restored, hub) => {
        seen.push(restored.id, restored.inbound, textOf(restored.stored.facts.state));
        return PlainSession.restored(restored, hub);
      },
    });
    expect(seen).toEqual(["x", [3, 65_535], "plain"]);
  });

  test("new sessions, messages and deliveries get names that no stored one has", () => {
    let current = scene();
    for (let round = 0; round < 3; round++) {
      const x = connect(current.hub, `x${round}`, { expiryMs: 1e9 });
      current.hub.subscribe(x, { filter: "a", guaranteeMax: 1 });
      disconnect(x);
      say(current.hub, "a", String(round));
      current = crash(current);
    }
    expect(["x0", "x1", "x2"].map((id) => sessionOf(current.hub, id).waiting.join(""))).toEqual(["012", "12", "2"]);
  });
});

describe("contents that do not fit together", () => {
  const damaged = (change: (batch: StoreBatch) => void): MemoryMedium => {
    const before = scene();
    const x = connect(before.hub, "x", { expiryMs: 10_000 });
    before.hub.subscribe(x, { filter: "a", guaranteeMax: 1 });
    say(before.hub, "a", "1");
    before.clock.advanceSync(0);
    const batch = new StoreBatch();
    change(batch);
    void new MemoryStore(before.medium).commit(batch);
    return before.medium;
  };

  test.each<[string, (batch: StoreBatch) => void]>([
    ["a missing body", (batch) => batch.delete(recordKeyOf(KIND.message, 1))],
    ["a missing session", (batch) => batch.delete(recordKeyOf(KIND.session, 1))],
    ["a session that is cut short", (batch) => batch.put(recordKeyOf(KIND.session, 1), bytesOf("short"))],
    ["a message that is cut short", (batch) => batch.put(recordKeyOf(KIND.message, 1), bytesOf("short"))],
  ])("%s is ERR_STORE_CORRUPT", (_name, change) => {
    const medium = damaged(change);
    expect(() => scene({ medium })).toThrow(expect.objectContaining({ code: "ERR_STORE_CORRUPT" }));
  });

  test("a body that nobody refers to is removed", () => {
    const medium = damaged((batch) => batch.delete(recordKeyOf(KIND.delivery, 1, 1)));
    const before = medium.records.size;
    const { clock } = scene({ medium });
    clock.advanceSync(0);
    expect(medium.records.size).toBe(before - 1);
  });

  test("stored sessions that nobody takes up are ERR_INVALID_OPTIONS, not lost", () => {
    const medium = damaged(() => {});
    expect(() => Hub.open({ clock: new VirtualClock(), store: new MemoryStore(medium) })).toThrow(
      expect.objectContaining({ code: "ERR_INVALID_OPTIONS" }),
    );
  });
});

type Step =
  | { readonly is: "connect"; readonly who: number; readonly start: "fresh" | "resume"; readonly expiryMs: number }
  | { readonly is: "disconnect"; readonly who: number }
  | { readonly is: "settle"; readonly who: number }
  | { readonly is: "subscribe"; readonly who: number; readonly filter: string }
  | { readonly is: "unsubscribe"; readonly who: number; readonly filter: string }
  | {
      readonly is: "publish";
      readonly topic: string;
      readonly guarantee: 0 | 1 | 2;
      readonly retain: boolean;
      readonly clear: boolean;
    }
  | { readonly is: "wait"; readonly ms: number }
  | { readonly is: "commit" }
  | { readonly is: "restart" }
  | { readonly is: "crash" };

const who = fc.nat(2);
const filter = fc.constantFrom("a", "b", "+", "#");
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      is: fc.constant("connect" as const),
      who,
      start: fc.constantFrom("fresh" as const, "resume" as const, "resume" as const),
      expiryMs: fc.constantFrom(0, 500, Number.POSITIVE_INFINITY),
    }),
  },
  { weight: 3, arbitrary: fc.record({ is: fc.constantFrom("disconnect" as const, "settle" as const), who }) },
  {
    weight: 3,
    arbitrary: fc.record({
      is: fc.constantFrom("subscribe" as const, "subscribe" as const, "unsubscribe" as const),
      who,
      filter,
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      is: fc.constant("publish" as const),
      topic: fc.constantFrom("a", "b"),
      guarantee: fc.constantFrom(0 as const, 1 as const, 2 as const),
      retain: fc.boolean(),
      clear: fc.nat(3).map((n) => n === 0),
    }),
  },
  { weight: 1, arbitrary: fc.record({ is: fc.constant("wait" as const), ms: fc.nat(400) }) },
  { weight: 2, arbitrary: fc.record({ is: fc.constant("commit" as const) }) },
  { weight: 1, arbitrary: fc.record({ is: fc.constantFrom("restart" as const, "crash" as const) }) },
);

interface ModelSession {
  readonly id: string;
  expiryMs: number;
  endsAtMs: number | null;
  filters: Set<string>;
  waiting: string[];
}

/** What should be there, in the plainest form. It knows nothing of batches, references or records. */
class Model {
  sessions = new Map<string, ModelSession>();
  retained = new Map<string, string>();

  /** A copy of what should be there now. */
  copy(): Model {
    const copy = new Model();
    copy.sessions = structuredClone(this.sessions);
    copy.retained = new Map(this.retained);
    return copy;
  }

  connect(id: string, start: "fresh" | "resume", expiryMs: number): void {
    const old = this.sessions.get(id);
    const continues = start === "resume" && old !== undefined && (old.endsAtMs !== null || old.expiryMs > 0);
    if (continues) Object.assign(old, { expiryMs, endsAtMs: null });
    else this.sessions.set(id, { id, expiryMs, endsAtMs: null, filters: new Set(), waiting: [] });
  }

  disconnect(id: string, nowMs: number): void {
    const session = this.sessions.get(id);
    if (session === undefined || session.endsAtMs !== null) return;
    if (session.expiryMs === 0) this.sessions.delete(id);
    else session.endsAtMs = nowMs + session.expiryMs;
  }

  publish(topic: string, text: string, one: { guarantee: number; retain: boolean }): void {
    if (one.retain && text === "") this.retained.delete(topic);
    else if (one.retain) this.retained.set(topic, text);
    if (one.guarantee === 0) return;
    for (const session of this.sessions.values()) {
      if (["+", "#", topic].some((wanted) => session.filters.has(wanted))) session.waiting.push(text);
    }
  }

  expire(nowMs: number): void {
    for (const session of [...this.sessions.values()]) {
      if (session.endsAtMs !== null && session.endsAtMs <= nowMs) this.sessions.delete(session.id);
    }
  }

  /** Everybody loses the connection; who had no time to outlive it is gone. */
  restart(nowMs: number): void {
    for (const session of [...this.sessions.values()]) this.disconnect(session.id, nowMs);
  }

  check(hub: Hub): void {
    const sessions = hub.sessions.list().map(({ session, state }) => {
      const plain = session as PlainSession;
      const filters = hub.router.subscriptionsOf(plain).map((one) => one.filter);
      const endsAtMs = state.is === "detached" ? state.endsAtMs : null;
      return { id: plain.id, endsAtMs, filters: filters.sort(), waiting: plain.waiting };
    });
    const expected = [...this.sessions.values()].map(({ id, endsAtMs, filters, waiting }) => ({
      id,
      endsAtMs,
      filters: [...filters].sort(),
      waiting,
    }));
    const byId = (a: { id: string }, b: { id: string }): number => (a.id < b.id ? -1 : 1);
    expect(sessions.sort(byId)).toEqual(expected.sort(byId));
    const retained = hub.retained.match("#", 0).map((one) => [one.topic, textOf(one.payload)]);
    expect(new Map(retained as [string, string][])).toEqual(this.retained);
  }
}

/** Drives a hub and the model alike. */
class Pair {
  model = new Model();
  /** What should survive: the model at the last commit. */
  #committed = new Model();
  readonly #open: () => Promise<Store>;
  #clock = new VirtualClock();
  #store: Store | null = null;
  #published = 0;
  hub: Hub | null = null;

  constructor(open: () => Promise<Store>) {
    this.#open = open;
  }

  async start(): Promise<Hub> {
    this.#store = await this.#open();
    const restoreSession = PlainSession.restored;
    this.hub = Hub.open({
      clock: this.#clock,
      store: this.#store,
      restoreSession,
      onError: (error) => {
        throw error;
      },
    });
    return this.hub;
  }

  async restart(): Promise<void> {
    await this.commit();
    await this.crash();
  }

  /** What was not committed yet is lost. */
  async crash(): Promise<void> {
    await this.#store?.close();
    this.model = this.#committed.copy();
    this.model.restart(this.#clock.epochMs());
    this.#clock = new VirtualClock(this.#clock.epochMs());
    await this.start();
    await this.commit();
  }

  async commit(): Promise<void> {
    const flushed = this.hub?.committer.flush();
    this.#clock.advanceSync(0);
    await flushed;
    this.#committed = this.model.copy();
  }

  async stop(): Promise<void> {
    const closing = this.hub?.close();
    this.#clock.advanceSync(0);
    await closing;
  }

  async apply(one: Step): Promise<void> {
    const hub = this.hub;
    if (hub === null) return;
    if (one.is === "commit") return this.commit();
    if (one.is === "restart") return this.restart();
    if (one.is === "crash") return this.crash();
    if (one.is === "wait") {
      await this.commit();
      this.#clock.advanceSync(one.ms);
      this.model.expire(this.#clock.epochMs());
      await this.commit();
    } else if (one.is === "publish") {
      const text = one.clear ? "" : `m${this.#published++}`;
      say(hub, one.topic, text, one);
      this.model.publish(one.topic, text, one);
    } else this.#applyToSession(hub, one);
  }

  #applyToSession(hub: Hub, one: Extract<Step, { readonly who: number }>): void {
    const id = `s${one.who}`;
    if (one.is === "connect") {
      connect(hub, id, { start: one.start, expiryMs: one.expiryMs });
      this.model.connect(id, one.start, one.expiryMs);
      return;
    }
    const session = this.model.sessions.get(id);
    if (session === undefined) return;
    const real = sessionOf(hub, id);
    if (one.is === "disconnect") {
      if (session.endsAtMs === null) disconnect(real);
      this.model.disconnect(id, this.#clock.epochMs());
    } else if (one.is === "settle") expect(real.settleNext() ?? undefined).toBe(session.waiting.shift());
    else if (one.is === "subscribe") {
      hub.subscribe(real, { filter: one.filter, guaranteeMax: 2 });
      session.filters.add(one.filter);
    } else {
      hub.unsubscribe(real, one.filter);
      session.filters.delete(one.filter);
    }
  }
}

async function run(steps: readonly Step[], open: () => Promise<Store>): Promise<void> {
  const pair = new Pair(open);
  await pair.start();
  try {
    for (const one of steps) {
      await pair.apply(one);
      if (pair.hub !== null) pair.model.check(pair.hub);
    }
    await pair.restart();
    if (pair.hub !== null) pair.model.check(pair.hub);
  } finally {
    await pair.stop();
  }
}

describe("whatever happens, a restart finds what a simple model says", () => {
  test("over the memory store, with nothing left behind when all is gone", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const medium = new MemoryMedium();
        await run(steps, async () => new MemoryStore(medium));
        const last = scene({ medium });
        for (const { session } of last.hub.sessions.list()) last.hub.endSession(session, "removed");
        for (const message of last.hub.retained.match("#", 0)) last.hub.retained.clear(message.topic);
        last.clock.advanceSync(0);
        expect(medium.records.size).toBe(0);
      }),
      { numRuns: 150 },
    );
  });

  test("over the lmdb store", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const directory = mkdtempSync(join(tmpdir(), "polymq-restore-"));
        try {
          await run(steps, () => LmdbStore.open({ directory, durability: "buffered" }));
        } finally {
          rmSync(directory, { recursive: true });
        }
      }),
      { numRuns: 15 },
    );
  });
});
