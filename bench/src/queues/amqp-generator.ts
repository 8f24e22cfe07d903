// Hot path: runs for every message; it must cost less than the broker under measurement.
import { once } from "node:events";
import { nowNs } from "../harness/clock.ts";
import { makePayloads, PAYLOAD_CYCLE } from "../mqtt/wire/payloads.ts";
import { RingWriter } from "../mqtt/wire/ring-writer.ts";
import { AmqpConnection } from "./amqp-connection.ts";
import { method, publishRing, short, table, u8, u16, u32, u64 } from "./amqp-frames.ts";
import type { QueueGenerator } from "./queue-generator.ts";

const BODY = 3;

/** A generator over raw AMQP 0-9-1 with confirms; every byte of a body that is delivered is compared. */
export class AmqpGenerator implements QueueGenerator {
  readonly #port: number;
  readonly #queue: string;
  readonly #size: number;

  private constructor(port: number, queue: string, size: number) {
    this.#port = port;
    this.#queue = queue;
    this.#size = size;
  }

  /** Declares the queue, durable. */
  static async open(port: number, queue: string, type: string, size: number): Promise<AmqpGenerator> {
    const { socket, ...connection } = await AmqpGenerator.#declare(port, queue, type);
    await connection.declared;
    socket.destroy();
    return new AmqpGenerator(port, queue, size);
  }

  static async #declare(port: number, queue: string, type: string) {
    const connection = await AmqpConnection.open(port);
    const args = [u16(0), short(queue), u8(2), table({ "x-queue-type": type })];
    return { socket: connection.socket, declared: connection.call(method(1, [50, 10], ...args), [50, 11]) };
  }

  async publish(count: number, window: number): Promise<number> {
    const connection = await AmqpConnection.open(this.#port);
    const writer = new RingWriter(connection.socket, publishRing(this.#queue, this.#size));
    const isConfirmed = new Uint8Array(count + 2);
    let lowest = 1;
    let sent = 0;
    let confirmed = 0;
    let done: (ns: number) => void = () => undefined;
    const over = new Promise<number>((resolve) => {
      done = resolve;
    });
    const confirm = (tag: number): void => {
      if (tag > sent || isConfirmed[tag] === 1) throw new Error(`a confirmation of ${tag} that is not due`);
      isConfirmed[tag] = 1;
      confirmed += 1;
    };
    connection.onFrame = (kind, bytes, start) => {
      if (kind !== 1 || bytes.readUInt32BE(start) !== (60 << 16) + 80) throw new Error("the broker does not confirm");
      const tag = bytes.readUInt32BE(start + 8);
      if (bytes[start + 12] === 1) {
        for (; lowest <= tag; lowest += 1) if (isConfirmed[lowest] === 0) confirm(lowest);
      } else confirm(tag);
    };
    const go = (): void => {
      const more = Math.min(count - sent, window - (sent - confirmed));
      sent += more;
      if (more > 0) writer.send(more);
      if (confirmed === count) done(nowNs());
    };
    connection.onChunkEnd = go;
    go();
    const endNs = await over;
    await end(connection);
    return endNs;
  }

  async consume(count: number, from: number, window: number): Promise<{ startNs: number; endNs: number }> {
    const connection = await AmqpConnection.open(this.#port);
    const payloads = makePayloads(this.#size).map((payload) => Buffer.from(payload));
    await connection.call(method(1, [60, 10], u32(0), u16(window), u8(0)), [60, 11]);
    let [delivered, settled, startNs] = [0, 0, 0];
    let done: (ns: number) => void = () => undefined;
    const over = new Promise<number>((resolve) => {
      done = resolve;
    });
    const take: AmqpConnection["onFrame"] = (kind, bytes, start, stop) => {
      if (kind !== BODY) return;
      const expected = payloads[delivered % PAYLOAD_CYCLE];
      if (expected === undefined || expected.compare(bytes, start, stop) !== 0) throw new Error("a wrong body");
      delivered += 1;
      if (delivered === from) startNs = nowNs();
      if (delivered === count) done(nowNs());
    };
    connection.onChunkEnd = () => {
      if (delivered === settled) return;
      settled = delivered;
      connection.socket.write(method(1, [60, 80], u64(delivered), u8(1)));
    };
    const consume = [u16(0), short(this.#queue), short("bench"), u8(0), table({})];
    const asked = connection.call(method(1, [60, 20], ...consume), [60, 21]);
    // Deliveries may come in the chunk of the answer.
    const answered = connection.onFrame;
    connection.onFrame = (kind, bytes, start, stop) => {
      answered(kind, bytes, start, stop);
      connection.onFrame = take;
    };
    await asked;
    const endNs = await over;
    await end(connection);
    return { startNs, endNs };
  }

  async close(): Promise<void> {
    const connection = await AmqpConnection.open(this.#port);
    await connection.call(method(1, [50, 40], u16(0), short(this.#queue), u8(0)), [50, 41]);
    await end(connection);
  }
}

/** An orderly end, so that what was acknowledged counts. */
async function end(connection: AmqpConnection): Promise<void> {
  connection.onChunkEnd = () => undefined;
  const closed = once(connection.socket, "close");
  await connection.call(method(0, [10, 50], u16(200), short("bye"), u16(0), u16(0)), [10, 51]);
  connection.socket.on("error", () => undefined); // who closes first is of no concern any more
  connection.socket.destroy();
  await closed;
}
