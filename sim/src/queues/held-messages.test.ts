import { describe, expect, test } from "vitest";
import { HeldMessages } from "./held-messages.ts";

const [a, b] = [{ name: "a" }, { name: "b" }];

describe("who has a message", () => {
  test("is one member, until its time is over", () => {
    const held = new HeldMessages(500);
    expect(held.given(0, { member: a, sinceMs: 0 })).toBe(true);
    expect(held.given(1, { member: b, sinceMs: 0 })).toBe(true);
    expect(held.given(0, { member: b, sinceMs: 499 })).toBe(false);
    expect(held.given(0, { member: a, sinceMs: 999 })).toBe(true);
  });

  test("is the first for good where there is no timeout, and may get it again", () => {
    const held = new HeldMessages(0);
    held.given(0, { member: a, sinceMs: 0 });
    expect(held.given(0, { member: a, sinceMs: 10 })).toBe(true);
    expect(held.given(0, { member: b, sinceMs: 1e9 })).toBe(false);
  });

  test("is nobody when its member gave it back or left, and when the broker is another one", () => {
    const held = new HeldMessages(0);
    for (const take of [() => held.givenBack(0, a), () => held.left(a), () => held.clear()]) {
      held.given(0, { member: a, sinceMs: 0 });
      take();
      expect(held.given(0, { member: b, sinceMs: 0 })).toBe(true);
      held.clear();
    }
  });

  test("is who has it, when another one gives it back or it is not taken", () => {
    const held = new HeldMessages(0);
    held.given(0, { member: a, sinceMs: 0 });
    held.givenBack(0, b);
    held.givenBack(0, a)();
    expect(held.given(0, { member: b, sinceMs: 0 })).toBe(false);
  });
});
