// Hot path: `#takeFrame` runs for every frame of a client.
import type { Socket } from "node:net";
import {
  ABSENT,
  DispositionHead,
  FlowFields,
  type Performative,
  type PerformativeInput,
  readDisposition,
  readFlow,
  readPerformative,
  readTransfer,
  TransferHead,
  ValueReader,
  webText,
} from "polymq/amqp10/codec";
import { FrameCutter } from "../amqp/frame-cutter.ts";
import type { StubPlan } from "../amqp/plan.ts";
import type { Stub } from "../amqp/stub-process.ts";
import { Progress } from "../harness/progress.ts";
import { makePayloads } from "../mqtt/wire/payloads.ts";
import { performativeFrame } from "./frames.ts";
import { TransferRing } from "./transfer-ring.ts";

/** Credit and window that nobody uses up. */
const PLENTY = 2_000_000_000;

/**
 * A server for one client with one session and one link: it counts what is sent and compares every byte of it, accepts once per chunk, and sends pre-encoded transfers as
 * far as the client's credit and window go.
 */
export class Stub10 implements Stub {
  readonly #socket: Socket;
  readonly #plan: StubPlan;
  readonly #payloads: readonly Uint8Array[];
  readonly #progress: Progress = new Progress();
  readonly #cutter: FrameCutter = new FrameCutter((bytes) => this.#take(bytes));
  readonly #reader: ValueReader = new ValueReader(webText());
  readonly #transfer: TransferHead = new TransferHead();
  readonly #flow: FlowFields = new FlowFields();
  readonly #disposition: DispositionHead = new DispositionHead();
  #isGreeted = false;
  #channel = 0;
  /** Messages that came, the id of the last one, and the parts of one in several frames. */
  #received = 0;
  #lastId = 0;
  #accepted = 0;
  #parts: Buffer[] = [];
  #ring: TransferRing | null = null;
  #framesPerMessage = 1;
  #toSend = 0;
  #sent = 0;
  #settled = 0;
  #credit = 0;
  #window = 0;
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
    const before = this.#received;
    const settledBefore = this.#settled;
    this.#cutter.push(chunk);
    const count = this.#received - before;
    if (count > 0) {
      if (this.#plan.work.isAnswered) this.#accept();
      this.#progress.advance(count);
    }
    if (this.#settled > settledBefore) this.#progress.advance(this.#settled - settledBefore);
    this.#pump();
  }

  #accept(): void {
    const [first, last] = [this.#accepted, this.#lastId];
    this.#accepted = last + 1;
    this.#say({ type: "disposition", role: true, first, last, settled: true, state: { type: "accepted" } });
  }

  /** Takes whole frames; returns the bytes of them. */
  #take(bytes: Buffer): number {
    let at = 0;
    if (!this.#isGreeted) {
      if (bytes.length < 8) return 0;
      if (bytes[4] !== 0) throw new Error("the stub has no SASL");
      this.#isGreeted = true;
      at = 8;
      this.#socket.write(bytes.subarray(0, 8));
    }
    while (at + 8 <= bytes.length) {
      const end = at + bytes.readUInt32BE(at);
      if (end > bytes.length) break;
      if (end > at + 8) this.#takeFrame(bytes, at, end);
      at = end;
    }
    return at;
  }

