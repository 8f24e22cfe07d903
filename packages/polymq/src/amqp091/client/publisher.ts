// Hot path: `publish` and `onConfirm` run per message. No closure, spread, iterator or regex here.
import { onAbort, throwIfAborted } from "../../base/abort.ts";
import { type Deferred, deferred } from "../../base/deferred.ts";
import { Deque } from "../../base/deque.ts";
import { asMessagingError, MessagingError } from "../../base/errors.ts";
import { copyOf } from "../../bytes/copy.ts";
import type { TextCodec } from "../../bytes/text.ts";
import type { BasicProperties } from "../codec/properties.ts";
import { PropertiesDecoder } from "../codec/properties-decoder.ts";
import { RouteEncoder } from "../codec/route-encoder.ts";
import type { Connection } from "./connection.ts";
import type { Incoming, Link } from "./link.ts";
import { AmqpReturned, UnroutableError } from "./message.ts";
import type { Settings } from "./options.ts";
import { PendingPublish } from "./pending-publish.ts";
import { PropertyBlocks } from "./property-blocks.ts";

/** Options of `publish`: all properties of a message, and how it is sent. */
export interface AmqpPublishOptions extends BasicProperties {
  /** 1: transient, 2: persistent. Default 2. */
  readonly deliveryMode?: number | undefined;
  /** A message that goes to no queue rejects the promise with {@link UnroutableError}. Default false. */
  readonly mandatory?: boolean;
  /** Gives up waiting with `ERR_ABORTED`; a message that was sent already may still arrive. */
  readonly signal?: AbortSignal;
}

const MANDATORY = 1;
const DONE: Promise<void> = Promise.resolve();

/** What a publisher needs of its channel. */
export interface PublisherOptions {
  readonly text: TextCodec;
  readonly settings: Settings;
  readonly confirms: boolean;
  /** Begins the ids that it makes. */
  readonly idPrefix: string;
  readonly onReturned: (message: AmqpReturned) => void;
}

