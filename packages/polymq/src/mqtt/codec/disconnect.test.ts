import { expect, test } from "vitest";
import { readerOf } from "./codec.test-support.ts";
import { decodeDisconnect } from "./disconnect.ts";
import { LEVEL_5 } from "./level-5.ts";

test.each([
  ["no body at all", "e0 00", 0],
  ["a reason code of 0 alone", "e0 01 00", 0],
  ["a reason code and an empty property block", "e0 02 8e 00", 0x8e],
])("a DISCONNECT with %s is taken (§3.14.2.1, §3.14.2.2.1)", (_, notation, reasonCode) => {
  expect(decodeDisconnect(readerOf(notation), LEVEL_5)).toEqual({ type: "disconnect", reasonCode, properties: null });
});
