// Hot path: `publish` and `ack` run per message. No closure, promise, spread, iterator or regex here.

import { unreachable } from "../../base/assert.ts";
import { Deque } from "../../base/deque.ts";
import { MessagingError } from "../../base/errors.ts";
import type { AckReader } from "../codec/ack-reader.ts";
import type { Content } from "../codec/content.ts";
import { channelError, commandInvalid, unexpectedFrame } from "../codec/failures.ts";
import type { FieldTable } from "../codec/field-value.ts";
import { checkProtocolHeader, protocolHeader } from "../codec/frame.ts";
import { methodRow } from "../codec/method-codec.ts";
import type { Method, MethodOf, SyncMethodName } from "../codec/method-types.ts";
import { replyName } from "../codec/reply-codes.ts";
import type { SaslMechanism } from "../codec/sasl.ts";
import { ClientChannel, type EngineTypes, type PendingRequest } from "./channel.ts";
import { ChannelIds } from "./channel-ids.ts";
import { Endpoint } from "./endpoint.ts";
import type { CloseReason, EndpointHandler, EndpointOptions } from "./endpoint-options.ts";
import { checkReceived, checkSender } from "./roles.ts";
import type { TagSink } from "./tag-ring.ts";
import { answerTune, type Tuning } from "./tuning.ts";

/** What a server said of itself, and what was agreed. */
export interface ServerFacts {
  readonly serverProperties: FieldTable;
  /** The SASL mechanism in use. */
  readonly mechanism: string;
  readonly tuning: Tuning;
}

/** What a client engine tells its owner on top of {@link EndpointHandler}. None of these may throw. */
export interface ClientHandler<T extends EngineTypes> extends EndpointHandler<ClientChannel<T>> {
  /** The connection is open: channels may be opened. */
  onOpen(facts: ServerFacts): void;
  /** The server refused user, virtual host or limits, or hung up with a reason in the handshake; the engine is over. */
  onRefused(reason: CloseReason, during: "authentication" | "opening"): void;
  /** `channel.open` was answered. */
  onChannelOpen(channel: ClientChannel<T>): void;
  /** The answer to a request on a channel, `basic.get-empty` among them. */
  onReply(channel: ClientChannel<T>, request: T["request"], reply: Method): void;
  /** The answer to {@link ClientEngine.updateSecret}. */
  onSecretUpdated(request: T["request"]): void;
  /**
   * `basic.deliver` with its content, which the next message overwrites. Unless the consumer acknowledges nothing, the owner calls
   * {@link ClientEngine.expectAck} in here.
   */
  onDeliver(channel: ClientChannel<T>, content: Content<T["consumer"], T["route"]>): void;
  /** `basic.get-ok` with its content; as `onDeliver`. */
  onGetOk(channel: ClientChannel<T>, request: T["request"], content: Content<T["consumer"], T["route"]>): void;
  /** `basic.return` with its content: a message that could not be routed. Its confirm follows. */
  onReturn(channel: ClientChannel<T>, content: Content<T["consumer"], T["route"]>): void;
  /** A publish was confirmed, or refused (`basic.nack`). */
  onConfirm(channel: ClientChannel<T>, message: T["message"], publishTag: number, accepted: boolean): void;
  /** The server cancelled a consumer (`basic.cancel`), when its queue is gone for example; it has been answered. */
  onCancel(channel: ClientChannel<T>, consumerTag: string): void;
  /** The server takes no publishes for now and says why, or takes them again (null) (`connection.blocked`, `unblocked`). */
  onBlocked(reason: string | null): void;
}

/** Options of {@link ClientEngine}. */
export interface ClientEngineOptions<T extends EngineTypes> extends EndpointOptions<T> {
  readonly handler: ClientHandler<T>;
  /** By preference; the first that the server offers is used. */
  readonly mechanisms: readonly SaslMechanism[];
  /** Sent to the server; {@link CLIENT_CAPABILITIES} belong in as `capabilities`. */
  readonly clientProperties: FieldTable;
  readonly virtualHost: string;
  /** `en_US` unless told otherwise. */
  readonly locale?: string;
}

/** What this engine can take from a server, for `clientProperties.capabilities`. */
export const CLIENT_CAPABILITIES: FieldTable = {
  publisher_confirms: true,
  exchange_exchange_bindings: true,
  "basic.nack": true,
  consumer_cancel_notify: true,
  "connection.blocked": true,
  authentication_failure_close: true,
};

