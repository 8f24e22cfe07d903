import { describe, expect, test } from "vitest";
import { webText } from "../../bytes/text.ts";
import { announcedBytes } from "./announced-bytes.ts";
import { encodeMessage, type MessageInput } from "./message.ts";

const text = webText();
const HEADS: Partial<MessageInput> = {
  header: { durable: true },
  properties: { to: "there" },
  applicationProperties: { note: "x".repeat(300) },
};

function encoded(length: number, more: Partial<MessageInput> = {}): Uint8Array {
  return encodeMessage(text, { ...more, body: { type: "data", data: new Uint8Array(length) } });
}

describe("how long a message says that it is", () => {
  test.each([
    ["with one data section alone", {}],
    ["with sections before it", HEADS],
  ])("%s is told by its beginning (\u00a73.2.6)", (_, more) => {
    const whole = encoded(100_000, more);
    expect(announcedBytes(whole.subarray(0, 1_000))).toBe(whole.length);
  });

  test("with a footer is told up to that", () => {
    const whole = encoded(100_000, { footer: { sum: 1 } });
    expect(announcedBytes(whole.subarray(0, 1_000))).toBe(encoded(100_000).length);
  });

  test("with a value as its body is told, too", () => {
    const whole = encodeMessage(text, { body: { type: "value", value: "x".repeat(70_000) } });
    expect(announcedBytes(whole.subarray(0, 1_000))).toBe(whole.length);
  });

  test("with descriptors of eight bytes is told", () => {
    const whole = encoded(1_000);
    const wide = Uint8Array.from([0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x75, ...whole.subarray(3)]);
    expect(announcedBytes(wide.subarray(0, 100))).toBe(wide.length);
  });

  test("is unknown when it is whole, when its lengths are cut off, and for what is no message", () => {
    const whole = encoded(1_000, HEADS);
    const starts = [whole, encoded(1_000).subarray(0, 5), new Uint8Array(100), new Uint8Array(100).fill(0x53)];
    expect(starts.map(announcedBytes)).toEqual([0, 0, 0, 0]);
  });
});
