import { describe, expect, test } from "vitest";
import { HeldMessages } from "./held-messages.ts";
import { Mailbox } from "./mailbox.ts";
import { RetainedMessages } from "./retained.ts";
import { messageOf } from "./session.test-support.ts";

const LIMITS = { messagesMax: 4, bytesMax: 1 << 20, overflow: "dropOldest" } as const;

function mailbox(held: HeldMessages): Mailbox<{ message: ReturnType<typeof messageOf> }> {
  return new Mailbox(LIMITS, () => undefined, held);
}

describe("what is held", () => {
  test("counts a message once, and a little for each who holds it", () => {
    const held = new HeldMessages();
    const message = messageOf("a", "x".repeat(10_000));
    held.hold(message);
    const once = held.bytes;
    expect(once).toBeGreaterThan(message.bytes);
    for (let i = 0; i < 9; i++) held.hold(message);
    expect(held.bytes - once).toBe(9 * (once - message.bytes));
    for (let i = 0; i < 10; i++) held.release(message);
    expect(held.bytes).toBe(0);
  });

  test("is tight from seven eighths of the limit on, and full at the limit", () => {
    const held = new HeldMessages(8_000);
    const message = messageOf("a", "x".repeat(6_000));
    held.hold(message);
    expect([held.isTight, held.isFull]).toEqual([false, false]);
    held.hold(messageOf("a", "x".repeat(800)));
    expect([held.isTight, held.isFull]).toEqual([true, false]);
    held.hold(messageOf("a", "x".repeat(800)));
    expect([held.isTight, held.isFull]).toEqual([true, true]);
    held.isCommitting = true;
    expect([held.isTight, held.isFull]).toEqual([false, false]);
  });

  test("is without limit never full", () => {
    const held = new HeldMessages();
    held.hold(messageOf("a", "x".repeat(1_000)));
    expect([held.isTight, held.isFull]).toEqual([false, false]);
  });
});

describe("a mailbox", () => {
  test("counts what it holds, whatever way it leaves", () => {
    const held = new HeldMessages();
    const box = mailbox(held);
    for (let i = 0; i < 6; i++) box.put({ message: messageOf("a", `${i}`) }); // two overflow
    box.put({ message: messageOf("a", "e", { expiresAtMs: 10 }) });
    const first = box.take(0);
    expect(first?.message).toBeDefined();
    if (first !== undefined) box.putBack(first);
    box.sweep(20);
    box.take(20);
    expect(held.bytes).toBeGreaterThan(0);
    box.clear();
    expect(held.bytes).toBe(0);
  });
});

describe("retained messages", () => {
  test("are counted, and refused while there is no room in all", () => {
    const held = new HeldMessages(4_000);
    const retained = new RetainedMessages(
      { countMax: 10, bytesMax: 1 << 20 },
      { onRetainedChange: () => undefined },
      held,
    );
    expect(retained.set(messageOf("a", "x".repeat(3_500)))).toBe("stored");
    expect(retained.set(messageOf("b", "1"))).toBe("refused");
    expect(held.refusedCount).toBe(1);
    retained.clear("a");
    expect(held.bytes).toBe(0);
    expect(retained.set(messageOf("b", "1"))).toBe("stored");
  });

  test("take the place of one that is no smaller all the same", () => {
    const held = new HeldMessages(4_000);
    const retained = new RetainedMessages(
      { countMax: 10, bytesMax: 1 << 20 },
      { onRetainedChange: () => undefined },
      held,
    );
    retained.set(messageOf("a", "x".repeat(3_500)));
    expect(retained.set(messageOf("a", "y".repeat(3_500)))).toBe("replaced");
    expect(retained.set(messageOf("a", "z".repeat(3_501)))).toBe("refused");
  });
});
