/** Frames (§2.3): header, split at every byte, limits, hostile ones, and bytes of a foreign corpus. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Splitter } from "../../bytes/splitter.ts";
import { bytes, codeFrom, hex, readerOf, written } from "./codec.test-support.ts";
import {
  frameBody,
  frameChannel,
  frameType,
  measureFrame,
  ProtocolId,
  protocolHeader,
  readPerformative,
  readProtocolHeader,
  readSaslFrame,
  writeEmptyFrame,
  writeFrame,
  writeSaslFrame,
} from "./frame.ts";
import type { Performative, PerformativeInput } from "./tables.ts";
import { PERFORMATIVE_VALUES_MAX } from "./value-reader.ts";

const FRAMES: readonly PerformativeInput[] = [
  { type: "open", containerId: "c", offeredCapabilities: ["a", "b"], properties: { product: "x" } },
  { type: "begin", nextOutgoingId: 1, incomingWindow: 2, outgoingWindow: 3 },
  { type: "attach", name: "l", handle: 0, role: true, source: { type: "source", address: "q", filter: { f: 1 } } },
  { type: "flow", incomingWindow: 1, nextOutgoingId: 2, outgoingWindow: 3 },
  { type: "transfer", handle: 0, deliveryId: 0, deliveryTag: Uint8Array.of(0), messageFormat: 0 },
  { type: "disposition", role: true, first: 0, state: { type: "released" } },
  { type: "detach", handle: 0, error: { type: "error", condition: "amqp:internal-error" } },
  { type: "end" },
  { type: "close" },
];

const STREAM: Uint8Array = written((w) => {
  for (const frame of FRAMES) writeFrame(w, 7, frame);
  writeEmptyFrame(w);
});

/** The performatives in a stream of frames that is fed in the given chunks. */
function performatives(chunks: readonly Uint8Array[]): (Performative | null)[] {
  const found: (Performative | null)[] = [];
  const splitter = new Splitter(
    (buffer, at, end) => measureFrame(buffer, at, end, 1_000_000),
    (buffer, start, end) => {
      const reader = readerOf(buffer.slice(0, end), PERFORMATIVE_VALUES_MAX);
      reader.at = frameBody(buffer, start, end);
      expect(frameType(buffer, start)).toBe(0);
      if (reader.left === 0) found.push(null);
      else {
        expect(frameChannel(buffer, start)).toBe(7);
        found.push(readPerformative(reader));
      }
      return true;
    },
  );
  for (const chunk of chunks) splitter.push(chunk);
  return found;
}

describe("a stream of frames", () => {
  const whole = performatives([STREAM]);

  test("holds what was written", () => {
    expect(whole.map((each) => each?.type ?? null)).toEqual([...FRAMES.map((each) => each.type), null]);
  });

  test("is read alike wherever it is cut (C12)", () => {
    for (let cut = 1; cut < STREAM.length; cut++) {
      expect(performatives([STREAM.slice(0, cut), STREAM.slice(cut)])).toEqual(whole);
    }
    expect(performatives(Array.from(STREAM, (byte) => Uint8Array.of(byte)))).toEqual(whole);
  });

  test("with bytes changed at random gives performatives or ERR_MALFORMED_PACKET", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(STREAM.length - 1), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
        (changes) => {
          const input = STREAM.slice();
          for (const [at, byte] of changes) input[at] = byte;
          let at = 0;
          while (at + 8 <= input.length) {
            const size = outcome(() => measureFrame(input, at, input.length, 100_000));
            if (typeof size !== "number" || size === 0 || at + size > input.length) return;
            const reader = readerOf(input.slice(0, at + size), PERFORMATIVE_VALUES_MAX);
            const start = at;
            const code = outcome(() => {
              reader.at = frameBody(input, start, start + size);
              return readPerformative(reader).type;
            });
            expect(typeof code).toBe("string");
            at += size;
          }
        },
      ),
      { numRuns: 3_000 },
    );
  });
});

function outcome<T>(run: () => T): T | string {
  let result: T | string = "none";
  const code = codeFrom(() => {
    result = run();
  });
  return code ?? result;
}

