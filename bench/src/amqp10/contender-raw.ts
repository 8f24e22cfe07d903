// Hot path: the ceiling; runs per frame where frames must be looked at.
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { type PerformativeInput, readPerformative, ValueReader, webText } from "polymq/amqp10/codec";
import type { OpenSession } from "../amqp/client-process.ts";
import { FrameCutter } from "../amqp/frame-cutter.ts";
import { QUEUE, WINDOW } from "../amqp/plan.ts";
import type { MessageSink } from "../mqtt/client/message-sink.ts";
import { performativeFrame } from "./frames.ts";
import { TransferRing } from "./transfer-ring.ts";

const WINDOWS = { nextIncomingId: 0, incomingWindow: 2_000_000_000, nextOutgoingId: 0, outgoingWindow: 2_000_000_000 };

/** The ceiling: a socket that writes pre-encoded transfers and only looks at the frames that come. It has no API per message. */
export const openRawSocket: OpenSession = async ({ port, work, size }, payloads) => {
  const socket = connect({ host: "127.0.0.1", port, noDelay: true });
  await once(socket, "connect");
  const raw = new RawLink(socket, size, work.isAnswered);
  socket.write(Buffer.from("AMQP\0\x01\0\0", "latin1"));
  raw.say({ type: "open", containerId: "raw", maxFrameSize: 65_536 });
  raw.say({ type: "begin", nextOutgoingId: 0, incomingWindow: 2_000_000_000, outgoingWindow: 2_000_000_000 });
  const isReceiver = work.is === "receive";
  const termini = { source: { type: "source", address: QUEUE }, target: { type: "target", address: QUEUE } } as const;
  const attach = { name: "raw", handle: 0, role: isReceiver, sndSettleMode: work.isAnswered ? 0 : 1, ...termini };
  raw.say({ type: "attach", ...attach, ...(isReceiver ? {} : { initialDeliveryCount: 0 }) });
  const ring = new TransferRing(0, payloads, !work.isAnswered);
  return {
    publish: (_from, count) => raw.send(ring, count),
    subscribe(sink) {
      raw.receive(sink);
      return Promise.resolve();
    },
    send: () => void socket.write(ring.take(1)),
    async close() {
      const closed = once(socket, "close");
      raw.say({ type: "close" });
      await closed;
    },
  };
};

class RawLink {
  readonly #socket: Socket;
  readonly #size: number;
  readonly #isAnswered: boolean;
  readonly #reader: ValueReader = new ValueReader(webText());
  #isGreeted = false;
  #sink: MessageSink | null = null;
  #received = 0;
  /** Frames of large messages. */
  #parts = 0;
  #acknowledged = 0;
  #sent = 0;
  #accepted = 0;
  #wake: () => void = () => undefined;

  constructor(socket: Socket, size: number, isAnswered: boolean) {
    this.#socket = socket;
    this.#size = size;
    this.#isAnswered = isAnswered;
    const cutter = new FrameCutter((bytes) => this.#take(bytes));
    socket.on("data", (chunk: Buffer) => {
      cutter.push(chunk);
      if (this.#sink !== null) this.#answer();
      this.#wake();
    });
    socket.on("drain", () => this.#wake());
  }

  say(performative: PerformativeInput): void {
    this.#socket.write(performativeFrame(0, performative));
  }

  async send(ring: TransferRing, count: number): Promise<void> {
    for (let left = count; left > 0; ) {
      const room = this.#isAnswered ? WINDOW - (this.#sent - this.#accepted) : left;
      const run = Math.min(left, ring.batch, room);
      const mayGoOn = run > 0 && this.#socket.write(ring.take(run));
      left -= run;
      this.#sent += run;
      if (!mayGoOn) await this.#woken();
    }
    while (this.#isAnswered && this.#accepted < this.#sent) await this.#woken();
  }

  receive(sink: MessageSink): void {
    this.#sink = sink;
    this.say({ type: "flow", ...WINDOWS, handle: 0, deliveryCount: 0, linkCredit: 2_000_000_000 });
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #answer(): void {
    if (!this.#isAnswered || this.#received === this.#acknowledged) return;
    const [first, last] = [this.#acknowledged, this.#received - 1];
    this.#acknowledged = this.#received;
    this.say({ type: "disposition", role: true, first, last, settled: true, state: { type: "accepted" } });
  }

  #take(bytes: Buffer): number {
    let at = 0;
    if (!this.#isGreeted) {
      if (bytes.length < 8) return 0;
      this.#isGreeted = true;
      at = 8;
    }
    while (at + 8 <= bytes.length) {
      const end = at + bytes.readUInt32BE(at);
      if (end > bytes.length) break;
      if (bytes[at + 10] === 0x14) this.#onTransfer(bytes, end);
      else if (bytes[at + 10] === 0x15) this.#onDisposition(bytes, at, end);
      at = end;
    }
    return at;
  }

  /** Each message is one frame, but the largest: those are counted by their last one. */
  #onTransfer(bytes: Buffer, end: number): void {
    if (this.#size > 65_000) {
      this.#parts++;
      if (this.#parts % 2 === 1) return;
      this.#received++;
      this.#sink?.onChecked(1);
      return;
    }
    this.#received++;
    this.#sink?.onPayload(bytes.subarray(end - this.#size, end));
  }

  #onDisposition(bytes: Buffer, at: number, end: number): void {
    this.#reader.reset(bytes, at + 8, end);
    const said = readPerformative(this.#reader);
    if (said.type === "disposition") this.#accepted = (said.last ?? said.first) + 1;
  }
}