/** The publishes of one channel: a window of unconfirmed ones, and a bounded line of those that wait for room or for the connection. */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #routes: RouteEncoder;
  readonly #blocks: PropertyBlocks;
  readonly #decoder: PropertiesDecoder;
  readonly #line: Deque<PendingPublish> = new Deque();
  #lineBytes = 0;
  /** Promises that are not settled. */
  #open = 0;
  #idle: Deferred<void> | null = null;
  readonly #wantsId: boolean;
  /** Mandatory publishes under way by message-id, in the order of sending. */
  readonly #mandatory: Map<string, PendingPublish[]> = new Map();
  #connection: Connection | null = null;
  #link: Link | null = null;
  /** Why nothing can be published any more. */
  #over: MessagingError | null = null;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#routes = new RouteEncoder(options.text);
    this.#blocks = new PropertyBlocks(options.text, options.idPrefix);
    this.#decoder = new PropertiesDecoder(options.text);
    this.#wantsId = options.confirms && options.settings.whenConnectionLost === "republish";
  }

  /** Publishes that wait for room or for the connection. */
  get waiting(): number {
    return this.#line.length;
  }

  /** @throws {MessagingError} what cannot be encoded; everything else rejects the promise */
  publish(
    exchange: string,
    routingKey: string,
    body: Uint8Array,
    options: AmqpPublishOptions | undefined,
  ): Promise<void> {
    if (this.#over !== null) return Promise.reject(this.#over);
    const mandatory = options?.mandatory === true;
    const signal = options?.signal;
    throwIfAborted(signal);
    const route = this.#routes.encode(exchange, routingKey);
    const block = this.#blocks.encode(options, this.#wantsId || (mandatory && this.#options.confirms));
    const flags = mandatory ? MANDATORY : 0;
    const link = this.#link;
    const connection = this.#connection;
    if (!this.#options.confirms && connection !== null && link !== null && this.#mayWrite(connection, link)) {
      connection.engine.publish(link, route, flags, block, body, NOBODY);
      if (connection.tracer.publish.hasSubscribers) connection.tracer.published(addressOf(route), body.length, 0);
      return DONE;
    }
    const item = new PendingPublish();
    item.flags = flags;
    this.#open++;
    if (mandatory && this.#options.confirms) this.#note(item, options?.messageId ?? this.#blocks.lastId);
    if (connection !== null && link !== null && this.#mayWrite(connection, link)) {
      this.#write(connection, link, item, route, block, body);
    } else this.#wait(item, route, block, body);
    return signal === undefined ? item.promise : this.#abortable(item, signal);
  }

  /** A channel of the engine is there: what waited leaves. */
  open(connection: Connection, link: Link): void {
    this.#connection = connection;
    this.#link = link;
    this.pump();
  }

  /** The connection is lost: what it has not confirmed goes back to the head of the line, or fails. */
  suspend(error: MessagingError): void {
    const link = this.#link;
    this.#connection = null;
    this.#link = null;
    if (link === null) return;
    const items: PendingPublish[] = [];
    for (let item = link.takeUnconfirmed(); item !== undefined; item = link.takeUnconfirmed()) items.push(item);
    for (let i = items.length - 1; i >= 0; i--) {
      const item = items[i] as PendingPublish;
      // One that was given up is not sent again.
      if (item.settled || this.#options.settings.whenConnectionLost === "reject") this.#fail(item, error);
      else {
        item.takeBack();
        item.returned = null;
        this.#line.unshift(item);
        this.#lineBytes += item.waitingBytes;
      }
    }
  }

  /** Everything fails, now and later. */
  end(error: MessagingError): void {
    const link = this.#link;
    this.#over = error;
    this.#connection = null;
    this.#link = null;
    for (let item = link?.takeUnconfirmed(); item !== undefined; item = link?.takeUnconfirmed())
      this.#fail(item, error);
    this.failWaiting(error);
  }

  /** What waits fails; later publishes wait again. */
  failWaiting(error: MessagingError): void {
    for (let item = this.#line.shift(); item !== undefined; item = this.#line.shift()) this.#fail(item, error);
    this.#lineBytes = 0;
  }

  onConfirm(item: PendingPublish, tag: number, accepted: boolean): void {
    item.release();
    if (item.returnKey !== "") this.#forget(item);
    const error = accepted && item.returned === null ? null : refusalOf(item);
    this.#settle(item, error);
    const tracer = this.#connection?.tracer;
    if (tracer?.settle.hasSubscribers === true)
      tracer.settled("out", tag, error === null ? "accepted" : "rejected", error);
    if (this.#line.length > 0) this.pump();
  }

  onReturn(content: Incoming): void {
    const returned = new AmqpReturned(content, this.#decoder);
    const items = this.#mandatory.get(returned.properties.messageId ?? "");
    const item = items?.find((each) => each.returned === null && each.route === null);
    if (item === undefined) this.#options.onReturned(returned);
    else item.returned = returned;
  }

  /** Sends what waits, as far as there is room. */
  pump(): void {
    const connection = this.#connection;
    const link = this.#link;
    if (connection === null || link === null) return;
    while (this.#line.length > 0 && this.#hasRoom(connection, link)) {
      const item = this.#line.shift() as PendingPublish;
      const { route, block, body } = item;
      this.#lineBytes -= item.waitingBytes;
      if (route === null || block === null || body === null) continue;
      this.#write(connection, link, item, route, block, body);
    }
    // Everything else that makes room calls by itself: confirms, flow and the end of `blocked`.
    if (this.#line.length > 0 && connection.outbox.full) connection.wakeWhenRoom();
  }

  /** Resolves when the promises of all publishes are settled, as they are too when the channel ends; null when they are. */
  drained(): Promise<void> | null {
    if (this.#open === 0) return null;
    this.#idle ??= deferred();
    return this.#idle.promise;
  }

  #mayWrite(connection: Connection, link: Link): boolean {
    return this.#line.length === 0 && this.#hasRoom(connection, link);
  }

  #hasRoom(connection: Connection, link: Link): boolean {
    // A connection that the server ends is there until its socket is: the next one sends what comes meanwhile.
    if (!connection.engine.open || connection.blocked || !link.flowActive || connection.outbox.full) return false;
    return link.unconfirmedCount < this.#options.settings.maxUnconfirmed;
  }

  #write(
    connection: Connection,
    link: Link,
    item: PendingPublish,
    route: Uint8Array,
    block: Uint8Array,
    body: Uint8Array,
  ): void {
    try {
      const bytes = connection.engine.publish(link, route, item.flags, block, body, item);
      const { tracer } = connection;
      if (tracer.publish.hasSubscribers) tracer.published(addressOf(route), body.length, link.publishes);
      if (this.#options.confirms) {
        connection.answerAwaited();
        return item.written(connection.outbox, bytes);
      }
      item.release();
      this.#settle(item, null);
    } catch (error) {
      this.#fail(item, asMessagingError(error, "ERR_PUBLISH_REJECTED"));
    }
  }

  /** Keeps copies: the caller may change the body, and the next publish the block. */
  #wait(item: PendingPublish, route: Uint8Array, block: Uint8Array, body: Uint8Array): void {
    const { maxWaitingMessages, maxWaitingBytes } = this.#options.settings;
    const bytes = route.length + block.length + body.length;
    if (this.#line.length >= maxWaitingMessages || this.#lineBytes + bytes > maxWaitingBytes) {
      return this.#fail(item, new MessagingError("ERR_OUTBOUND_BACKPRESSURE", "as much waits to be published as may"));
    }
    item.route = route;
    item.block = copyOf(block);
    item.body = copyOf(body);
    this.#line.push(item);
    this.#lineBytes += bytes;
    if (this.#connection?.outbox.full === true) this.#connection.wakeWhenRoom();
  }

  #fail(item: PendingPublish, error: MessagingError): void {
    item.release();
    if (item.returnKey !== "") this.#forget(item);
    this.#settle(item, error);
  }

  #settle(item: PendingPublish, error: MessagingError | null): void {
    if (item.settled) return;
    item.settled = true;
    if (error === null) item.resolve();
    else item.reject(error);
    if (--this.#open > 0 || this.#idle === null) return;
    this.#idle.resolve();
    this.#idle = null;
  }

  #note(item: PendingPublish, key: string): void {
    item.returnKey = key;
    const items = this.#mandatory.get(key);
    if (items === undefined) this.#mandatory.set(key, [item]);
    else items.push(item);
  }

  #forget(item: PendingPublish): void {
    const items = this.#mandatory.get(item.returnKey);
    if (items === undefined) return;
    if (items.length === 1) this.#mandatory.delete(item.returnKey);
    else items.splice(items.indexOf(item), 1);
  }

  #abortable(item: PendingPublish, signal: AbortSignal): Promise<void> {
    const stop = onAbort(signal, () => {
      const error = new MessagingError("ERR_ABORTED", "the operation was aborted", { cause: signal.reason });
      // The server still answers for one that was sent.
      if (this.#line.remove((other) => other === item) === undefined) return this.#settle(item, error);
      this.#lineBytes -= item.waitingBytes;
      this.#fail(item, error);
    });
    return item.promise.finally(stop);
  }
}

/** Why the promise of a message fails that the server has answered. */
function refusalOf({ returned }: PendingPublish): MessagingError {
  if (returned !== null) return new UnroutableError(returned);
  return new MessagingError("ERR_PUBLISH_REJECTED", "the server refused the message (basic.nack)");
}

/** For tracing: `exchange/routing key`, or the routing key alone for the default exchange. */
function addressOf(route: Uint8Array): string {
  const [exchangeEnd, text] = [1 + (route[0] ?? 0), new TextDecoder()];
  const key = text.decode(route.subarray(exchangeEnd + 1));
  return exchangeEnd === 1 ? key : `${text.decode(route.subarray(1, exchangeEnd))}/${key}`;
}

/** Stands for the publisher of a message that nobody confirms. */
const NOBODY: PendingPublish = new PendingPublish();
