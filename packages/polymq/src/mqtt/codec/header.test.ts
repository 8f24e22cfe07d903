import { describe, expect, test } from "vitest";
import { ByteWriter, VARINT_MAX } from "../../bytes/writer.ts";
import { codeFrom, readerOf, text } from "./codec.test-support.ts";
import {
  checkPacketId,
  expectEnd,
  firstByte,
  measurePacket,
  PacketType,
  packetName,
  readHeader,
  readPacketId,
  writeHeader,
} from "./header.ts";
import { packetBytes } from "./packet-bytes.test-support.ts";

function measure(notation: string, maximumPacketSize = VARINT_MAX + 5): number {
  const bytes = packetBytes(notation);
  return measurePacket(maximumPacketSize)(bytes, 0, bytes.length);
}

describe("measurePacket", () => {
  test.each([
    ["c0 00", 2],
    ["30 7f", 129],
    ["30 80 01", 131],
    ["30 ff 7f", 16_386],
    ["30 80 80 01", 16_388],
    ["30 ff ff 7f", 2_097_155],
    ["30 80 80 80 01", 2_097_157],
    ["30 ff ff ff 7f", 268_435_460],
  ])("measures %s as %i bytes", (notation, total) => {
    expect(measure(notation)).toBe(total);
  });

  test.each(["", "30", "30 80", "30 ff ff", "30 ff ff ff"])("cannot tell yet from %s", (notation) => {
    expect(measure(notation)).toBe(0);
  });

  test("starts at the place it is told and looks no further than the end", () => {
    const bytes = packetBytes("ff ff 30 05 99");
    expect(measurePacket(100)(bytes, 2, 4)).toBe(7);
    expect(measurePacket(100)(bytes, 2, 3)).toBe(0);
  });

  test.each(["c0 80 00", "30 ff 80 00", "30 80 80 80 00"])(
    "refuses %s, for the remaining length has a shorter form [MQTT-1.5.5-1]",
    (notation) => {
      expect(codeFrom(() => measure(notation))).toBe("ERR_MALFORMED_PACKET");
    },
  );

  test("refuses a remaining length of more than four bytes as soon as it has seen four", () => {
    expect(codeFrom(() => measure("30 80 80 80 80"))).toBe("ERR_MALFORMED_PACKET");
  });

  test("refuses a packet larger than the limit by its header alone", () => {
    expect(measure("30 62", 100)).toBe(100);
    expect(codeFrom(() => measure("30 63", 100))).toBe("ERR_PACKET_TOO_LARGE");
    expect(codeFrom(() => measure("30 ff ff ff 7f", 1_000_000))).toBe("ERR_PACKET_TOO_LARGE");
  });
});

describe("readHeader", () => {
  test("leaves the reader at the packet's body", () => {
    const r = readerOf("82 03 00 01 02");
    readHeader(r, PacketType.SUBSCRIBE);
    expect(r.at).toBe(2);
  });

  test.each(Object.entries(PacketType).filter(([, type]) => type !== PacketType.PUBLISH))(
    "takes exactly the flags that %s has [MQTT-2.1.3-1] [MQTT3-2.2.2-1] [MQTT3-2.2.2-2]",
    (_, type) => {
      const taken = Array.from({ length: 16 }, (__, flags) => flags).filter((flags) => {
        const r = readerOf(`${((type << 4) | flags).toString(16)} 00`);
        return codeFrom(() => readHeader(r, type)) === null;
      });
      expect(taken).toEqual([firstByte(type) & 0x0f]);
    },
  );

  test("refuses a remaining length that is not what follows", () => {
    expect(codeFrom(() => readHeader(readerOf("c0 01"), PacketType.PINGREQ))).toBe("ERR_MALFORMED_PACKET");
    expect(codeFrom(() => readHeader(readerOf("c0 00 00"), PacketType.PINGREQ))).toBe("ERR_MALFORMED_PACKET");
  });

  test("refuses another packet type than the one asked for", () => {
    expect(codeFrom(() => readHeader(readerOf("d0 00"), PacketType.PINGREQ))).toBe("ERR_MALFORMED_PACKET");
  });
});

describe("the other helpers", () => {
  test("a packet id of 0 is refused both ways [MQTT-2.2.1-3] [MQTT-2.2.1-4] [MQTT3-2.3.1-1]", () => {
    expect(codeFrom(() => readPacketId(readerOf("0000"), PacketType.PUBACK))).toBe("ERR_MALFORMED_PACKET");
    expect(readPacketId(readerOf("ffff"), PacketType.PUBACK)).toBe(65_535);
    for (const wrong of [0, -1, 65_536, 1.5, Number.NaN]) {
      expect(codeFrom(() => checkPacketId(wrong))).toBe("ERR_INVALID_ARGUMENT");
    }
    expect(codeFrom(() => checkPacketId(65_535))).toBe(null);
  });

  test("bytes behind a packet's last field are refused", () => {
    expect(codeFrom(() => expectEnd(readerOf("00"), PacketType.PUBACK))).toBe("ERR_MALFORMED_PACKET");
    expect(codeFrom(() => expectEnd(readerOf(""), PacketType.PUBACK))).toBe(null);
  });

  test("a header makes room for its whole packet", () => {
    const w = new ByteWriter(text, 0);
    writeHeader(w, 0x30, 300);
    expect([...w.copyFrom(0)]).toEqual([0x30, 0xac, 0x02]);
    expect(w.buffer.length).toBeGreaterThanOrEqual(303);
  });

  test("a remaining length that has no form is refused before anything is reserved", () => {
    const w = new ByteWriter(text, 0);
    expect(codeFrom(() => writeHeader(w, 0x30, VARINT_MAX + 1))).toBe("ERR_PACKET_TOO_LARGE");
    expect([w.at, w.buffer.length]).toEqual([0, 0]);
  });

  test("types are named as in the specification", () => {
    expect(packetName(PacketType.UNSUBACK)).toBe("UNSUBACK");
    expect(packetName(0)).toContain("reserved");
    expect(packetName(16)).toBe("packet of type 16");
  });
});
