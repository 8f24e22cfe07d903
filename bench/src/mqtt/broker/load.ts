// Hot path: runs for every message and delivery of every broker; it must cost less than the fastest of them.
import { once } from "node:events";
import { Progress } from "../../harness/progress.ts";
import { AckBatch } from "../wire/ack-batch.ts";
import { encodeDisconnect, FIRST_BYTE } from "../wire/frames.ts";
import { comparisonRing, type MessageShape, type PublishRing, sendingRing } from "../wire/publish-ring.ts";
import { openRaw, type RawConnection, subscribeRaw } from "../wire/raw-connection.ts";
import { RingWriter } from "../wire/ring-writer.ts";
import { StreamChecker, type StreamHandler } from "../wire/stream-checker.ts";

const PACKET_IDS = 65_536;
const LEVEL = 4;

/** How a load is laid out. */
export interface LoadTarget {
  readonly port: number;
  readonly shape: MessageShape;
  readonly subscribers: number;
}

/**
 * One publisher and some subscribers in a closed loop: a message is outstanding until every subscriber has it and, at
 * QoS 1, the broker has acknowledged it; as many are outstanding as the ring has frames (1000, fewer above 8 KiB).
 */
export class Load {
  readonly #publisher: LoadPublisher;
  readonly #subscribers: readonly LoadSubscriber[];
  readonly #progress: Progress = new Progress();
  #unsent = 0;

  private constructor(publisher: LoadPublisher, subscribers: readonly LoadSubscriber[]) {
    this.#publisher = publisher;
    this.#subscribers = subscribers;
  }

  /** Connects and subscribes everybody; each subscriber's QoS must be granted as asked. */
  static async open({ port, shape, subscribers }: LoadTarget): Promise<Load> {
    const connectAs = (clientId: string): Promise<RawConnection> => openRaw({ port, level: LEVEL, clientId });
    const receivers: LoadSubscriber[] = [];
    for (let index = 0; index < subscribers; index += 1) {
      const connection = await connectAs(`bench-subscriber-${index}`);
      await subscribeRaw(connection, LEVEL, shape.topic, shape.qos);
      receivers.push(new LoadSubscriber(connection, comparisonRing(shape)));
    }
    const load = new Load(new LoadPublisher(await connectAs("bench-publisher"), sendingRing(shape)), receivers);
    load.#publisher.connect(() => load.#onProgress());
    for (const receiver of receivers) receiver.connect(() => load.#onProgress());
    return load;
  }

  /** Publishes `count` messages; resolves when the last is done, with the time at which message `mark` was. */
  async run(count: number, mark: number): Promise<number> {
    const done = this.#progress.begin(count, mark);
    this.#unsent = count;
    this.#onProgress();
    return await done;
  }

  /** Disconnects everybody. Throws if bytes of a packet are left over. */
  async close(): Promise<void> {
    if (this.#subscribers.some((subscriber) => !subscriber.isWhole)) throw new Error("a delivery is cut short");
    for (const { connection } of [this.#publisher, ...this.#subscribers]) {
      const closed = once(connection.socket, "close");
      connection.socket.end(encodeDisconnect());
      await closed;
    }
  }

  #onProgress(): void {
    let done = this.#publisher.settled;
    for (const subscriber of this.#subscribers) {
      if (subscriber.delivered > this.#publisher.sent) throw new Error("more is delivered than was published");
      if (subscriber.delivered < done) done = subscriber.delivered;
    }
    const count = Math.min(this.#unsent, this.#publisher.window - (this.#publisher.sent - done));
    this.#unsent -= count;
    if (count > 0) this.#publisher.send(count);
    if (done > this.#progress.total) this.#progress.advance(done - this.#progress.total);
  }
}

/** Sends the ring's frames and checks that PUBACKs come once each and in order ([MQTT-4.6.0-2]). */
class LoadPublisher implements StreamHandler {
  readonly connection: RawConnection;
  readonly #ring: PublishRing;
  readonly #writer: RingWriter;
  readonly #checker: StreamChecker;
  #sent = 0;
  #acknowledged = 0;

  constructor(connection: RawConnection, ring: PublishRing) {
    this.connection = connection;
    this.#ring = ring;
    this.#writer = new RingWriter(connection.socket, ring);
    this.#checker = new StreamChecker(ring, this);
  }

  get sent(): number {
    return this.#sent;
  }

  /** Messages that the broker need say no more about to the publisher. */
  get settled(): number {
    return this.#ring.qos === 0 ? this.#sent : this.#acknowledged;
  }

  get window(): number {
    return Math.min(1000, this.#ring.frames);
  }

  connect(onProgress: () => void): void {
    this.connection.onChunk = (chunk) => {
      this.#checker.feed(chunk);
      onProgress();
    };
  }

  send(count: number): void {
    this.#sent += count;
    this.#writer.send(count);
  }

  onPublishes(): void {
    throw new Error("a delivery to the publisher");
  }

  onAck(firstByte: number, packetId: number): void {
    const expected = (this.#acknowledged % this.#ring.frames) + 1;
    if (firstByte !== FIRST_BYTE.puback || packetId !== expected || this.#acknowledged >= this.#sent) {
      throw new Error(`acknowledgement ${firstByte} of ${packetId} where PUBACK of ${expected} is due`);
    }
    this.#acknowledged += 1;
  }

  onFrame(frame: Uint8Array): void {
    throw new Error(`an unexpected packet: [${frame}]`);
  }
}

/** Compares every byte of its deliveries and acknowledges them at QoS 1, one write per chunk. */
class LoadSubscriber implements StreamHandler {
  readonly connection: RawConnection;
  readonly #checker: StreamChecker;
  readonly #qos: number;
  readonly #acks: AckBatch = new AckBatch();
  /** In which chunk a packet id came last: it may not come again before that chunk's acknowledgements are sent. */
  readonly #chunkOfId: Uint32Array = new Uint32Array(PACKET_IDS);
  #chunk = 0;
  #delivered = 0;

  constructor(connection: RawConnection, ring: PublishRing) {
    this.connection = connection;
    this.#checker = new StreamChecker(ring, this);
    this.#qos = ring.qos;
  }

  get delivered(): number {
    return this.#delivered;
  }

  get isWhole(): boolean {
    return this.#checker.isWhole;
  }

  connect(onProgress: () => void): void {
    this.connection.onChunk = (chunk) => {
      this.#chunk += 1;
      this.#checker.feed(chunk);
      this.#acks.flush(this.connection.socket);
      onProgress();
    };
  }

  onPublishes(count: number, ids: Uint16Array): void {
    this.#delivered += count;
    if (this.#qos === 0) return;
    for (let index = 0; index < count; index += 1) {
      const id = ids[index] ?? 0;
      if (this.#chunkOfId[id] === this.#chunk) throw new Error(`packet id ${id} is used twice at a time`);
      this.#chunkOfId[id] = this.#chunk;
      this.#acks.add(FIRST_BYTE.puback, id);
    }
  }

  onAck(): void {
    throw new Error("an acknowledgement to a subscriber");
  }

  onFrame(frame: Uint8Array): void {
    throw new Error(`an unexpected packet: [${frame}]`);
  }
}
