import { type Deferred, deferred } from "../../../base/deferred.ts";
import { asMessagingError, type MessagingError } from "../../../base/errors.ts";
import { noop } from "../../../base/noop.ts";
import type { AmqpReceiver } from "../receiver.ts";
import { AmqpQueueMessage, type QueueSource } from "./queue-message.ts";
import type { CheckedQueue, QueueServer } from "./queue-options.ts";

/** What a subscription needs of its connection. */
export interface QueueHost {
  readonly server: QueueServer;
  /** Opens a session of its own with a receiver on it. */
  attach(call: CheckedQueue, when: "first" | "again"): Promise<AmqpReceiver>;
  handlerFailed(subscription: AmqpQueueSubscription, error: unknown): void;
  /** A settlement that nobody waits for failed: the server delivers the message again. */
  unsettled(error: unknown): void;
  ended(subscription: AmqpQueueSubscription): void;
}

/**
 * Deliveries after which a session with FluxMQ is begun anew: it counts its outgoing window down from 65,535 and never raises it. The rest is for
 * what comes before all is settled.
 */
const ROLL_AFTER = 60_000;

/** A member of a consumer group of a queue, made by `AmqpConnection.subscribeToQueue`. */
export class AmqpQueueSubscription implements AsyncIterable<AmqpQueueMessage>, QueueSource {
  /** The queue's name. */
  readonly queue: string;
  /** As it was asked for. */
  readonly group: string;
  /** Resolves when the subscription is over: with the error that ended it, or null after `unsubscribe` and `close`. Never rejects. */
  readonly closed: Promise<MessagingError | null>;
  /** For the connection. */
  readonly call: CheckedQueue;
  readonly #host: QueueHost;
  readonly #closed: Deferred<MessagingError | null> = deferred();
  #state: "open" | "ending" | "ended" = "open";
  #receiver: AmqpReceiver | null = null;
  #rolling: Promise<void> | null = null;
  #delivered = 0;
  readonly #inHand = new Set<AmqpQueueMessage>();
  #handling = 0;
  #idle: Deferred<void> | null = null;

  /** For the connection. */
  constructor(call: CheckedQueue, host: QueueHost) {
    this.call = call;
    this.queue = call.address.queue;
    this.group = call.group;
    this.#host = host;
    this.closed = this.#closed.promise;
  }

  /** For messages. */
  get server(): QueueServer {
    return this.#host.server;
  }

  /** True when it is over, or is about to be. */
  get ended(): boolean {
    return this.#state !== "open";
  }

  /** Messages that were handed out and are not settled. */
  get unsettledMessages(): number {
    return this.#inHand.size;
  }

  /** For the connection: joins the group. */
  async open(): Promise<void> {
    const receiver = await this.#host.attach(this.call, "first");
    // Nobody waits for it any more.
    if (this.#state !== "open") return void receiver.session.close();
    this.#use(receiver);
    if (this.call.handler === null) return;
    for (let i = 0; i < this.call.concurrency; i++) void this.#work();
  }

  /**
   * Leaves the group: messages that nobody has begun with go back to the queue, handlers under way are waited for, and what is unsettled then goes
   * back too. Resolves when the server has ended it. FluxMQ gives back what was not settled only after its visibility timeout.
   */
  async unsubscribe(): Promise<void> {
    if (this.#state === "open") {
      this.#state = "ending";
      const receiver = this.#receiver;
      receiver?.stop();
      for (let next = receiver?.prefetched(); next; next = receiver?.prefetched()) next.release().catch(noop);
      if (this.#handling > 0) {
        this.#idle = deferred();
        await this.#idle.promise;
      }
      await this.#rolling?.catch(noop);
      await this.#receiver?.session.close();
      this.#end(null);
    }
    await this.closed;
  }

  /** Leaves the group, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.unsubscribe();
  }

  /** Iterates over messages until the subscription is over: to the end when we ended it, else with its error. Leaving the loop leaves the group as it is. */
  async *[Symbol.asyncIterator](): AsyncGenerator<AmqpQueueMessage, void, undefined> {
    for (;;) {
      const message = await this.#next();
      if (message === null) {
        const error = await this.closed;
        if (error !== null) throw error;
        return;
      }
      yield message;
      if (this.call.ack === "auto" && !message.settled) await this.#background(message.ack());
    }
  }

  /** For messages. */
  settled(message: AmqpQueueMessage): void {
    this.#inHand.delete(message);
    if (this.#delivered >= ROLL_AFTER && this.server === "fluxmq") this.#roll();
  }

  /** For the connection: its receiver is over. */
  fail(error: MessagingError | null): void {
    this.#end(error);
  }

  async #work(): Promise<void> {
    for (let message = await this.#next(); message !== null; message = await this.#next()) {
      this.#handling++;
      await this.#handle(message);
      if (--this.#handling === 0) this.#idle?.resolve();
    }
  }

  async #handle(message: AmqpQueueMessage): Promise<void> {
    const { ack, whenHandlerFails, handler } = this.call;
    let outcome: "ack" | "nack" | "reject" = "ack";
    try {
      await handler?.(message);
    } catch (error) {
      outcome = whenHandlerFails;
      this.#host.handlerFailed(this, error);
    }
    if (ack === "auto" && !message.settled) await this.#background(message[outcome]());
  }

  async #background(settling: Promise<void>): Promise<void> {
    try {
      await settling;
    } catch (error) {
      this.#host.unsettled(error);
    }
  }

  /** The next message; null when the subscription is over. */
  async #next(): Promise<AmqpQueueMessage | null> {
    while (this.#state === "open") {
      await this.#rolling;
      const receiver = this.#receiver as AmqpReceiver;
      try {
        const delivery = await receiver.receive();
        if (this.#state === "open") return this.#take(new AmqpQueueMessage(delivery, this));
        delivery.release().catch(noop);
      } catch (error) {
        if (this.#rolling !== null || receiver !== this.#receiver || this.#state !== "open") continue;
        this.#end(asMessagingError(error, "ERR_LINK_DETACHED"));
      }
    }
    return null;
  }

  #take(message: AmqpQueueMessage): AmqpQueueMessage {
    this.#delivered++;
    this.#inHand.add(message);
    if (this.call.ack === "onReceive") void this.#background(message.ack());
    return message;
  }

  #use(receiver: AmqpReceiver): void {
    this.#receiver = receiver;
    this.#delivered = 0;
    receiver.session.onRestored(async () => {
      this.#delivered = 0;
    });
    void receiver.closed.then((error) => {
      if (receiver === this.#receiver && this.#rolling === null && this.#state === "open") this.#end(error);
    });
  }

  /** Goes on with another session, once nothing of this one is unsettled. */
  #roll(): void {
    const receiver = this.#receiver;
    const ready = this.#inHand.size === 0 && receiver?.bufferedMessages === 0 && receiver.state === "open";
    if (!ready || this.#rolling !== null || this.#state !== "open") return;
    const rolling = this.#anew(receiver).catch((error: unknown) => {
      this.#end(asMessagingError(error, "ERR_SESSION_ENDED"));
    });
    this.#rolling = rolling.finally(() => {
      this.#rolling = null;
    });
  }

  async #anew(receiver: AmqpReceiver): Promise<void> {
    await receiver.session.close();
    this.#use(await this.#host.attach(this.call, "again"));
  }

  #end(error: MessagingError | null): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#closed.resolve(error);
    this.#host.ended(this);
  }
}
