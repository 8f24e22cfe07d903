import { describe, expect, test } from "vitest";
import { StoreBatch } from "../storage/batch.ts";
import { MemoryStore } from "../storage/memory-store.ts";
import { type Message, makeMessage } from "./message.ts";
import { Persistence } from "./persistence.ts";
import { KIND, kindPrefix } from "./records.ts";
import { bytesOf, countingStamp } from "./session.test-support.ts";

const FACTS = { expiryMs: 1000, endsAtMs: 0, state: bytesOf("s") };

class Rig {
  readonly store = new MemoryStore();
  touched = 0;
  readonly persistence = new Persistence({ touch: () => void this.touched++ });
  readonly #stamp = countingStamp();

  message(text = "1"): Message {
    return makeMessage({ topic: "a", payload: bytesOf(text), guarantee: 1 }, this.#stamp);
  }

  /** Commits what has changed; returns the number of changes. */
  commit(): number {
    const batch = new StoreBatch();
    this.persistence.fill(batch);
    void this.store.commit(batch);
    return batch.ops.length;
  }

  count(kind: keyof typeof KIND): number {
    let found = 0;
    this.store.scan(kindPrefix(KIND[kind]), () => ++found > 0);
    return found;
  }
}

describe("a stored message", () => {
  test("is stored once for all sessions that wait for it, and goes with the last one", () => {
    const rig = new Rig();
    const sessions = ["x", "y", "z"].map((id) => rig.persistence.createSession(id, FACTS));
    const message = rig.message();
    const deliveries = sessions.map((session) => rig.persistence.saveDelivery(session, message, bytesOf("r")));
    rig.commit();
    expect([rig.count("message"), rig.count("delivery")]).toEqual([1, 3]);
    for (const delivery of deliveries.slice(1)) rig.persistence.dropDelivery(delivery);
    rig.commit();
    expect([rig.count("message"), rig.count("delivery")]).toEqual([1, 1]);
    for (const delivery of deliveries) rig.persistence.dropDelivery(delivery);
    rig.commit();
    expect([rig.count("message"), rig.count("delivery")]).toEqual([0, 0]);
  });

  test("and its deliveries are in one batch, so that neither is there without the other", () => {
    const rig = new Rig();
    const session = rig.persistence.createSession("x", FACTS);
    rig.commit();
    rig.persistence.saveDelivery(session, rig.message(), bytesOf("r"));
    expect(rig.commit()).toBe(2);
  });

  test("never reaches the store when it is settled before the commit", () => {
    const rig = new Rig();
    const session = rig.persistence.createSession("x", FACTS);
    rig.commit();
    const delivery = rig.persistence.saveDelivery(session, rig.message(), bytesOf("r"));
    rig.persistence.updateDelivery(delivery, bytesOf("r2"));
    rig.persistence.dropDelivery(delivery);
    expect(rig.commit()).toBe(0);
  });

  test("is stored again when somebody else waits for it after it had gone", () => {
    const rig = new Rig();
    const session = rig.persistence.createSession("x", FACTS);
    const message = rig.message();
    rig.persistence.dropDelivery(rig.persistence.saveDelivery(session, message, bytesOf("r")));
    rig.commit();
    rig.persistence.saveDelivery(session, message, bytesOf("r"));
    rig.commit();
    expect([rig.count("message"), rig.count("delivery")]).toEqual([1, 1]);
  });

  test("that is also retained stays until both have let it go", () => {
    const rig = new Rig();
    const session = rig.persistence.createSession("x", FACTS);
    const message = rig.message();
    const delivery = rig.persistence.saveDelivery(session, message, bytesOf("r"));
    rig.persistence.onRetainedChange(null, message);
    rig.commit();
    rig.persistence.dropDelivery(delivery);
    rig.commit();
    expect([rig.count("message"), rig.count("retained")]).toEqual([1, 1]);
    rig.persistence.onRetainedChange(message, null);
    rig.commit();
    expect([rig.count("message"), rig.count("retained")]).toEqual([0, 0]);
  });
});

describe("a delivery", () => {
  test("that is dropped twice is dropped once", () => {
    const rig = new Rig();
    const [x, y] = ["x", "y"].map((id) => rig.persistence.createSession(id, FACTS));
    if (x === undefined || y === undefined) throw new Error("no session");
    const message = rig.message();
    const delivery = rig.persistence.saveDelivery(x, message, bytesOf("r"));
    rig.persistence.saveDelivery(y, message, bytesOf("r"));
    rig.persistence.dropDelivery(delivery);
    rig.persistence.dropDelivery(delivery);
    rig.persistence.updateDelivery(delivery, bytesOf("late"));
    rig.commit();
    expect([rig.count("message"), rig.count("delivery")]).toEqual([1, 1]);
  });

  test("costs one put when its record changes and one delete when it goes", () => {
    const rig = new Rig();
    const session = rig.persistence.createSession("x", FACTS);
    const delivery = rig.persistence.saveDelivery(session, rig.message(), bytesOf("r"));
    rig.commit();
    rig.persistence.updateDelivery(delivery, bytesOf("r2"));
    rig.persistence.updateDelivery(delivery, bytesOf("r3"));
    expect(rig.commit()).toBe(1);
    rig.persistence.dropDelivery(delivery);
    expect(rig.commit()).toBe(2);
    expect(rig.commit()).toBe(0);
  });
});

describe("a session that is removed", () => {
  test("takes everything of it along", () => {
    const rig = new Rig();
    const session = rig.persistence.createSession("x", FACTS);
    rig.persistence.saveDelivery(session, rig.message(), bytesOf("r"));
    rig.persistence.saveInbound(session, 7);
    rig.persistence.saveSubscription(session, TERMS);
    rig.commit();
    rig.persistence.removeSession(session);
    rig.persistence.removeSession(session);
    rig.commit();
    const kinds = ["session", "message", "delivery", "inbound", "subscription"] as const;
    expect(kinds.map((kind) => rig.count(kind))).toEqual([0, 0, 0, 0, 0]);
  });

  test("stores nothing any more, whatever is asked of it", () => {
    const rig = new Rig();
    const session = rig.persistence.createSession("x", FACTS);
    rig.persistence.removeSession(session);
    rig.persistence.dropDelivery(rig.persistence.saveDelivery(session, rig.message(), bytesOf("r")));
    rig.persistence.saveInbound(session, 1);
    rig.persistence.dropInbound(session, 1);
    rig.persistence.saveSubscription(session, TERMS);
    rig.persistence.dropSubscription(session, "a", null);
    rig.persistence.updateSession(session, { endsAtMs: 5 });
    expect(rig.commit()).toBe(0);
  });
});

describe("inbound ids and subscriptions", () => {
  test("an inbound id is stored until it is released", () => {
    const rig = new Rig();
    const session = rig.persistence.createSession("x", FACTS);
    rig.persistence.saveInbound(session, 1);
    rig.persistence.saveInbound(session, 65_535);
    rig.persistence.saveInbound(session, 1);
    rig.commit();
    expect(rig.count("inbound")).toBe(2);
    rig.persistence.dropInbound(session, 1);
    rig.persistence.dropInbound(session, 2);
    rig.commit();
    expect(rig.count("inbound")).toBe(1);
  });

  test("a subscription is stored once per filter and group", () => {
    const rig = new Rig();
    const session = rig.persistence.createSession("x", FACTS);
    rig.persistence.saveSubscription(session, TERMS);
    rig.persistence.saveSubscription(session, { ...TERMS, guaranteeMax: 0 });
    rig.persistence.saveSubscription(session, { ...TERMS, group: "g" });
    rig.commit();
    expect(rig.count("subscription")).toBe(2);
    rig.persistence.dropSubscription(session, "a", "h");
    rig.persistence.dropSubscription(session, "a", "g");
    rig.commit();
    expect(rig.count("subscription")).toBe(1);
  });
});

test("of many retained messages of a topic between two commits only the last is written", () => {
  const rig = new Rig();
  let before: Message | null = null;
  for (let i = 0; i < 1000; i++) {
    const next = rig.message(String(i));
    rig.persistence.onRetainedChange(before, next);
    before = next;
  }
  expect(rig.commit()).toBe(2);
});

test("whoever commits is told when there is something to commit", () => {
  const rig = new Rig();
  const session = rig.persistence.createSession("x", FACTS);
  expect(rig.touched).toBe(1);
  rig.commit();
  rig.persistence.saveInbound(session, 1);
  expect(rig.touched).toBe(2);
});

const TERMS = {
  filter: "a",
  group: null,
  guaranteeMax: 1,
  noLocal: false,
  retainAsPublished: false,
  identifier: 0,
} as const;
