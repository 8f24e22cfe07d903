// Hot path: one object per received message.
import type { SettleTrace } from "../../base/diagnostics.ts";
import { MessagingError } from "../../base/errors.ts";
import type { BasicProperties } from "../codec/properties.ts";
import type { PropertiesDecoder } from "../codec/properties-decoder.ts";
import type { RouteEntry } from "../codec/route-decoder.ts";
import type { Connection } from "./connection.ts";
import type { Incoming, Link } from "./link.ts";

/** What both kinds of received messages have. */
abstract class Received {
  /** The body: a view of what was received, which it keeps in memory. */
  readonly body: Uint8Array;
  readonly #route: RouteEntry<undefined>;
  readonly #decoder: PropertiesDecoder;
  readonly #block: Uint8Array;
  readonly #start: number;
  readonly #end: number;
  #properties: BasicProperties | null = null;

  constructor(content: Incoming, decoder: PropertiesDecoder) {
    this.body = content.bodyView();
    this.#route = content.route;
    this.#decoder = decoder;
    this.#block = content.properties;
    this.#start = content.propertiesStart;
    this.#end = content.propertiesEnd;
  }

  get exchange(): string {
    return this.#route.exchange;
  }

  get routingKey(): string {
    return this.#route.routingKey;
  }

  /** Decoded when first asked for; frozen. Text that is no UTF-8 has U+FFFD in its place. */
  get properties(): BasicProperties {
    this.#properties ??= this.#decoder.decode(this.#block, this.#start, this.#end);
    return this.#properties;
  }

  /** The body as UTF-8 text; what is ill-formed becomes U+FFFD. */
  text(): string {
    return new TextDecoder().decode(this.body);
  }

  /** The body parsed as JSON. @throws {MessagingError} ERR_INVALID_MESSAGE when it is none */
  json(): unknown {
    try {
      return JSON.parse(this.text());
    } catch (cause) {
      throw new MessagingError("ERR_INVALID_MESSAGE", "the body is no JSON", { cause });
    }
  }
}

/** A message that the server could not route (`basic.return`). */
export class AmqpReturned extends Received {
  readonly replyCode: number;
  readonly replyText: string;

  /** @internal */
  constructor(content: Incoming, decoder: PropertiesDecoder) {
    super(content, decoder);
    this.replyCode = content.replyCode;
    this.replyText = content.replyText;
  }
}

/** ERR_UNROUTABLE: a mandatory message went to no queue; it is in `returned`. */
export class UnroutableError extends MessagingError {
  readonly returned: AmqpReturned;

  /** @internal */
  constructor(returned: AmqpReturned) {
    const { replyCode, replyText, exchange, routingKey } = returned;
    super("ERR_UNROUTABLE", `no queue took a message to exchange "${exchange}" with routing key "${routingKey}"`, {
      peer: { protocol: "amqp091", code: replyCode, text: replyText },
    });
    this.returned = returned;
  }
}

/** A message from a queue. It counts against its consumer's prefetch until it is settled. */
export class AmqpMessage extends Received {
  readonly deliveryTag: number;
  /** True when it was delivered before, as far as the server knows. */
  readonly redelivered: boolean;
  /** The consumer it came to, or "" for one from `get`. */
  readonly consumerTag: string;
  /** Of `get`: messages left in the queue; else 0. */
  readonly messageCount: number;
  readonly #connection: Connection | null;
  readonly #link: Link;

  /** @internal @param connection null when nothing is to be acknowledged */
  constructor(content: Incoming, decoder: PropertiesDecoder, connection: Connection | null, link: Link) {
    super(content, decoder);
    const delivered = content.kind === "basic.deliver";
    this.deliveryTag = content.deliveryTag;
    this.redelivered = content.redelivered;
    this.consumerTag = delivered ? content.consumerTag.name : "";
    this.messageCount = delivered ? 0 : content.messageCount;
    this.#connection = connection;
    this.#link = link;
  }

  /**
   * Acknowledges the message, with `multiple` all before it on its channel as well. Acknowledgements leave at the end of the turn, as one frame where the server's rules allow. Nothing to do with `noAck`.
   * @throws {MessagingError} ERR_STALE_DELIVERY when the message's connection or channel is gone: the server delivers it again; ERR_ALREADY_SETTLED
   */
  ack(options?: { readonly multiple?: boolean }): void {
    if (this.#connection === null) return;
    const multiple = options?.multiple === true;
    if (!this.#connection.engine.ack(this.#link, this.deliveryTag, multiple)) throw this.#refusal();
    this.#trace("accepted");
  }

  /**
   * Gives the message back, with `multiple` all before it on its channel as well: to be delivered again (`requeue`, the default), or to be dropped or dead-lettered. Errors as
   * {@link ack}.
   */
  nack(options: { readonly requeue?: boolean; readonly multiple?: boolean } = {}): void {
    if (this.#connection === null) return;
    const { engine } = this.#connection;
    const { requeue = true, multiple = false } = options;
    if (!engine.nack(this.#link, this.deliveryTag, multiple, requeue)) throw this.#refusal();
    this.#trace(requeue ? "released" : "rejected");
  }

  /** Refuses the message: it is dropped or dead-lettered, unless `requeue` is true. Errors as {@link ack}. */
  reject(options: { readonly requeue?: boolean } = {}): void {
    if (this.#connection === null) return;
    const { engine } = this.#connection;
    const requeue = options.requeue ?? false;
    if (!engine.reject(this.#link, this.deliveryTag, requeue)) throw this.#refusal();
    this.#trace(requeue ? "released" : "rejected");
  }

  /** Acknowledges unless settled or stale. @internal */
  ackIfOpen(): void {
    if (this.#connection?.engine.ack(this.#link, this.deliveryTag, false) === true) this.#trace("accepted");
  }

  /** As {@link nack}, unless settled or stale. @internal */
  nackIfOpen(requeue: boolean): void {
    if (this.#connection?.engine.nack(this.#link, this.deliveryTag, false, requeue) === true)
      this.#trace(requeue ? "released" : "rejected");
  }

  #trace(outcome: SettleTrace["outcome"]): void {
    const tracer = this.#connection?.tracer;
    if (tracer?.settle.hasSubscribers === true) tracer.settled("in", this.deliveryTag, outcome, null);
  }

  #refusal(): MessagingError {
    if (this.#connection?.engine.open === true && this.#link.state === "open") {
      return new MessagingError("ERR_ALREADY_SETTLED", `delivery ${this.deliveryTag} is settled already`);
    }
    return new MessagingError("ERR_STALE_DELIVERY", `delivery ${this.deliveryTag} is from before its channel ended`);
  }
}
