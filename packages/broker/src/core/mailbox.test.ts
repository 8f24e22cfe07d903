import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type DropReason, Mailbox, type MailboxLimits } from "./mailbox.ts";
import type { Message } from "./message.ts";
import { messageOf, textOf } from "./session.test-support.ts";

interface Item {
  readonly message: Message;
  readonly name: string;
}

const NOW = 1000;
const SIZE = messageOf("a", "1").bytes;

function item(name: string, more: { payload?: string; expiresAtMs?: number } = {}): Item {
  const { payload = "1", ...rest } = more;
  return { name, message: messageOf("a", payload, rest) };
}

function make(limits: Partial<MailboxLimits> = {}): { mailbox: Mailbox<Item>; dropped: [string, DropReason][] } {
  const dropped: [string, DropReason][] = [];
  const mailbox = new Mailbox<Item>(
    { messagesMax: 3, bytesMax: 1 << 20, overflow: "dropOldest", ...limits },
    (one, reason) => void dropped.push([one.name, reason]),
  );
  return { mailbox, dropped };
}

function takeAll(mailbox: Mailbox<Item>): string[] {
  const names: string[] = [];
  for (let one = mailbox.take(NOW); one !== undefined; one = mailbox.take(NOW)) names.push(one.name);
  return names;
}

