import { MessagingError } from "../../base/errors.ts";
import { copyOf } from "../../bytes/copy.ts";
import type { MessageInput } from "../codec/message.ts";
import type { LinkQuirks } from "./client-link.ts";
import { DurableMessages } from "./durable-messages.ts";
import type { SenderOptions } from "./options.ts";
import type { Outcome } from "./outcomes.ts";
import type { SendOptions } from "./send-options.ts";
import type { SendReceipt } from "./send-receipt.ts";
import { AmqpSender, type SendableMessage } from "./sender.ts";
import type { AmqpSession } from "./session.ts";
import { wholeNumber } from "./settings.ts";
import { untilConnected } from "./until-connected.ts";

/** The capability of servers that have an anonymous terminus. */
const ANONYMOUS_RELAY = "ANONYMOUS-RELAY";

/** Settings of a relay. */
export interface RelayOptions
  extends Pick<SenderOptions, "whenConnectionLost" | "waitingMessagesMax" | "waitingBytesMax"> {
  /**
   * `auto`: one link to the anonymous terminus where the server offers `ANONYMOUS-RELAY`, else a link for each address. `anonymous` and `perAddress`
   * say which. Default `auto`.
   */
  readonly mode?: "auto" | "anonymous" | "perAddress";
  /** Links at one time with a link for each address; the one that was idle for longest is closed for another. Default 64. */
  readonly sendersMax?: number;
  readonly signal?: AbortSignal;
}

/** Sends each message to an address of its own, made by `AmqpSession.createRelay`. */
export class AmqpRelay {
  readonly #session: AmqpSession;
  readonly #options: RelayOptions;
  readonly #sendersMax: number;
  readonly #durable: DurableMessages;
  #anonymous: AmqpSender | null = null;
  /** By address, the one that was used last at the end. */
  readonly #senders = new Map<string, Promise<AmqpSender>>();
  #closed = false;

  /** For the session. @throws {MessagingError} ERR_INVALID_OPTIONS */
  constructor(session: AmqpSession, options: RelayOptions) {
    this.#session = session;
    this.#options = options;
    this.#durable = new DurableMessages(session.core.text);
    this.#sendersMax = wholeNumber("sendersMax", options.sendersMax, { from: 1, to: 65_536, otherwise: 64 });
  }

  /** Whether one link serves all addresses. */
  get anonymous(): boolean {
    return this.#anonymous !== null;
  }

  /** For queues: resolves when the session is over, or the link to the anonymous terminus; links for each address are made anew. */
  get over(): Promise<unknown> {
    const { closed } = this.#session;
    return this.#anonymous === null ? closed : Promise.race([closed, this.#anonymous.closed]);
  }

  /** For the session: attaches to the anonymous terminus where there is one. */
  async open(quirks: LinkQuirks = {}): Promise<this> {
    const { mode = "auto", signal } = this.#options;
    const offered = this.#session.core.peer.offeredCapabilities.includes(ANONYMOUS_RELAY);
    if (mode === "perAddress" || (mode === "auto" && !offered)) return this;
    this.#anonymous = await this.#session.open(
      signal,
      () => new AmqpSender(this.#session, null, this.#senderOptions(), quirks),
    );
    return this;
  }

