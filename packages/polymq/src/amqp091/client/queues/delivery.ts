// Hot path: one object per message of a subscription.
import type { BasicProperties } from "../../codec/properties.ts";
import type { AmqpMessage } from "../message.ts";

/** What messages of all subscriptions have. A message is settled once: by `ack`, `nack` or `reject`, or by its subscription when the handler is done. */
export abstract class AmqpDelivery {
  /** The message as the channel delivered it. */
  readonly message: AmqpMessage;

  /** @internal */
  constructor(message: AmqpMessage) {
    this.message = message;
  }

  /** The body: a view of what was received, which it keeps in memory. */
  get body(): Uint8Array {
    return this.message.body;
  }

  /** Decoded when first asked for; frozen. */
  get properties(): BasicProperties {
    return this.message.properties;
  }

  /** True when it was delivered before, as far as the server knows; FluxMQ never says so. */
  get redelivered(): boolean {
    return this.message.redelivered;
  }

  /** The body as UTF-8 text; what is ill-formed becomes U+FFFD. */
  text(): string {
    return this.message.text();
  }

  /** The body parsed as JSON. @throws {MessagingError} ERR_INVALID_MESSAGE when it is none */
  json(): unknown {
    return this.message.json();
  }

  /**
   * The message is done with. It leaves at the end of the turn; nothing confirms it.
   * @throws {MessagingError} ERR_STALE_DELIVERY when the message's connection is gone: the server delivers it again; ERR_ALREADY_SETTLED
   */
  ack(): void {
    this.message.ack();
    this.settled();
  }

  /** It was not handled: to be delivered again (`requeue`, the default), or to be dropped or dead-lettered. Errors as `ack`. */
  nack(options: { readonly requeue?: boolean } = {}): void {
    this.message.nack(options);
    this.settled();
  }

  /** It cannot be handled: it is dead-lettered where the server does so, else dropped. Errors as `ack`. */
  reject(): void {
    this.message.reject();
    this.settled();
  }

  /** Acknowledges unless settled or stale. @internal */
  ackIfOpen(): void {
    this.message.ackIfOpen();
    this.settled();
  }

  /** As `nack`, unless settled or stale. @internal */
  nackIfOpen(requeue: boolean): void {
    this.message.nackIfOpen(requeue);
    this.settled();
  }

  /** Told at each settlement. @internal */
  protected abstract settled(): void;
}
