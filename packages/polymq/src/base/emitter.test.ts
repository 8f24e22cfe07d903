import { describe, expect, test } from "vitest";
import { Emitter } from "./emitter.ts";

type Event = { readonly type: "up"; readonly n: number } | { readonly type: "down"; readonly why: string };

interface Setup {
  readonly emitter: Emitter<Event>;
  readonly reports: unknown[];
}

function setup(): Setup {
  const reports: unknown[] = [];
  return { emitter: new Emitter<Event>((error) => reports.push(error)), reports };
}

describe("Emitter", () => {
  test("tells the listeners of an event's type, in the order they came", () => {
    const { emitter } = setup();
    const seen: string[] = [];
    emitter.on("up", ({ n }) => seen.push(`a${n}`));
    emitter.on("up", ({ n }) => seen.push(`b${n}`));
    emitter.on("down", ({ why }) => seen.push(why));
    emitter.emit({ type: "up", n: 1 });
    emitter.emit({ type: "down", why: "gone" });
    expect(seen).toEqual(["a1", "b1", "gone"]);
  });

  test("the returned function stops one listener, even when the same function was added twice", () => {
    const { emitter } = setup();
    let calls = 0;
    const listener = (): void => {
      calls++;
    };
    const off = emitter.on("up", listener);
    emitter.on("up", listener);
    off();
    off();
    emitter.emit({ type: "up", n: 1 });
    expect(calls).toBe(1);
  });

  test("once hears one event", () => {
    const { emitter } = setup();
    const seen: number[] = [];
    emitter.once("up", ({ n }) => seen.push(n));
    emitter.emit({ type: "up", n: 1 });
    emitter.emit({ type: "up", n: 2 });
    expect(seen).toEqual([1]);
  });

  test("once can be taken back", () => {
    const { emitter } = setup();
    emitter.once("up", () => expect.unreachable())();
    emitter.emit({ type: "up", n: 1 });
  });

  test("a listener that throws is reported and stops nobody", () => {
    const { emitter, reports } = setup();
    const error = new Error("mine");
    let reached = false;
    emitter.on("up", () => {
      throw error;
    });
    emitter.on("up", () => {
      reached = true;
    });
    emitter.emit({ type: "up", n: 1 });
    expect(reached).toBe(true);
    expect(reports).toEqual([error]);
  });

  test("a listener whose promise rejects is reported, not an unhandled rejection", async () => {
    const { emitter, reports } = setup();
    const error = new Error("mine, later");
    emitter.on("up", () => Promise.reject(error));
    emitter.emit({ type: "up", n: 1 });
    await Promise.resolve();
    expect(reports).toEqual([error]);
  });

  test("an event without listeners goes nowhere, whatever its type is called", () => {
    const { emitter } = setup();
    expect(() => emitter.emit({ type: "__proto__" } as never)).not.toThrow();
  });

  test("listeners added or removed while an event is told count from the next one on", () => {
    const { emitter } = setup();
    const seen: string[] = [];
    emitter.on("up", () => {
      seen.push("first");
      off();
      emitter.on("up", () => seen.push("new"));
    });
    const off = emitter.on("up", () => seen.push("second"));
    emitter.emit({ type: "up", n: 1 });
    expect(seen).toEqual(["first", "second"]);
    seen.length = 0;
    emitter.emit({ type: "up", n: 2 });
    expect(seen).toEqual(["first", "new"]);
  });

  test("events is an iteration over all types, from now on until the end", async () => {
    const { emitter } = setup();
    emitter.emit({ type: "up", n: 0 });
    const stream = emitter.events();
    emitter.emit({ type: "up", n: 1 });
    emitter.emit({ type: "down", why: "end" });
    emitter.end();
    const seen: Event[] = [];
    for await (const event of stream) seen.push(event);
    expect(seen).toEqual([
      { type: "up", n: 1 },
      { type: "down", why: "end" },
    ]);
  });

  test("a reader that is too slow loses the oldest events beyond 1,024, and they are counted", async () => {
    const { emitter } = setup();
    const stream = emitter.events();
    for (let n = 0; n < 1_034; n++) emitter.emit({ type: "up", n });
    expect(stream.dropped).toBe(10);
    expect(await stream.next()).toMatchObject({ value: { n: 10 } });
  });

  test("leaving one iteration leaves the others", async () => {
    const { emitter } = setup();
    const [first, second] = [emitter.events(), emitter.events()];
    await first.return?.();
    emitter.emit({ type: "up", n: 1 });
    expect(await first.next()).toEqual({ value: undefined, done: true });
    expect(await second.next()).toMatchObject({ value: { n: 1 } });
  });

  test("after the end nothing is told, and a new iteration is done at once", async () => {
    const { emitter } = setup();
    emitter.on("up", () => expect.unreachable());
    emitter.end();
    emitter.emit({ type: "up", n: 1 });
    expect(await emitter.events().next()).toEqual({ value: undefined, done: true });
  });
});
