// Hot path: input passes through here. No closure, promise, spread, iterator or regex here.
import { unreachable } from "../../base/assert.ts";
import { NO_BYTES } from "../../bytes/no-bytes.ts";
import { Splitter } from "../../bytes/splitter.ts";
import type { Outbox } from "../../transport/outbox.ts";
import { Condition, SaslCode } from "../codec/conditions.ts";
import {
  FRAME_SIZE_LEAST,
  FrameType,
  frameBody,
  frameType,
  measureFrame,
  PROTOCOL_HEADER_BYTES,
  ProtocolId,
  readProtocolHeader,
  readSaslFrame,
} from "../codec/frame.ts";
import type { AmqpError, Composite, SaslFrameInput } from "../codec/tables.ts";
import { PERFORMATIVE_VALUES_MAX, ValueReader } from "../codec/value-reader.ts";
import { type End, errorOf, Fault, faultOf } from "./end.ts";
import { type EngineOptions, FRAME_BYTES_MAX, HELD_BYTES_MAX } from "./engine-options.ts";
import { FrameWriter } from "./frame-writer.ts";
import type { EngineHandler, Owners } from "./handler.ts";
import { IdleTimes } from "./idle-times.ts";

/** `sasl`: whose turn it is. `closing`: our close is sent. */
export type State =
  | { readonly is: "new" }
  | { readonly is: "header"; readonly expects: "sasl" | "amqp" | "any"; readonly untilMs: number }
  | { readonly is: "sasl"; readonly turn: "owner" | "peer" | "peer first"; readonly untilMs: number }
  | { readonly is: "opening"; readonly untilMs: number }
  | { readonly is: "open"; readonly peer: Composite<"open"> }
  | { readonly is: "closing"; readonly error: AmqpError | null; readonly untilMs: number }
  | { readonly is: "closed" };

/**
 * The beginning of a connection of either role: protocol headers and SASL (§2.2, §5.3), and the cutting of input, which holds back what
 * comes while the owner decides on a step.
 */
export abstract class Handshake<O extends Owners> {
  readonly outbox: Outbox;
  readonly handler: EngineHandler<O>;
  protected readonly options: EngineOptions<O>;
  protected readonly maxFrameSize: number;
  protected readonly reader: ValueReader;
  protected readonly writer: FrameWriter;
  protected readonly idle: IdleTimes;
  protected now: State = { is: "new" };
  protected nowMs: number;
  readonly #handshakeMs: number;
  readonly #splitter: Splitter;
  #authenticated = false;
  /** Input that came while the owner decides on a SASL step. */
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  /** The chunk being cut, and how much of a frame was there before it; to find what is left when the sink stops. */
  #chunk: Uint8Array = NO_BYTES;
  #before = 0;

