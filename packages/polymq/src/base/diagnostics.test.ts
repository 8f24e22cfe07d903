import { channel } from "node:diagnostics_channel";
import { afterEach, describe, expect, test, vi } from "vitest";
import { diagnostics } from "./diagnostics.ts";

afterEach(() => vi.unstubAllGlobals());

const NAMES = [
  ["connect", "polymq:connect"],
  ["publish", "polymq:publish"],
  ["deliver", "polymq:deliver"],
  ["settle", "polymq:settle"],
  ["warning", "polymq:warning"],
] as const;

describe("diagnostics", () => {
  test.each(NAMES)("%s publishes on the runtime's channel %s", (field, name) => {
    const trace = diagnostics()[field];
    const seen: unknown[] = [];
    const listener = (message: unknown): void => {
      seen.push(message);
    };
    expect(trace.hasSubscribers).toBe(false);
    channel(name).subscribe(listener);
    expect(trace.hasSubscribers).toBe(true);
    trace.publish({ mark: 1 } as never);
    channel(name).unsubscribe(listener);
    expect(trace.hasSubscribers).toBe(false);
    expect(seen).toEqual([{ mark: 1 }]);
  });

  test.each<[string, unknown]>([
    ["no process", undefined],
    ["a process of another runtime", {}],
    ["a process without the module", { getBuiltinModule: () => undefined }],
  ])("with %s it has no subscribers and drops what is published", (_, process) => {
    vi.stubGlobal("process", process);
    const { warning } = diagnostics();
    expect(warning.hasSubscribers).toBe(false);
    warning.publish({ component: "test", message: "nobody hears", error: null });
  });
});
