import type { EventOf, EventStream } from "../../base/emitter.ts";
import type { MessagingError } from "../../base/errors.ts";
import type { Platform } from "../../transport/platform.ts";
import type { FieldTable } from "../codec/field-value.ts";
import type { AmqpChannel } from "./channel.ts";
import { ClientCore } from "./client-core.ts";
import type { AmqpClientEvent, AmqpClientState } from "./events.ts";
import { type AmqpClientOptions, settingsOf } from "./options.ts";

/** Longest wait of `close` for work that is under way. */
const CLOSE_TIMEOUT_MS = 5_000;

/**
 * An AMQP 0-9-1 client. It is made with options, checked at once, and connects with `connect()`; messages are exchanged through channels. After a lost
 * connection it comes back by itself with exchanges, queues, bindings, channels and consumers as they were, and publishes again what was not confirmed.
 *
 * This is the part that is alike on every runtime; the entry point's `AmqpClient` adds the runtime's way to connect.
 */
export class AmqpClientBase implements AsyncDisposable {
  readonly #core: ClientCore;

  /** @throws {MessagingError} ERR_NO_SERVERS, ERR_INVALID_OPTIONS */
  protected constructor(options: AmqpClientOptions, platform: Platform) {
    this.#core = new ClientCore(settingsOf(options), platform);
  }

  /** Where the client stands, in one word. */
  get state(): AmqpClientState {
    return this.#core.state;
  }

  /** True when messages can be exchanged now. */
  get connected(): boolean {
    return this.#core.state === "connected";
  }

  /** True while the server takes no publishes (`connection.blocked`); they wait. */
  get blocked(): boolean {
    return this.#core.blocked;
  }

  /** What the server says of itself, while connected; else null. */
  get serverProperties(): FieldTable | null {
    return this.#core.facts?.serverProperties ?? null;
  }

  /** The address of the server in use or tried last, without credentials. */
  get server(): string {
    return this.#core.server;
  }

  /** Resolves when the client is closed for good, with the error that ended it or null; never rejects. */
  get closed(): Promise<MessagingError | null> {
    return this.#core.closed;
  }

  /**
   * Connects; resolves when the connection is open. One round over the servers is made, or as many as the reconnect rules say with
   * `retryFirstConnect`.
   * @throws {MessagingError} ERR_AUTH_FAILED, ERR_CONNECT_REJECTED (a virtual host that is refused, for example), ERR_CONNECT_FAILED, ERR_CONNECT_TIMEOUT,
   *   ERR_ABORTED, ERR_ALREADY_CONNECTED, ERR_CLIENT_CLOSED
   */
  connect(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    return this.#core.connect(options.signal);
  }

  /**
   * Opens a channel, with publisher confirms unless `confirms` is false; resolves when the server has answered.
   * @throws {MessagingError} ERR_NOT_CONNECTED, ERR_CHANNEL_MAX when all that the server allows are in use
   */
  channel(options: { readonly confirms?: boolean } = {}): Promise<AmqpChannel> {
    return this.#core.channel(options.confirms ?? true);
  }

  /**
   * Gives the server a new secret before the old one expires (`connection.update-secret`, RabbitMQ's extension); resolves at its answer.
   * @throws {MessagingError} ERR_NOT_CONNECTED, ERR_CONNECTION_LOST
   */
  async updateSecret(secret: string | Uint8Array, reason = "refresh"): Promise<void> {
    await this.#core.updateSecret(this.#core.bytesOf(secret), reason);
  }

  /** Ends the connection in order; its channels are over. `connect()` may follow. */
  disconnect(): Promise<void> {
    return this.#core.disconnect();
  }

  /** Waits for publishes and handlers under way, at most `timeoutMs` (default 5,000), then ends for good. Never rejects. */
  close(options: { readonly timeoutMs?: number } = {}): Promise<void> {
    return this.#core.close(options.timeoutMs ?? CLOSE_TIMEOUT_MS);
  }

  /** Ends at once; what is under way fails with the error or ERR_CLIENT_CLOSED. */
  destroy(error: MessagingError | null = null): void {
    this.#core.destroy(error);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Calls `listener` at each event of the type; the returned function stops it. */
  on<K extends AmqpClientEvent["type"]>(
    type: K,
    listener: (event: EventOf<AmqpClientEvent, K>) => unknown,
  ): () => void {
    return this.#core.events.on(type, listener);
  }

  /** As `on`, for one event only. */
  once<K extends AmqpClientEvent["type"]>(
    type: K,
    listener: (event: EventOf<AmqpClientEvent, K>) => unknown,
  ): () => void {
    return this.#core.events.once(type, listener);
  }

  /** All events from now on, as an async iterable; 1,024 may wait for a slow reader. */
  events(): EventStream<AmqpClientEvent> {
    return this.#core.events.events();
  }
}
