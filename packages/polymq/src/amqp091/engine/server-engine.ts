// Hot path: `deliver`, `confirm` and settlements run per message. No closure, promise, spread, iterator or regex here.
import { unreachable } from "../../base/assert.ts";
import { MessagingError } from "../../base/errors.ts";
import type { AckReader, Settlement } from "../codec/ack-reader.ts";
import type { Content } from "../codec/content.ts";
import { channelError, commandInvalid, unexpectedFrame } from "../codec/failures.ts";
import type { FieldTable } from "../codec/field-value.ts";
import { checkProtocolHeader, FRAME_OVERHEAD_BYTES, protocolHeader } from "../codec/frame.ts";
import { methodRow } from "../codec/method-codec.ts";
import type { Method, MethodOf } from "../codec/method-types.ts";
import { ReplyCode, replyName } from "../codec/reply-codes.ts";
import { type EngineTypes, ServerChannel } from "./channel.ts";
import { Endpoint } from "./endpoint.ts";
import type { CloseReason, EndpointHandler, EndpointOptions } from "./endpoint-options.ts";
import { checkReceived, checkSender } from "./roles.ts";
import type { TagSink } from "./tag-ring.ts";
import { checkTuneOk, type Tuning } from "./tuning.ts";

/** What a server engine tells its owner on top of {@link EndpointHandler}. None of these may throw. */
export interface ServerHandler<T extends EngineTypes> extends EndpointHandler<ServerChannel<T>> {
  /** A client wants in. The owner answers, now or later, with `challenge`, `accept` or `close`. */
  onStartOk(start: MethodOf<"connection.start-ok">): void;
  /** The answer to a challenge. The owner answers as to `onStartOk`. */
  onSecureOk(response: Uint8Array): void;
  /** The limits are agreed and the client asks for a virtual host. The owner answers, now or later, with `acceptOpen` or `close`. */
  onOpen(virtualHost: string, tuning: Tuning): void;
  /** The client has a new secret (`connection.update-secret`). The owner answers with `acceptSecret` or `close`. */
  onUpdateSecret(newSecret: Uint8Array, reason: string): void;
  /** A channel was opened, and answered. */
  onChannelOpen(channel: ServerChannel<T>): void;
  /**
   * Any other method of a client on a channel, from `queue.declare` to `tx.commit`. The owner answers with `send`, `getOk` or `closeChannel`, now
   * or later but in order; nothing where `noWait` is set. `basic.cancel-ok` comes too and needs no answer.
   */
  onMethod(channel: ServerChannel<T>, method: Method): void;
  /**
   * `basic.publish` with its content, which the next message overwrites. In confirm mode the owner confirms `publishTag`; otherwise
   * it is 0.
   */
  onPublish(channel: ServerChannel<T>, content: Content<T["consumer"], T["route"]>, publishTag: number): void;
  /** The client settled a delivery. Several of one `multiple` come one after the other, oldest first. */
  onSettled(
    channel: ServerChannel<T>,
    message: T["message"],
    settlement: Settlement,
    requeue: boolean,
    deliveryTag: number,
  ): void;
}

/** Options of {@link ServerEngine}. */
export interface ServerEngineOptions<T extends EngineTypes> extends EndpointOptions<T> {
  readonly handler: ServerHandler<T>;
  readonly serverProperties: FieldTable;
  /** By the server's preference. */
  readonly mechanisms: readonly string[];
  /** Makes what hangs on a new channel. */
  readonly ownerOf: (channelId: number) => T["owner"];
}

/** Largest frame before the limits are agreed: twice what the specification asks for, so that a long token fits into the response. */
const FIRST_FRAME_BYTES_MAX = 8_192;

type State =
  /** Awaits the protocol header. */
  | { readonly is: "idle" }
  /** Awaits `connection.start-ok`. */
  | { readonly is: "starting" }
  /** The owner looks at a response; nothing may come. */
  | { readonly is: "deciding"; readonly clientProperties: FieldTable }
  /** Awaits `connection.secure-ok`. */
  | { readonly is: "challenging"; readonly clientProperties: FieldTable }
  /** Awaits `connection.tune-ok`. */
  | { readonly is: "tuning"; readonly clientProperties: FieldTable }
  /** Awaits `connection.open`. */
  | { readonly is: "tuned"; readonly clientProperties: FieldTable; readonly tuning: Tuning }
  /** The owner looks for the virtual host; nothing may come. */
  | { readonly is: "opening"; readonly clientProperties: FieldTable; readonly tuning: Tuning }
  | { readonly is: "open"; readonly clientProperties: FieldTable; readonly tuning: Tuning };