  constructor(options: EngineOptions<O>) {
    this.options = options;
    this.outbox = options.outbox;
    this.handler = options.handler;
    this.nowMs = options.nowMs;
    this.maxFrameSize = Math.max(FRAME_SIZE_LEAST, options.maxFrameSize ?? FRAME_BYTES_MAX);
    this.#handshakeMs = options.handshakeTimeoutMs ?? 10_000;
    this.idle = new IdleTimes(options.idleTimeoutMs ?? 60_000, options.nowMs);
    this.reader = new ValueReader(options.outbox.text, PERFORMATIVE_VALUES_MAX);
    this.writer = new FrameWriter(options.outbox);
    this.#splitter = new Splitter(
      (buffer, at, end) => this.#measure(buffer, at, end),
      (buffer, start, end) => this.#onPiece(buffer, start, end),
    );
  }

  /** One word for where the connection is. */
  get state(): State["is"] {
    return this.now.is;
  }

  /** True once the connection is over; every further call is ignored. */
  get over(): boolean {
    return this.now.is === "closed";
  }

  /** Begins: a client sends its header, with the open right behind it where no SASL comes before; a server waits for the client's. */
  start(): void {
    if (this.now.is !== "new") return;
    const untilMs = this.untilMs();
    if (this.options.role === "server") this.now = { is: "header", expects: "any", untilMs };
    else if ((this.options.sasl ?? "none") !== "none") {
      this.writer.header(ProtocolId.sasl);
      this.now = { is: "header", expects: "sasl", untilMs };
    } else this.#startAmqp();
  }

  /** Feeds received bytes; what they ask for is in the outbox afterwards. Never throws. */
  onBytes(chunk: Uint8Array, nowMs: number): void {
    if (this.over) return;
    this.nowMs = nowMs;
    this.idle.heard(nowMs);
    if (this.now.is === "sasl" && this.now.turn === "owner") return this.#hold(chunk);
    this.#cut(chunk);
  }

  /** Client: chooses a mechanism (§5.3.3.2). */
  saslInit(mechanism: string, initialResponse: Uint8Array | null, hostname: string | null = null): void {
    this.#answerSasl({ type: "saslInit", mechanism, initialResponse, hostname });
  }

  /** Client: answers a challenge. */
  saslRespond(response: Uint8Array): void {
    this.#answerSasl({ type: "saslResponse", response });
  }

  /** Server: asks for more. */
  saslChallenge(challenge: Uint8Array): void {
    this.#answerSasl({ type: "saslChallenge", challenge });
  }

  /** Server: ends the exchange. With code 0 the client's AMQP header is awaited; with any other the connection is over. */
  saslOutcome(code: number, additionalData: Uint8Array | null = null): void {
    if (this.now.is !== "sasl" || this.now.turn !== "owner") return;
    this.writer.sasl({ type: "saslOutcome", code, additionalData });
    if (code !== SaslCode.ok) return this.finish(refusal(Condition.unauthorizedAccess, `SASL outcome ${code}`));
    this.#authenticated = true;
    this.now = { is: "header", expects: "amqp", untilMs: this.now.untilMs };
    this.#release();
  }

  /** Time for the step that begins now. */
  protected untilMs(): number {
    return this.nowMs + this.#handshakeMs;
  }

  protected abstract sendOpen(): void;

  /** An AMQP frame, once the headers are exchanged. */
  protected abstract onAmqpFrame(buffer: Uint8Array, start: number, end: number): void;

  /** Ends the connection because of `fault`, with a close where the state allows one. */
  protected abstract failed(fault: Fault, cause: unknown): void;

  /** The connection is over. */
  protected abstract finish(end: End): void;

  #measure(buffer: Uint8Array, at: number, end: number): number {
    if (this.now.is === "header") return end - at < PROTOCOL_HEADER_BYTES ? 0 : PROTOCOL_HEADER_BYTES;
    return measureFrame(buffer, at, end, this.maxFrameSize);
  }

  #cut(chunk: Uint8Array): void {
    this.#chunk = chunk;
    this.#before = this.#splitter.pendingBytes;
    try {
      this.#splitter.push(chunk);
    } catch (error) {
      this.failed(faultOf(error), error);
    }
    this.#chunk = NO_BYTES;
  }

  /** Takes one protocol header or frame; false when the rest of the input has to wait, or nobody wants it. */
  #onPiece(buffer: Uint8Array, start: number, end: number): boolean {
    const state = this.now;
    if (state.is === "header") this.#onHeader(state.expects, readProtocolHeader(buffer, start));
    else if (frameType(buffer, start) === FrameType.amqp) this.onAmqpFrame(buffer, start, end);
    else this.#onSaslFrame(buffer, start, end);
    if (this.over) return false;
    const now = this.now;
    if (now.is !== "sasl" || now.turn !== "owner") return true;
    // The frame may have begun in an earlier chunk; what is behind it in this one waits.
    const rest = buffer === this.#chunk ? end : end - start - this.#before;
    if (rest < this.#chunk.length) this.#hold(this.#chunk.subarray(rest));
    return false;
  }

  #onHeader(expects: "sasl" | "amqp" | "any", id: number): void {
    const untilMs = this.untilMs();
    const sasl = this.options.sasl ?? "none";
    if (this.options.role === "client") {
      if (id === ProtocolId.sasl && expects === "sasl") this.now = { is: "sasl", turn: "peer first", untilMs };
      else if (id === ProtocolId.amqp && expects === "amqp") this.now = { is: "opening", untilMs };
      else this.finish(refusal(Condition.framingError, `the server answered with ${headerName(id)}`));
      return;
    }
    if (id === ProtocolId.sasl && expects === "any" && sasl !== "none") {
      this.writer.header(ProtocolId.sasl);
      this.writer.sasl({ type: "saslMechanisms", saslServerMechanisms: this.options.saslMechanisms ?? [] });
      this.now = { is: "sasl", turn: "peer first", untilMs };
    } else if (id === ProtocolId.amqp && (this.#authenticated || sasl !== "required")) {
      this.writer.header(ProtocolId.amqp);
      this.now = { is: "opening", untilMs };
    } else {
      // The header that would be taken is the answer to one that is not (§2.2).
      this.writer.header(sasl === "none" || this.#authenticated ? ProtocolId.amqp : ProtocolId.sasl);
      this.finish(refusal(Condition.framingError, `the client began with ${headerName(id)}`));
    }
  }

  #onSaslFrame(buffer: Uint8Array, start: number, end: number): void {
    const state = this.now;
    if (state.is !== "sasl" || frameType(buffer, start) !== FrameType.sasl) {
      throw new Fault("connection", Condition.framingError, `a frame of type ${frameType(buffer, start)}`);
    }
    const reader = this.reader;
    reader.reset(buffer, frameBody(buffer, start, end), end);
    const frame = readSaslFrame(reader);
    const first = state.turn === "peer first";
    const client = this.options.role === "client";
    const fits =
      frame.type === "saslOutcome" || frame.type === "saslChallenge"
        ? client && !first
        : frame.type === "saslMechanisms"
          ? client && first
          : !client && first === (frame.type === "saslInit");
    if (!fits) throw new Fault("connection", Condition.notAllowed, `${frame.type} is not expected now`);
    this.now = { is: "sasl", turn: "owner", untilMs: state.untilMs };
    switch (frame.type) {
      case "saslMechanisms":
        return this.handler.onSaslMechanisms(frame.saslServerMechanisms);
      case "saslChallenge":
        return this.handler.onSaslChallenge(frame.challenge);
      case "saslInit":
        return this.handler.onSaslInit(frame.mechanism, frame.initialResponse, frame.hostname);
      case "saslResponse":
        return this.handler.onSaslResponse(frame.response);
      case "saslOutcome":
        return this.#onOutcome(frame.code, frame.additionalData);
      default:
        return unreachable(frame);
    }
  }

  #onOutcome(code: number, additionalData: Uint8Array | null): void {
    this.handler.onSaslOutcome(code, additionalData);
    if (this.over) return;
    if (code !== SaslCode.ok) return this.finish(refusal(Condition.unauthorizedAccess, `SASL outcome ${code}`));
    this.#authenticated = true;
    this.#startAmqp();
  }

  /** A client's header and, without waiting for the answer, its open (§2.4.2). */
  #startAmqp(): void {
    this.writer.header(ProtocolId.amqp);
    this.now = { is: "header", expects: "amqp", untilMs: this.untilMs() };
    this.sendOpen();
  }

  #hold(chunk: Uint8Array): void {
    this.#heldBytes += chunk.length;
    if (this.#heldBytes > HELD_BYTES_MAX)
      return this.failed(new Fault("connection", Condition.resourceLimitExceeded, "too much input during SASL"), null);
    this.#held.push(chunk);
  }

  /** Goes on with what was held. */
  #release(): void {
    const held = this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    for (let i = 0; i < held.length; i++) this.onBytes(held[i] as Uint8Array, this.nowMs);
  }

  #answerSasl(frame: SaslFrameInput): void {
    if (this.now.is !== "sasl" || this.now.turn !== "owner") return;
    this.writer.sasl(frame);
    this.now = { is: "sasl", turn: "peer", untilMs: this.now.untilMs };
    this.#release();
  }
}

function headerName(id: number): string {
  return id === -1 ? "no AMQP 1.0 header" : `the header of protocol ${id}`;
}

function refusal(condition: string, description: string): End {
  return { scope: "connection", by: "violation", error: errorOf(condition, description), cause: null };
}
