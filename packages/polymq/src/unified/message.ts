import type { Nothing, Protocol, WhenCan } from "./protocol.ts";

/** Options of `nack`; none where no delay can be said. */
export type NackOptions<P extends Protocol> = WhenCan<P, "delayedNack", DelayedNack, undefined>;

/** When a message is delivered again. */
export interface DelayedNack {
  /** At the earliest after so many ms, where the server can (polymq's broker; else `ERR_UNSUPPORTED`). Default 0. */
  readonly delayMs?: number;
}

/** Arguments of `reject`. */
export type RejectReason<P extends Protocol> = WhenCan<P, "rejectReason", [reason?: string], []>;

/**
 * A received message. It is settled once: by `ack`, `nack` or `reject`, or by its subscription when the handler is done. Messages of topics at QoS 0 need no settling;
 * their `ack`, `nack` and `reject` do nothing.
 */
export interface Message<T = Uint8Array, P extends Protocol = Protocol> {
  /** The topic, its levels separated by slashes on every protocol; of a queue's message `$queue/<queue>[/<routing key>]`. */
  readonly topic: string;
  /** A view of what was received, which it keeps in memory: copy what is kept for long (`payload.slice()`). */
  readonly payload: Uint8Array;
  /** What the codec made of the payload; without a codec the payload. */
  readonly value: T;
  /**
   * By keys that name the protocol: `mqtt.qos`, `mqtt.retain`, `mqtt.dup` and `mqtt.user.<name>` of MQTT, `amqp.headers.<name>` for headers of AMQP 0-9-1 and application
   * properties of AMQP 1.0. Read when first asked for.
   */
  readonly properties: Readonly<Record<string, string>>;
  readonly contentType: string | null;
  /** When it was appended to its stream, or what its publisher said of it (AMQP); null where nobody said. */
  readonly timestamp: Date | null;
  /** The queue or stream that it is from; null for a topic. */
  readonly queue: string | null;
  /** What follows the queue's name in its address, or "". */
  readonly routingKey: string;
  /** The group that it was delivered to, as the server names it, or "". */
  readonly group: string;
  /** Its place in the queue or stream; null where the server does not say. @throws {MessagingError} ERR_INVALID_MESSAGE above 2^53 - 1 */
  readonly offset: number | null;
  /** Earlier deliveries: 0 the first time. Servers that do not count say 1 of a repeated message. */
  readonly deliveryCount: number;
  /** The message of the protocol client beneath. */
  readonly native: unknown;
  /** The payload as UTF-8 text; ill-formed bytes become U+FFFD. */
  text(): string;
  /** The payload parsed as JSON. @throws {MessagingError} ERR_INVALID_MESSAGE when it is none */
  json(): unknown;
  /** A property by its bare name, whatever the protocol calls it: user property, header or application property; null when there is none. */
  property(name: string): string | null;
  /**
   * It is done with. Resolves when the server has confirmed that (MQTT 5.0), or when it is said.
   * @throws {MessagingError} ERR_ALREADY_SETTLED; ERR_STALE_DELIVERY when its connection is gone: the server delivers it again
   */
  ack(): Promise<void>;
  /** It was not handled: to be delivered again. @throws {MessagingError} as `ack`; ERR_UNSUPPORTED where the server has no way to say so */
  nack(options?: NackOptions<P>): Promise<void>;
  /** It cannot be handled: it is dead-lettered where the server does so, else dropped. @throws {MessagingError} as `nack` */
  reject(...reason: RejectReason<P>): Promise<void>;
}

/** A message of a stream. */
export type StreamMessage<T = Uint8Array, P extends Protocol = Protocol> = Message<T, P> &
  WhenCan<P, "commit", Committable, Nothing>;

/** What can be committed. */
export interface Committable {
  /**
   * Commits the group's place behind this message, for reads with `commit: "manual"`; resolves when the server has taken it.
   * @throws {MessagingError} as `Stream.commit`
   */
  commit(): Promise<void>;
}
