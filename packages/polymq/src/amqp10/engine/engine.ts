// Hot path: runs per frame. No closure, promise, spread, iterator or regex here.
import { unreachable } from "../../base/assert.ts";
import { MessagingError } from "../../base/errors.ts";
import type { ByteWriter } from "../../bytes/writer.ts";
import { readDescriptor } from "../codec/composite.ts";
import { Condition } from "../codec/conditions.ts";
import { Code } from "../codec/format-codes.ts";
import { FRAME_SIZE_LEAST, frameBody, frameChannel, readPerformative, writeEmptyFrame } from "../codec/frame.ts";
import type { AmqpError, AmqpErrorInput, Composite, PerformativeInput } from "../codec/tables.ts";
import type { RareTransferFields, TransferFields } from "../codec/transfer.ts";
import type { ValueReader } from "../codec/value-reader.ts";
import { Channels } from "./channels.ts";
import { type End, errorOf, Fault } from "./end.ts";
import { CHANNEL_MAX, type EngineOptions } from "./engine-options.ts";
import type { Owners } from "./handler.ts";
import { Handshake } from "./handshake.ts";
import { Session } from "./session.ts";
import type { SessionOptions, SessionPort } from "./session-options.ts";

/**
 * One AMQP 1.0 connection of either role as bytes in and bytes out: protocol headers, SASL, open and close, frames to their sessions, idle
 * timeouts. It knows no socket and no clock: the owner feeds it chunks and the time, and calls `flush` where its outbox asks for a flush.
 */
export class Engine<O extends Owners> extends Handshake<O> implements SessionPort<O> {
  readonly #channelMax: number;
  #openSent = false;
  readonly #channels = new Channels<O>();
  #due: Session<O>[] = [];
  #ready: Session<O>[] = [];

  constructor(options: EngineOptions<O>) {
    super(options);
    this.#channelMax = options.channelMax ?? CHANNEL_MAX;
  }

  /** The peer's open, while the connection is open; else null. */
  get peer(): Composite<"open"> | null {
    return this.now.is === "open" ? this.now.peer : null;
  }

  /** Sessions of both sides. */
  get sessions(): readonly Session<O>[] {
    return this.#channels.all;
  }

  get peerFrameBytesMax(): number {
    return this.writer.peerFrameBytesMax;
  }

  /** To be called where the outbox asks for its flush: writes what was gathered in this turn, and flushes. */
  flush(nowMs: number): void {
    this.nowMs = nowMs;
    const due = this.#due;
    this.#due = [];
    for (let i = 0; i < due.length; i++) (due[i] as Session<O>).flush();
    if (this.outbox.hasUnflushed) this.idle.said(nowMs);
    this.outbox.flush();
    this.pump();
  }

  /** The outbox has room again: what waits goes on. */
  pump(): void {
    const ready = this.#ready;
    if (ready.length === 0) return;
    this.#ready = [];
    for (let i = 0; i < ready.length; i++) (ready[i] as Session<O>).pump();
  }

  /** Begins a session. @throws {MessagingError} ERR_NOT_CONNECTED before the open, ERR_UNSUPPORTED when the peer takes no more sessions */
  begin(options: SessionOptions, owner: O["session"]): Session<O> {
    if (this.now.is !== "open") throw new MessagingError("ERR_NOT_CONNECTED", "the connection is not open");
    const channel = this.#freeChannel();
    if (channel === -1) throw new MessagingError("ERR_UNSUPPORTED", "the peer takes no more sessions");
    const session = new Session<O>(this, channel, options, owner, false);
    this.#channels.add(session);
    this.sendFrame(channel, session.beginFields(null, options));
    return session;
  }

  /** Says goodbye; `onClose` follows when the peer has answered, or its time is up. */
  close(error: AmqpErrorInput | null = null): void {
    switch (this.now.is) {
      case "open":
        for (const session of this.sessions) session.flush();
        this.sendFrame(0, { type: "close", error });
        this.now = { is: "closing", error: full(error), untilMs: this.untilMs() };
        return;
      case "closing":
      case "closed":
        return;
      default:
        return this.finish({ scope: "connection", by: "us", error: full(error), cause: null });
    }
  }

  /** Ends the connection because of something that went wrong on this side, with a close where the state allows one. */
  fail(condition: string, description: string, cause: unknown = null): void {
    this.failed(new Fault("connection", condition, description), cause);
  }

  /** The transport is gone: everything ends without a word. */
  lost(cause: unknown): void {
    if (this.over) return;
    const state = this.now;
    const by = state.is === "closing" ? "us" : "lost";
    this.finish({ scope: "connection", by, error: state.is === "closing" ? state.error : null, cause });
  }

