import { describe, expect, test } from "vitest";
import { StreamSight } from "./stream-sight.ts";

describe("what a reader sees of a stream", () => {
  test("begins anywhere and goes on by one, or further where others read as well", () => {
    const sight = new StreamSight();
    expect([sight.fresh(4, "next"), sight.fresh(5, "next"), sight.fresh(9, "later")]).toEqual([null, null, null]);
    expect(sight.fresh(11, "next")).toBe("offset 11 came after 9 over one connection");
    expect(sight.fresh(3, "later")).toBe("offset 3 came after 11 over one connection");
  });

  test("goes elsewhere once for each connection that was lost", () => {
    const sight = new StreamSight();
    sight.fresh(4, "next");
    sight.connectionLost();
    expect([sight.fresh(5, "next"), sight.fresh(2, "next"), sight.fresh(3, "next")]).toEqual([null, null, null]);
    expect(sight.fresh(7, "next")).toBe("offset 7 came after 3 over one connection");
  });
});
