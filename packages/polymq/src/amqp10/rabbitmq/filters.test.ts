import { describe, expect, test } from "vitest";
import { ByteWriter } from "../../bytes/writer.ts";
import type { LinkFilter } from "../client/filters.ts";
import { filterMap } from "../client/filters.ts";
import { Described, symbol, typed } from "../codec/values.ts";
import { writeValue } from "../codec/write-value.ts";
import { text } from "../engine/engine.test-support.ts";
import { applicationPropertiesFilter, propertiesFilter, sqlFilter, streamFilter, streamOffset } from "./filters.ts";

function onlyValue(filters: readonly LinkFilter[]): unknown {
  return [...filterMap(filters).values()][0];
}

describe("filters of RabbitMQ's streams (S22)", () => {
  test.each([
    ["first" as const, "first"],
    ["next" as const, "next"],
    [{ offset: 7 }, typed("ulong", 7)],
    [{ offset: 2n ** 60n }, typed("ulong", 2n ** 60n)],
    [{ timestampMs: 1_000 }, typed("timestamp", 1_000)],
    [{ ago: "10m" }, "10m"],
  ])("streamOffset %o is a described value under its symbol", (start, value) => {
    const filter = streamOffset(start);
    expect(filter.name).toBe("rabbitmq:stream-offset-spec");
    expect(onlyValue([filter])).toEqual(new Described(symbol("rabbitmq:stream-offset-spec"), value));
  });

  test("an offset is encoded as the server's tests have it", () => {
    const w = new ByteWriter(text);
    writeValue(w, onlyValue([streamOffset({ offset: 5 })]) as Described);
    const name = [...new TextEncoder().encode("rabbitmq:stream-offset-spec")];
    expect([...w.copyFrom(0)]).toEqual([0x00, 0xa3, name.length, ...name, 0x53, 5]);
  });

  test("streamFilter takes one value or several, and those without one where asked for", () => {
    expect(onlyValue(streamFilter("a"))).toEqual(new Described(symbol("rabbitmq:stream-filter"), "a"));
    expect(streamFilter(["a", "b"], "withUnfiltered").map(({ name, value }) => [name, value])).toEqual([
      ["rabbitmq:stream-filter", ["a", "b"]],
      ["rabbitmq:stream-match-unfiltered", true],
    ]);
  });

  test("property and SQL filters have their numbers as descriptors", () => {
    expect(propertiesFilter({ subject: "s" }).descriptor).toEqual(typed("ulong", 0x173));
    expect(applicationPropertiesFilter({ a: 1 }).descriptor).toEqual(typed("ulong", 0x174));
    expect(sqlFilter("a > 1").descriptor).toEqual(typed("ulong", 0x120));
  });

  test("a time ago of another form is refused", () => {
    expect(() => streamOffset({ ago: "soon" })).toThrow(expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }));
  });
});
