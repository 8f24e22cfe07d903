import { describe, expect, test } from "vitest";
import { brokerSettings } from "./settings.ts";

describe("resources in the options", () => {
  test("have defaults: no limit of memory, 50 MiB of disk", () => {
    expect(brokerSettings().resources).toEqual({
      memoryBytesMax: Number.POSITIVE_INFINITY,
      diskFreeBytesMin: 52_428_800,
    });
  });

  test("are taken as they are given; 0 is no limit", () => {
    const given = { memoryBytesMax: 1_000_000_000, diskFreeBytesMin: 5 };
    expect(brokerSettings({ resources: given }).resources).toEqual(given);
    expect(brokerSettings({ resources: { memoryBytesMax: 0, diskFreeBytesMin: 0 } }).resources).toEqual({
      memoryBytesMax: Number.POSITIVE_INFINITY,
      diskFreeBytesMin: 0,
    });
  });

  test.each([
    [{ memoryBytesMax: -1 }, "resources.memoryBytesMax"],
    [{ diskFreeBytesMin: "1" }, "resources.diskFreeBytesMin"],
    [{ memory: 1 }, "resources.memory"],
  ])("%j is refused by name", (resources, field) => {
    expect(() => brokerSettings({ resources } as never)).toThrow(field);
  });
});
