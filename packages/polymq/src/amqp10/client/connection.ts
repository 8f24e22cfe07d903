import type { EventOf, EventStream } from "../../base/emitter.ts";
import { MessagingError } from "../../base/errors.ts";
import type { ConnectionCore } from "./connection-core.ts";
import type { AmqpConnectionEvent } from "./events.ts";
import { EventualRelay } from "./eventual-relay.ts";
import type { LifeState } from "./lifetime.ts";
import type { SessionOptions } from "./options.ts";
import { type ErrorDetails, errorInput } from "./outcomes.ts";
import type { AmqpPeer } from "./peer.ts";
import type { AmqpQueueMessage } from "./queues/queue-message.ts";
import { type AmqpQueuePublishOptions, type AmqpQueueSubscribeOptions, checkPublish } from "./queues/queue-options.ts";
import type { AmqpQueueSubscription } from "./queues/queue-subscription.ts";
import { Queues } from "./queues/queues.ts";
import { type AmqpSession, sessionSettings } from "./session.ts";

/**
 * An AMQP 1.0 connection of a client, made by `connect`. When it is lost it is made again, unless `reconnect` is false, with the sessions and
 * links that were on it; the same objects go on.
 */
export class AmqpConnection {
  readonly #core: ConnectionCore;
  readonly #queues: Queues;
  /** For publishes to addresses of all kinds. @internal */
  readonly relay: EventualRelay;

  /** For `connect`. */
  constructor(core: ConnectionCore) {
    this.#core = core;
    this.#queues = new Queues(core);
    this.relay = new EventualRelay(core);
  }

  /** `reconnecting` from the loss of the connection until it is back, its sessions and links included. */
  get state(): LifeState {
    return this.#core.life.state;
  }

  /** The error that ended it; null while it is open, and after an orderly end of ours. */
  get error(): MessagingError | null {
    return this.#core.life.error;
  }

  /** Resolves when it is over for good, with the error that ended it or null. Never rejects. */
  get closed(): Promise<MessagingError | null> {
    return this.#core.life.closed;
  }

  get containerId(): string {
    return this.#core.containerId;
  }

  /** What the server said of itself, last. */
  get peer(): AmqpPeer {
    return this.#core.peer;
  }

  /** Sessions that are open or being opened or closed. */
  get sessions(): readonly AmqpSession[] {
    return this.#core.sessions;
  }

  /**
   * Begins a session; resolves when the server has answered.
   * @throws {MessagingError} ERR_NOT_CONNECTED while the connection is being made again, ERR_UNSUPPORTED when the server takes no more sessions,
   *   ERR_INVALID_OPTIONS, ERR_ABORTED, and the error of a connection or session that ended meanwhile
   */
  createSession(options: SessionOptions = {}): Promise<AmqpSession> {
    return this.#core.createSession(() => sessionSettings(options), options.signal);
  }

  /**
   * Puts a message into a queue (`orders`, or `orders/eu` with a routing key); resolves when the server has accepted it. Text is sent as UTF-8. While the
   * connection is being made again the message waits, and one without an outcome is sent again. Messages are sent in the order of the calls.
   * @throws {MessagingError} ERR_PUBLISH_REJECTED and the other errors of `AmqpSender.send`, ERR_TIMEOUT when no outcome comes within `ackTimeoutMs`
   *   after it has left, ERR_INVALID_TOPIC, ERR_INVALID_ARGUMENT
   */
  publishToQueue(queue: string, payload: string | Uint8Array, options?: AmqpQueuePublishOptions): Promise<void> {
    try {
      const { address, message, how } = checkPublish(queue, payload, options);
      return this.relay.send(address, message, how) as Promise<unknown> as Promise<void>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Joins a consumer group of a queue (`orders`, or `orders/eu/#` with a filter) and resolves when the server has attached. Members of a group share its
   * messages, each group gets all of them. Comes back after a reconnect. With `""` the server chooses the group.
   * @throws {MessagingError} ERR_LINK_DETACHED with the server's reason, ERR_INVALID_TOPIC, ERR_INVALID_SUBSCRIBE_OPTION, ERR_UNSUPPORTED for a second
   *   subscription to a queue of FluxMQ, ERR_NOT_CONNECTED, ERR_ABORTED
   */
  async subscribeToQueue(
    queue: string,
    group: string,
    options: AmqpQueueSubscribeOptions | ((message: AmqpQueueMessage) => unknown) = {},
  ): Promise<AmqpQueueSubscription> {
    const chosen = typeof options === "function" ? { handler: options } : options;
    return await this.#queues.subscribe(queue, group, chosen);
  }

  /** Ends this connection's subscriptions to a queue, or only those of a group or filter; see `AmqpQueueSubscription.unsubscribe`. */
  async unsubscribeFromQueue(
    queue: string,
    options: { readonly group?: string; readonly filter?: string } = {},
  ): Promise<void> {
    await this.#queues.unsubscribe(queue, options.group, options.filter);
  }

  /**
   * Says goodbye and waits for the server's; resolves when the connection is over, however it ended. Links and sessions on it end with it,
   * and what they still waited for rejects. Calls after the first wait with it.
   * @throws {MessagingError} ERR_ABORTED when the signal fires first; the connection is then cut
   */
  async close(options: { readonly error?: ErrorDetails; readonly signal?: AbortSignal } = {}): Promise<void> {
    this.#core.close(errorInput(options.error));
    try {
      await this.#core.life.whenClosed(options.signal);
    } catch (error) {
      this.destroy();
      throw error;
    }
  }

  /** Cuts the connection for good, without a goodbye. */
  destroy(): void {
    this.#core.destroy(new MessagingError("ERR_CLIENT_CLOSED", "the connection was destroyed"));
  }

  /** Calls `listener` at each event of the type; the returned function stops it. */
  on<K extends AmqpConnectionEvent["type"]>(
    type: K,
    listener: (event: EventOf<AmqpConnectionEvent, K>) => unknown,
  ): () => void {
    return this.#core.events.on(type, listener);
  }

  /** All events from now on; ends with the connection. Up to 1,024 wait for a slow reader, then the oldest are dropped. */
  events(): EventStream<AmqpConnectionEvent> {
    return this.#core.events.events();
  }

  /** Closes the connection, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
