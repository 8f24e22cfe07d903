import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isMessagingError } from "../../base/errors.ts";
import { Splitter } from "../../bytes/splitter.ts";
import { ByteWriter } from "../../bytes/writer.ts";
import { frameOf, hex, joined, TEXT } from "./amqp091-arbitraries.test-support.ts";
import { checkProtocolHeader, measureFrame, protocolHeader, writeHeartbeat } from "./frame.ts";

function split(chunks: readonly Uint8Array[], frameBytesMax = 4096): string[] {
  const frames: string[] = [];
  const splitter = new Splitter(measureFrame({ frameBytesMax }), (buffer, start, end) => {
    frames.push(Array.from(buffer.subarray(start, end)).join(" "));
    return true;
  });
  try {
    for (const chunk of chunks) splitter.push(chunk);
  } catch (error) {
    frames.push(isMessagingError(error) ? error.code : String(error));
  }
  return frames;
}

describe("frames", () => {
  test("are cut out of any chunks alike, byte by byte too", () => {
    const frame = fc
      .tuple(fc.constantFrom(1, 2, 3, 8), fc.nat(65_535), fc.uint8Array({ maxLength: 300 }))
      .map(([type, channel, payload]) => frameOf(type, channel, payload));
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 6 }), (frames) => {
        const whole = joined(protocolHeader(), ...frames);
        const expected = [protocolHeader(), ...frames].map((each) => Array.from(each).join(" "));
        expect(split([whole])).toEqual(expected);
        expect(split(Array.from(whole, (byte) => Uint8Array.of(byte)))).toEqual(expected);
      }),
      { numRuns: 50 },
    );
  });

  test("of exactly the negotiated size pass and one byte more is a frame error (501)", () => {
    expect(split([frameOf(3, 1, new Uint8Array(4088))])).toHaveLength(1);
    expect(split([frameOf(3, 1, new Uint8Array(4089))])).toEqual(["ERR_FRAME_ERROR"]);
  });

  test("that claim 2^32 - 1 bytes are a frame error as soon as the head is there", () => {
    expect(split([hex("01 0000 ffffffff")])).toEqual(["ERR_FRAME_ERROR"]);
    expect(split(Array.from(hex("01 0000 ffffffff"), (byte) => Uint8Array.of(byte)))).toEqual(["ERR_FRAME_ERROR"]);
  });

  test.each([0, 4, 5, 7, 9, 255])("of the unknown type %i are a frame error", (type) => {
    expect(split([Uint8Array.of(type)])).toEqual(["ERR_FRAME_ERROR"]);
  });
});

test("a heartbeat is an empty frame of type 8 on channel 0 (§4.2.7)", () => {
  const w = new ByteWriter(TEXT, 16);
  writeHeartbeat(w);
  expect(w.copyFrom(0)).toEqual(hex("08 0000 00000000 ce"));
});

test.each([
  ["'AMQP' 00 00 09 01", "0-9-1"],
  ["'AMQP' 01 01 09 01", "another version"],
  ["'AMQP' 00 01 00 00", "another version"],
  ["'AMQP' 03 01 00 00", "another version"],
  ["'AMQX' 00 00 09 01", "not amqp"],
  ["'GET / HT'", "not amqp"],
])("the protocol header %s is %s (§4.2.2)", (notation, expected) => {
  expect(checkProtocolHeader(hex(notation), 0)).toBe(expected);
});