describe("a mailbox", () => {
  test("what was put first is taken first", () => {
    const { mailbox } = make();
    for (const name of ["1", "2", "3"]) mailbox.put(item(name));
    expect(mailbox.peek(NOW)?.name).toBe("1");
    expect(takeAll(mailbox)).toEqual(["1", "2", "3"]);
    expect([mailbox.length, mailbox.bytes]).toEqual([0, 0]);
  });

  test("what was put back comes first again", () => {
    const { mailbox } = make();
    for (const name of ["1", "2"]) mailbox.put(item(name));
    const first = mailbox.take(NOW);
    if (first !== undefined) mailbox.putBack(first);
    expect(takeAll(mailbox)).toEqual(["1", "2"]);
  });

  test("with dropOldest the oldest leave when it is full, and are told", () => {
    const { mailbox, dropped } = make();
    for (const name of ["1", "2", "3", "4", "5"]) expect(mailbox.put(item(name))).toBe(true);
    expect(dropped).toEqual([
      ["1", "overflow"],
      ["2", "overflow"],
    ]);
    expect([takeAll(mailbox), mailbox.overflowedCount]).toEqual([["3", "4", "5"], 2]);
  });

  test("with dropNewest the new one is refused when it is full", () => {
    const { mailbox, dropped } = make({ overflow: "dropNewest" });
    expect(["1", "2", "3", "4"].map((name) => mailbox.put(item(name)))).toEqual([true, true, true, false]);
    expect([takeAll(mailbox), dropped, mailbox.overflowedCount]).toEqual([["1", "2", "3"], [], 1]);
  });

  test("as many old ones leave as a large one needs in bytes", () => {
    const { mailbox, dropped } = make({ bytesMax: 3 * SIZE });
    for (const name of ["1", "2", "3"]) mailbox.put(item(name));
    mailbox.put(item("large", { payload: "x".repeat(SIZE) }));
    expect(dropped.map(([name]) => name)).toEqual(["1", "2"]);
    expect(takeAll(mailbox)).toEqual(["3", "large"]);
  });

  test.each(["dropOldest", "dropNewest"] as const)(
    "with %s a message larger than the limit in bytes waits beside the others, and drives nobody out",
    (overflow) => {
      const { mailbox, dropped } = make({ messagesMax: 9, bytesMax: 2 * SIZE, overflow });
      for (const name of ["1", "huge", "2"]) {
        expect(mailbox.put(item(name, name === "huge" ? { payload: "x".repeat(2 * SIZE) } : {}))).toBe(true);
      }
      expect([takeAll(mailbox), dropped, mailbox.bytes]).toEqual([["1", "huge", "2"], [], 0]);
    },
  );

  test("of messages larger than the limit in bytes one waits at a time", () => {
    const payload = "x".repeat(2 * SIZE);
    const oldest = make({ bytesMax: 2 * SIZE });
    for (const name of ["1", "2"]) oldest.mailbox.put(item(name, { payload }));
    expect([takeAll(oldest.mailbox), oldest.dropped]).toEqual([["2"], [["1", "overflow"]]]);
    const newest = make({ bytesMax: 2 * SIZE, overflow: "dropNewest" });
    expect(["1", "2"].map((name) => newest.mailbox.put(item(name, { payload })))).toEqual([true, false]);
    expect(takeAll(newest.mailbox)).toEqual(["1"]);
    expect(newest.mailbox.put(item("3", { payload }))).toBe(true);
  });

  test("a mailbox for no messages takes none", () => {
    const { mailbox } = make({ messagesMax: 0 });
    expect(mailbox.put(item("1"))).toBe(false);
  });

  test("an expired message is never handed out", () => {
    const { mailbox, dropped } = make();
    mailbox.put(item("1", { expiresAtMs: NOW }));
    mailbox.put(item("2", { expiresAtMs: NOW + 1 }));
    expect(mailbox.take(NOW)?.name).toBe("2");
    expect([dropped, mailbox.expiredCount, mailbox.bytes]).toEqual([[["1", "expired"]], 1, 0]);
  });

  test("a sweep removes expired ones wherever they stand and keeps the order", () => {
    const { mailbox } = make({ messagesMax: 9 });
    for (const name of ["1", "2", "3", "4", "5"]) {
      mailbox.put(item(name, Number(name) % 2 === 0 ? { expiresAtMs: NOW } : {}));
    }
    expect(mailbox.sweep(NOW)).toBe(2);
    expect(takeAll(mailbox)).toEqual(["1", "3", "5"]);
  });

  test("what was stored comes back whatever the limits are now", () => {
    const { mailbox } = make({ messagesMax: 1 });
    for (const name of ["1", "2"]) mailbox.restore(item(name));
    expect(takeAll(mailbox)).toEqual(["1", "2"]);
  });

  test("whatever is put and taken, bounds hold, order holds, and everything is accounted for", () => {
    const step = fc.oneof(
      fc.record({ is: fc.constant("put" as const), size: fc.nat(5 * SIZE), ttl: fc.constantFrom(-1, 0, 50) }),
      fc.record({ is: fc.constant("take" as const) }),
      fc.record({ is: fc.constant("sweep" as const) }),
    );
    const overflows = fc.constantFrom("dropOldest" as const, "dropNewest" as const);
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), overflows, fc.nat(6), (steps, overflow, messagesMax) => {
        const bytesMax = 4 * SIZE;
        const { mailbox, dropped } = make({ messagesMax, bytesMax, overflow });
        let put = 0;
        let refused = 0;
        let last = -1;
        let taken = 0;
        for (const one of steps) {
          if (one.is === "put") {
            const expiresAtMs = one.ttl < 0 ? Number.POSITIVE_INFINITY : NOW + one.ttl;
            const accepts = mailbox.accepts(messageOf("a", "x".repeat(one.size)).bytes);
            expect(mailbox.put(item(String(put++), { payload: "x".repeat(one.size), expiresAtMs }))).toBe(accepts);
            if (!accepts) refused++;
          } else if (one.is === "sweep") mailbox.sweep(NOW);
          else {
            const got = mailbox.take(NOW);
            if (got === undefined) continue;
            expect(Number(got.name)).toBeGreaterThan(last);
            expect(got.message.expiresAtMs).toBeGreaterThan(NOW);
            last = Number(got.name);
            taken++;
          }
          expect(mailbox.length).toBeLessThanOrEqual(messagesMax);
          const sizes = Array.from({ length: mailbox.length }, (_, i) => mailbox.at(i)?.message.bytes ?? 0);
          const large = sizes.filter((bytes) => bytes > bytesMax);
          expect(large.length).toBeLessThanOrEqual(1);
          expect(mailbox.bytes - (large[0] ?? 0)).toBeLessThanOrEqual(bytesMax);
        }
        expect(put).toBe(taken + refused + dropped.length + mailbox.length);
        expect(dropped.length + refused).toBe(mailbox.overflowedCount + mailbox.expiredCount);
        const held = Array.from({ length: mailbox.length }, (_, i) => mailbox.at(i)?.message.bytes ?? 0);
        expect(mailbox.bytes).toBe(held.reduce((sum, bytes) => sum + bytes, 0));
      }),
      { numRuns: 300 },
    );
  });

  test("clearing forgets everything", () => {
    const { mailbox, dropped } = make();
    mailbox.put(item("1"));
    mailbox.clear();
    expect([mailbox.length, mailbox.bytes, dropped]).toEqual([0, 0, []]);
    mailbox.put(item("2"));
    expect(textOf(mailbox.take(NOW)?.message.payload ?? new Uint8Array(0))).toBe("1");
  });
});
