import { AmqpMap, Typed } from "polymq/amqp10/codec";
import { expect, test } from "vitest";
import { plainValue } from "./plain-value.ts";

test("values of every protocol become what JSON can show", () => {
  const map = new AmqpMap([
    ["product", "x"],
    ["limits", new AmqpMap([["max", new Typed("uint", 5)]])],
  ]);
  const value = {
    map,
    large: 2n ** 63n,
    bytes: Uint8Array.of(255),
    when: new Date(0),
    open: Number.POSITIVE_INFINITY,
    list: [new Map([["a", null]])],
  };
  expect(JSON.parse(JSON.stringify(plainValue(value)))).toEqual({
    map: { product: "x", limits: { max: 5 } },
    large: "9223372036854775808",
    bytes: "/w==",
    when: "1970-01-01T00:00:00.000Z",
    open: null,
    list: [{ a: null }],
  });
});