/**
 * The server's side of one AMQP 0-9-1 connection, from the client's protocol header on. Deliveries are numbered per channel and found
 * again when they are settled; confirms are held back for one `multiple` per turn.
 */
export class ServerEngine<T extends EngineTypes>
  extends Endpoint<T, ServerChannel<T>>
  implements TagSink<T["message"]>
{
  readonly #options: ServerEngineOptions<T>;
  readonly #handler: ServerHandler<T>;
  #state: State = { is: "idle" };
  /** What `onTaken` reports about. */
  #settled: ServerChannel<T> | null = null;
  #settlement: Settlement = "ack";
  #requeue = false;
  #channelCount = 0;

  constructor(options: ServerEngineOptions<T>) {
    super(options, options.handler, FIRST_FRAME_BYTES_MAX);
    this.#options = options;
    this.#handler = options.handler;
  }

  /** What the client said of itself; empty before `onStartOk`. */
  get clientProperties(): FieldTable {
    return "clientProperties" in this.#state ? this.#state.clientProperties : {};
  }

  /** Channels that are open. */
  get channelCount(): number {
    return this.#channelCount;
  }

  /** True when the client says it can take `name`, such as `basic.nack` or `consumer_cancel_notify`. */
  clientCan(name: string): boolean {
    const capabilities = this.clientProperties["capabilities"];
    if (typeof capabilities !== "object" || capabilities === null || !Object.hasOwn(capabilities, name)) return false;
    return (capabilities as FieldTable)[name] === true;
  }

  /**
   * Ends the connection because of `error`. A client that began with anything but our protocol header is told which one is spoken
   * here (§4.2.2).
   */
  override fail(error: MessagingError): void {
    const foreign = error.code === "ERR_INVALID_PROTOCOL" || error.code === "ERR_FRAME_ERROR";
    if (foreign && !this.over && this.#state.is === "idle") {
      const header = protocolHeader();
      this.outbox.reserve(header.length);
      this.outbox.bytes(header);
      this.outbox.commit();
    }
    super.fail(error);
  }

  /** Sends `connection.secure`; `onSecureOk` tells the answer. */
  challenge(challenge: Uint8Array): void {
    if (this.over || this.#state.is !== "deciding") return;
    this.write(0, { method: "connection.secure", challenge });
    this.#state = { is: "challenging", clientProperties: this.#state.clientProperties };
  }

  /** The client is who it says: proposes the limits. `onOpen` follows. */
  accept(): void {
    if (this.over || this.#state.is !== "deciding") return;
    const { channelMax, frameMax, heartbeatSeconds } = this.#options.tuning;
    this.write(0, { method: "connection.tune", channelMax, frameMax, heartbeat: heartbeatSeconds });
    this.#state = { is: "tuning", clientProperties: this.#state.clientProperties };
  }

  /** The virtual host is there: the connection is open. */
  acceptOpen(): void {
    if (this.over || this.#state.is !== "opening") return;
    const { clientProperties, tuning } = this.#state;
    this.write(0, { method: "connection.open-ok" });
    this.#state = { is: "open", clientProperties, tuning };
    this.opened(tuning.heartbeatSeconds);
  }

  /**
   * Sends an answer, `basic.cancel`, or any other method without content.
   * @throws {MessagingError} ERR_NOT_CONNECTED, ERR_CHANNEL_CLOSED, what the encoder refuses, and ERR_INVALID_ARGUMENT for a method that is not
   * a server's, has content, or belongs to the engine: `channel.…`, `basic.ack` and `basic.nack`
   */
  send(channel: ServerChannel<T>, method: Method): void {
    this.checkUsable(channel);
    checkSender(method, "server");
    const name = method.method;
    const own =
      name === "basic.ack" || name === "basic.nack" || name.startsWith("channel.") || name.startsWith("connection.");
    if (own || methodRow(name).content) throw new MessagingError("ERR_INVALID_ARGUMENT", `${name} is not for send()`);
    if (name === "confirm.select-ok") channel.confirming = true;
    this.write(channel.id, method);
  }

  /** Puts a channel into confirm mode without an answer, for `confirm.select` with `noWait`. */
  selectConfirms(channel: ServerChannel<T>): void {
    channel.confirming = true;
  }

  /**
   * Sends a message to a consumer; returns its delivery tag. Plain parameters, for an object per message to hold them would be garbage.
   * @param consumerTag from `shortStringBytes`
   * @param route exchange and routing key as two short strings, as `RouteEntry.bytes`
   * @param message comes back in `onSettled`; null for a consumer that acknowledges nothing
   * @throws {MessagingError} ERR_NOT_CONNECTED, ERR_CHANNEL_CLOSED, ERR_PACKET_TOO_LARGE for properties that fill more than a frame; with an
   * error nothing was written
   */
  deliver(
    channel: ServerChannel<T>,
    consumerTag: Uint8Array,
    redelivered: boolean,
    route: Uint8Array,
    properties: Uint8Array,
    body: Uint8Array,
    message: T["message"] | null,
  ): number {
    this.checkUsable(channel);
    const tag = channel.deliveries + 1;
    this.writer.deliver(channel.id, consumerTag, tag, redelivered, route, properties, body);
    return this.#delivered(channel, tag, message);
  }

  /** Answers `basic.get` with a message; otherwise as {@link deliver}. */
  getOk(
    channel: ServerChannel<T>,
    fields: { readonly redelivered: boolean; readonly messageCount: number },
    route: Uint8Array,
    properties: Uint8Array,
    body: Uint8Array,
    message: T["message"] | null,
  ): number {
    this.checkUsable(channel);
    const deliveryTag = channel.deliveries + 1;
    const { redelivered, messageCount } = fields;
    this.writer.getOk(channel.id, { deliveryTag, redelivered, messageCount }, route, properties, body);
    return this.#delivered(channel, deliveryTag, message);
  }

  /**
   * Sends a message back that could not be routed (`basic.return`); its confirm must follow.
   * @param reply the text from `shortStringBytes`
   */
  returnMessage(
    channel: ServerChannel<T>,
    reply: { readonly replyCode: number; readonly replyText: Uint8Array },
    route: Uint8Array,
    properties: Uint8Array,
    body: Uint8Array,
  ): void {
    this.checkUsable(channel);
    this.writer.returned(channel.id, reply, route, properties, body);
    this.outbox.commit();
  }

  /** Confirms a publish; it leaves at the end of the turn, together with others where it can. False when it is unknown or the channel over. */
  confirm(channel: ServerChannel<T>, publishTag: number): boolean {
    if (!this.open || channel.state !== "open" || !channel.owed.ack(publishTag)) return false;
    this.list(channel);
    return true;
  }

  /** Refuses a publish (`basic.nack`). False as {@link confirm}. */
  refuse(channel: ServerChannel<T>, publishTag: number): boolean {
    if (!this.open || channel.state !== "open" || !channel.owed.take(publishTag)) return false;
    this.writer.nack(channel.id, publishTag, false, false);
    this.outbox.commit();
    return true;
  }

  /** Tells a client that knows of it that publishes are not taken for now (`reason`), or again (null). */
  sendBlocked(reason: string | null): void {
    if (!this.open || !this.clientCan("connection.blocked")) return;
    this.write(0, reason === null ? { method: "connection.unblocked" } : { method: "connection.blocked", reason });
  }

  /** Answers `connection.update-secret`, which `onUpdateSecret` told; a secret that is not taken closes the connection. */
  acceptSecret(): void {
    if (this.open) this.write(0, { method: "connection.update-secret-ok" });
  }

  /** @internal */
  onTaken(tag: number, message: T["message"]): void {
    if (this.#settled !== null) this.#handler.onSettled(this.#settled, message, this.#settlement, this.#requeue, tag);
  }

  protected get canClose(): boolean {
    return this.#state.is !== "idle";
  }

  protected onProtocolHeader(buffer: Uint8Array, start: number): void {
    if (this.#state.is !== "idle") throw unexpectedFrame("a protocol header in the middle of a connection");
    if (checkProtocolHeader(buffer, start) !== "0-9-1") {
      throw new MessagingError("ERR_INVALID_PROTOCOL", "the client's protocol header is not that of AMQP 0-9-1");
    }
    this.write(0, {
      method: "connection.start",
      versionMajor: 0,
      versionMinor: 9,
      serverProperties: this.#options.serverProperties,
      mechanisms: this.#options.mechanisms.join(" "),
      locales: "en_US",
    });
    this.#state = { is: "starting" };
  }

  protected onConnectionMethod(method: Method): void {
    checkReceived(method, "client");
    const state = this.#state;
    switch (state.is) {
      case "starting":
        if (method.method === "connection.start-ok") return this.#onStartOk(method);
        break;
      case "challenging":
        if (method.method === "connection.secure-ok") return this.#onSecureOk(state.clientProperties, method.response);
        break;
      case "tuning":
        if (method.method === "connection.tune-ok") return this.#onTuneOk(state.clientProperties, method);
        break;
      case "tuned":
        if (method.method === "connection.open") return this.#onOpen(state.clientProperties, state.tuning, method);
        break;
      case "open":
        if (method.method === "connection.update-secret")
          return this.#handler.onUpdateSecret(method.newSecret, method.reason);
        break;
      case "idle":
      case "deciding":
      case "opening":
        break;
      default:
        unreachable(state);
    }
    throw commandInvalid(`${method.method} while ${state.is}`);
  }

  protected onPeerClose(reason: CloseReason): void {
    this.#handler.onClosed(reason);
  }

  protected onNewChannel(id: number, method: Method): void {
    const state = this.#state;
    if (state.is !== "open") throw commandInvalid(`${method.method} while ${state.is}`);
    // Its close may have crossed with ours (§1.5.2.6).
    if (method.method === "channel.close-ok") return;
    if (method.method !== "channel.open") throw channelError(`${method.method} on channel ${id}, which is not open`);
    if (id > state.tuning.channelMax)
      throw channelError(`channel ${id} is above channel-max ${state.tuning.channelMax}`);
    const owner = this.#options.ownerOf(id);
    const channel = new ServerChannel<T>(id, owner, { text: this.outbox.text, routes: this.options.routes });
    channel.state = "open";
    this.channels[id] = channel;
    this.#channelCount++;
    this.write(id, { method: "channel.open-ok" });
    this.#handler.onChannelOpen(channel);
  }

  protected onChannelMethod(channel: ServerChannel<T>, method: Method): void {
    checkReceived(method, "client");
    if (method.method === "channel.open") throw channelError(`channel.open on channel ${channel.id}, which is open`);
    if (method.method === "channel.close-ok" || method.method === "channel.flow-ok") {
      throw commandInvalid(`${method.method} that answers nothing`);
    }
    this.#handler.onMethod(channel, method);
  }

  protected onAck(channel: ServerChannel<T>, ack: AckReader): void {
    const tag = ack.deliveryTag;
    if (!ack.multiple) {
      const message = channel.unsettled.take(tag);
      if (message === undefined) return this.#unknownTag(channel, ack);
      return this.#handler.onSettled(channel, message, ack.settlement, ack.requeue, tag);
    }
    if (tag !== 0 && !channel.unsettled.has(tag)) return this.#unknownTag(channel, ack);
    this.#settled = channel;
    this.#settlement = ack.settlement;
    this.#requeue = ack.requeue;
    channel.unsettled.takeThrough(tag === 0 ? channel.deliveries : tag, this);
    this.#settled = null;
  }

  protected checkContent(_channel: ServerChannel<T>, content: Content<T["consumer"], T["route"]>): void {
    if (content.kind !== "basic.publish") throw commandInvalid(`${content.kind} from a client`);
  }

  protected onContent(channel: ServerChannel<T>, content: Content<T["consumer"], T["route"]>): void {
    let publishTag = 0;
    if (channel.confirming) {
      publishTag = ++channel.publishes;
      channel.owed.add(publishTag);
    }
    this.#handler.onPublish(channel, content, publishTag);
  }

  protected onChannelFreed(_channel: ServerChannel<T>): void {
    this.#channelCount--;
  }

  /** As RabbitMQ: a delivery tag that is not there closes the channel (§1.8.3.13). */
  #unknownTag(channel: ServerChannel<T>, ack: AckReader): void {
    const [classId, methodId] = methodRow(`basic.${ack.settlement}`).id;
    const text = `${replyName(ReplyCode.PreconditionFailed)} - unknown delivery tag ${ack.deliveryTag}`;
    this.closeChannel(channel, ReplyCode.PreconditionFailed, text, classId, methodId);
  }

  #delivered(channel: ServerChannel<T>, tag: number, message: T["message"] | null): number {
    channel.deliveries = tag;
    if (message !== null) channel.unsettled.push(tag, message);
    this.outbox.commit();
    return tag;
  }

  #onStartOk(start: MethodOf<"connection.start-ok">): void {
    this.#state = { is: "deciding", clientProperties: start.clientProperties };
    this.#handler.onStartOk(start);
  }

  #onSecureOk(clientProperties: FieldTable, response: Uint8Array): void {
    this.#state = { is: "deciding", clientProperties };
    this.#handler.onSecureOk(response);
  }

  #onTuneOk(clientProperties: FieldTable, tuneOk: MethodOf<"connection.tune-ok">): void {
    const tuning = checkTuneOk(tuneOk, this.#options.tuning);
    // As RabbitMQ: some clients do not count what stands around a frame's payload.
    this.tune(tuning, FRAME_OVERHEAD_BYTES);
    this.#state = { is: "tuned", clientProperties, tuning };
  }

  #onOpen(clientProperties: FieldTable, tuning: Tuning, open: MethodOf<"connection.open">): void {
    this.#state = { is: "opening", clientProperties, tuning };
    this.#handler.onOpen(open.virtualHost, tuning);
  }
}
