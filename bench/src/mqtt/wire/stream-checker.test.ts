import { describe, expect, test } from "vitest";
import { encodeConnect, encodePublish, type Qos, writeAck } from "./frames.ts";
import { makePayloads } from "./payloads.ts";
import { comparisonRing, type MessageShape } from "./publish-ring.ts";
import { StreamChecker } from "./stream-checker.ts";

const SIZE = 20;

function shapeOf(qos: Qos): MessageShape {
  return { topic: "bench/data", size: SIZE, qos, level: 4 };
}

const RINGS = {
  0: comparisonRing(shapeOf(0)),
  1: comparisonRing(shapeOf(1)),
  2: comparisonRing(shapeOf(2)),
} as const;

/** What a well-behaved client sends: messages in the order of the payload cycle, with the given packet ids. */
function messages(
  qos: Qos,
  count: number,
  idAt: (index: number) => number = (index) => 1 + (index % 65_535),
): Buffer[] {
  const payloads = makePayloads(SIZE);
  return Array.from({ length: count }, (_, index) =>
    encodePublish({ ...shapeOf(qos), payload: payloads[index % 8] ?? new Uint8Array(0), packetId: idAt(index) }),
  );
}

interface Seen {
  publishes: number;
  ids: number[];
  acks: [number, number][];
  frames: number[][];
}

function check(qos: Qos, chunks: readonly Buffer[]): Seen {
  const seen: Seen = { publishes: 0, ids: [], acks: [], frames: [] };
  // A checker writes into its ring: each gets a copy.
  const ring = RINGS[qos];
  const checker = new StreamChecker(
    { ...ring, bytes: Buffer.from(ring.bytes) },
    {
      onPublishes(count, ids) {
        seen.publishes += count;
        if (qos > 0) seen.ids.push(...ids.subarray(0, count));
      },
      onAck: (firstByte, packetId) => seen.acks.push([firstByte, packetId]),
      onFrame: (frame) => seen.frames.push([...frame]),
    },
  );
  for (const chunk of chunks) checker.feed(Buffer.from(chunk));
  return seen;
}

function ack(firstByte: number, packetId: number): Buffer {
  const bytes = Buffer.alloc(4);
  writeAck(bytes, 0, firstByte, packetId);
  return bytes;
}

function cut(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );
}

describe.each([0, 1, 2] as const)("a stream of QoS %i messages", (qos) => {
  // More than the comparison ring holds, so that it wraps.
  const count = 10_000;
  const stream = Buffer.concat(messages(qos, count));

  test.each([1, 7, 64, 65_536, 1 << 24])("is counted in chunks of %i bytes", (chunkBytes) => {
    expect(check(qos, cut(stream, chunkBytes)).publishes).toBe(count);
  });

  test("with any one byte changed is refused or shows a changed packet id", () => {
    const short = Buffer.concat(messages(qos, 9));
    const whole = check(qos, [short]);
    for (let at = 0; at < short.length; at += 1) {
      const wrong = Buffer.from(short);
      wrong[at] = (wrong[at] ?? 0) ^ 0x40;
      let outcome: Seen | null = null;
      try {
        outcome = check(qos, [wrong]);
      } catch {
        continue;
      }
      const isShort = outcome.publishes < whole.publishes;
      expect(isShort || outcome.ids.join() !== whole.ids.join(), `byte ${at}`).toBe(true);
    }
  });

  test("with one message missing is refused", () => {
    const list = messages(qos, 20);
    list.splice(9, 1);
    expect(() => check(qos, [Buffer.concat(list)])).toThrow("message 9 is wrong");
  });

  test("with two messages swapped is refused", () => {
    const list = messages(qos, 20);
    const [a, b] = [list[4] ?? stream, list[5] ?? stream];
    list.splice(4, 2, b, a);
    expect(() => check(qos, [Buffer.concat(list)])).toThrow("message 4 is wrong");
  });
});

describe("packet ids", () => {
  test("are reported in the order of the stream, whatever they are and however it is cut", () => {
    const idAt = (index: number): number => 1 + ((index * 7919) % 65_535);
    const stream = Buffer.concat(messages(1, 500, idAt));
    const expected = Array.from({ length: 500 }, (_, index) => idAt(index));
    for (const chunkBytes of [1, 13, 50_000]) expect(check(1, cut(stream, chunkBytes)).ids).toEqual(expected);
  });

  test("of 0 are refused [MQTT-2.2.1-3]", () => {
    expect(() =>
      check(
        1,
        messages(1, 1, () => 0),
      ),
    ).toThrow("message 0 has packet id 0");
  });
});

describe("packets between the messages", () => {
  const stream = Buffer.concat([
    encodeConnect(4, "someone"),
    ...messages(2, 3),
    ack(0x62, 258),
    Buffer.from([0xc0, 0]),
    ...messages(2, 5).slice(3),
    ack(0x62, 1),
  ]);

  test.each([1, 3, 1000])("are handed over whole in chunks of %i bytes", (chunkBytes) => {
    const seen = check(2, cut(stream, chunkBytes));
    expect(seen.publishes).toBe(5);
    expect(seen.acks).toEqual([
      [0x62, 258],
      [0x62, 1],
    ]);
    expect(seen.frames).toEqual([[...encodeConnect(4, "someone")], [0xc0, 0]]);
  });

  test("an acknowledgement may spell out success, not anything else (MQTT 5.0 §3.4.2.1)", () => {
    expect(check(0, [Buffer.from([0x40, 3, 0, 9, 0, 0x40, 4, 0, 8, 0, 0])]).acks).toEqual([
      [0x40, 9],
      [0x40, 8],
    ]);
    expect(() => check(0, [Buffer.from([0x40, 3, 0, 9, 0x80])])).toThrow("acknowledgement");
  });
});