describe("a frame's header", () => {
  test.each([0, 1, 7])("that claims %i bytes is refused before they come (S10)", (size) => {
    expect(codeFrom(() => measureFrame(Uint8Array.of(0, 0, 0, size), 0, 4, 512))).toBe("ERR_MALFORMED_PACKET");
  });

  test.each([513, 2 ** 31, 2 ** 32 - 1])("that claims %i bytes of 512 is refused before they come", (size) => {
    const claim = Uint8Array.of(size >>> 24, size >>> 16, size >>> 8, size);
    expect(codeFrom(() => measureFrame(claim, 0, 4, 512))).toBe("ERR_PACKET_TOO_LARGE");
  });

  test("is waited for while its size is incomplete", () => {
    expect(measureFrame(Uint8Array.of(0, 0, 2), 0, 3, 512)).toBe(0);
    expect(measureFrame(Uint8Array.of(0, 0, 2, 0), 0, 4, 512)).toBe(512);
  });

  test.each([0, 1, 3, 255])("with a data offset of %i words in 8 bytes is refused", (words) => {
    expect(codeFrom(() => frameBody(Uint8Array.of(0, 0, 0, 8, words, 0, 0, 0), 0, 8))).toBe("ERR_MALFORMED_PACKET");
  });

  test("with an extension is skipped up to the body", () => {
    const data = bytes("00000010 03 00 0000 deadbeef 00 53 18 45");
    const reader = readerOf(data);
    reader.at = frameBody(data, 0, data.length);
    expect(readPerformative(reader)).toEqual({ type: "close", error: null });
  });
});

describe("SASL frames", () => {
  test("are of type 1 and read back", () => {
    const init = { type: "saslInit", mechanism: "PLAIN", initialResponse: Uint8Array.of(0), hostname: null } as const;
    const data = written((w) => writeSaslFrame(w, init));
    expect(frameType(data, 0)).toBe(1);
    expect(readSaslFrame(readerOf(data.subarray(8)))).toEqual(init);
    expect(codeFrom(() => readSaslFrame(readerOf(bytes("00 53 44 c0 03 01 50 00 00"))))).toBe("ERR_MALFORMED_PACKET");
    expect(codeFrom(() => readSaslFrame(readerOf(bytes("00 53 18 45"))))).toBe("ERR_MALFORMED_PACKET");
  });
});

describe("protocol headers (§2.2)", () => {
  test("are eight bytes with the protocol's id", () => {
    expect(hex(protocolHeader(ProtocolId.sasl))).toBe(hex(bytes("'AMQP' 03 01 00 00")));
    expect(readProtocolHeader(protocolHeader(2), 0)).toBe(2);
    for (const other of ["'AMQP' 00 01 00 01", "'AMQP' 00 00 09 01", "'HTTP' 00 01 00 00"]) {
      expect(readProtocolHeader(bytes(other), 0)).toBe(-1);
    }
  });
});

/** Raw bytes of hostile peers; see the README beside them. They are read where they are and never copied. */
const CORPUS = join(import.meta.dirname, "../../../../../../shared/vectors/amqp10-fuzz/connection");
const files = existsSync(CORPUS) ? readdirSync(CORPUS) : [];
const title =
  files.length > 0 ? `${files.length} inputs of a foreign corpus` : "inputs of a foreign corpus (not on this machine)";

describe.skipIf(files.length === 0)(title, () => {
  test("are values, performatives or ERR_MALFORMED_PACKET from wherever they are read (C2)", () => {
    for (const file of files) {
      const input = new Uint8Array(readFileSync(join(CORPUS, file)));
      for (let at = 0; at < Math.min(input.length, 64); at++) {
        const reader = readerOf(input, PERFORMATIVE_VALUES_MAX);
        reader.at = at;
        expect([null, "ERR_MALFORMED_PACKET"]).toContain(codeFrom(() => reader.value()));
        const frame = readerOf(input, PERFORMATIVE_VALUES_MAX);
        frame.at = at;
        expect([null, "ERR_MALFORMED_PACKET"]).toContain(codeFrom(() => readPerformative(frame)));
      }
    }
  });
});