  /** When `onTime` should be called; Infinity for never. */
  get deadlineMs(): number {
    const state = this.now;
    switch (state.is) {
      case "header":
      case "sasl":
      case "opening":
      case "closing":
        return state.untilMs;
      case "open":
        return this.idle.deadlineMs;
      case "new":
      case "closed":
        return Number.POSITIVE_INFINITY;
      default:
        return unreachable(state);
    }
  }

  /** Sends the heartbeat that is due (§2.4.5), or ends a connection whose peer has been silent for too long. */
  onTime(nowMs: number): void {
    if (this.over || nowMs < this.deadlineMs) return;
    this.nowMs = nowMs;
    const state = this.now;
    if (state.is === "closing") {
      return this.finish({ scope: "connection", by: "us", error: state.error, cause: null });
    }
    if (state.is !== "open") return this.fail(Condition.resourceLimitExceeded, "no open in time");
    if (this.idle.isSilent(nowMs))
      return this.fail(Condition.resourceLimitExceeded, "the peer was silent for too long");
    writeEmptyFrame(this.outbox);
    this.idle.said(nowMs);
    this.outbox.commit();
  }

  /** As {@link onTime} for an owner that does not read at the time: silence is not the peer's fault then. */
  onTimeWhilePaused(nowMs: number): void {
    this.idle.heard(nowMs);
    this.onTime(nowMs);
  }

  scratch(): ByteWriter {
    return this.writer.scratch();
  }

  sendFrame(channel: number, performative: PerformativeInput): void {
    this.writer.frame(channel, performative);
  }

  sendRare(fields: TransferFields, rare: RareTransferFields, payload: Uint8Array): number {
    return this.writer.rare(fields, rare, payload);
  }

  sessionDue(session: Session<O>): void {
    if (!this.#due.includes(session)) this.#due.push(session);
    this.outbox.commit();
  }

  sessionUnanswered(session: Session<O>): void {
    this.#channels.unanswered(session);
  }

  sessionReady(session: Session<O>): void {
    if (!this.#ready.includes(session)) this.#ready.push(session);
    // A transport that holds bytes says when it has drained; asked in every turn, it would keep the event loop turning until then.
    if (!this.outbox.blocked) this.outbox.commit();
  }

  /** Writes the open, once. */
  protected override sendOpen(): void {
    if (this.#openSent) return;
    this.#openSent = true;
    this.sendFrame(0, {
      ...this.options.open,
      type: "open",
      maxFrameSize: this.maxFrameSize,
      channelMax: this.#channelMax,
      idleTimeOut: this.idle.advertisedMs,
    });
  }

  protected override onAmqpFrame(buffer: Uint8Array, start: number, end: number): void {
    const state = this.now.is;
    if (state !== "open" && state !== "opening" && state !== "closing") {
      throw new Fault("connection", Condition.framingError, "an AMQP frame during SASL");
    }
    const reader = this.reader;
    reader.reset(buffer, frameBody(buffer, start, end), end);
    // An empty frame is a sign of life.
    if (reader.left === 0) return;
    const channel = frameChannel(buffer, start);
    const code = peekCode(reader);
    if (state === "opening" && code !== OPEN && code !== CLOSE) {
      throw new Fault("connection", Condition.illegalState, "a frame before the open");
    }
    if (channel > this.#channelMax) {
      throw new Fault("connection", Condition.framingError, `channel ${channel}, the largest is ${this.#channelMax}`);
    }
    if (code === FLOW || code === TRANSFER || code === DISPOSITION) this.#onSessionFrame(channel, code, reader);
    else this.#onPerformative(channel, reader);
  }

  #onSessionFrame(channel: number, code: number, reader: ValueReader): void {
    if (this.now.is !== "open") return;
    const session = this.#sessionOf(channel);
    try {
      session.onFrame(code, reader);
    } catch (error) {
      if (!(error instanceof Fault) || error.scope !== "session") throw error;
      session.violated(error);
    }
  }

  #onPerformative(channel: number, reader: ValueReader): void {
    const frame = readPerformative(reader);
    if (reader.left > 0) throw new Fault("connection", Condition.framingError, `payload behind ${frame.type}`);
    switch (frame.type) {
      case "open":
        return this.#onOpen(frame);
      case "close":
        return this.#onClose(frame.error);
      case "begin":
        return this.#onBegin(channel, frame);
      case "end":
        return this.#onEnd(channel, frame.error);
      case "attach":
      case "detach":
        return this.#onLinkFrame(channel, frame);
      default:
        throw new Fault("connection", Condition.framingError, `${frame.type} in an unusual form`);
    }
  }

  #onLinkFrame(channel: number, frame: Composite<"attach"> | Composite<"detach">): void {
    if (this.now.is !== "open") return;
    const session = this.#sessionOf(channel);
    try {
      if (frame.type === "attach") session.onAttach(frame);
      else session.onDetach(frame);
    } catch (error) {
      if (!(error instanceof Fault) || error.scope !== "session") throw error;
      session.violated(error);
    }
  }