  #takeFrame(bytes: Buffer, at: number, end: number): void {
    const start = at + 4 * (bytes[at + 4] ?? 2);
    const reader = this.#reader;
    reader.reset(bytes, start, end);
    switch (bytes[start + 1] === 0x53 ? bytes[start + 2] : 0) {
      case 0x14:
        readTransfer(reader, this.#transfer);
        return this.#onTransfer(bytes, reader.at, end);
      case 0x13:
        readFlow(reader, this.#flow);
        return this.#onFlow();
      case 0x15:
        readDisposition(reader, this.#disposition);
        return this.#onDisposition();
      default:
        this.#onPerformative(bytes.readUInt16BE(at + 6), readPerformative(reader));
    }
  }

  #onTransfer(bytes: Buffer, start: number, end: number): void {
    const { deliveryId, settled, more } = this.#transfer;
    if (deliveryId !== ABSENT) this.#lastId = deliveryId;
    if (settled === this.#plan.work.isAnswered && deliveryId !== ABSENT)
      throw new Error("settled otherwise than the row says");
    if (more) {
      this.#parts.push(Buffer.from(bytes.subarray(start, end)));
      return;
    }
    if (this.#parts.length === 0) return this.#check(bytes, end);
    const whole = Buffer.concat([...this.#parts, bytes.subarray(start, end)]);
    this.#parts = [];
    this.#check(whole, whole.length);
  }

  /** The body is what is last in a message. */
  #check(bytes: Buffer, end: number): void {
    const payload = this.#payloads[this.#received % this.#payloads.length] as Uint8Array;
    const from = end - payload.length;
    if (from < 5 || bytes.compare(payload, 0, payload.length, from, end) !== 0) throw new Error("a wrong body");
    this.#received++;
  }

  #onFlow(): void {
    const { nextIncomingId, incomingWindow, deliveryCount, linkCredit } = this.#flow;
    if (nextIncomingId !== ABSENT) {
      this.#window = nextIncomingId + incomingWindow - this.#sent * this.#framesPerMessage;
    }
    if (linkCredit !== ABSENT) this.#credit = Math.max(0, deliveryCount) + linkCredit - this.#sent;
  }

  #onDisposition(): void {
    const { receiver, first, last, state } = this.#disposition;
    if (!receiver || !this.#plan.work.isAnswered) return;
    const outcome = state !== null && "type" in state ? state.type : "";
    if (first > this.#settled || last >= this.#sent || outcome !== "accepted") throw new Error("a wrong disposition");
    this.#settled = Math.max(this.#settled, last + 1);
  }

  #onPerformative(channel: number, said: Performative): void {
    this.#channel = channel;
    switch (said.type) {
      case "open":
        return this.#say({ type: "open", containerId: "stub", maxFrameSize: 1_048_576, channelMax: 255 });
      case "begin":
        this.#window = said.incomingWindow;
        return this.#say({
          type: "begin",
          remoteChannel: channel,
          nextOutgoingId: 0,
          incomingWindow: PLENTY,
          outgoingWindow: PLENTY,
          handleMax: 1_023,
        });
      case "attach":
        return this.#onAttach(said);
      case "detach":
        return this.#say({ type: "detach", handle: said.handle, closed: true });
      case "end":
        return this.#say({ type: "end" });
      case "close":
        this.#say({ type: "close" });
        this.#socket.end();
        return;
      default:
    }
  }

  #onAttach(attach: Extract<Performative, { type: "attach" }>): void {
    const { name, handle, role, source, target, sndSettleMode } = attach;
    const both = { type: "attach", name, handle, role: !role, source, target, sndSettleMode } as const;
    if (!role) {
      this.#say(both);
      const windows = { nextIncomingId: 0, incomingWindow: PLENTY, nextOutgoingId: 0, outgoingWindow: PLENTY };
      return this.#say({ type: "flow", ...windows, handle, deliveryCount: 0, linkCredit: PLENTY });
    }
    if (handle !== 0) throw new Error("the stub sends on handle 0");
    this.#say({ ...both, initialDeliveryCount: 0 });
    this.#ring = new TransferRing(this.#channel, this.#payloads, !this.#plan.work.isAnswered);
    this.#framesPerMessage = Math.ceil((this.#plan.size + 8) / 65_496);
  }

  #say(performative: PerformativeInput): void {
    this.#socket.write(performativeFrame(this.#channel, performative));
  }

  #pump(): void {
    const ring = this.#ring;
    while (ring !== null && this.#toSend > 0 && !this.#isBlocked) {
      const room = Math.floor(this.#window / this.#framesPerMessage);
      const count = Math.min(this.#toSend, ring.batch, this.#credit, room);
      if (count <= 0) return;
      this.#toSend -= count;
      this.#sent += count;
      this.#credit -= count;
      this.#window -= count * this.#framesPerMessage;
      if (!this.#socket.write(ring.take(count))) this.#isBlocked = true;
      if (!this.#plan.work.isAnswered) this.#progress.advance(count);
    }
  }
}
