import { describe, expect, test } from "vitest";
import { copyOf } from "./copy.ts";

describe("copyOf", () => {
  test("shares nothing with a Buffer, whose slice is a view", () => {
    const original = Buffer.from("first");
    const copy = copyOf(original);
    original.fill(0);
    expect(new TextDecoder().decode(copy)).toBe("first");
    expect(Buffer.isBuffer(copy)).toBe(false);
  });

  test("takes the bytes of a view, not of the buffer behind it", () => {
    expect(copyOf(Uint8Array.of(1, 2, 3, 4).subarray(1, 3))).toEqual(Uint8Array.of(2, 3));
  });
});
