import { describe, expect, test } from "vitest";
import { codeFrom, decodeBytes, readerOf } from "./codec.test-support.ts";
import { LEVEL_5, rulesOf } from "./level-5.ts";
import { packetBytes } from "./packet-bytes.test-support.ts";
import { decodeSubscribe, wrongFilter } from "./subscribe.ts";

function optionsAt(level: 4 | 5, options: number): string | null {
  const block = level === 5 ? "[]" : "";
  const notation = `82 [ 0001 ${block} ('a') ${options.toString(16).padStart(2, "0")} ]`;
  return codeFrom(() => decodeSubscribe(readerOf(notation), rulesOf(level)));
}

describe("decodeSubscribe", () => {
  test("takes QoS 0, 1 and 2 and no other bit at level 4 [MQTT3-3.8.3-4]", () => {
    for (let options = 0; options < 256; options++) {
      expect(optionsAt(4, options)).toBe(options <= 2 ? null : "ERR_MALFORMED_PACKET");
    }
  });

  test("takes each combination of options at level 5, refuses reserved bits [MQTT-3.8.3-5] and the value 3", () => {
    for (let options = 0; options < 256; options++) {
      const reserved = options > 0x3f;
      const three = (options & 3) === 3 || (options & 0x30) === 0x30;
      const wanted = reserved ? "ERR_MALFORMED_PACKET" : three ? "ERR_PROTOCOL_VIOLATION" : null;
      expect(optionsAt(5, options)).toBe(wanted);
    }
  });

  test("keeps many filters in their order", () => {
    const names = Array.from({ length: 300 }, (_, i) => `t/${i}`);
    const packet = decodeBytes(packetBytes(`82 [ 0001 ${names.map((name) => `('${name}') 01`).join(" ")} ]`), 4);
    expect(packet.type === "subscribe" && packet.filters.map((each) => each.filter)).toEqual(names);
  });

  test("no local may be set on any subscription that is not shared [MQTT-3.8.3-4]", () => {
    const code = (filter: string): string | null =>
      codeFrom(() => decodeSubscribe(readerOf(`82 [ 0001 [] ('${filter}') 04 ]`), LEVEL_5));
    expect(code("a/b")).toBe(null);
    expect(code("$share")).toBe(null);
    expect(code("$shared/g/a")).toBe(null);
    expect(code("$share/g/a")).toBe("ERR_PROTOCOL_VIOLATION");
  });
});

describe("wrongFilter", () => {
  test("knows shared subscriptions at level 5 only [MQTT-4.8.2-1] [MQTT-4.8.2-2]", () => {
    expect(wrongFilter("$share/g", 4)).toBe(null);
    expect(wrongFilter("$share/g", 5)).not.toBe(null);
  });
});
