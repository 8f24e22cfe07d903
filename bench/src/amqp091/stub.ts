// Hot path: `#takeFrame` runs for every frame of a client.
import type { Socket } from "node:net";
import { ByteReader, decodeMethod, FRAME_END, type Method, webText } from "polymq/amqp091/codec";
import { FrameCutter } from "../amqp/frame-cutter.ts";
import { type StubPlan, WINDOW } from "../amqp/plan.ts";
import type { Stub } from "../amqp/stub-process.ts";
import { Progress } from "../harness/progress.ts";
import { makePayloads } from "../mqtt/wire/payloads.ts";
import { DeliveryRing } from "./delivery-ring.ts";
import { FRAME_MAX, methodFrame } from "./frames.ts";

/**
 * A server for one client: it counts what is published and compares every byte of it, confirms once per chunk, and sends pre-encoded deliveries as fast as the socket and the
 * client's acknowledgements allow.
 */
export class Stub091 implements Stub {
  readonly #socket: Socket;
  readonly #plan: StubPlan;
  readonly #payloads: readonly Uint8Array[];
  readonly #progress: Progress = new Progress();
  readonly #cutter: FrameCutter = new FrameCutter((bytes) => this.#take(bytes));
  #isGreeted = false;
  /** Messages whose body is whole, and what is left of the one that comes. */
  #published = 0;
  #bodyLeft = 0;
  #confirmChannel = 0;
  #ring: DeliveryRing | null = null;
  #toSend = 0;
  #sent = 0;
  #settled = 0;
  #isBlocked = false;

  constructor(socket: Socket, plan: StubPlan) {
    this.#socket = socket;
    this.#plan = plan;
    this.#payloads = makePayloads(plan.size);
    socket.on("drain", () => {
      this.#isBlocked = false;
      this.#pump();
    });
  }

  get total(): number {
    return this.#progress.total;
  }

  get isWhole(): boolean {
    return this.#cutter.isWhole;
  }

  begin(count: number, mark: number): Promise<number> {
    const done = this.#progress.begin(count, mark);
    if (this.#plan.work.is === "receive") {
      this.#toSend += count;
      setImmediate(() => this.#pump());
    }
    return done;
  }

  onChunk(chunk: Buffer): void {
    const before = this.#published;
    const settledBefore = this.#settled;
    this.#cutter.push(chunk);
    const count = this.#published - before;
    if (count > 0) this.#onPublished(count);
    if (this.#settled > settledBefore) this.#progress.advance(this.#settled - settledBefore);
    this.#pump();
  }

  #onPublished(count: number): void {
    if (this.#plan.work.is === "round-trip") this.#send(count);
    if (this.#confirmChannel > 0) {
      const ack = { method: "basic.ack", deliveryTag: this.#published, multiple: true } as const;
      this.#socket.write(methodFrame(this.#confirmChannel, ack));
    }
    this.#progress.advance(count);
  }

  /** Takes whole frames; returns the bytes of them. */
  #take(bytes: Buffer): number {
    let at = 0;
    if (!this.#isGreeted) {
      if (bytes.length < 8) return 0;
      this.#isGreeted = true;
      at = 8;
      this.#answer(0, START);
    }
    while (at + 8 <= bytes.length) {
      const size = bytes.readUInt32BE(at + 3);
      const end = at + 7 + size;
      if (end >= bytes.length) break;
      if (bytes[end] !== FRAME_END) throw new Error("a frame without its end");
      this.#takeFrame(bytes, at, end);
      at = end + 1;
    }
    return at;
  }

  #takeFrame(bytes: Buffer, at: number, end: number): void {
    const start = at + 7;
    switch (bytes[at]) {
      case 1:
        if (bytes[start + 1] === 60 && bytes[start + 3] === 40) return;
        if (bytes[start + 1] === 60 && bytes[start + 3] === 80) return this.#onAck(bytes, start + 4);
        return this.#onMethod(bytes.readUInt16BE(at + 1), new Uint8Array(bytes.subarray(start, end)));
      case 2:
        this.#bodyLeft = bytes.readUInt32BE(start + 8);
        if (this.#bodyLeft !== this.#plan.size) throw new Error(`a body of ${this.#bodyLeft} bytes`);
        return;
      case 3: {
        const payload = this.#payloads[this.#published % this.#payloads.length] as Uint8Array;
        const from = payload.length - this.#bodyLeft;
        this.#bodyLeft -= end - start;
        if (bytes.compare(payload, from, from + end - start, start, end) !== 0) throw new Error("a wrong body");
        if (this.#bodyLeft === 0) this.#published++;
        return;
      }
      default:
    }
  }

  #onAck(bytes: Buffer, at: number): void {
    const tag = bytes.readUInt32BE(at + 4);
    const settled = bytes[at + 8] === 1 ? tag : this.#settled + 1;
    if (tag > this.#sent || settled !== tag) throw new Error(`delivery ${tag} is acknowledged out of order`);
    this.#settled = tag;
  }

  #onMethod(channel: number, payload: Uint8Array): void {
    const method = decodeMethod(new ByteReader(webText(), payload));
    switch (method.method) {
      case "confirm.select":
        this.#confirmChannel = channel;
        break;
      case "basic.consume": {
        const consumerTag = method.consumerTag === "" ? "ctag" : method.consumerTag;
        this.#ring = new DeliveryRing(channel, consumerTag, this.#plan.size);
        return this.#answer(channel, { method: "basic.consume-ok", consumerTag });
      }
      default:
    }
    const answer = answerTo(method);
    if (answer !== null) this.#answer(channel, answer);
  }

  #answer(channel: number, method: Method): void {
    this.#socket.write(methodFrame(channel, method));
  }

  #pump(): void {
    const ring = this.#ring;
    while (ring !== null && this.#toSend > 0 && !this.#isBlocked) {
      const room = this.#plan.work.isAnswered ? WINDOW - (this.#sent - this.#settled) : ring.batch;
      const count = Math.min(this.#toSend, ring.batch, room);
      if (count === 0) return;
      this.#toSend -= count;
      this.#send(count);
      if (!this.#plan.work.isAnswered) this.#progress.advance(count);
    }
  }

  #send(count: number): void {
    if (this.#ring === null) throw new Error("nobody consumes");
    this.#sent += count;
    if (!this.#socket.write(this.#ring.take(count))) this.#isBlocked = true;
  }
}

const START: Method = {
  method: "connection.start",
  versionMajor: 0,
  versionMinor: 9,
  serverProperties: {
    product: "stub",
    capabilities: { publisher_confirms: true, "basic.nack": true, consumer_cancel_notify: true },
  },
  mechanisms: "PLAIN",
  locales: "en_US",
};

/** What a server says to what a client asks at the beginning and at the end. */
function answerTo(method: Method): Method | null {
  switch (method.method) {
    case "connection.start-ok":
      return { method: "connection.tune", channelMax: 2047, frameMax: FRAME_MAX, heartbeat: 0 };
    case "connection.open":
      return { method: "connection.open-ok" };
    case "channel.open":
      return { method: "channel.open-ok" };
    case "confirm.select":
      return { method: "confirm.select-ok" };
    case "basic.qos":
      return { method: "basic.qos-ok" };
    case "queue.declare":
      return { method: "queue.declare-ok", queue: method.queue, messageCount: 0, consumerCount: 0 };
    case "basic.cancel":
      return { method: "basic.cancel-ok", consumerTag: method.consumerTag };
    case "channel.close":
      return { method: "channel.close-ok" };
    case "connection.close":
      return { method: "connection.close-ok" };
    default:
      return null;
  }
}