type State =
  /** The protocol header was not sent yet. */
  | { readonly is: "idle" }
  /** Awaits `connection.start`, or a protocol header that says no. */
  | { readonly is: "starting" }
  /** Awaits `connection.tune`, or `secure`. */
  | { readonly is: "authenticating"; readonly mechanism: SaslMechanism; readonly serverProperties: FieldTable }
  /** Awaits `connection.open-ok`. */
  | { readonly is: "opening"; readonly facts: ServerFacts }
  | { readonly is: "open" };

/**
 * The client's side of one AMQP 0-9-1 connection. `start` writes the protocol header; from `onOpen` on, channels may be opened. The
 * owner calls `onTime` when `deadlineMs` has come and `beforeFlush` before each flush.
 */
export class ClientEngine<T extends EngineTypes>
  extends Endpoint<T, ClientChannel<T>>
  implements TagSink<T["message"]>
{
  readonly #options: ClientEngineOptions<T>;
  readonly #handler: ClientHandler<T>;
  readonly #ids: ChannelIds = new ChannelIds();
  /** Requests on channel 0. */
  readonly #secrets: Deque<T["request"]> = new Deque();
  #state: State = { is: "idle" };
  /** What `onTaken` reports about. */
  #confirmed: ClientChannel<T> | null = null;
  #accepted = true;
  #tagRepeated = false;

  constructor(options: ClientEngineOptions<T>) {
    // A server may say more than 4,096 bytes about itself, and what we accept later we accept now.
    super(options, options.handler, options.tuning.frameMax);
    this.#options = options;
    this.#handler = options.handler;
  }

  /** Writes the protocol header, the first bytes of a connection (§4.2.2). */
  start(): void {
    if (this.over || this.#state.is !== "idle") return;
    const header = protocolHeader();
    this.outbox.reserve(header.length);
    this.outbox.bytes(header);
    this.outbox.commit();
    this.#state = { is: "starting" };
  }

  /**
   * Opens a channel. Methods and publishes may follow at once; `onChannelOpen` tells the answer.
   * @throws {MessagingError} ERR_NOT_CONNECTED unless the connection is open, ERR_CHANNEL_MAX when all numbers are in use
   */
  openChannel(owner: T["owner"]): ClientChannel<T> {
    if (!this.open) throw new MessagingError("ERR_NOT_CONNECTED", "no connection to open a channel on");
    const id = this.#ids.take();
    if (id === 0) throw new MessagingError("ERR_CHANNEL_MAX", "all channels that the server allows are in use");
    const channel = new ClientChannel<T>(id, owner, { text: this.outbox.text, routes: this.options.routes });
    this.channels[id] = channel;
    this.write(id, { method: "channel.open" });
    return channel;
  }

  /**
   * Sends a method that is answered; `onReply` or `onGetOk` brings `request` back, in the order of sending. With `noWait` nothing comes back. After
   * `confirm.select` publishes are numbered from 1; after `basic.recover` no delivery before can be settled, with
   * `requeue` none up to its answer, for the server hands them out anew.
   * @throws {MessagingError} ERR_NOT_CONNECTED, ERR_CHANNEL_CLOSED, what the encoder refuses, and ERR_INVALID_ARGUMENT for a method
   * that is not a client's or is not answered; with an error nothing was sent
   */
  request(channel: ClientChannel<T>, method: MethodOf<SyncMethodName>, request: T["request"]): void {
    this.checkUsable(channel);
    checkSender(method, "client");
    const name = method.method;
    if (methodRow(name).replies.length === 0 || name === "channel.open" || name === "channel.close") {
      throw new MessagingError("ERR_INVALID_ARGUMENT", `${name} is not for request() to send`);
    }
    // What was acknowledged before counts before: tx.commit and basic.cancel depend on it.
    if (channel.owed.due) channel.owed.flush(channel.id, this.writer);
    this.write(channel.id, method);
    if (name === "confirm.select") channel.confirming = true;
    else if (name === "basic.recover") channel.owed.clear();
    else if (name.startsWith("tx.")) channel.settledInTransaction = false;
    const givesBack = method.method === "basic.recover" && method.requeue;
    if (givesBack) channel.recovers++;
    if (!("noWait" in method) || !method.noWait) channel.requests.push({ method: name, request, givesBack });
  }

  /**
   * Sends a method that is not answered: `basic.recover-async`. Deliveries up to now can no longer be settled.
   * @throws {MessagingError} as {@link request}
   */
  send(channel: ClientChannel<T>, method: MethodOf<"basic.recover-async">): void {
    this.checkUsable(channel);
    if (method.method !== "basic.recover-async") {
      throw new MessagingError("ERR_INVALID_ARGUMENT", `${String(method.method)} is not for send()`);
    }
    if (channel.owed.due) channel.owed.flush(channel.id, this.writer);
    this.write(channel.id, method);
    channel.owed.clear();
  }

  /**
   * Gives the server a new secret, such as a token before the old one expires (`connection.update-secret`); `onSecretUpdated` tells the
   * answer. @throws {MessagingError} ERR_NOT_CONNECTED, and what the encoder refuses
   */
  updateSecret(newSecret: Uint8Array, reason: string, request: T["request"]): void {
    if (!this.open) throw new MessagingError("ERR_NOT_CONNECTED", "no connection to update a secret on");
    this.write(0, { method: "connection.update-secret", newSecret, reason });
    this.#secrets.push(request);
  }

  /**
   * Encodes one message into the outbox and returns its bytes, which stand at `outbox.at - <bytes>`; 0 when the connection is over. In
   * confirm mode it has the number `channel.lastPublishTag` afterwards, and `onConfirm` brings `message` back. Plain parameters, for
   * an object per message to hold them would be garbage.
   * @param route from `RouteEncoder`
   * @param flags see `PublishFlag`
   * @param properties from `PropertiesEncoder`
   * @throws {MessagingError} ERR_NOT_CONNECTED, ERR_CHANNEL_CLOSED, ERR_PACKET_TOO_LARGE for properties that fill more than a frame; with
   * an error nothing was written
   */
  publish(
    channel: ClientChannel<T>,
    route: Uint8Array,
    flags: number,
    properties: Uint8Array,
    body: Uint8Array,
    message: T["message"],
  ): number {
    this.checkUsable(channel);
    const bytes = this.writer.publish(channel.id, route, flags, properties, body);
    this.outbox.commit();
    if (channel.confirming) channel.unconfirmed.push(++channel.publishes, message);
    return bytes;
  }

  /**
   * A delivery that was just told must be acknowledged: it counts from now on. A tag that does not rise ends the connection (503). False, and it cannot be settled, while
   * `basic.recover` with `requeue` awaits its answer: the server sent it before, and delivers it again.
   */
  expectAck(channel: ClientChannel<T>, deliveryTag: number): boolean {
    // Thrown when the owner's call has returned, so that what it is told last is the failure.
    if (!channel.owed.add(deliveryTag)) this.#tagRepeated = true;
    if (channel.recovers === 0) return true;
    channel.owed.clear();
    return false;
  }

  /**
   * Acknowledges a delivery, or with `multiple` all up to it. Single ones leave at the end of the turn, together where they can. False
   * when the delivery is unknown, settled, or of a channel that is over.
   */
  ack(channel: ClientChannel<T>, deliveryTag: number, multiple: boolean): boolean {
    if (!this.open || channel.state !== "open") return false;
    if (multiple) {
      const last = channel.owed.settleThrough(deliveryTag, channel.id, this.writer);
      if (last === 0) return false;
      this.writer.ack(channel.id, last, true);
      this.outbox.commit();
      channel.settledInTransaction = true;
      return true;
    }
    if (!channel.owed.ack(deliveryTag)) return false;
    channel.settledInTransaction = true;
    this.list(channel);
    return true;
  }

  /** Refuses a delivery, or with `multiple` all up to it (`basic.nack`, RabbitMQ's extension). False as {@link ack}. */
  nack(channel: ClientChannel<T>, deliveryTag: number, multiple: boolean, requeue: boolean): boolean {
    if (!this.open || channel.state !== "open") return false;
    let last = deliveryTag;
    if (multiple) {
      last = channel.owed.settleThrough(deliveryTag, channel.id, this.writer);
      if (last === 0) return false;
    } else if (!channel.owed.take(deliveryTag)) return false;
    this.writer.nack(channel.id, last, multiple, requeue);
    this.outbox.commit();
    channel.settledInTransaction = true;
    return true;
  }

  /** Refuses one delivery in the specification's own words (`basic.reject`). False as {@link ack}. */
  reject(channel: ClientChannel<T>, deliveryTag: number, requeue: boolean): boolean {
    if (!this.open || channel.state !== "open" || !channel.owed.take(deliveryTag)) return false;
    this.write(channel.id, { method: "basic.reject", deliveryTag, requeue });
    channel.settledInTransaction = true;
    return true;
  }

  /** @internal */
  onTaken(tag: number, message: T["message"]): void {
    if (this.#confirmed !== null) this.#handler.onConfirm(this.#confirmed, message, tag, this.#accepted);
  }

  protected get canClose(): boolean {
    return this.#state.is === "authenticating" || this.#state.is === "opening" || this.#state.is === "open";
  }

  protected onProtocolHeader(buffer: Uint8Array, start: number): void {
    if (this.#state.is !== "starting") throw unexpectedFrame("a protocol header in the middle of a connection");
    this.#state = { is: "idle" };
    const found = checkProtocolHeader(buffer, start);
    const version = `${buffer[start + 4]} ${buffer[start + 5]} ${buffer[start + 6]} ${buffer[start + 7]}`;
    const what =
      found === "not amqp" ? "the server does not speak AMQP" : `the server speaks AMQP with header ${version}`;
    const peer = { protocol: "amqp091", code: found === "not amqp" ? "" : `AMQP ${version}`, text: "" } as const;
    throw new MessagingError("ERR_NOT_SUPPORTED_BY_SERVER", what, { peer });
  }

  protected onConnectionMethod(method: Method): void {
    checkReceived(method, "server");
    const state = this.#state;
    switch (state.is) {
      case "starting":
        if (method.method === "connection.start") return this.#onStart(method);
        break;
      case "authenticating":
        if (method.method === "connection.secure") return this.#onSecure(state.mechanism, method.challenge);
        if (method.method === "connection.tune") return this.#onTune(state.mechanism, state.serverProperties, method);
        break;
      case "opening":
        if (method.method === "connection.open-ok") return this.#onOpenOk(state.facts);
        break;
      case "open":
        return this.#onOpenMethod(method);
      case "idle":
        break;
      default:
        unreachable(state);
    }
    throw commandInvalid(`${method.method} while ${state.is}`);
  }

  protected onPeerClose(reason: CloseReason): void {
    const state = this.#state.is;
    if (state === "open") return this.#handler.onClosed(reason);
    this.#handler.onRefused(reason, state === "opening" ? "opening" : "authentication");
  }

  protected onNewChannel(id: number, method: Method): void {
    throw channelError(`${method.method} on channel ${id}, which is not open`);
  }

  protected onChannelMethod(channel: ClientChannel<T>, method: Method): void {
    checkReceived(method, "server");
    if (method.method === "basic.cancel") return this.#onCancel(channel, method);
    if (method.method === "channel.open-ok") {
      if (channel.state !== "opening") throw commandInvalid("channel.open-ok on an open channel");
      channel.state = "open";
      return this.#handler.onChannelOpen(channel);
    }
    const pending = this.#answered(channel, method);
    if (pending.givesBack) channel.recovers--;
    this.#handler.onReply(channel, pending.request, method);
  }

  protected onAck(channel: ClientChannel<T>, ack: AckReader): void {
    if (ack.settlement === "reject") throw commandInvalid("basic.reject from a server");
    if (!channel.confirming) throw commandInvalid(`basic.${ack.settlement} on a channel without confirms`);
    const tag = ack.deliveryTag;
    if (tag > channel.publishes)
      throw commandInvalid(`basic.${ack.settlement} of publish ${tag} of ${channel.publishes}`);
    const accepted = ack.settlement === "ack";
    if (ack.multiple) {
      this.#confirmed = channel;
      this.#accepted = accepted;
      channel.unconfirmed.takeThrough(tag === 0 ? channel.publishes : tag, this);
      this.#confirmed = null;
      return;
    }
    const message = channel.unconfirmed.take(tag);
    if (message !== undefined) this.#handler.onConfirm(channel, message, tag, accepted);
  }

  protected checkContent(channel: ClientChannel<T>, content: Content<T["consumer"], T["route"]>): void {
    if (content.kind === "basic.publish") throw commandInvalid("basic.publish from a server");
    if (content.kind === "basic.get-ok" && channel.requests.peek()?.method !== "basic.get") {
      throw commandInvalid("basic.get-ok that answers nothing");
    }
  }

  protected onContent(channel: ClientChannel<T>, content: Content<T["consumer"], T["route"]>): void {
    if (content.kind === "basic.return") return this.#handler.onReturn(channel, content);
    if (content.kind === "basic.deliver") this.#handler.onDeliver(channel, content);
    else {
      const pending = channel.requests.shift();
      if (pending !== undefined) this.#handler.onGetOk(channel, pending.request, content);
    }
    if (this.#tagRepeated) throw commandInvalid(`delivery tag ${content.deliveryTag} came again`);
  }

  protected onChannelFreed(channel: ClientChannel<T>): void {
    this.#ids.give(channel.id);
  }

  #onStart(start: MethodOf<"connection.start">): void {
    if (start.versionMajor !== 0 || start.versionMinor !== 9) {
      throw new MessagingError(
        "ERR_NOT_SUPPORTED_BY_SERVER",
        `the server speaks AMQP ${start.versionMajor}-${start.versionMinor}`,
      );
    }
    const offered = start.mechanisms.split(" ");
    const mechanism = this.#options.mechanisms.find((each) => offered.includes(each.name));
    if (mechanism === undefined) {
      throw new MessagingError("ERR_AUTH_FAILED", `the server offers ${start.mechanisms}, and none of them is wanted`);
    }
    this.write(0, {
      method: "connection.start-ok",
      clientProperties: this.#options.clientProperties,
      mechanism: mechanism.name,
      response: mechanism.response,
      locale: this.#options.locale ?? "en_US",
    });
    this.#state = { is: "authenticating", mechanism, serverProperties: start.serverProperties };
  }

  #onSecure(mechanism: SaslMechanism, challenge: Uint8Array): void {
    if (mechanism.answer === null)
      throw new MessagingError("ERR_AUTH_FAILED", `a challenge to ${mechanism.name}, which knows none`);
    this.write(0, { method: "connection.secure-ok", response: mechanism.answer(challenge) });
  }

  #onTune(mechanism: SaslMechanism, serverProperties: FieldTable, tune: MethodOf<"connection.tune">): void {
    const tuning = answerTune(tune, this.#options.tuning);
    const { channelMax, frameMax, heartbeatSeconds } = tuning;
    this.write(0, { method: "connection.tune-ok", channelMax, frameMax, heartbeat: heartbeatSeconds });
    this.tune(tuning);
    this.#ids.open(channelMax);
    this.write(0, { method: "connection.open", virtualHost: this.#options.virtualHost });
    this.#state = { is: "opening", facts: { serverProperties, mechanism: mechanism.name, tuning } };
  }

  #onOpenOk(facts: ServerFacts): void {
    this.#state = { is: "open" };
    this.opened(facts.tuning.heartbeatSeconds);
    this.#handler.onOpen(facts);
  }

  #onOpenMethod(method: Method): void {
    switch (method.method) {
      case "connection.blocked":
        return this.#handler.onBlocked(method.reason);
      case "connection.unblocked":
        return this.#handler.onBlocked(null);
      case "connection.update-secret-ok": {
        if (this.#secrets.length === 0) throw commandInvalid("connection.update-secret-ok that answers nothing");
        return this.#handler.onSecretUpdated(this.#secrets.shift() as T["request"]);
      }
      default:
        throw commandInvalid(`${method.method} on an open connection`);
    }
  }

  #onCancel(channel: ClientChannel<T>, method: MethodOf<"basic.cancel">): void {
    const { consumerTag, noWait } = method;
    if (!noWait) this.write(channel.id, { method: "basic.cancel-ok", consumerTag });
    this.#handler.onCancel(channel, consumerTag);
  }

  /** The request that `reply` answers: always the oldest (§2.2.2). */
  #answered(channel: ClientChannel<T>, reply: Method): PendingRequest<T["request"]> {
    const pending = channel.requests.peek();
    if (pending === undefined) throw commandInvalid(`${reply.method} that answers nothing`);
    if (!methodRow(pending.method).replies.includes(reply.method)) {
      throw commandInvalid(`${reply.method} where an answer to ${pending.method} was expected`);
    }
    channel.requests.shift();
    return pending;
  }
}

/** What a refused connection is to a caller: the server's words with a code. */
export function refusalError(reason: CloseReason, during: "authentication" | "opening"): MessagingError {
  const code = during === "authentication" && reason.replyCode === 403 ? "ERR_AUTH_FAILED" : "ERR_CONNECT_REJECTED";
  const text = reason.replyText === "" ? replyName(reason.replyCode) : reason.replyText;
  return new MessagingError(code, `the server refused the connection: ${text}`, {
    peer: { protocol: "amqp091", code: reason.replyCode, text: reason.replyText },
  });
}
