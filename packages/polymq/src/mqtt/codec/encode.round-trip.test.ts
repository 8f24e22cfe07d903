import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ByteWriter } from "../../bytes/writer.ts";
import { decodeBytes, decodeInChunks, encodeBytes, text } from "./codec.test-support.ts";
import { encodePacket } from "./encode.ts";
import { packetKinds } from "./packet-arbitraries.test-support.ts";

describe.each([4, 5] as const)("at level %i", (level) => {
  const kinds = packetKinds(level);

  test.each(Object.keys(kinds))("any %s comes back as it was", (kind) => {
    const arbitrary = kinds[kind] ?? fc.constant({ type: "pingreq" as const });
    fc.assert(
      fc.property(arbitrary, (packet) => {
        const bytes = encodeBytes(packet, level);
        expect(decodeBytes(bytes, level)).toEqual(packet);
        // Decoded and encoded again they are the same bytes: there is one form of each packet.
        expect(encodeBytes(decodeBytes(bytes, level), level)).toEqual(bytes);
      }),
      { numRuns: 150 },
    );
  });

  test("any stream of packets comes back whole, however it is cut", () => {
    const stream = fc.array(fc.oneof(...Object.values(kinds)), { maxLength: 6 });
    fc.assert(
      fc.property(stream, fc.integer({ min: 1, max: 40 }), (packets, size) => {
        const bytes = Uint8Array.from(packets.flatMap((packet) => [...encodeBytes(packet, level)]));
        expect(decodeInChunks(bytes, size, level)).toEqual(packets);
      }),
      { numRuns: 100 },
    );
  });

  test("a packet is written behind what is there already, into exactly the room it asked for", () => {
    fc.assert(
      fc.property(fc.oneof(...Object.values(kinds)), (packet) => {
        const w = new ReservingWriter();
        w.u8(0xaa);
        encodePacket(w, packet, level);
        expect(w.copyFrom(1)).toEqual(encodeBytes(packet, level));
        expect(w.buffer[0]).toBe(0xaa);
        expect(w.at).toBeLessThanOrEqual(w.reserved);
      }),
      { numRuns: 200 },
    );
  });
});

/** Has no more room than was asked for: a byte written without asking is lost. */
class ReservingWriter extends ByteWriter {
  reserved = 1;

  constructor() {
    super(text, 1);
  }

  override reserve(bytes: number): void {
    this.reserved = this.at + bytes;
    if (this.reserved <= this.buffer.length) return;
    const grown = new Uint8Array(this.reserved);
    grown.set(this.buffer);
    this.buffer = grown;
  }
}
