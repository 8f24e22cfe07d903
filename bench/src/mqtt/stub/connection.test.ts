import { Writable } from "node:stream";
import { describe, expect, test } from "vitest";
import {
  encodeConnack,
  encodeConnect,
  encodePublish,
  encodeSuback,
  encodeSubscribe,
  writeAck,
} from "../wire/frames.ts";
import { makePayloads } from "../wire/payloads.ts";
import type { MessageShape } from "../wire/publish-ring.ts";
import { StubConnection, type StubPart } from "./connection.ts";

const SHAPE: MessageShape = { topic: "bench/data", size: 32, qos: 1, level: 4 };

interface Harness {
  readonly connection: StubConnection;
  /** Takes what the stub has sent since the last call. */
  takeSent(): Buffer;
}

function start(part: StubPart, shape: MessageShape): Harness {
  let sent: Buffer[] = [];
  const socket = new Writable({
    write(chunk: Buffer, _encoding, done) {
      sent.push(chunk);
      done();
    },
  });
  const connection = new StubConnection(socket, { part, shape });
  return {
    connection,
    takeSent() {
      const bytes = Buffer.concat(sent);
      sent = [];
      return bytes;
    },
  };
}

function publishes(shape: MessageShape, ids: readonly number[]): Buffer {
  const payloads = makePayloads(shape.size);
  return Buffer.concat(
    ids.map((packetId, index) =>
      encodePublish({ ...shape, payload: payloads[index % 8] ?? new Uint8Array(0), packetId }),
    ),
  );
}

function acks(firstByte: number, ids: readonly number[]): Buffer {
  const bytes = Buffer.alloc(ids.length * 4);
  for (const [index, id] of ids.entries()) writeAck(bytes, index * 4, firstByte, id);
  return bytes;
}

function oneTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

test("the handshake is answered: CONNACK, and SUBACK with the requested QoS", () => {
  const { connection, takeSent } = start("source", SHAPE);
  connection.onChunk(encodeConnect(4, "someone"));
  connection.onChunk(encodeSubscribe(4, "bench/#", 1));
  expect(takeSent()).toEqual(Buffer.concat([encodeConnack(4), encodeSuback(4, 1, 1)]));
});

describe("a sink", () => {
  test("acknowledges each QoS 1 message of a chunk with its packet id", async () => {
    const { connection, takeSent } = start("sink", SHAPE);
    const done = connection.role.begin(3, 3);
    connection.onChunk(publishes(SHAPE, [7, 300, 2]));
    await done;
    expect(takeSent()).toEqual(acks(0x40, [7, 300, 2]));
  });

  test("refuses a QoS 1 packet id that has not been acknowledged yet [MQTT-2.2.1-4]", () => {
    const { connection } = start("sink", SHAPE);
    void connection.role.begin(3, 3);
    expect(() => connection.onChunk(publishes(SHAPE, [7, 8, 7]))).toThrow("packet id 7 is used twice at a time");
  });

  test("takes QoS 2 messages through PUBREC and PUBREL to PUBCOMP and counts them there", async () => {
    const shape = { ...SHAPE, qos: 2 as const };
    const { connection, takeSent } = start("sink", shape);
    const done = connection.role.begin(2, 2);
    connection.onChunk(publishes(shape, [5, 6]));
    expect([takeSent(), connection.role.total]).toEqual([acks(0x50, [5, 6]), 0]);
    connection.onChunk(acks(0x62, [5, 6]));
    await done;
    expect(takeSent()).toEqual(acks(0x70, [5, 6]));
  });

  test("refuses PUBREL packets out of the order of their messages [MQTT-4.6.0-4]", () => {
    const shape = { ...SHAPE, qos: 2 as const };
    const { connection } = start("sink", shape);
    void connection.role.begin(2, 2);
    connection.onChunk(publishes(shape, [5, 6]));
    expect(() => connection.onChunk(acks(0x62, [6]))).toThrow("PUBREL 6 where 5 is due");
  });

  test("refuses a message with a wrong byte", () => {
    const { connection } = start("sink", SHAPE);
    const bytes = publishes(SHAPE, oneTo(50));
    const last = bytes.length - 1;
    bytes[last] = (bytes[last] ?? 0) ^ 1;
    void connection.role.begin(50, 50);
    expect(() => connection.onChunk(bytes)).toThrow("message 49 is wrong at byte");
  });

  test("refuses more messages than were announced", () => {
    const { connection } = start("sink", SHAPE);
    void connection.role.begin(2, 2);
    expect(() => connection.onChunk(publishes(SHAPE, [1, 2, 3]))).toThrow("1 messages more than asked for");
  });
});

describe("a source", () => {
  test("keeps 1000 messages in flight and sends as many as are acknowledged", async () => {
    const { connection, takeSent } = start("source", SHAPE);
    const done = connection.role.begin(1003, 1003);
    const frameBytes = publishes(SHAPE, [1]).length;
    expect(takeSent()).toEqual(publishes(SHAPE, oneTo(1000)));
    connection.onChunk(acks(0x40, [1, 2]));
    expect(takeSent().length).toBe(2 * frameBytes);
    connection.onChunk(acks(0x40, [...oneTo(1000).slice(2), 1, 2]));
    expect(takeSent().length).toBe(frameBytes);
    connection.onChunk(acks(0x40, [3]));
    await done;
  });

  test("refuses acknowledgements out of order [MQTT-4.6.0-2]", () => {
    const { connection } = start("source", SHAPE);
    void connection.role.begin(10, 10);
    expect(() => connection.onChunk(acks(0x40, [1, 3]))).toThrow("of 3 where PUBACK of 2 is due");
  });

  test("refuses an acknowledgement of what it has not sent", () => {
    const { connection } = start("source", SHAPE);
    void connection.role.begin(1, 1);
    expect(() => connection.onChunk(acks(0x40, [1, 2]))).toThrow("acknowledgement");
  });
});

test("an echo sends messages back byte for byte, however they are cut", async () => {
  const shape = { ...SHAPE, qos: 0 as const };
  const { connection, takeSent } = start("echo", shape);
  const bytes = publishes(shape, [0, 0]);
  const done = connection.role.begin(2, 2);
  connection.onChunk(bytes.subarray(0, 9));
  connection.onChunk(bytes.subarray(9));
  await done;
  expect(takeSent()).toEqual(bytes);
});
