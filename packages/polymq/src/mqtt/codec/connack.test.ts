import { describe, expect, test } from "vitest";
import { codeFrom, readerOf } from "./codec.test-support.ts";
import { decodeConnack } from "./connack.ts";
import { rulesOf } from "./level-5.ts";

describe("decodeConnack", () => {
  test("takes the refusal of a server that knows only 3.1.1 as reason code 0x84", () => {
    expect(decodeConnack(readerOf("20 02 00 01"), rulesOf(5))).toEqual({
      type: "connack",
      sessionPresent: false,
      reasonCode: 0x84,
      properties: null,
    });
  });

  test("takes nothing else without a property length at level 5", () => {
    for (let code = 0; code < 256; code++) {
      if (code === 1) continue;
      const notation = `20 02 00 ${code.toString(16).padStart(2, "0")}`;
      expect(codeFrom(() => decodeConnack(readerOf(notation), rulesOf(5)))).not.toBe(null);
    }
    expect(codeFrom(() => decodeConnack(readerOf("20 02 01 01"), rulesOf(5)))).toBe("ERR_PROTOCOL_VIOLATION");
  });

  test("takes exactly the return codes 0 to 5 at level 4", () => {
    for (let code = 0; code < 256; code++) {
      const notation = `20 02 00 ${code.toString(16).padStart(2, "0")}`;
      expect(codeFrom(() => decodeConnack(readerOf(notation), rulesOf(4)))).toBe(
        code <= 5 ? null : "ERR_PROTOCOL_VIOLATION",
      );
    }
  });
});
