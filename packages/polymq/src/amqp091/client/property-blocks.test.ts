import { expect, test } from "vitest";
import { ByteReader } from "../../bytes/reader.ts";
import { webText } from "../../bytes/text.ts";
import { type BasicProperties, decodeProperties } from "../codec/properties.ts";
import { PropertyBlocks } from "./property-blocks.ts";

function decode(block: Uint8Array): BasicProperties {
  return decodeProperties(new ByteReader(webText(), block));
}

test("each block has an id of its own that counts on, whatever comes in between", () => {
  const blocks = new PropertyBlocks(webText(), "p-");
  for (let count = 1; count <= 600; count++) {
    const type = count % 100 < 50 ? undefined : "t";
    const {
      messageId,
      deliveryMode,
      type: found,
    } = decode(blocks.encode(type === undefined ? undefined : { type }, true));
    expect([messageId, deliveryMode, found]).toEqual([`p-${count.toString(16).padStart(12, "0")}`, 2, type]);
    expect(blocks.lastId).toBe(messageId);
    if (count % 7 === 0) expect(decode(blocks.encode({ messageId: "given" }, true)).messageId).toBe("given");
    if (count % 11 === 0) expect(decode(blocks.encode(undefined, false)).messageId).toBeUndefined();
  }
});