  /**
   * Sends a message to `address`; its property `to` says so. Settles as `AmqpSender.send` does, and waits for a connection that is being made again.
   * @throws {MessagingError} as `AmqpSender.send` and, with a link for each address, `AmqpSession.createSender`; ERR_INVALID_ARGUMENT for a message that
   *   is encoded already, ERR_OUTBOUND_BACKPRESSURE when every link is in use and there may be no more, ERR_CLIENT_CLOSED after `close`
   */
  send(address: string, message: SendableMessage, options: SendOptions = {}): Promise<Outcome | null> {
    const anonymous = this.#anonymous;
    if (anonymous === null || this.#closed || options.encoded === true) return this.#send(address, message, options);
    return anonymous.send(addressedTo(address, message), options);
  }

  /** As {@link AmqpRelay.send} a durable message of nothing but data, at less cost; null where one link does not serve all addresses. @internal */
  sendData(address: string, data: Uint8Array, options: SendOptions): Promise<Outcome | null> | null {
    const anonymous = this.#anonymous;
    if (anonymous === null || this.#closed) return null;
    return anonymous.send(this.#durable.to(address, data), options);
  }

  /** Resolves once every message sent over the one link has its outcome. @internal */
  idle(): Promise<void> {
    return this.#anonymous === null ? Promise.resolve() : this.#anonymous.idle();
  }

  /**
   * Sends a message unsettled to `address` and resolves when it has left, with a receipt whose `wait` gives the outcome.
   * @throws {MessagingError} as {@link AmqpRelay.send}, as far as it concerns messages that did not leave
   */
  async sendWithReceipt(
    address: string,
    message: SendableMessage,
    options: Omit<SendOptions, "settled"> = {},
  ): Promise<SendReceipt> {
    const sender = await this.#senderFor(address, options);
    return await sender.sendWithReceipt(addressedTo(address, message), options);
  }

  /** Closes its links; resolves when the server has too. */
  async close(): Promise<void> {
    this.#closed = true;
    const senders = await Promise.allSettled(this.#senders.values());
    const open = senders.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
    await Promise.all([...open, ...(this.#anonymous === null ? [] : [this.#anonymous])].map((each) => each.close()));
  }

  /** Closes the relay, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The link may still have to be attached: what the caller does to its bytes then must not matter. */
  async #send(address: string, message: SendableMessage, options: SendOptions): Promise<Outcome | null> {
    const kept = addressedTo(address, withOwnBytes(message));
    const sender = await this.#senderFor(address, options);
    return await sender.send(kept, options);
  }

  async #senderFor(address: string, options: SendOptions): Promise<AmqpSender> {
    if (this.#closed) throw new MessagingError("ERR_CLIENT_CLOSED", "the relay is closed");
    if (options.encoded === true) {
      throw new MessagingError(
        "ERR_INVALID_ARGUMENT",
        "a relay writes the address into the message: give its sections",
      );
    }
    return this.#anonymous ?? (await this.#senderOf(address));
  }

  #senderOptions(): SenderOptions {
    const { whenConnectionLost, waitingMessagesMax, waitingBytesMax } = this.#options;
    return {
      ...(whenConnectionLost === undefined ? {} : { whenConnectionLost }),
      ...(waitingMessagesMax === undefined ? {} : { waitingMessagesMax }),
      ...(waitingBytesMax === undefined ? {} : { waitingBytesMax }),
    };
  }

  async #senderOf(address: string): Promise<AmqpSender> {
    const known = this.#senders.get(address);
    this.#senders.delete(address);
    const sender = known ?? this.#attach(address);
    this.#senders.set(address, sender);
    try {
      const made = await sender;
      if (made.life.reason === null) return made;
    } catch (error) {
      this.#forget(address, sender);
      throw error;
    }
    // It ended since: the next one is attached anew.
    this.#forget(address, sender);
    return await this.#senderOf(address);
  }

  async #attach(address: string): Promise<AmqpSender> {
    if (this.#senders.size >= this.#sendersMax) await this.#makeRoom();
    const session = this.#session;
    return await untilConnected(session.core, () => session.createSender(address, this.#senderOptions()));
  }

  #forget(address: string, sender: Promise<AmqpSender>): void {
    if (this.#senders.get(address) === sender) this.#senders.delete(address);
  }

  async #makeRoom(): Promise<void> {
    // What is being made stands at the end.
    for (const [address, making] of [...this.#senders].slice(0, this.#sendersMax)) {
      const sender = await making.catch(() => null);
      if (sender !== null && sender.pendingMessages > 0) continue;
      this.#forget(address, making);
      await sender?.close();
      return;
    }
    throw new MessagingError("ERR_OUTBOUND_BACKPRESSURE", `${this.#senders.size} addresses are being sent to`);
  }
}

/** The message with a copy of its data. */
export function withOwnBytes(message: SendableMessage): SendableMessage {
  if (message instanceof Uint8Array) return copyOf(message);
  if (typeof message === "string" || message.body.type !== "data") return message;
  const { data } = message.body;
  return { ...message, body: { type: "data", data: data instanceof Uint8Array ? copyOf(data) : data.map(copyOf) } };
}

/** The same message with its address. Field by field, for spreading a message made an object of a kind of its own each time, at 3 us. */
function addressedTo(address: string, message: SendableMessage): MessageInput {
  if (message instanceof Uint8Array) return { properties: { to: address }, body: { type: "data", data: message } };
  if (typeof message === "string") return { properties: { to: address }, body: { type: "value", value: message } };
  const { header, deliveryAnnotations, messageAnnotations, properties, applicationProperties, body, footer } = message;
  return {
    header,
    deliveryAnnotations,
    messageAnnotations,
    properties: properties === undefined || properties === null ? { to: address } : { ...properties, to: address },
    applicationProperties,
    body,
    footer,
  };
}