  #onOpen(open: Composite<"open">): void {
    if (this.now.is !== "opening") throw new Fault("connection", Condition.illegalState, "a second open");
    this.sendOpen();
    // Whatever a peer says, it has to take 512 bytes (§2.7.1). Broker-J says 0 when a close with its reasons follows.
    this.writer.peerFrameBytesMax = Math.max(FRAME_SIZE_LEAST, open.maxFrameSize);
    this.idle.agree(open.idleTimeOut ?? 0, this.nowMs);
    this.now = { is: "open", peer: open };
    this.handler.onOpen(open);
  }

  #onClose(error: AmqpError | null): void {
    const state = this.now;
    if (state.is === "closing") {
      const by = error === null ? "us" : "peer";
      return this.finish({ scope: "connection", by, error: error ?? state.error, cause: null });
    }
    for (const session of this.sessions) session.flush();
    this.sendOpen();
    this.sendFrame(0, { type: "close" });
    this.finish({ scope: "connection", by: "peer", error, cause: null });
  }

  #onBegin(channel: number, begin: Composite<"begin">): void {
    if (this.now.is !== "open") return;
    if (this.#channels.remote(channel) !== undefined) {
      throw new Fault("connection", Condition.notAllowed, `begin on channel ${channel}, which is in use`);
    }
    if (begin.remoteChannel !== null) {
      const session = this.#channels.local(begin.remoteChannel);
      if (session === undefined || session.remoteChannel !== -1) {
        throw new Fault("connection", Condition.notAllowed, `no begin of ours on channel ${begin.remoteChannel}`);
      }
      this.#channels.bind(channel, session);
      return session.onBegin(begin, channel);
    }
    const local = this.#freeChannel();
    if (local === -1) throw new Fault("connection", Condition.resourceLimitExceeded, "no channel is left");
    const options = this.options.session ?? {};
    const session = new Session<O>(this, local, options, undefined as O["session"], true);
    this.#channels.add(session);
    this.#channels.bind(channel, session);
    this.sendFrame(local, session.beginFields(channel, options));
    session.onBegin(begin, channel);
  }

  #onEnd(channel: number, error: AmqpError | null): void {
    if (this.now.is !== "open") return;
    const session = this.#sessionOf(channel);
    if (session.state !== "ending") {
      session.flush();
      session.send({ type: "end" });
    }
    this.#channels.remove(session, channel);
    session.over({ scope: "session", by: "peer", error, cause: null });
  }

  #sessionOf(channel: number): Session<O> {
    const session = this.#channels.remote(channel);
    if (session === undefined) {
      throw new Fault("connection", Condition.notAllowed, `a frame on channel ${channel}, which has no session`);
    }
    return session;
  }

  #freeChannel(): number {
    return this.#channels.free(Math.min(this.#channelMax, this.peer?.channelMax ?? 0));
  }

  protected override failed(fault: Fault, cause: unknown): void {
    if (this.over) return;
    const error = errorOf(fault.condition, fault.message);
    const state = this.now.is;
    // During headers and SASL there are no words for it.
    if (state === "open" || state === "opening" || (state === "header" && this.#openSent)) {
      this.sendOpen();
      this.sendFrame(0, { type: "close", error });
    }
    this.finish({ scope: "connection", by: "violation", error, cause });
  }

  protected override finish(end: End): void {
    this.now = { is: "closed" };
    const sessions = this.#channels.clear();
    for (let i = 0; i < sessions.length; i++) sessions[i]?.over(end);
    this.#due = [];
    this.#ready = [];
    this.handler.onClose(end);
  }
}

const OPEN = 0x10;
const FLOW = 0x13;
const TRANSFER = 0x14;
const DISPOSITION = 0x15;
const CLOSE = 0x18;

/** The numeric descriptor at the reader's place, which does not move. */
function peekCode(reader: ValueReader): number {
  const { buffer, at } = reader;
  if (buffer[at] === 0 && buffer[at + 1] === Code.smallulong) return buffer[at + 2] as number;
  if (reader.u8() !== Code.described) return -1;
  const code = readDescriptor(reader);
  reader.at = at;
  return code;
}

function full(error: AmqpErrorInput | null): AmqpError | null {
  if (error === null) return null;
  return { type: "error", condition: error.condition, description: error.description ?? null, info: null };
}
