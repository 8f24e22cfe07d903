// Hot path: runs per frame. No closure, promise, spread, iterator or regex here.
import { MessagingError } from "../../base/errors.ts";
import { ByteReader } from "../../bytes/reader.ts";
import { Splitter } from "../../bytes/splitter.ts";
import type { Outbox } from "../../transport/outbox.ts";
import { AckReader } from "../codec/ack-reader.ts";
import type { Content } from "../codec/content.ts";
import { ContentWriter } from "../codec/content-writer.ts";
import { channelError, commandInvalid, frameError, syntaxError, unexpectedFrame } from "../codec/failures.ts";
import {
  FRAME_BYTES_MIN,
  FRAME_END,
  FRAME_HEAD_BYTES,
  FRAME_OVERHEAD_BYTES,
  type FrameLimit,
  FrameType,
  measureFrame,
  PROTOCOL_HEADER_START,
  writeHeartbeat,
} from "../codec/frame.ts";
import { decodeMethod, encodeMethod, peekMethodName } from "../codec/method-codec.ts";
import type { Method, MethodOf } from "../codec/method-types.ts";
import { PropertyScanner } from "../codec/property-scan.ts";
import { ReplyCode, replyCodeOf, replyName } from "../codec/reply-codes.ts";
import type { Channel, EngineTypes } from "./channel.ts";
import type { CloseReason, EndpointHandler, EndpointOptions } from "./endpoint-options.ts";
import { Heartbeat } from "./heartbeat.ts";
import { shortReplyText } from "./reply-text.ts";
import { asMessagingError } from "./roles.ts";
import { checkTuning, type Tuning } from "./tuning.ts";

/** The deadlines of a connection, one at a time. */
type Clockwork =
  | { readonly is: "deadline"; readonly atMs: number }
  | { readonly is: "heartbeat"; readonly heartbeat: Heartbeat }
  | { readonly is: "none" };

/**
 * One AMQP 0-9-1 connection as bytes in and bytes out, the half that client and server have in common: frames, channels, content
 * in both directions, heartbeats, closing. It knows no socket and no clock: the owner feeds it chunks and the time, calls
 * `beforeFlush` and flushes the outbox.
 */
export abstract class Endpoint<T extends EngineTypes, C extends Channel<T>> {
  readonly outbox: Outbox;
  protected readonly handler: EndpointHandler<C>;
  protected readonly options: EndpointOptions<T>;
  protected readonly writer: ContentWriter;
  /** @internal */
  protected readonly acks: AckReader = new AckReader();
  protected nowMs: number;
  protected readonly channels: (C | undefined)[] = [];
  /** Frames both ways have at most this many bytes; the minimum until it is negotiated. */
  #frameBytesMax: number = FRAME_BYTES_MIN;
  #clockwork: Clockwork;
  /** Set once the connection is over: nothing more is read or written. */
  #over = false;
  /** True between our `connection.close` and its answer: all else that comes is dropped (§1.4.2.9). */
  #closing = false;
  readonly #limit: FrameLimit;
  readonly #reader: ByteReader;
  readonly #splitter: Splitter;
  readonly #scanner: PropertyScanner;
  #assemblyBytes = 0;
  /** Channels with acknowledgements to flush. */
  #listed: C[] = [];
  /** Class and method of the frame in work, to be named when it fails. */
  #classId = 0;
  #methodId = 0;

  constructor(options: EndpointOptions<T>, handler: EndpointHandler<C>, firstFrameBytesMax: number) {
    checkTuning(options.tuning);
    this.options = options;
    this.handler = handler;
    this.outbox = options.outbox;
    this.nowMs = options.nowMs;
    this.#limit = { frameBytesMax: firstFrameBytesMax };
    this.#clockwork = { is: "deadline", atMs: options.nowMs + options.handshakeTimeoutMs };
    this.writer = new ContentWriter(options.outbox, FRAME_BYTES_MIN);
    this.#reader = new ByteReader(options.outbox.text);
    this.#scanner = new PropertyScanner(options.outbox.text.lenient === true);
    this.#splitter = new Splitter(measureFrame(this.#limit), (b, s, e) => this.#onFrame(b, s, e));
  }

