import { describe, expect, test } from "vitest";
import { ByteWriter } from "../../bytes/writer.ts";
import { BARE_ACK_BYTES, readBareAck, writeAck } from "./bare-ack.ts";
import { codeFrom, decodeBytes, encodeBytes, readerOf, text } from "./codec.test-support.ts";
import { PacketType } from "./header.ts";
import { LEVEL_5 } from "./level-5.ts";
import { packetBytes } from "./packet-bytes.test-support.ts";
import type { PublishAck } from "./packets.ts";
import { decodePublishAck } from "./publish-ack.ts";

const KINDS = [
  ["puback", PacketType.PUBACK],
  ["pubrec", PacketType.PUBREC],
  ["pubrel", PacketType.PUBREL],
  ["pubcomp", PacketType.PUBCOMP],
] as const;

describe.each(KINDS)("a bare %s", (name, type) => {
  test.each([1, 255, 256, 65_535])("with packet id %i is four bytes, the same at both levels", (packetId) => {
    const w = new ByteWriter(text, 0);
    writeAck(w, type, packetId);
    const packet: PublishAck = { type: name, packetId, reasonCode: 0, properties: null };
    expect(w.at).toBe(BARE_ACK_BYTES);
    expect(w.copyFrom(0)).toEqual(encodeBytes(packet, 4));
    expect(w.copyFrom(0)).toEqual(encodeBytes(packet, 5));
    expect(readBareAck(w.buffer, 0, 4)).toBe(packetId);
  });

  test("is not bare when it is longer, shorter, wrong in its flags or without a packet id", () => {
    const w = new ByteWriter(text, 0);
    writeAck(w, type, 7);
    const good = w.copyFrom(0);
    expect(readBareAck(Uint8Array.of(...good, 0), 0, 5)).toBe(0);
    expect(readBareAck(good, 0, 3)).toBe(0);
    expect(readBareAck(good.with(0, (good[0] as number) ^ 1), 0, 4)).toBe(0);
    expect(readBareAck(good.with(0, (good[0] as number) ^ 2), 0, 4)).toBe(0);
    expect(readBareAck(good.with(1, 3), 0, 4)).toBe(0);
    expect(readBareAck(good.with(3, 0), 0, 4)).toBe(0);
  });
});

describe("readBareAck", () => {
  test("reads in the middle of a buffer", () => {
    expect(readBareAck(packetBytes("ff 40 02 0102 ff"), 1, 5)).toBe(258);
  });

  test("takes no other packet for an acknowledgement", () => {
    for (let byte = 0; byte < 256; byte++) {
      const id = readBareAck(Uint8Array.of(byte, 2, 0, 1), 0, 4);
      expect(id).toBe([0x40, 0x50, 0x62, 0x70].includes(byte) ? 1 : 0);
    }
  });
});

describe("decodePublishAck", () => {
  test.each([
    ["a reason code of success alone", "40 03 0001 00"],
    ["an empty property block", "40 04 0001 00 00"],
  ])("takes %s, which an encoder leaves out (§3.4.2.1)", (_, notation) => {
    const bare = { type: "puback", packetId: 1, reasonCode: 0, properties: null };
    expect(decodeBytes(packetBytes(notation), 5)).toEqual(bare);
  });

  test("refuses a packet of another type", () => {
    expect(codeFrom(() => decodePublishAck(readerOf("90 02 0001"), LEVEL_5))).toBe("ERR_MALFORMED_PACKET");
    expect(codeFrom(() => decodePublishAck(readerOf(""), LEVEL_5))).toBe("ERR_MALFORMED_PACKET");
  });
});
