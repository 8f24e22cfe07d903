// Hot path: the ceiling; runs per message only where packet ids must be matched.
import { once } from "node:events";
import { AckBatch } from "../wire/ack-batch.ts";
import { encodeDisconnect, encodePublish, FIRST_BYTE } from "../wire/frames.ts";
import { comparisonRing, type PublishRing, sendingRing } from "../wire/publish-ring.ts";
import { openRaw, type RawConnection, subscribeRaw } from "../wire/raw-connection.ts";
import { RingWriter } from "../wire/ring-writer.ts";
import { StreamChecker, type StreamHandler } from "../wire/stream-checker.ts";
import type { ContenderSession, ContenderTarget } from "./contender.ts";
import type { MessageSink } from "./message-sink.ts";

/**
 * The ceiling: a socket that writes pre-encoded PUBLISH packets and compares what it reads with pre-encoded ones. It has
 * no per-message API; at sizes above 8 KiB its window is what fits 8 MiB.
 */
export async function openRawSocket(target: ContenderTarget): Promise<ContenderSession> {
  const { shape, payloads } = target;
  const connection = await openRaw({ port: target.port, level: shape.level, clientId: "bench-raw" });
  const { socket } = connection;
  const ring = sendingRing(shape);
  const publisher = shape.qos === 0 ? new RingWriter(socket, ring) : new RawPublisher(connection, ring);
  // Each payload's first byte is its place in the cycle.
  const single = payloads.map((payload) => encodePublish({ ...shape, payload, packetId: 1 }));
  return {
    publish: (_from, count) => publisher.sendAll(count),
    async subscribe(sink) {
      await subscribeRaw(connection, shape.level, "bench/#", shape.qos);
      const receiver = new RawReceiver(connection, comparisonRing(shape), sink);
      connection.onChunk = (chunk) => receiver.onChunk(chunk);
    },
    send: (payload) => void socket.write(single[payload[0] ?? 0] ?? Buffer.alloc(0)),
    async close() {
      const closed = once(socket, "close");
      socket.end(encodeDisconnect());
      await closed;
    },
  };
}

/** Publishes at QoS 1 or 2 with as many messages in flight as the ring has frames; acknowledgements must come in order. */
class RawPublisher implements StreamHandler {
  readonly #connection: RawConnection;
  readonly #ring: PublishRing;
  readonly #writer: RingWriter;
  readonly #checker: StreamChecker;
  readonly #acks: AckBatch = new AckBatch();
  #unsent = 0;
  #sent = 0;
  #received = 0;
  #completed = 0;
  #finish: () => void = () => undefined;

  constructor(connection: RawConnection, ring: PublishRing) {
    this.#connection = connection;
    this.#ring = ring;
    this.#writer = new RingWriter(connection.socket, ring);
    this.#checker = new StreamChecker(ring, this);
  }

  async sendAll(count: number): Promise<void> {
    this.#connection.onChunk = (chunk) => this.#onChunk(chunk);
    this.#unsent = count;
    await new Promise<void>((resolve) => {
      this.#finish = resolve;
      this.#fill();
    });
  }

  onPublishes(): void {
    throw new Error("a PUBLISH to a client that only publishes");
  }

  onAck(firstByte: number, packetId: number): void {
    const isLast = firstByte === (this.#ring.qos === 1 ? FIRST_BYTE.puback : FIRST_BYTE.pubcomp);
    if (!isLast && (this.#ring.qos === 1 || firstByte !== FIRST_BYTE.pubrec)) throw new Error("an ack out of place");
    const due = isLast ? this.#completed : this.#received;
    if (packetId !== (due % this.#ring.frames) + 1)
      throw new Error(`packet id ${packetId} is acknowledged out of order`);
    if (isLast) this.#completed += 1;
    else {
      this.#received += 1;
      this.#acks.add(FIRST_BYTE.pubrel, packetId);
    }
  }

  onFrame(frame: Uint8Array): void {
    throw new Error(`an unexpected packet: [${frame}]`);
  }

  #onChunk(chunk: Buffer): void {
    this.#checker.feed(chunk);
    this.#acks.flush(this.#connection.socket);
    this.#fill();
  }

  #fill(): void {
    const count = Math.min(this.#unsent, this.#ring.frames - (this.#sent - this.#completed));
    this.#sent += count;
    this.#unsent -= count;
    if (count > 0) this.#writer.send(count);
    else if (this.#completed === this.#sent) this.#finish();
  }
}

/** Receives at QoS 0 or 1 and acknowledges, one write per chunk. */
class RawReceiver implements StreamHandler {
  readonly #connection: RawConnection;
  readonly #checker: StreamChecker;
  readonly #sink: MessageSink;
  readonly #needsAcks: boolean;
  readonly #acks: AckBatch = new AckBatch();

  constructor(connection: RawConnection, ring: PublishRing, sink: MessageSink) {
    this.#connection = connection;
    this.#checker = new StreamChecker(ring, this);
    this.#sink = sink;
    this.#needsAcks = ring.qos > 0;
  }

  onChunk(chunk: Buffer): void {
    this.#checker.feed(chunk);
    this.#acks.flush(this.#connection.socket);
  }

  onPublishes(count: number, ids: Uint16Array): void {
    if (this.#needsAcks) {
      for (let index = 0; index < count; index += 1) this.#acks.add(FIRST_BYTE.puback, ids[index] ?? 0);
    }
    this.#sink.onChecked(count);
  }

  onAck(): void {
    throw new Error("an acknowledgement to a client that only receives");
  }

  onFrame(frame: Uint8Array): void {
    throw new Error(`an unexpected packet: [${frame}]`);
  }
}