  /** True when the connection has ended; every further call is ignored. */
  get over(): boolean {
    return this.#over;
  }

  /** True from the end of the handshake until the connection closes. */
  get open(): boolean {
    return this.#clockwork.is === "heartbeat" && !this.#over && !this.#closing;
  }

  /** Bytes of the largest frame in both directions. */
  get frameBytesMax(): number {
    return this.#frameBytesMax;
  }

  /** Feeds received bytes; what they ask for is in the outbox afterwards. Never throws. */
  onBytes(chunk: Uint8Array, nowMs: number): void {
    if (this.#over) return;
    this.nowMs = nowMs;
    if (this.#clockwork.is === "heartbeat") this.#clockwork.heartbeat.heard(nowMs);
    try {
      this.#splitter.push(chunk);
    } catch (error) {
      this.fail(asMessagingError(error));
    }
  }

  /** The time of the turn in which the owner writes. */
  onTurn(nowMs: number): void {
    this.nowMs = nowMs;
  }

  /** Bytes left the process. */
  sent(nowMs: number): void {
    if (this.#clockwork.is === "heartbeat") this.#clockwork.heartbeat.sent(nowMs);
  }

  /** Writes acknowledgements that were held back for one `multiple`; to be called before each flush of the outbox. */
  beforeFlush(): void {
    if (this.#listed.length === 0 || this.#over || this.#closing) return;
    const listed = this.#listed;
    for (let i = 0; i < listed.length; i++) {
      const channel = listed[i] as C;
      channel.listed = false;
      if (channel.state === "open") channel.owed.flush(channel.id, this.writer);
    }
    listed.length = 0;
  }

  /** When `onTime` should be called; Infinity for never. */
  get deadlineMs(): number {
    const clockwork = this.#clockwork;
    if (this.#over || clockwork.is === "none") return Number.POSITIVE_INFINITY;
    return clockwork.is === "deadline" ? clockwork.atMs : clockwork.heartbeat.deadlineMs;
  }

  /** Sends a heartbeat when it is time, and gives up a peer that stays silent or does not finish its handshake or close. */
  onTime(nowMs: number): void {
    if (nowMs < this.deadlineMs) return;
    this.nowMs = nowMs;
    const clockwork = this.#clockwork;
    if (clockwork.is !== "heartbeat") return this.#onDeadline();
    if (clockwork.heartbeat.due(nowMs) === "dead") {
      return this.fail(new MessagingError("ERR_PING_TIMEOUT", "nothing heard for two heartbeat intervals"));
    }
    writeHeartbeat(this.outbox);
    this.outbox.commit();
    clockwork.heartbeat.sent(nowMs);
  }

  /** As `onTime`, while the owner does not read: the peer must hear from us, but its silence says nothing. */
  onTimeWhilePaused(nowMs: number): void {
    if (this.#clockwork.is === "heartbeat") this.#clockwork.heartbeat.heard(nowMs);
    this.onTime(nowMs);
  }

  /**
   * Closes the connection in good order: everything written before is sent first; `onClosed` comes with the answer.
   * @param replyText cut to what a short string holds
   */
  close(replyCode: number = ReplyCode.Success, replyText = "", classId = 0, methodId = 0): void {
    if (this.#over || this.#closing) return;
    if (!this.canClose) {
      this.end();
      return this.handler.onClosed(null);
    }
    this.beforeFlush();
    this.write(0, { method: "connection.close", replyCode, replyText: shortReplyText(replyText), classId, methodId });
    this.#closing = true;
    this.#clockwork = { is: "deadline", atMs: this.nowMs + this.options.closeTimeoutMs };
  }

  /** Closes a channel; `onChannelClosed` comes at once for an error, with the answer otherwise. */
  closeChannel(channel: C, replyCode: number = ReplyCode.Success, replyText = "", classId = 0, methodId = 0): void {
    if (this.#over || !channel.usable) return;
    if (channel.owed.due) channel.owed.flush(channel.id, this.writer);
    const reason = { replyCode, replyText: shortReplyText(replyText), classId, methodId };
    this.write(channel.id, { method: "channel.close", ...reason });
    this.#quiet(channel);
    channel.state = "closing";
    if (replyCode !== ReplyCode.Success) this.handler.onChannelClosed(channel, reason);
    else channel.announce = true;
  }

  /** Ends the connection because of `error`, telling the peer why where the protocol allows it. */
  fail(error: MessagingError): void {
    if (this.#over) return;
    if (this.canClose && !this.#closing) {
      const replyCode = replyCodeOf(error);
      this.write(0, {
        method: "connection.close",
        replyCode,
        replyText: shortReplyText(`${replyName(replyCode)} - ${error.message}`),
        classId: this.#classId,
        methodId: this.#methodId,
      });
    }
    this.end();
    this.handler.onFailed(error);
  }

  /** Stops reading and writing, without a word to the peer. */
  end(): void {
    this.#over = true;
    this.#clockwork = { is: "none" };
  }

  /** Writes a method without content. */
  protected write(channel: number, method: Method): void {
    encodeMethod(this.outbox, channel, method, this.#frameBytesMax);
    this.outbox.commit();
  }

  /** The handshake has come so far that `connection.close` would be understood. */
  protected abstract get canClose(): boolean;
  /** The eight bytes of a protocol header at `start`. */
  protected abstract onProtocolHeader(buffer: Uint8Array, start: number): void;
  /** A method on channel 0 other than close and close-ok. */
  protected abstract onConnectionMethod(method: Method): void;
  /** A method on a channel that is not in use. */
  protected abstract onNewChannel(id: number, method: Method): void;
  /** A method other than close, flow, acknowledgements and those with content. */
  protected abstract onChannelMethod(channel: C, method: Method): void;
  /** `basic.ack`, `nack` or `reject`. */
  protected abstract onAck(channel: C, ack: AckReader): void;
  /** The method of a content has come; throws when it may not come to this role now. */
  protected abstract checkContent(channel: C, content: Content<T["consumer"], T["route"]>): void;
  /** A whole content. */
  protected abstract onContent(channel: C, content: Content<T["consumer"], T["route"]>): void;
  /** The peer closed the connection; it was answered and the engine is over. */
  protected abstract onPeerClose(reason: CloseReason): void;
  /** A channel's number is free. */
  protected abstract onChannelFreed(channel: C): void;

  /** The limits are settled: larger frames may be sent and are taken from now on. @param moreBytes so much larger ones are taken as well */
  protected tune(tuning: Tuning, moreBytes = 0): void {
    this.#frameBytesMax = tuning.frameMax;
    this.#limit.frameBytesMax = tuning.frameMax + moreBytes;
    this.writer.limit(tuning.frameMax);
  }

  /** The connection is open. */
  protected opened(heartbeatSeconds: number): void {
    this.#clockwork = { is: "heartbeat", heartbeat: new Heartbeat(heartbeatSeconds, this.nowMs) };
  }

  /** Makes sure that the channel's acknowledgements are flushed. */
  protected list(channel: C): void {
    if (channel.listed) return;
    channel.listed = true;
    this.#listed.push(channel);
    this.outbox.commit();
  }

  /** Throws unless content and methods may be sent on the channel. */
  protected checkUsable(channel: C): void {
    if (this.#over || this.#closing) throw new MessagingError("ERR_NOT_CONNECTED", "the connection is closed");
    if (!channel.usable) throw new MessagingError("ERR_CHANNEL_CLOSED", `channel ${channel.id} is closed`);
  }

  #onDeadline(): void {
    if (!this.#closing) return this.fail(new MessagingError("ERR_CONNECT_TIMEOUT", "the handshake took too long"));
    this.end();
    this.handler.onClosed(null);
  }

  #onFrame(buffer: Uint8Array, start: number, end: number): boolean {
    const type = buffer[start] as number;
    if (type === PROTOCOL_HEADER_START) {
      this.onProtocolHeader(buffer, start);
      return !this.#over;
    }
    if (buffer[end - 1] !== FRAME_END) throw frameError(`a frame that ends in ${buffer[end - 1]}, not ${FRAME_END}`);
    const id = ((buffer[start + 1] as number) << 8) | (buffer[start + 2] as number);
    const channel = this.channels[id];
    if (channel !== undefined) {
      if (!this.#closing) this.#onChannelFrame(channel, type, buffer, start + FRAME_HEAD_BYTES, end - 1);
    } else if (type === FrameType.Heartbeat) checkHeartbeat(id, end - start);
    else this.#onOtherFrame(id, type, buffer, start + FRAME_HEAD_BYTES, end - 1);
    return !this.#over;
  }

  #onChannelFrame(channel: C, type: number, buffer: Uint8Array, start: number, end: number): void {
    if (channel.state === "closing") return this.#onClosingFrame(channel, type, buffer, start, end);
    switch (type) {
      case FrameType.Method:
        return this.#onMethodFrame(channel, buffer, start, end);
      case FrameType.Header:
        return this.#onHeaderFrame(channel, buffer, start, end);
      case FrameType.Body:
        return this.#onBodyFrame(channel, buffer, start, end);
      default:
        throw frameError(`a heartbeat on channel ${channel.id}`);
    }
  }

  #onMethodFrame(channel: C, buffer: Uint8Array, start: number, end: number): void {
    if (channel.phase !== "method")
      throw unexpectedFrame(`a method frame where a content ${channel.phase} was expected`);
    this.#note(buffer, start, end);
    if (this.acks.read(buffer, start, end)) return this.onAck(channel, this.acks);
    if (channel.content.readMethod(buffer, start, end)) {
      this.checkContent(channel, channel.content);
      channel.phase = "header";
      return;
    }
    this.#reader.reset(buffer, start, end);
    const method = decodeMethod(this.#reader);
    if (method.method === "channel.close") return this.#onChannelClose(channel, method);
    if (method.method === "channel.flow") return this.#onFlow(channel, method.active);
    if (method.method.startsWith("connection.")) throw commandInvalid(`${method.method} on channel ${channel.id}`);
    this.onChannelMethod(channel, method);
  }

  #onHeaderFrame(channel: C, buffer: Uint8Array, start: number, end: number): void {
    if (channel.phase !== "header") throw unexpectedFrame("a content header without a method that has content");
    const content = channel.content;
    content.readHeader(buffer, start, end);
    const scanner = this.#scanner;
    scanner.scan(buffer, content.propertiesStart, end);
    content.deliveryMode = scanner.deliveryMode;
    content.priority = scanner.priority;
    if (content.bodyBytes > this.options.bodyBytesMax) return this.#refuseBody(channel, content.bodyBytes);
    if (content.bodyBytes > 0) {
      channel.phase = "body";
      return;
    }
    channel.phase = "method";
    this.onContent(channel, content);
  }

  #onBodyFrame(channel: C, buffer: Uint8Array, start: number, end: number): void {
    if (channel.phase !== "body") throw unexpectedFrame("a content body without a header that announces it");
    const content = channel.content;
    const assembly = channel.assembly;
    if (assembly.have + end - start > content.bodyBytes)
      throw unexpectedFrame("a content body longer than its header says");
    if (end - start === content.bodyBytes) {
      content.body = buffer;
      content.bodyStart = start;
      content.bodyEnd = end;
    } else {
      this.#assemblyBytes += assembly.add(buffer, start, end, content.bodyBytes);
      if (this.#assemblyBytes > this.options.assemblyBytesMax) {
        throw new MessagingError("ERR_LIMIT_EXCEEDED", "too many bytes in bodies that are incomplete");
      }
      if (assembly.have < content.bodyBytes) return;
      content.body = assembly.bytes;
      content.bodyStart = 0;
      content.bodyEnd = assembly.have;
      this.#assemblyBytes -= assembly.reset();
    }
    channel.phase = "method";
    this.onContent(channel, content);
  }

  #refuseBody(channel: C, bytes: number): void {
    const text = `${replyName(ReplyCode.ContentTooLarge)} - a body of ${bytes} bytes, the limit is ${this.options.bodyBytesMax}`;
    this.closeChannel(channel, ReplyCode.ContentTooLarge, text, this.#classId, this.#methodId);
  }

  /** Until our close is answered, all is dropped but that answer and the peer's own close (§1.5.2.5). */
  #onClosingFrame(channel: C, type: number, buffer: Uint8Array, start: number, end: number): void {
    if (type !== FrameType.Method) return;
    const name = peekMethodName(buffer, start, end);
    if (name === "channel.close") return this.write(channel.id, { method: "channel.close-ok" });
    if (name !== "channel.close-ok") return;
    this.#free(channel);
    if (channel.announce) this.handler.onChannelClosed(channel, null);
  }

  #onChannelClose(channel: C, method: MethodOf<"channel.close">): void {
    this.write(channel.id, { method: "channel.close-ok" });
    this.#quiet(channel);
    this.#free(channel);
    const { replyCode, replyText, classId, methodId } = method;
    this.handler.onChannelClosed(channel, { replyCode, replyText, classId, methodId });
  }

  #onFlow(channel: C, active: boolean): void {
    this.write(channel.id, { method: "channel.flow-ok", active });
    channel.flowing = active;
    this.handler.onFlow(channel, active);
  }

  /** Drops what a channel had begun to receive or owe. */
  #quiet(channel: C): void {
    this.#assemblyBytes -= channel.assembly.reset();
    channel.phase = "method";
    channel.owed.clear();
  }

  #free(channel: C): void {
    channel.state = "closed";
    this.channels[channel.id] = undefined;
    this.onChannelFreed(channel);
  }

  /** A frame on channel 0, or on a channel that is not in use. */
  #onOtherFrame(id: number, type: number, buffer: Uint8Array, start: number, end: number): void {
    if (this.#closing) {
      if (id === 0 && type === FrameType.Method) this.#onLastWords(buffer, start, end);
      return;
    }
    if (type !== FrameType.Method) {
      throw id === 0
        ? channelError("content on channel 0")
        : channelError(`content on channel ${id}, which is not open`);
    }
    this.#note(buffer, start, end);
    this.#reader.reset(buffer, start, end);
    const method = decodeMethod(this.#reader);
    if (id !== 0) {
      if (method.method.startsWith("connection.")) throw commandInvalid(`${method.method} on channel ${id}`);
      return this.onNewChannel(id, method);
    }
    if (!method.method.startsWith("connection.")) throw commandInvalid(`${method.method} on channel 0`);
    if (method.method === "connection.close") return this.#onConnectionClose(method);
    this.onConnectionMethod(method);
  }

  #onConnectionClose(method: MethodOf<"connection.close">): void {
    const { replyCode, replyText, classId, methodId } = method;
    this.write(0, { method: "connection.close-ok" });
    this.end();
    this.onPeerClose({ replyCode, replyText, classId, methodId });
  }

  /** After our `connection.close`. */
  #onLastWords(buffer: Uint8Array, start: number, end: number): void {
    const name = peekMethodName(buffer, start, end);
    if (name === "connection.close") return this.write(0, { method: "connection.close-ok" });
    if (name !== "connection.close-ok") return;
    this.end();
    this.handler.onClosed(null);
  }

  #note(buffer: Uint8Array, start: number, end: number): void {
    if (end - start < 4) throw syntaxError("a method frame without class and method");
    this.#classId = ((buffer[start] as number) << 8) | (buffer[start + 1] as number);
    this.#methodId = ((buffer[start + 2] as number) << 8) | (buffer[start + 3] as number);
  }
}

function checkHeartbeat(channel: number, bytes: number): void {
  if (channel !== 0) throw frameError(`a heartbeat on channel ${channel}`);
  if (bytes !== FRAME_OVERHEAD_BYTES) throw frameError("a heartbeat with a payload");
}
