import fc from "fast-check";
import { expect, test } from "vitest";
import { encodeMessage, messageBytesMax } from "../codec/message.ts";
import { text } from "../engine/engine.test-support.ts";
import { DurableMessages } from "./durable-messages.ts";

function byItsSections(address: string, data: Uint8Array): Uint8Array {
  return encodeMessage(text, { header: { durable: true }, properties: { to: address }, body: { type: "data", data } });
}

test("a message is the one of its sections, whichever address comes after whichever", () => {
  const messages = new DurableMessages(text);
  const one = fc.tuple(fc.constantFrom("", "a", "b/c", "ü", "x".repeat(300)), fc.uint8Array({ maxLength: 300 }));
  fc.assert(
    fc.property(fc.array(one), (given) => {
      for (const [address, data] of given) {
        const message = messages.to(address, data);
        const encoded = encodeMessage(text, message);
        expect(encoded).toEqual(byItsSections(address, data));
        expect(messageBytesMax(message)).toBeGreaterThanOrEqual(encoded.length);
      }
    }),
  );
});

test("more addresses than are kept are all told apart", () => {
  const messages = new DurableMessages(text);
  const data = Uint8Array.of(1);
  for (let i = 0; i < 3_000; i++) {
    const address = `a${i % 1_500}`;
    expect(encodeMessage(text, messages.to(address, data))).toEqual(byItsSections(address, data));
  }
});
