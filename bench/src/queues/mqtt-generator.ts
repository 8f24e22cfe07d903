// Hot path: runs for every message; it must cost less than the broker under measurement.
import { once } from "node:events";
import { nowNs } from "../harness/clock.ts";
import { AckBatch } from "../mqtt/wire/ack-batch.ts";
import { encodeDisconnect, encodeSubscribe, FIRST_BYTE } from "../mqtt/wire/frames.ts";
import { comparisonRing, type MessageShape, sendingRing } from "../mqtt/wire/publish-ring.ts";
import { openRaw, type RawConnection } from "../mqtt/wire/raw-connection.ts";
import { RingWriter } from "../mqtt/wire/ring-writer.ts";
import { StreamChecker } from "../mqtt/wire/stream-checker.ts";
import type { QueueGenerator } from "./queue-generator.ts";

/** The protocol's level. */
export const QUEUE_LEVEL = 4;
const SUBACK_BYTES = 5;

/** What is published into a queue. */
export function queueShape(queue: string, size: number): MessageShape {
  return { topic: `$queue/${queue}`, size, qos: 1, level: QUEUE_LEVEL };
}

/** A generator over raw MQTT 3.1.1 at QoS 1; every byte that is delivered is compared. */
export class MqttGenerator implements QueueGenerator {
  readonly #port: number;
  readonly #shape: MessageShape;
  readonly #open: RawConnection[] = [];

  constructor(port: number, queue: string, size: number) {
    this.#port = port;
    this.#shape = queueShape(queue, size);
  }

  async publish(count: number, window: number): Promise<number> {
    const connection = await this.#connect("bench-publisher");
    const ring = sendingRing(this.#shape);
    const writer = new RingWriter(connection.socket, ring);
    const outstanding = Math.min(window, ring.frames);
    let sent = 0;
    let confirmed = 0;
    let done: (ns: number) => void = () => undefined;
    const over = new Promise<number>((resolve) => {
      done = resolve;
    });
    const checker = new StreamChecker(ring, {
      onPublishes: unexpected,
      onFrame: unexpected,
      onAck: (firstByte, packetId) => {
        if (firstByte !== FIRST_BYTE.puback || packetId !== (confirmed % ring.frames) + 1) unexpected();
        confirmed += 1;
      },
    });
    const go = (): void => {
      const more = Math.min(count - sent, outstanding - (sent - confirmed));
      sent += more;
      if (more > 0) writer.send(more);
      if (confirmed === count) done(nowNs());
    };
    connection.onChunk = (chunk) => {
      checker.feed(chunk);
      go();
    };
    go();
    const endNs = await over;
    await this.#disconnect(connection);
    return endNs;
  }

  /** The window is the broker's: MQTT 3.1.1 has no word for it. */
  async consume(count: number, from: number): Promise<{ startNs: number; endNs: number }> {
    const connection = await this.#connect("bench-consumer");
    const acks = new AckBatch();
    let delivered = 0;
    let startNs = 0;
    let done: (ns: number) => void = () => undefined;
    const over = new Promise<number>((resolve) => {
      done = resolve;
    });
    const checker = new StreamChecker(comparisonRing(this.#shape), {
      onAck: unexpected,
      onFrame: unexpected,
      onPublishes: (more, ids) => {
        for (let index = 0; index < more; index += 1) acks.add(FIRST_BYTE.puback, ids[index] ?? 0);
        if (delivered < from && delivered + more >= from) startNs = nowNs();
        delivered += more;
        if (delivered === count) done(nowNs());
      },
    });
    // Deliveries may come in the chunk of the SUBACK.
    let subacked = 0;
    connection.onChunk = (chunk) => {
      const head = Math.min(SUBACK_BYTES - subacked, chunk.length);
      if (subacked === 0 && chunk[0] !== FIRST_BYTE.suback) unexpected();
      subacked += head;
      checker.feed(chunk.subarray(head));
      acks.flush(connection.socket);
    };
    connection.socket.write(encodeSubscribe(QUEUE_LEVEL, this.#shape.topic, 1));
    const endNs = await over;
    await this.#disconnect(connection);
    return { startNs, endNs };
  }

  async close(): Promise<void> {
    for (const connection of this.#open) connection.socket.destroy();
  }

  async #connect(clientId: string): Promise<RawConnection> {
    const connection = await openRaw({ port: this.#port, level: QUEUE_LEVEL, clientId });
    this.#open.push(connection);
    return connection;
  }

  async #disconnect({ socket }: RawConnection): Promise<void> {
    const closed = once(socket, "close");
    socket.end(encodeDisconnect());
    await closed;
  }
}

function unexpected(): void {
  throw new Error("the broker sent what was not due");
}
